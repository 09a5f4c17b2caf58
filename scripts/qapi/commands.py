# SPDX-License-Identifier: MIT
"""Commands: prototypes of the handlers, and what calls them from JSON."""
from __future__ import annotations

from typing import Tuple, Union

from .common import c_name, guarded
from .entities import Command, Event, with_blank
from .schema import Schema
from .types import special_bits
from .visit import gen_untyped_members


def params(entity: Union[Command, Event]) -> str:
    """The parameters of a command's or event's function."""
    result = []
    if entity.arg and entity.boxed:
        result = [f'{entity.arg.c_name} *arg']
    elif entity.arg:
        for m in entity.arg.members():
            if m.optional:
                result.append(f'bool has_{m.c_name}')
            result.append(with_blank(m.type.c_param()) + m.c_name)
    return ', '.join(result + ['Error **errp'])


def handler_prototype(cmd: Command) -> str:
    """Without semicolon."""
    ret = with_blank(cmd.ret.c_type if cmd.ret else 'void')
    return f'{ret}qmp_{c_name(cmd.name)}({params(cmd)})'


def marshal_prototype(cmd: Command) -> str:
    """Without semicolon."""
    return (f'void qmp_marshal_{c_name(cmd.name)}(QDict *args, '
            'QObject **ret, Error **errp)')


def gen_call(cmd: Command) -> str:
    """Call the handler with what is in arg."""
    args = []
    if cmd.arg and cmd.boxed:
        args = ['&arg']
    elif cmd.arg:
        for m in cmd.arg.members():
            if m.optional:
                args.append(f'arg.has_{m.c_name}')
            args.append(f'arg.{m.c_name}')
    result = 'retval = ' if cmd.ret else ''
    return (f'        {result}qmp_{c_name(cmd.name)}('
            f'{", ".join(args + ["&err"])});\n')


def gen_marshal(cmd: Command) -> str:
    """qmp_marshal_CMD() and what it needs."""
    name = c_name(cmd.name)
    text = ''
    arg = members = 'NULL'
    if cmd.arg:
        arg, members = '&arg', f'visit_args_{name}'
        text += gen_untyped_members(cmd.arg, members)
    if cmd.ret:
        text += (f'static bool visit_ret_{name}(Visitor *v, void *obj, '
                 'Error **errp)\n{\n'
                 f'    return visit_type_{cmd.ret.c_name}(v, NULL, obj, '
                 'errp);\n}\n\n')
    text += f'{marshal_prototype(cmd)}\n{{\n    Error *err = NULL;\n'
    if cmd.arg:
        text += f'    {cmd.arg.c_name} arg = {{0}};\n'
    if cmd.ret:
        text += f'    {cmd.ret.declare("retval")};\n'
    text += (f'\n    if (qapi_args_parse(args, {arg}, {members}, errp)) {{\n'
             + gen_call(cmd))
    if cmd.ret:
        text += ('        if (!err) {\n'
                 f'            *ret = qapi_return_value(&retval, '
                 f'visit_ret_{name});\n        }}\n')
    text += '        error_propagate(errp, err);\n    }\n'
    if cmd.arg:
        text += f'    qapi_args_free({arg}, {members});\n'
    return text + '}\n\n'


def gen_commands(schema: Schema, module: str) -> Tuple[str, str]:
    """(header, body) of a module."""
    head = '#include "qapi/qmp/qdict.h"\n\n'
    body = ''
    for cmd in schema.of_module(module, Command):
        declarations = marshal_prototype(cmd) + ';\n'
        if cmd.gen:
            declarations = handler_prototype(cmd) + ';\n' + declarations
            body += guarded(cmd.cond, gen_marshal(cmd))
        head += guarded(cmd.cond, declarations)
    return head, body


def gen_init_commands(schema: Schema, prefix: str) -> Tuple[str, str]:
    """The function that registers all commands."""
    func = f'void {c_name(prefix)}qmp_init_marshal(QmpCommandList *cmds)'
    head = f'#include "qapi/qmp/dispatch.h"\n\n{func};\n'
    body = f'{func}\n{{\n    QTAILQ_INIT(cmds);\n\n'
    for cmd in schema.of_class(Command):
        options = [option for flag, option in (
            (not cmd.success_response, 'QCO_NO_SUCCESS_RESP'),
            (cmd.allow_oob, 'QCO_ALLOW_OOB'),
            (cmd.allow_preconfig, 'QCO_ALLOW_PRECONFIG'),
            (cmd.coroutine, 'QCO_COROUTINE')) if flag]
        body += guarded(cmd.cond, (
            f'    qmp_register_command(cmds, "{cmd.name}",\n'
            f'                         qmp_marshal_{c_name(cmd.name)}, '
            f'{" | ".join(options) or "QCO_NO_OPTIONS"},\n'
            f'                         {special_bits(cmd.features)});\n'))
    return head, body + '}\n'
