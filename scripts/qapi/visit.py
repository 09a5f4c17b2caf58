# SPDX-License-Identifier: MIT
"""Visitors of the types.  What all have in common is in the run-time:
include/qapi/visit-generated.h."""
from .common import guarded
from .schema import Alternate, Builtin, Enum, Object
from .types import builtin_list


def gen_declaration(t):
    pointer = '' if isinstance(t, Enum) else '*'
    return (f'bool visit_type_{t.c_name}(Visitor *v, const char *name,\n'
            f'        {t.c_name} {pointer}*obj, Error **errp);\n')


def gen_enum(e):
    text = (f'bool visit_type_{e.c_name}(Visitor *v, const char *name,\n'
            f'        {e.c_name} *obj, Error **errp)\n{{\n'
            '    int value = *obj;\n'
            f'    bool ok = visit_type_enum(v, name, &value, '
            f'&{e.c_name}_lookup, errp);\n\n'
            '    *obj = value;\n    return ok;\n}\n\n')
    return guarded(e.cond, text)


def gen_list(a):
    text = (f'static bool visit_link_{a.c_name}(Visitor *v, void *link, '
            'Error **errp)\n{\n'
            f'    {a.c_name} *l = link;\n\n'
            f'    return visit_type_{a.element.c_name}(v, NULL, &l->value, '
            'errp);\n}\n\n'
            f'static void free_{a.c_name}(void *list)\n{{\n'
            f'    qapi_free_{a.c_name}(list);\n}}\n\n'
            f'bool visit_type_{a.c_name}(Visitor *v, const char *name,\n'
            f'        {a.c_name} **obj, Error **errp)\n{{\n'
            f'    return qapi_visit_list(v, name, (GenericList **)obj, '
            f'sizeof({a.c_name}),\n'
            f'                           visit_link_{a.c_name}, '
            f'free_{a.c_name}, errp);\n}}\n\n')
    return guarded(a.cond, text)


def gen_member(m):
    visit = f'visit_type_{m.type.c_name}(v, "{m.name}", &obj->{m.c_name}, errp)'
    if m.optional:
        text = (f'    if (visit_optional(v, "{m.name}", '
                f'&obj->has_{m.c_name}) &&\n        !{visit}) {{\n'
                '        return false;\n    }\n')
    else:
        text = f'    if (!{visit}) {{\n        return false;\n    }}\n'
    return guarded(m.cond, text)


def gen_members(o):
    text = (f'bool visit_type_{o.c_name}_members(Visitor *v, {o.c_name} *obj, '
            'Error **errp)\n{\n')
    if o.base and not o.base.is_empty():
        text += (f'    if (!visit_type_{o.base.c_name}_members(v, '
                 f'({o.base.c_name} *)obj, errp)) {{\n'
                 '        return false;\n    }\n')
    for m in o.local_members:
        text += gen_member(m)
    if o.tag:
        text += f'    switch (obj->{o.tag.c_name}) {{\n'
        for b in o.branches:
            text += guarded(b.cond, (
                f'    case {o.tag.type.const(b.name)}:\n'
                f'        return visit_type_{b.type.c_name}_members(v, '
                f'&obj->u.{b.c_name}, errp);\n'))
        text += '    default:\n        break;\n    }\n'
    text += '    return true;\n}\n\n'
    return guarded(o.cond, text)


def gen_wrappers(t, what):
    """The untyped functions that the run-time calls."""
    return (f'static bool {what}_{t.c_name}(Visitor *v, void *obj, '
            'Error **errp)\n{\n'
            f'    return visit_type_{t.c_name}_members(v, obj, errp);\n}}\n\n'
            f'static void free_{t.c_name}(void *obj)\n{{\n'
            f'    qapi_free_{t.c_name}(obj);\n}}\n\n')


