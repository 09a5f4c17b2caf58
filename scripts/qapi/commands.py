# SPDX-License-Identifier: MIT
"""Commands: prototypes of the handlers, and what calls them from JSON."""
from .common import c_name, guarded
from .schema import Command
from .types import special_bits


def c_param(type_):
    """A parameter's type, with a blank unless it ends in '*'."""
    c = type_.c_param()
    return c if c.endswith('*') else c + ' '


def params(entity):
    """The parameters of a command's or event's function."""
    if entity.arg is None:
        result = []
    elif entity.boxed:
        result = [f'{entity.arg.c_name} *arg']
    else:
        result = []
        for m in entity.arg.members():
            if m.optional:
                result.append(f'bool has_{m.c_name}')
            result.append(c_param(m.type) + m.c_name)
    return ', '.join(result + ['Error **errp'])


def ret_type(cmd):
    """Of the handler, with a blank unless it ends in '*'."""
    if cmd.ret is None:
        return 'void '
    c = cmd.ret.c_type
    return c if c.endswith('*') else c + ' '


def gen_call(cmd):
    args = []
    if cmd.arg is not None and cmd.boxed:
        args = ['&arg']
    elif cmd.arg is not None:
        for m in cmd.arg.members():
            if m.optional:
                args.append(f'arg.has_{m.c_name}')
            args.append(f'arg.{m.c_name}')
    call = f'qmp_{c_name(cmd.name)}({", ".join(args + ["&err"])});\n'
    return f'        retval = {call}' if cmd.ret else f'        {call}'


def gen_marshal(cmd):
    name = c_name(cmd.name)
    members = f'visit_args_{name}' if cmd.arg else 'NULL'
    arg = '&arg' if cmd.arg else 'NULL'
    text = ''
    if cmd.arg:
        text += (f'static bool visit_args_{name}(Visitor *v, void *obj, '
                 'Error **errp)\n{\n'
                 f'    return visit_type_{cmd.arg.c_name}_members(v, obj, '
                 'errp);\n}\n\n')
    if cmd.ret:
        text += (f'static bool visit_ret_{name}(Visitor *v, void *obj, '
                 'Error **errp)\n{\n'
                 f'    return visit_type_{cmd.ret.c_name}(v, "unused", obj, '
                 'errp);\n}\n\n')
    text += (f'void qmp_marshal_{name}(QDict *args, QObject **ret, '
             'Error **errp)\n{\n    Error *err = NULL;\n')
    if cmd.arg:
        text += f'    {cmd.arg.c_name} arg = {{0}};\n'
    if cmd.ret:
        text += f'    {ret_type(cmd)}retval;\n'
    text += (f'\n    if (qapi_args_parse(args, {arg}, {members}, errp)) {{\n'
             + gen_call(cmd))
    if cmd.ret:
        text += ('        if (!err) {\n'
                 f'            *ret = qapi_return_value(&retval, '
                 f'visit_ret_{name});\n        }}\n')
    text += ('        error_propagate(errp, err);\n    }\n'
             f'    qapi_args_free({arg}, {members});\n}}\n\n')
    return guarded(cmd.cond, text)


def gen_commands(schema, module):
    """(header, body) of a module."""
    head = '#include "qapi/qmp/qdict.h"\n\n'
    body = ''
    for cmd in schema.of_module(module, Command):
        name = c_name(cmd.name)
        marshal = (f'void qmp_marshal_{name}(QDict *args, QObject **ret, '
                   'Error **errp);\n')
        if not cmd.gen:
            head += guarded(cmd.cond, marshal)
            continue
        head += guarded(cmd.cond, (f'{ret_type(cmd)}qmp_{name}('
                                   f'{params(cmd)});\n' + marshal))
        body += gen_marshal(cmd)
    return head, body


def gen_init_commands(schema, prefix):
    """The function that registers all commands."""
    func = f'void {c_name(prefix)}qmp_init_marshal(QmpCommandList *cmds)'
    head = f'#include "qapi/qmp/dispatch.h"\n\n{func};\n'
    body = f'{func}\n{{\n    QTAILQ_INIT(cmds);\n\n'
    for cmd in schema.entities:
        if not isinstance(cmd, Command):
            continue
        options = [o for flag, o in (
            (not cmd.success_response, 'QCO_NO_SUCCESS_RESP'),
            (cmd.allow_oob, 'QCO_ALLOW_OOB'),
            (cmd.allow_preconfig, 'QCO_ALLOW_PRECONFIG'),
            (cmd.coroutine, 'QCO_COROUTINE')) if flag]
        body += guarded(cmd.cond, (
            f'    qmp_register_command(cmds, "{cmd.name}",\n'
            f'                         qmp_marshal_{c_name(cmd.name)}, '
            f'{" | ".join(options) or "0"},\n'
            f'                         {special_bits(cmd.features)});\n'))
    return head, body + '}\n'
