# SPDX-License-Identifier: MIT
"""C types."""
from .common import escape, guarded
from .schema import Alternate, Array, Builtin, Enum, Object


def c_type(type_):
    """Of a member or value of this type."""
    return type_.c_type


def declare(type_, name):
    """A declaration without semicolon: "int64_t x", "char *x"."""
    c = c_type(type_)
    return c + name if c.endswith('*') else f'{c} {name}'


def special_bits(features):
    """Of deprecated and unstable."""
    bits = [f'1u << QAPI_{name.upper()}' for name, _ in features
            if name in ('deprecated', 'unstable')]
    return ' | '.join(bits) or '0'


# Enumerations

def gen_enum_head(e):
    text = f'typedef enum {e.c_name} {{\n'
    for m in e.members:
        text += guarded(m.cond, f'    {e.const(m.name)},\n')
    text += f'    {e.const("-max")},\n}} {e.c_name};\n\n'
    text += (f'extern const QEnumLookup {e.c_name}_lookup;\n'
             f'#define {e.c_name}_str(val) \\\n'
             f'    qapi_enum_lookup(&{e.c_name}_lookup, (val))\n\n')
    return guarded(e.cond, text)


def gen_enum_body(e):
    names = features = ''
    for m in e.members:
        const = e.const(m.name)
        names += guarded(m.cond, f'        [{const}] = "{escape(m.name)}",\n')
        if special_bits(m.features) != '0':
            features += guarded(
                m.cond, f'        [{const}] = {special_bits(m.features)},\n')
    text = (f'const QEnumLookup {e.c_name}_lookup = {{\n'
            f'    .array = (const char *const[]) {{\n{names}    }},\n')
    if features:
        text += (f'    .special_features = (const unsigned char['
                 f'{e.const("-max")}]) {{\n{features}    }},\n')
    text += f'    .size = {e.const("-max")},\n}};\n\n'
    return guarded(e.cond, text)


# Structs, unions, alternates

def gen_members(members):
    text = ''
    for m in members:
        line = f'    bool has_{m.c_name};\n' if m.optional else ''
        text += guarded(m.cond, line + f'    {declare(m.type, m.c_name)};\n')
    return text


def gen_branches(branches):
    text = '    union {\n'
    for b in branches:
        decl = (f'{b.type.c_name} {b.c_name}'
                if isinstance(b.type, (Object, Alternate))
                else declare(b.type, b.c_name))
        text += guarded(b.cond, f'        {decl};\n')
    return text + '    } u;\n'


def gen_object(o):
    text = f'struct {o.c_name} {{\n'
    if isinstance(o, Alternate):
        text += '    QType type;\n' + gen_branches(o.branches)
    else:
        if o.base:
            text += f'    /* The same as in {o.base.c_name} */\n'
        text += gen_members(o.members())
        if o.branches:
            text += gen_branches(o.branches)
        if o.is_empty():
            text += '    char dummy;\n'
    text += '};\n\n'
    if o.name.startswith('q_obj_'):
        return guarded(o.cond, text)
    if isinstance(o, Object) and o.base and not o.base.is_implicit():
        text += (f'static inline {o.base.c_name} *qapi_{o.c_name}_base('
                 f'const {o.c_name} *obj)\n{{\n'
                 f'    return ({o.base.c_name} *)obj;\n}}\n\n')
    text += gen_free_head(o)
    return guarded(o.cond, text)


def gen_free_head(t):
    return (f'void qapi_free_{t.c_name}({t.c_name} *obj);\n'
            f'G_DEFINE_AUTOPTR_CLEANUP_FUNC({t.c_name}, '
            f'qapi_free_{t.c_name})\n\n')


def gen_free_body(t):
    text = (f'void qapi_free_{t.c_name}({t.c_name} *obj)\n{{\n'
            '    Visitor *v;\n\n'
            '    if (obj) {\n'
            '        v = qapi_dealloc_visitor_new();\n'
            f'        visit_type_{t.c_name}(v, NULL, &obj, NULL);\n'
            '        visit_free(v);\n'
            '    }\n}\n\n')
    return guarded(t.cond, text)


def gen_list_head(a):
    text = (f'typedef struct {a.c_name} {a.c_name};\n'
            f'struct {a.c_name} {{\n    {a.c_name} *next;\n'
            f'    {declare(a.element, "value")};\n}};\n\n')
    return guarded(a.cond, text + gen_free_head(a))


def in_order(objects):
    """Those that others contain by value first."""
    done, result = set(), []

    def add(o):
        if o in done or o not in objects:
            return
        done.add(o)
        for b in o.branches:
            add(b.type)
        result.append(o)

    for o in objects:
        add(o)
    return result


def gen_types(schema, module):
    """(header, body) of a module."""
    head = body = ''
    for e in schema.of_module(module, Enum):
        head += gen_enum_head(e)
        body += gen_enum_body(e)
    objects = schema.of_module(module, (Object, Alternate))
    for o in objects:
        head += guarded(o.cond,
                        f'typedef struct {o.c_name} {o.c_name};\n')
    head += '\n'
    arrays = schema.arrays_of(module)
    for a in arrays:
        head += gen_list_head(a)
        body += gen_free_body(a)
    for o in in_order(objects):
        head += gen_object(o)
        if not o.name.startswith('q_obj_'):
            body += gen_free_body(o)
    return head, body


def gen_builtin_types(schema):
    """(header, body) of lists of builtin types."""
    head = ('#include "qapi/util.h"\n#include "qapi/qmp/qobject.h"\n\n'
            'extern const QEnumLookup QType_lookup;\n'
            '#define QType_str(val) qapi_enum_lookup(&QType_lookup, (val))\n'
            '\n')
    names = ('none', 'qnull', 'qnum', 'qstring', 'qdict', 'qlist', 'qbool')
    body = ('const QEnumLookup QType_lookup = {\n'
            '    .array = (const char *const[]) {\n' +
            ''.join(f'        [QTYPE_{n.upper()}] = "{n}",\n'
                    for n in names) +
            '    },\n    .size = QTYPE__MAX,\n};\n\n')
    for t in schema.types.values():
        if isinstance(t, Builtin) and t.name != 'null':
            array = builtin_list(t)
            head += gen_list_head(array)
            body += gen_free_body(array)
    return head, body


def builtin_list(type_):
    """The array of a builtin type."""
    return Array(type_)
