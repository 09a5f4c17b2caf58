#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make trace.h or trace.c from trace-events.

Each event NAME(ARGS) "FORMAT" becomes an inline function trace_NAME(), which
costs a test of a flag while the event is disabled, and prints a line to
stderr when it is enabled.

    tracetool.py header|source EVENTS OUTPUT
"""
import re
import sys
from typing import Iterator, List, Tuple

EVENT = re.compile(r'^(\w+)\((.*)\)\s+"(.*)"$')


# (name, arguments, format)
Event = Tuple[str, str, str]


def load(path: str) -> List[Event]:
    """The events of the file."""
    events = []
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if not line or line.startswith('#'):
                continue
            m = EVENT.match(line)
            if not m:
                sys.exit(f'{path}:{number}: not an event: {line}')
            events.append((m[1], m[2], m[3]))
    return events


def names(args: str) -> List[str]:
    """Those of the parameters: the last word of each."""
    return [re.findall(r'\w+', arg)[-1] for arg in args.split(',')]


def header(events: List[Event]) -> Iterator[str]:
    """The lines of trace.h."""
    yield '/* Made by tracetool.py from trace-events. */'
    yield '#ifndef TRACE_H\n#define TRACE_H\n'
    yield '#include "qemu/trace-control.h"\n'
    for name, args, fmt in events:
        values = ', '.join(names(args))
        yield (f'extern TraceEvent trace_event_{name};\n'
               f'static inline void trace_{name}({args})\n{{\n'
               f'    if (trace_event_enabled(&trace_event_{name})) {{\n'
               f'        trace_event_print(&trace_event_{name}, "{fmt}",\n'
               f'                          {values});\n'
               f'    }}\n}}\n')
    yield '#endif'


def source(events: List[Event]) -> Iterator[str]:
    """The lines of trace.c."""
    yield '/* Made by tracetool.py from trace-events. */'
    yield '#include "qemu/osdep.h"\n#include "trace.h"\n'
    for name, _, _ in events:
        yield f'TraceEvent trace_event_{name} = {{ .name = "{name}" }};'
    yield '\nTraceEvent *const trace_events[] = {'
    for name, _, _ in events:
        yield f'    &trace_event_{name},'
    yield '    NULL\n};'


def main() -> None:
    """Arguments as above."""
    kind, events, output = sys.argv[1:]
    make = {'header': header, 'source': source}[kind]
    with open(output, 'w', encoding='utf-8') as f:
        f.write('\n'.join(make(load(events))) + '\n')


if __name__ == '__main__':
    main()
