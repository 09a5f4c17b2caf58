# SPDX-License-Identifier: MIT
"""Files of generated code."""
from __future__ import annotations

import os
from typing import List, Tuple

from .commands import gen_commands, gen_init_commands
from .docs import gen_docs
from .events import gen_emit_events, gen_events
from .introspect import gen_introspect
from .schema import Schema
from .types import gen_builtin_types, gen_types
from .visit import gen_builtin_visit, gen_visit

NOTE = 'Made by qapi-gen.py; do not edit.'


class Output:
    """Writes files."""

    def __init__(self, schema: Schema, outdir: str, prefix: str) -> None:
        self.schema = schema
        self.outdir = outdir
        self.prefix = prefix
        os.makedirs(outdir, exist_ok=True)

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.outdir, name), 'w',
                  encoding='utf-8') as f:
            f.write(text)

    def _pair(self, base: str, includes: List[str],
              text: Tuple[str, str]) -> None:
        """BASE.h and BASE.c of (header, body); includes: of the body.
        Generated files of one run are in one directory."""
        head, body = text
        guard = base.upper().replace('-', '_') + '_H'
        self._write(base + '.h', f'/* {NOTE} */\n'
                    f'#ifndef {guard}\n#define {guard}\n\n{head}\n#endif\n')
        lines = ''.join(f'#include "{i}"\n' for i in
                        ['qemu/osdep.h', f'{base}.h'] + includes)
        self._write(base + '.c', f'/* {NOTE} */\n{lines}\n{body}')

    def _included(self, kind: str, module: str) -> str:
        """#include lines for the modules that @module includes."""
        return ''.join(
            f'#include "{self.prefix}qapi-{kind}-{m}.h"\n'
            for m in self.schema.includes.get(module, [])
            if m in self.schema.modules)

    def builtins(self) -> None:
        """What is the same for all schemas."""
        self._pair('qapi-builtin-types',
                   ['qapi/dealloc-visitor.h', 'qapi-builtin-visit.h'],
                   gen_builtin_types(self.schema))
        self._pair('qapi-builtin-visit', ['qapi/visit-generated.h'],
                   gen_builtin_visit(self.schema))

    def module(self, module: str) -> None:
        """The files of one module."""
        p = self.prefix
        types = f'#include "{p}qapi-types-{module}.h"\n'
        visit = f'{p}qapi-visit-{module}.h'
        head, body = gen_types(self.schema, module)
        self._pair(f'{p}qapi-types-{module}',
                   ['qapi/dealloc-visitor.h', visit],
                   ('#include "qapi/qapi-builtin-types.h"\n' +
                    self._included('types', module) + '\n' + head, body))
        head, body = gen_visit(self.schema, module)
        self._pair(f'{p}qapi-visit-{module}',
                   ['qapi/error.h', 'qapi/qmp/qerror.h',
                    'qapi/visit-generated.h'],
                   ('#include "qapi/qapi-builtin-visit.h"\n' + types +
                    self._included('visit', module) + '\n' + head, body))
        head, body = gen_commands(self.schema, module)
        self._pair(f'{p}qapi-commands-{module}',
                   ['qapi/error.h', 'qapi/visit-generated.h', visit],
                   (types + head, body))
        head, body = gen_events(self.schema, module, p)
        self._pair(f'{p}qapi-events-{module}',
                   ['qapi/qmp-event.h', 'qapi/visit-generated.h',
                    f'{p}qapi-emit-events.h', visit],
                   (types + head, body))

    def events(self) -> None:
        """The enumeration of all events."""
        self._pair(f'{self.prefix}qapi-emit-events', [],
                   gen_emit_events(self.schema, self.prefix))

    def root(self, unmask: bool, marshal_prefix: str) -> None:
        """What depends on which modules the root includes."""
        p = self.prefix
        self._pair(f'{p}qapi-init-commands',
                   [f'{marshal_prefix}qapi-commands-{m}.h'
                    for m in self.schema.modules],
                   gen_init_commands(self.schema, p))
        self._pair(f'{p}qapi-introspect', [],
                   gen_introspect(self.schema, p, unmask))
        self._write(f'{p}qapi-doc.rst', gen_docs(self.schema, NOTE))


def generate(schema: Schema, outdir: str, prefix: str, unmask: bool,
             root_only: bool) -> None:
    """Write all files; with @root_only those of a root whose modules belong
    to another one, without prefix.  What all schemas have in common belongs
    to the one without prefix, too."""
    output = Output(schema, outdir, prefix)
    if not root_only:
        if not prefix:
            output.builtins()
        for module in schema.modules:
            output.module(module)
        output.events()
    output.root(unmask, '' if root_only else prefix)
