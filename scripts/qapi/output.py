# SPDX-License-Identifier: MIT
"""Files of generated code."""
import os

from .commands import gen_commands, gen_init_commands
from .events import gen_emit_events, gen_events
from .introspect import gen_introspect
from .types import gen_builtin_types, gen_types
from .visit import gen_builtin_visit, gen_visit


def write(path, text):
    """Write unless the file has this content already."""
    try:
        with open(path, encoding='utf-8') as f:
            if f.read() == text:
                os.utime(path)
                return
    except FileNotFoundError:
        pass
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def write_pair(outdir, base, includes, head, body):
    """BASE.h with @head, BASE.c with @includes and @body."""
    guard = base.upper().replace('-', '_') + '_H'
    note = '/* Made by qapi-gen.py; do not edit. */\n'
    write(os.path.join(outdir, base + '.h'),
          f'{note}#ifndef {guard}\n#define {guard}\n\n{head}\n#endif\n')
    lines = ''.join(f'#include "{i}"\n' for i in
                    ['qemu/osdep.h', 'qapi/' + base + '.h'] + includes)
    write(os.path.join(outdir, base + '.c'), f'{note}{lines}\n{body}')


def include_modules(schema, prefix, kind, module):
    """#include lines for the modules that @module includes."""
    return ''.join(f'#include "qapi/{prefix}qapi-{kind}-{m}.h"\n'
                   for m in schema.includes.get(module, [])
                   if m in schema.modules)


def generate(schema, outdir, prefix, unmask):
    """Write all files."""
    os.makedirs(outdir, exist_ok=True)
    write_pair(outdir, 'qapi-builtin-types',
               ['qapi/dealloc-visitor.h', 'qapi/qapi-builtin-visit.h'],
               *gen_builtin_types(schema))
    write_pair(outdir, 'qapi-builtin-visit', ['qapi/visit-generated.h'],
               *gen_builtin_visit(schema))
    for module in schema.modules:
        head, body = gen_types(schema, module)
        head = ('#include "qapi/qapi-builtin-types.h"\n' +
                include_modules(schema, prefix, 'types', module) + head)
        write_pair(outdir, f'{prefix}qapi-types-{module}',
                   ['qapi/dealloc-visitor.h',
                    f'qapi/{prefix}qapi-visit-{module}.h'], head, body)
        head, body = gen_visit(schema, module)
        head = ('#include "qapi/qapi-builtin-visit.h"\n'
                f'#include "qapi/{prefix}qapi-types-{module}.h"\n' +
                include_modules(schema, prefix, 'visit', module) + head)
        write_pair(outdir, f'{prefix}qapi-visit-{module}',
                   ['qapi/error.h', 'qapi/qmp/qerror.h',
                    'qapi/visit-generated.h'], head, body)
        head, body = gen_commands(schema, module)
        head = f'#include "qapi/{prefix}qapi-types-{module}.h"\n' + head
        write_pair(outdir, f'{prefix}qapi-commands-{module}',
                   ['qapi/error.h', 'qapi/visit-generated.h',
                    f'qapi/{prefix}qapi-visit-{module}.h'], head, body)
        head, body = gen_events(schema, module)
        head = f'#include "qapi/{prefix}qapi-types-{module}.h"\n' + head
        write_pair(outdir, f'{prefix}qapi-events-{module}',
                   ['qapi/qmp-event.h', 'qapi/visit-generated.h',
                    f'qapi/{prefix}qapi-emit-events.h',
                    f'qapi/{prefix}qapi-visit-{module}.h'], head, body)
    write_pair(outdir, f'{prefix}qapi-emit-events', [],
               *gen_emit_events(schema, prefix))
    write_pair(outdir, f'{prefix}qapi-init-commands',
               [f'qapi/qapi-commands-{m}.h' for m in schema.modules],
               *gen_init_commands(schema, prefix))
    write_pair(outdir, f'{prefix}qapi-introspect', [],
               *gen_introspect(schema, prefix, unmask))
