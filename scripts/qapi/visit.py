# SPDX-License-Identifier: MIT
"""Visitors of the types.  What all have in common is in the run-time:
include/qapi/visit-generated.h."""
from __future__ import annotations

from typing import Tuple

from .common import guarded
from .entities import Alternate, Array, Enum, Member, Object, Type
from .schema import Schema
from .types import builtin_arrays


def visit_prototype(type_: Type) -> str:
    """Of visit_type_FOO(), without semicolon."""
    pointer = '' if isinstance(type_, Enum) else '*'
    return (f'bool visit_type_{type_.c_name}(Visitor *v, const char *name,\n'
            f'        {type_.c_name} {pointer}*obj, Error **errp)')


def members_prototype(obj: Object) -> str:
    """Of visit_type_FOO_members()."""
    return (f'bool visit_type_{obj.c_name}_members(Visitor *v,\n'
            f'        {obj.c_name} *obj, Error **errp)')


def gen_declaration(type_: Type) -> str:
    """Of visit_type_FOO()."""
    return guarded(type_.cond, visit_prototype(type_) + ';\n')


def gen_enum(enum: Enum) -> str:
    """visit_type_ENUM()"""
    return guarded(enum.cond, (
        f'{visit_prototype(enum)}\n{{\n'
        '    int value = *obj;\n'
        '    bool ok = visit_type_enum(v, name, &value, '
        f'&{enum.c_name}_lookup, errp);\n\n'
        '    *obj = value;\n    return ok;\n}\n\n'))


def gen_untyped_free(type_: Type) -> str:
    """What the run-time calls to free a partial result."""
    return (f'static void free_{type_.c_name}(void *obj)\n{{\n'
            f'    qapi_free_{type_.c_name}(obj);\n}}\n\n')


def gen_list(array: Array) -> str:
    """visit_type_ELEMENTList()"""
    name = array.c_name
    return guarded(array.cond, (
        f'static bool visit_link_{name}(Visitor *v, void *link, '
        'Error **errp)\n{\n'
        f'    {name} *l = link;\n\n'
        f'    return visit_type_{array.element.c_name}(v, NULL, &l->value, '
        'errp);\n}\n\n'
        f'{gen_untyped_free(array)}'
        f'{visit_prototype(array)}\n{{\n'
        '    return qapi_visit_list(v, name, (GenericList **)obj, '
        f'sizeof({name}),\n'
        f'                           visit_link_{name}, free_{name}, '
        'errp);\n}\n\n'))


# Objects

def gen_member(member: Member) -> str:
    """Visit it; return false if that fails."""
    visit = (f'visit_type_{member.type.c_name}(v, "{member.name}", '
             f'&obj->{member.c_name}, errp)')
    if member.optional:
        text = (f'    if (visit_optional(v, "{member.name}", '
                f'&obj->has_{member.c_name}) &&\n        !{visit}) {{\n')
    else:
        text = f'    if (!{visit}) {{\n'
    return guarded(member.cond, text + '        return false;\n    }\n')


def gen_branches(union: Object, tag: Member) -> str:
    """Visit the members of the branch that was chosen."""
    assert isinstance(tag.type, Enum)
    text = f'    switch (obj->{tag.c_name}) {{\n'
    for b in union.branches:
        text += guarded(b.cond, (
            f'    case {tag.type.const(b.name)}:\n'
            f'        return visit_type_{b.type.c_name}_members(v, '
            f'&obj->u.{b.c_name}, errp);\n'))
    return text + '    default:\n        break;\n    }\n'


def gen_object_members(obj: Object) -> str:
    """visit_type_FOO_members()"""
    text = f'{members_prototype(obj)}\n{{\n'
    if obj.base and not obj.base.is_empty():
        base = obj.base.c_name
        text += (f'    if (!visit_type_{base}_members(v, ({base} *)obj, '
                 'errp)) {\n        return false;\n    }\n')
    for member in obj.local_members:
        text += gen_member(member)
    if obj.tag:
        text += gen_branches(obj, obj.tag)
    return guarded(obj.cond, text + '    return true;\n}\n\n')


