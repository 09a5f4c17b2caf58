# SPDX-License-Identifier: MIT
"""The schema as data, for query-qmp-schema: JSON text in a C string.

Types have numbers as names, so that nobody relies on theirs; only what
commands and events need is there.  Conditions are left to the preprocessor:
each entry, member or value with a condition is a string of its own."""
import json

from .common import c_name, condition, escape
from .schema import Alternate, Array, Builtin, Command, Enum, Event


class Text:
    """JSON text in pieces, some of which are conditional."""

    def __init__(self):
        self.lines = []

    def add(self, text, cond=None):
        line = f'    "{escape(text)}"\n'
        cond = condition(cond)
        if cond:
            line = f'#if {cond}\n{line}#endif\n'
        self.lines.append(line)

    def __str__(self):
        return ''.join(self.lines)


class Introspection:
    """Collects the entries."""

    def __init__(self, schema, unmask):
        self.schema = schema
        self.unmask = unmask
        self.names = {}
        self.pending = []
        self.text = Text()

    def type_name(self, type_):
        if type_ is None:
            type_ = 'q_empty'
        if isinstance(type_, Builtin):
            # All integers look the same on the wire.
            if type_.json_type == 'int':
                type_ = self.schema.types['int']
            self.want(type_)
            return type_.name
        if isinstance(type_, Array):
            name = '[' + self.type_name(type_.element) + ']'
            self.names.setdefault(type_.name, name)
            self.want(type_)
            return name
        key = type_ if isinstance(type_, str) else type_.name
        if key not in self.names:
            self.names[key] = key if self.unmask else str(len(self.numbered()))
            self.pending.append(type_)
        return self.names[key]

    def numbered(self):
        return [n for n in self.names.values()
                if not n.startswith('[') and n not in self.builtin_names()]

    def builtin_names(self):
        return {t.name for t in self.schema.types.values()
                if isinstance(t, Builtin)}

    def want(self, type_):
        if type_.name not in self.names or \
                type_ not in self.pending and type_.name not in self.done:
            self.names.setdefault(type_.name, type_.name)
            self.pending.append(type_)

    def entry(self, name, meta, data, entity=None):
        """Start an entry: everything but the closing brace."""
        obj = {'name': name, 'meta-type': meta, **data}
        features = [f for f, _ in entity.features] if entity else []
        if features:
            obj['features'] = features
        return json.dumps(obj)[:-1]

    @staticmethod
    def listed(key, items):
        """, "KEY": [ITEMS] where each item is (text, condition)."""
        yield f', "{key}": [', None
        for text, cond in items:
            yield text + ', ', cond
        yield ']', None

    def put(self, start, lists, cond):
        inner = Text()
        inner.add(start)
        for key, items in lists:
            for text, c in self.listed(key, items):
                inner.add(text, c)
        inner.add('}, ')
        cond = condition(cond)
        text = str(inner)
        self.text.lines.append(f'#if {cond}\n{text}#endif\n' if cond else text)

    def member(self, m):
        obj = {'name': m.name, 'type': self.type_name(m.type)}
        if m.optional:
            obj['default'] = None
        if m.features:
            obj['features'] = [f for f, _ in m.features]
        return json.dumps(obj), m.cond

    def put_type(self, t):
        if isinstance(t, str):
            self.put(self.entry(self.names[t], 'object', {}),
                     [('members', [])], None)
        elif isinstance(t, Builtin):
            self.put(self.entry(t.name, 'builtin',
                                {'json-type': t.json_type}), [], None)
        elif isinstance(t, Array):
            self.put(self.entry(self.names[t.name], 'array',
                                {'element-type': self.type_name(t.element)}),
                     [], t.cond)
        elif isinstance(t, Enum):
            members = []
            for m in t.members:
                obj = {'name': m.name}
                if m.features:
                    obj['features'] = [f for f, _ in m.features]
                members.append((json.dumps(obj), m.cond))
            self.put(self.entry(self.names[t.name], 'enum', {}, t),
                     [('members', members),
                      ('values', [(json.dumps(m.name), m.cond)
                                  for m in t.members])], t.cond)
        elif isinstance(t, Alternate):
            self.put(self.entry(self.names[t.name], 'alternate', {}, t),
                     [('members', [(json.dumps(
                         {'type': self.type_name(b.type)}), b.cond)
                         for b in t.branches])], t.cond)
        else:
            self.put_object(t)

    def put_object(self, o):
        members = [self.member(m) for m in o.members()]
        lists = [('members', members)]
        data = {}
        if o.tag:
            data['tag'] = o.tag.name
            taken = {b.name: b for b in o.branches}
            variants = []
            for value in o.tag.type.members:
                branch = taken.get(value.name)
                obj = {'case': value.name,
                       'type': self.type_name(branch.type if branch
                                              else None)}
                cond = branch.cond if branch and branch.cond else value.cond
                variants.append((json.dumps(obj), cond))
            lists.append(('variants', variants))
        self.put(self.entry(self.names[o.name], 'object', data, o), lists,
                 o.cond)

    def run(self):
        self.done = set()
        for e in self.schema.entities:
            if isinstance(e, Command):
                data = {'arg-type': self.type_name(e.arg),
                        'ret-type': self.type_name(e.ret)}
                if e.allow_oob:
                    data['allow-oob'] = True
                self.put(self.entry(e.name, 'command', data, e), [], e.cond)
            elif isinstance(e, Event):
                self.put(self.entry(e.name, 'event',
                                    {'arg-type': self.type_name(e.arg)}, e),
                         [], e.cond)
        while self.pending:
            t = self.pending.pop(0)
            name = t if isinstance(t, str) else t.name
            if name not in self.done:
                self.done.add(name)
                self.put_type(t)
        return str(self.text)


def gen_introspect(schema, prefix, unmask):
    """(header, body)."""
    name = c_name(prefix) + 'qmp_schema_json'
    head = ('/* A JSON array; lists in it may end with a comma. */\n'
            f'extern const char {name}[];\n')
    intro = Introspection(schema, unmask)
    intro.done = set()
    body = intro.run()
    return head, f'const char {name}[] =\n    "["\n{body}    "]";\n'
