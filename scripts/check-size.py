#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Size gates of C and Python files: lines of a file, lines of a function,
parameters of a function.  Signatures of the C API are exempt."""
import re
import subprocess
import sys

MAX_FILE = 1500
MAX_FUNCTION = 100
MAX_PARAMETERS = 8

# Declared by the C API, with as many parameters as it says.  Handlers of
# commands (qmp_...) have those of the schema.
EXEMPT = {'bdrv_img_create', 'block_job_create', 'commit_active_start',
          'commit_start', 'mirror_start',
          'thread_pool_submit_aio'}

# The start of a function's definition: a name and parameters at the left
# margin, up to a brace on a line of its own.
DEFINITION = re.compile(
    r'^(?!\s|#|typedef|struct|union|enum|\}|/|\*)'
    r'[^;{}=#]*?\b(\w+)\(((?:[^(){};]|\([^(){};]*\))*)\)\s*\n\{', re.M)


def sources():
    out = subprocess.run(['git', 'ls-files', '*.c', '*.h', '*.py'],
                         check=True, capture_output=True, text=True).stdout
    return out.split()


def parameters(text):
    depth, n = 0, 1
    for c in text:
        depth += (c == '(') - (c == ')')
        n += c == ',' and depth == 0
    return 0 if text.strip() in ('', 'void') else n


def check_functions(path, text, complain):
    for m in DEFINITION.finditer(text):
        name = m.group(1)
        first = text.count('\n', 0, m.start()) + 1
        end = text.find('\n}', m.end())
        lines = text.count('\n', m.start(), end) + 2
        if lines > MAX_FUNCTION:
            complain(f'{path}:{first}: {name}() has {lines} lines; '
                     f'at most {MAX_FUNCTION}')
        n = parameters(m.group(2))
        if n > MAX_PARAMETERS and name not in EXEMPT and \
                not name.startswith('qmp_'):
            complain(f'{path}:{first}: {name}() has {n} parameters; '
                     f'at most {MAX_PARAMETERS}')


def main():
    errors = []
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
            check_functions(path, text, errors.append)
    print('\n'.join(errors))
    return bool(errors)


if __name__ == '__main__':
    sys.exit(main())
