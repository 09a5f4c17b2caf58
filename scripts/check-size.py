#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Size gates of C and Python files: lines of a file, lines of a function,
parameters of a function.  Signatures of the C API are exempt."""
import ast
import re
import subprocess
import sys
from typing import Callable, Iterator, List, Tuple

MAX_FILE = 1500
MAX_FUNCTION = 100
MAX_PARAMETERS = 8

# Declared by the C API, with as many parameters as it says.  Handlers of
# commands (qmp_...) have those of the schema.
EXEMPT = {'bdrv_img_create', 'block_job_create', 'commit_active_start',
          'commit_start', 'mirror_start', 'thread_pool_submit_aio'}

# (name, number of its first line, lines, parameters)
Function = Tuple[str, int, int, int]

# The start of a function's definition: a name and parameters at the left
# margin, up to a brace on a line of its own.
DEFINITION = re.compile(
    r'^(?!\s|#|typedef|struct|union|enum|\}|/|\*)'
    r'[^;{}=#]*?\b(\w+)\(((?:[^(){};]|\([^(){};]*\))*)\)\s*\n\{', re.M)


def sources() -> List[str]:
    """All that are known to git."""
    out = subprocess.run(['git', 'ls-files', '*.c', '*.h', '*.py'],
                         check=True, capture_output=True, text=True).stdout
    return out.split()


def parameters(text: str) -> int:
    """How many there are between the parentheses of C."""
    depth, n = 0, 1
    for c in text:
        depth += (c == '(') - (c == ')')
        n += c == ',' and depth == 0
    return 0 if text.strip() in ('', 'void') else n


def functions_of_c(text: str) -> Iterator[Function]:
    """Those that are defined; those of the C API have no parameters here."""
    for m in DEFINITION.finditer(text):
        name = m.group(1)
        first = text.count('\n', 0, m.start()) + 1
        end = text.find('\n}', m.end())
        exempt = name in EXEMPT or name.startswith('qmp_')
        yield (name, first, text.count('\n', m.start(), end) + 2,
               0 if exempt else parameters(m.group(2)))


def functions_of_python(text: str) -> Iterator[Function]:
    """Functions and methods; only parameters that every caller gives
    count."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = [arg.arg for arg in node.args.posonlyargs +
                     node.args.args if arg.arg not in ('self', 'cls')]
            if node.args.defaults:
                names = names[:-len(node.args.defaults)]
            yield (node.name, node.lineno,
                   (node.end_lineno or node.lineno) - node.lineno + 1,
                   len(names))


def check_functions(path: str, found: Iterator[Function],
                    complain: Callable[[str], None]) -> None:
    """Both limits of a function."""
    for name, first, lines, n in found:
        if lines > MAX_FUNCTION:
            complain(f'{path}:{first}: {name}() has {lines} lines; '
                     f'at most {MAX_FUNCTION}')
        if n > MAX_PARAMETERS:
            complain(f'{path}:{first}: {name}() has {n} parameters; '
                     f'at most {MAX_PARAMETERS}')


def main() -> bool:
    """Whether there are errors."""
    errors: List[str] = []
    for path in sources():
        try:
            with open(path, encoding='utf-8') as f:
                text = f.read()
        except FileNotFoundError:
            continue
        lines = text.count('\n')
        if lines > MAX_FILE:
            errors.append(f'{path}: {lines} lines; at most {MAX_FILE}')
        if path.endswith('.c'):
            check_functions(path, functions_of_c(text), errors.append)
        elif path.endswith('.py'):
            check_functions(path, functions_of_python(text), errors.append)
    print('\n'.join(errors))
    return bool(errors)


if __name__ == '__main__':
    sys.exit(main())
