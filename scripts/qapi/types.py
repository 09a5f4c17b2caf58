# SPDX-License-Identifier: MIT
"""C types."""
from __future__ import annotations

from typing import List, Tuple, Union

from .common import escape, guarded
from .entities import (SPECIAL_FEATURES, Alternate, Array, Builtin, Enum,
                       Feature, Member, Object, Type)
from .schema import Schema


def special_bits(features: List[Feature]) -> str:
    """A mask of QapiSpecialFeature."""
    bits = [f'1u << QAPI_{name.upper()}' for name, _ in features
            if name in SPECIAL_FEATURES]
    return ' | '.join(bits) or '0'


# Enumerations

def enum_lookup(name: str, size: str,
                values: List[Tuple[str, Member]]) -> str:
    """The definition of a QEnumLookup; values: (constant, value)."""
    names = ''.join(guarded(v.cond,
                            f'        [{const}] = "{escape(v.name)}",\n')
                    for const, v in values)
    features = ''.join(guarded(v.cond, f'        [{const}] = '
                                       f'{special_bits(v.features)},\n')
                       for const, v in values
                       if special_bits(v.features) != '0')
    text = (f'const QEnumLookup {name}_lookup = {{\n'
            f'    .array = (const char *const[]) {{\n{names}    }},\n')
    if features:
        text += ('    .special_features = (const unsigned char['
                 f'{size}]) {{\n{features}    }},\n')
    return text + f'    .size = {size},\n}};\n\n'


def enum_declaration(name: str, size: str,
                     values: List[Tuple[str, Member]]) -> str:
    """The enum and its lookup."""
    constants = ''.join(guarded(v.cond, f'    {const},\n')
                        for const, v in values)
    return (f'typedef enum {name} {{\n{constants}    {size},\n}} {name};\n\n'
            f'extern const QEnumLookup {name}_lookup;\n'
            f'#define {name}_str(val) \\\n'
            f'    qapi_enum_lookup(&{name}_lookup, (val))\n\n')


def enum_values(enum: Enum) -> List[Tuple[str, Member]]:
    """(constant, value)"""
    return [(enum.const(v.name), v) for v in enum.values]


# Structs, unions, alternates, lists

def members_text(members: List[Member]) -> str:
    """Their declarations."""
    return ''.join(guarded(m.cond, (
        (f'    bool has_{m.c_name};\n' if m.optional else '') +
        f'    {m.type.declare(m.c_name)};\n')) for m in members)


def branches_text(branches: List[Member]) -> str:
    """The union u."""
    text = ''
    for b in branches:
        # Objects are contained, not pointed to.
        decl = (f'{b.type.c_name} {b.c_name}' if isinstance(b.type, Object)
                else b.type.declare(b.c_name))
        text += guarded(b.cond, f'        {decl};\n')
    return f'    union {{\n{text}    }} u;\n'


def object_text(obj: Object) -> str:
    """The struct of a struct or union."""
    text = ''
    if obj.base:
        text += f'    /* As in {obj.base.c_name} */\n'
        text += members_text(obj.base.members())
        text += '    /* Own members */\n'
    text += members_text(obj.local_members)
    if obj.branches:
        text += branches_text(obj.branches)
    if obj.is_empty():
        text += '    char dummy;\n'
    text = f'struct {obj.c_name} {{\n{text}}};\n\n'
    if obj.base and not obj.base.implicit:
        base = obj.base.c_name
        text += (f'static inline {base} *qapi_{obj.c_name}_base('
                 f'const {obj.c_name} *obj)\n{{\n'
                 f'    return ({base} *)obj;\n}}\n\n')
    return text


def alternate_text(alternate: Alternate) -> str:
    """The struct of an alternate."""
    return (f'struct {alternate.c_name} {{\n    QType type;\n'
            f'{branches_text(alternate.branches)}}};\n\n')


def list_text(array: Array) -> str:
    """The struct of a list's link."""
    return (f'typedef struct {array.c_name} {array.c_name};\n'
            f'struct {array.c_name} {{\n    {array.c_name} *next;\n'
            f'    {array.element.declare("value")};\n}};\n\n')


def free_declaration(type_: Type) -> str:
    """What frees it."""
    name = type_.c_name
    return (f'void qapi_free_{name}({name} *obj);\n'
            f'G_DEFINE_AUTOPTR_CLEANUP_FUNC({name}, qapi_free_{name})\n\n')


def free_definition(type_: Type) -> str:
    """Its body."""
    name = type_.c_name
    return guarded(type_.cond, (
        f'void qapi_free_{name}({name} *obj)\n{{\n'
        '    Visitor *v;\n\n'
        '    if (obj) {\n'
        '        v = qapi_dealloc_visitor_new();\n'
        f'        visit_type_{name}(v, NULL, &obj, NULL);\n'
        '        visit_free(v);\n'
        '    }\n}\n\n'))


def in_order(objects: List[Union[Object, Alternate]]
             ) -> List[Union[Object, Alternate]]:
    """Those that others contain come before them."""
    result: List[Union[Object, Alternate]] = []

    def add(obj: Union[Object, Alternate]) -> None:
        if obj in result or obj not in objects:
            return
        for branch in obj.branches:
            if isinstance(branch.type, (Object, Alternate)):
                add(branch.type)
        result.append(obj)

    for obj in objects:
        add(obj)
    return result


def gen_types(schema: Schema, module: str) -> Tuple[str, str]:
    """(header, body) of a module."""
    head = body = ''
    for enum in schema.of_module(module, Enum):
        size, values = enum.const('-max'), enum_values(enum)
        head += guarded(enum.cond,
                        enum_declaration(enum.c_name, size, values))
        body += guarded(enum.cond, enum_lookup(enum.c_name, size, values))
    objects: List[Union[Object, Alternate]] = [
        e for e in schema.entities
        if e.module == module and isinstance(e, (Object, Alternate))]
    for obj in objects:
        head += guarded(obj.cond,
                        f'typedef struct {obj.c_name} {obj.c_name};\n')
    head += '\n'
    for array in schema.arrays_of(module):
        head += guarded(array.cond, list_text(array) +
                        free_declaration(array))
        body += free_definition(array)
    for obj in in_order(objects):
        text = (object_text(obj) if isinstance(obj, Object)
                else alternate_text(obj))
        if not obj.implicit:
            text += free_declaration(obj)
            body += free_definition(obj)
        head += guarded(obj.cond, text)
    return head, body


def builtin_arrays(schema: Schema) -> List[Array]:
    """The arrays of builtin types, used or not."""
    return [Array(t) for t in schema.types.values() if isinstance(t, Builtin)]


def gen_builtin_types(schema: Schema) -> Tuple[str, str]:
    """(header, body) of what all schemas have."""
    names = ('none', 'qnull', 'qnum', 'qstring', 'qdict', 'qlist', 'qbool')
    head = ('#include "qapi/util.h"\n#include "qapi/qmp/qobject.h"\n\n'
            'extern const QEnumLookup QType_lookup;\n'
            '#define QType_str(val) qapi_enum_lookup(&QType_lookup, (val))\n'
            '\n')
    body = enum_lookup('QType', 'QTYPE__MAX', [
        ('QTYPE_' + n.upper(), Member(n, None, False, None)) for n in names])
    for array in builtin_arrays(schema):
        head += list_text(array) + free_declaration(array)
        body += free_definition(array)
    return head, body
