# SPDX-License-Identifier: MIT
"""Events: functions that send them."""
from .commands import params
from .common import c_name, guarded
from .schema import Event


def gen_event(event, const):
    name = c_name(event.name.lower())
    text = ''
    arg = members = 'NULL'
    if event.arg:
        members = f'visit_data_{name}'
        text += (f'static bool {members}(Visitor *v, void *obj, '
                 'Error **errp)\n{\n'
                 f'    return visit_type_{event.arg.c_name}_members(v, obj, '
                 'errp);\n}\n\n')
    text += f'void qapi_event_send_{name}({params(event)})\n{{\n'
    if event.arg and event.boxed:
        arg = 'arg'
    elif event.arg:
        arg = '&param'
        text += f'    {event.arg.c_name} param = {{\n'
        for m in event.arg.members():
            if m.optional:
                text += f'        .has_{m.c_name} = has_{m.c_name},\n'
            cast = '(char *)' if m.type.name == 'str' else ''
            text += f'        .{m.c_name} = {cast}{m.c_name},\n'
        text += '    };\n\n'
    text += (f'    qapi_event_send({const}, "{event.name}", {arg},\n'
             f'                    {members});\n}}\n\n')
    return guarded(event.cond, text)


def event_const(event):
    return 'QAPI_EVENT_' + event.name


def gen_events(schema, module):
    """(header, body) of a module."""
    head = '#include "qapi/util.h"\n\n'
    body = ''
    for event in schema.of_module(module, Event):
        name = c_name(event.name.lower())
        head += guarded(event.cond, f'void qapi_event_send_{name}('
                                    f'{params(event)});\n')
        body += gen_event(event, event_const(event))
    return head, body


def gen_emit_events(schema, prefix):
    """The enumeration of all events."""
    p = c_name(prefix)
    head = f'#include "qapi/util.h"\n\ntypedef enum {p}QAPIEvent {{\n'
    body = (f'const QEnumLookup {p}QAPIEvent_lookup = {{\n'
            '    .array = (const char *const[]) {\n')
    for event in schema.entities:
        if isinstance(event, Event):
            head += guarded(event.cond, f'    {event_const(event)},\n')
            body += guarded(event.cond, f'        [{event_const(event)}] = '
                                        f'"{event.name}",\n')
    head += (f'    QAPI_EVENT__MAX,\n}} {p}QAPIEvent;\n\n'
             f'extern const QEnumLookup {p}QAPIEvent_lookup;\n'
             f'#define {p}QAPIEvent_str(val) \\\n'
             f'    qapi_enum_lookup(&{p}QAPIEvent_lookup, (val))\n')
    return head, body + '    },\n    .size = QAPI_EVENT__MAX,\n};\n'