def gen_object(o):
    text = gen_wrappers(o, 'visit_members')
    text += (f'bool visit_type_{o.c_name}(Visitor *v, const char *name,\n'
             f'        {o.c_name} **obj, Error **errp)\n{{\n'
             f'    return qapi_visit_object(v, name, (void **)obj, '
             f'sizeof({o.c_name}),\n'
             f'                             visit_members_{o.c_name}, '
             f'free_{o.c_name}, errp);\n}}\n\n')
    return guarded(o.cond, text)


def gen_branch(a, b):
    if isinstance(b.type, Object):
        visit = (f'qapi_visit_in_place(v, name, &obj->u.{b.c_name},\n'
                 f'                   visit_branch_{a.c_name}_{b.c_name}, '
                 'errp)')
    else:
        visit = (f'visit_type_{b.type.c_name}(v, name, &obj->u.{b.c_name}, '
                 'errp)')
    return guarded(b.cond, (f'    case {b.type.qtype}:\n'
                            f'        return {visit};\n'))


def gen_alternate(a):
    text = ''
    for b in a.branches:
        if isinstance(b.type, Object):
            text += guarded(b.cond, (
                f'static bool visit_branch_{a.c_name}_{b.c_name}(Visitor *v, '
                'void *obj, Error **errp)\n{\n'
                f'    return visit_type_{b.type.c_name}_members(v, obj, '
                'errp);\n}\n\n'))
    text += (f'static bool visit_value_{a.c_name}(Visitor *v, '
             'const char *name, void *opaque,\n        Error **errp)\n{\n'
             f'    {a.c_name} *obj = opaque;\n\n'
             '    switch (obj->type) {\n')
    for b in a.branches:
        text += gen_branch(a, b)
    text += ('    default:\n'
             '        error_setg(errp, QERR_INVALID_PARAMETER_TYPE, '
             f'name ? name : "null",\n                   "{a.name}");\n'
             '        return false;\n    }\n}\n\n'
             f'static void free_{a.c_name}(void *obj)\n{{\n'
             f'    qapi_free_{a.c_name}(obj);\n}}\n\n'
             f'bool visit_type_{a.c_name}(Visitor *v, const char *name,\n'
             f'        {a.c_name} **obj, Error **errp)\n{{\n'
             '    return qapi_visit_alternate(v, name, '
             '(GenericAlternate **)obj,\n'
             f'                                sizeof({a.c_name}), '
             f'visit_value_{a.c_name},\n'
             f'                                free_{a.c_name}, errp);\n'
             '}\n\n')
    return guarded(a.cond, text)


def gen_visit(schema, module):
    """(header, body) of a module."""
    head = body = ''
    for e in schema.of_module(module, Enum):
        head += guarded(e.cond, gen_declaration(e))
        body += gen_enum(e)
    for a in schema.arrays_of(module):
        head += guarded(a.cond, gen_declaration(a))
        body += gen_list(a)
    for o in schema.of_module(module, Object):
        head += guarded(o.cond, (
            f'bool visit_type_{o.c_name}_members(Visitor *v, {o.c_name} *obj, '
            'Error **errp);\n'))
        body += gen_members(o)
        if not o.name.startswith('q_obj_'):
            head += guarded(o.cond, gen_declaration(o))
            body += gen_object(o)
    for a in schema.of_module(module, Alternate):
        head += guarded(a.cond, gen_declaration(a))
        body += gen_alternate(a)
    return head, body


def gen_builtin_visit(schema):
    """(header, body) for lists of builtin types."""
    head = '#include "qapi/visitor.h"\n#include "qapi/qapi-builtin-types.h"\n\n'
    head += ('bool visit_type_QType(Visitor *v, const char *name,\n'
             '        QType *obj, Error **errp);\n')
    body = ('bool visit_type_QType(Visitor *v, const char *name,\n'
            '        QType *obj, Error **errp)\n{\n'
            '    int value = *obj;\n'
            '    bool ok = visit_type_enum(v, name, &value, &QType_lookup, '
            'errp);\n\n    *obj = value;\n    return ok;\n}\n\n')
    for t in schema.types.values():
        if isinstance(t, Builtin) and t.name != 'null':
            array = builtin_list(t)
            head += gen_declaration(array)
            body += gen_list(array)
    return head, body
