# SPDX-License-Identifier: MIT
"""Events: functions that send them."""
from __future__ import annotations

from typing import Tuple

from .commands import params
from .common import c_name, guarded
from .entities import Event, Member
from .schema import Schema
from .types import enum_declaration, enum_lookup
from .visit import gen_untyped_members


def send_prototype(event: Event) -> str:
    """Without semicolon."""
    return (f'void qapi_event_send_{c_name(event.name.lower())}('
            f'{params(event)})')


def event_const(event: Event, prefix: str) -> str:
    """Its constant in the enumeration of all events."""
    return c_name(prefix).upper() + 'QAPI_EVENT_' + c_name(event.name)


def gen_event(event: Event, prefix: str) -> str:
    """qapi_event_send_EVENT()"""
    name = c_name(event.name.lower())
    text, data, members = '', 'NULL', 'NULL'
    if event.arg:
        members = f'visit_data_{name}'
        data = 'arg' if event.boxed else '&data'
        text += gen_untyped_members(event.arg, members)
    text += f'{send_prototype(event)}\n{{\n'
    if event.arg and not event.boxed:
        text += f'    {event.arg.c_name} data = {{\n'
        for m in event.arg.members():
            # Nothing writes to what is sent.
            cast = '(char *)' if m.type.name == 'str' else ''
            if m.optional:
                text += f'        .has_{m.c_name} = has_{m.c_name},\n'
            text += f'        .{m.c_name} = {cast}{m.c_name},\n'
        text += '    };\n\n'
    return text + (f'    qapi_event_send({event_const(event, prefix)}, '
                   f'"{event.name}", {data},\n'
                   f'                    {members});\n}}\n\n')


def gen_events(schema: Schema, module: str,
               prefix: str) -> Tuple[str, str]:
    """(header, body) of a module."""
    head = '#include "qapi/util.h"\n\n'
    body = ''
    for event in schema.of_module(module, Event):
        head += guarded(event.cond, send_prototype(event) + ';\n')
        body += guarded(event.cond, gen_event(event, prefix))
    return head, body


def gen_emit_events(schema: Schema, prefix: str) -> Tuple[str, str]:
    """The enumeration of all events."""
    name = c_name(prefix) + 'QAPIEvent'
    size = c_name(prefix).upper() + 'QAPI_EVENT__MAX'
    values = [(event_const(e, prefix),
               Member(e.name, None, False, {'if': e.cond}))
              for e in schema.of_class(Event)]
    return ('#include "qapi/util.h"\n\n' +
            enum_declaration(name, size, values),
            enum_lookup(name, size, values))
