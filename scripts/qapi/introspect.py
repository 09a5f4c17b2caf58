# SPDX-License-Identifier: MIT
"""The schema as data, for query-qmp-schema: JSON text in a C string.

Types have numbers as names, so that no client relies on theirs; only those
that commands and events need are there.  What is conditional is left to the
preprocessor, which joins the lines of the string.
"""
from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

from .common import Cond, any_of, c_name, escape, guarded
from .entities import (Alternate, Array, Builtin, Command, Entity, Enum,
                       Event, Feature, Member, Object, Type)
from .schema import Schema

# JSON text, and when it is there
Item = Tuple[str, Optional[Cond]]


def c_line(text: str, cond: Optional[Cond] = None) -> str:
    """A line of the string."""
    return guarded(cond, f'    "{escape(text)}"\n')


def c_list(items: List[Item]) -> str:
    """Lines with a JSON array."""
    text = c_line('[')
    for i, (item, cond) in enumerate(items):
        line = c_line(item)
        later = [c for _, c in items[i + 1:]]
        if later:
            line += c_line(', ', any_of(later))
        text += guarded(cond, line)
    return text + c_line(']')


def c_object(fields: Dict[str, Any]) -> str:
    """Lines with a JSON object; values that are lists consist of Items."""
    text, start = '', '{'
    for key, value in fields.items():
        start += f'{json.dumps(key)}: '
        if isinstance(value, list):
            text += c_line(start) + c_list(value)
            start = ', '
        else:
            start += json.dumps(value) + ', '
    return text + c_line(start[:-2] + '}')


def feature_items(features: List[Feature]) -> Dict[str, Any]:
    """The field for them, if there are any."""
    items = [(json.dumps(name), cond) for name, cond in features]
    return {'features': items} if items else {}


class Introspection:
    """Collects the text of all entries."""

    def __init__(self, schema: Schema, unmask: bool) -> None:
        self.schema = schema
        self.unmask = unmask
        self.empty = Object('q_empty', None, None, {})  # no arguments
        self.used: List[Type] = []      # in the order of their first use
        self.numbers: Dict[Type, str] = {}
        self.entries: List[Item] = []

    def _name(self, type_: Optional[Type]) -> str:
        type_ = type_ or self.empty
        if isinstance(type_, Builtin) and type_.json_type == 'int':
            # They differ in C only.
            type_ = self.schema.types['int']
        if type_ not in self.used:
            self.used.append(type_)
        if isinstance(type_, Builtin):
            return type_.name
        if isinstance(type_, Array):
            return f'[{self._name(type_.element)}]'
        if self.unmask:
            return type_.name
        return self.numbers.setdefault(type_, str(len(self.numbers)))

    def _add(self, name: str, meta: str, fields: Dict[str, Any],
             entity: Entity) -> None:
        self.entries.append((c_object({
            'name': name, 'meta-type': meta, **fields,
            **feature_items(entity.features)}), entity.cond))

    def _member(self, member: Member) -> Item:
        fields: Dict[str, Any] = {'name': member.name,
                                  'type': self._name(member.type)}
        if member.optional:
            fields['default'] = None
        # Their conditions do not reach into the JSON of a list's element.
        if member.features:
            fields['features'] = [name for name, _ in member.features]
        return json.dumps(fields), member.cond

    def _variants(self, union: Object, enum: Enum) -> List[Item]:
        branches = {b.name: b for b in union.branches}
        items: List[Item] = []
        for value in enum.values:
            branch = branches.get(value.name)
            conds = [c for c in (value.cond, branch and branch.cond) if c]
            items.append((json.dumps({
                'case': value.name,
                'type': self._name(branch.type if branch else None)}),
                          {'all': conds} if conds else None))
        return items

    def _enum(self, enum: Enum) -> Dict[str, Any]:
        members = []
        for value in enum.values:
            fields: Dict[str, Any] = {'name': value.name}
            if value.features:
                fields['features'] = [name for name, _ in value.features]
            members.append((json.dumps(fields), value.cond))
        return {'members': members,
                'values': [(json.dumps(v.name), v.cond)
                           for v in enum.values]}

    def _add_type(self, type_: Type) -> None:
        name = self._name(type_)
        fields: Dict[str, Any]
        if isinstance(type_, Builtin):
            meta, fields = 'builtin', {'json-type': type_.json_type}
        elif isinstance(type_, Array):
            meta, fields = 'array', {
                'element-type': self._name(type_.element)}
        elif isinstance(type_, Enum):
            meta, fields = 'enum', self._enum(type_)
        elif isinstance(type_, Alternate):
            meta, fields = 'alternate', {'members': [
                (json.dumps({'type': self._name(b.type)}), b.cond)
                for b in type_.branches]}
        else:
            assert isinstance(type_, Object)
            meta, fields = 'object', {
                'members': [self._member(m) for m in type_.members()]}
            if type_.tag:
                assert isinstance(type_.tag.type, Enum)
                fields['tag'] = type_.tag.name
                fields['variants'] = self._variants(type_, type_.tag.type)
        self._add(name, meta, fields, type_)

    def text(self) -> str:
        """The C string."""
        for e in self.schema.entities:
            if isinstance(e, Command):
                fields: Dict[str, Any] = {
                    'arg-type': self._name(e.arg),
                    'ret-type': self._name(e.ret)}
                if e.allow_oob:
                    fields['allow-oob'] = True
                self._add(e.name, 'command', fields, e)
            elif isinstance(e, Event):
                self._add(e.name, 'event', {'arg-type': self._name(e.arg)},
                          e)
        # Types use types, which are added at the end.
        for type_ in self.used:
            self._add_type(type_)
        text = c_line('[')
        for i, (entry, cond) in enumerate(self.entries):
            later = [c for _, c in self.entries[i + 1:]]
            if later:
                entry += c_line(', ', any_of(later))
            text += guarded(cond, entry)
        return text + c_line(']')


def gen_introspect(schema: Schema, prefix: str,
                   unmask: bool) -> Tuple[str, str]:
    """(header, body)"""
    name = c_name(prefix) + 'qmp_schema_json'
    return (f'/* What query-qmp-schema returns, as JSON. */\n'
            f'extern const char {name}[];\n',
            f'const char {name}[] =\n'
            f'{Introspection(schema, unmask).text()}    ;\n')