def gen_untyped_members(obj: Object, name: str) -> str:
    """visit_type_FOO_members() as the run-time calls it."""
    return (f'static bool {name}(Visitor *v, void *obj, Error **errp)\n{{\n'
            f'    return visit_type_{obj.c_name}_members(v, obj, errp);\n'
            '}\n\n')


def gen_object(obj: Object) -> str:
    """visit_type_FOO()"""
    name = obj.c_name
    return guarded(obj.cond, (
        gen_untyped_members(obj, f'visit_members_{name}') +
        gen_untyped_free(obj) +
        f'{visit_prototype(obj)}\n{{\n'
        '    return qapi_visit_object(v, name, (void **)obj, '
        f'sizeof({name}),\n'
        f'                             visit_members_{name}, '
        f'free_{name}, errp);\n}}\n\n'))


# Alternates

def gen_branch(alternate: Alternate, branch: Member) -> str:
    """Visit the value as this branch."""
    name = branch.c_name
    if isinstance(branch.type, Object):
        visit = (f'qapi_visit_in_place(v, name, &obj->u.{name},\n'
                 f'                visit_branch_{alternate.c_name}_{name}, '
                 'errp)')
    else:
        visit = (f'visit_type_{branch.type.c_name}(v, name, &obj->u.{name}, '
                 'errp)')
    return guarded(branch.cond, (f'    case {branch.type.qtype}:\n'
                                 f'        return {visit};\n'))


def gen_alternate(alternate: Alternate) -> str:
    """visit_type_ALTERNATE()"""
    name = alternate.c_name
    text = ''
    for b in alternate.branches:
        if isinstance(b.type, Object):
            text += guarded(b.cond, gen_untyped_members(
                b.type, f'visit_branch_{name}_{b.c_name}'))
    text += (f'static bool visit_value_{name}(Visitor *v, const char *name,\n'
             '        void *opaque, Error **errp)\n{\n'
             f'    {name} *obj = opaque;\n\n'
             '    switch (obj->type) {\n')
    text += ''.join(gen_branch(alternate, b) for b in alternate.branches)
    text += ('    default:\n'
             '        error_setg(errp, QERR_INVALID_PARAMETER_TYPE, '
             f'name ? name : "null",\n                   "{alternate.name}");'
             '\n        return false;\n    }\n}\n\n'
             f'{gen_untyped_free(alternate)}'
             f'{visit_prototype(alternate)}\n{{\n'
             '    return qapi_visit_alternate(v, name, '
             '(GenericAlternate **)obj,\n'
             f'                                sizeof({name}), '
             f'visit_value_{name},\n'
             f'                                free_{name}, errp);\n}}\n\n')
    return guarded(alternate.cond, text)


def gen_visit(schema: Schema, module: str) -> Tuple[str, str]:
    """(header, body) of a module."""
    head = body = ''
    for enum in schema.of_module(module, Enum):
        head += gen_declaration(enum)
        body += gen_enum(enum)
    for array in schema.arrays_of(module):
        head += gen_declaration(array)
        body += gen_list(array)
    for obj in schema.of_module(module, Object):
        head += guarded(obj.cond, members_prototype(obj) + ';\n')
        body += gen_object_members(obj)
        if not obj.implicit:
            head += gen_declaration(obj)
            body += gen_object(obj)
    for alternate in schema.of_module(module, Alternate):
        head += gen_declaration(alternate)
        body += gen_alternate(alternate)
    return head, body


def gen_builtin_visit(schema: Schema) -> Tuple[str, str]:
    """(header, body) of what all schemas have."""
    qtype = Enum('QType', '', None, {'data': []})   # type: ignore
    head = ('#include "qapi/visitor.h"\n'
            '#include "qapi/qapi-builtin-types.h"\n\n')
    head += gen_declaration(qtype)
    body = gen_enum(qtype)
    for array in builtin_arrays(schema):
        head += gen_declaration(array)
        body += gen_list(array)
    return head, body
