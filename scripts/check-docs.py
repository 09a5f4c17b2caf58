#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail on documents that name files or functions that are not in the tree,
that have lines of more than 80 columns, or that docutils finds fault with (if
it is installed).

Names with capitals in them, such as qapi-types-MODULE.h or qmp_NAME(), stand
for several ones and are not looked for, nor are names of Foo."""
import fnmatch
import glob
import re
import subprocess
import sys
from typing import Iterator, List, Set

WIDTH = 80
LITERAL = re.compile(r'``([^`]+)``')
PATH = re.compile(r'[a-z][\w.*-]*/[\w./*-]*|[a-z][\w*-]*\.(?:c|h|py|rst|sh)')
FUNCTION = re.compile(r'\b(\w+)\(')
PLACEHOLDER = re.compile(r'[A-Z]|_a_b$')


def tracked() -> List[str]:
    """All files that git knows."""
    return subprocess.run(['git', 'ls-files'], check=True, text=True,
                          capture_output=True).stdout.split()


def words_of_code(files: List[str]) -> Set[str]:
    """All identifiers in C, Python and the schema."""
    words: Set[str] = set()
    for path in files:
        if path.endswith(('.c', '.h', '.py', '.json')):
            with open(path, encoding='utf-8') as f:
                words.update(re.findall(r'\w+', f.read()))
    return words


def is_there(name: str, files: List[str]) -> bool:
    """A path, a folder, a pattern, or the end of a path."""
    return any(path.startswith(name) or fnmatch.fnmatch(path, name) or
               fnmatch.fnmatch(path, '*/' + name) for path in files)


def unknown_names(text: str, files: List[str],
                  words: Set[str]) -> Iterator[str]:
    """What the literals of a document name in vain."""
    for literal in LITERAL.findall(text.replace('\n', ' ')):
        if PATH.fullmatch(literal):
            if not PLACEHOLDER.search(literal) and \
                    not literal.startswith('build') and \
                    not is_there(literal, files):
                yield f'{literal} is not there'
        else:
            for name in FUNCTION.findall(literal):
                if name not in words and not PLACEHOLDER.search(name):
                    yield f'{name}() is not there'


def long_lines(text: str) -> Iterator[str]:
    """Those that do not fit."""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > WIDTH:
            yield f'line {number} has {len(line)} columns'


def markup(path: str) -> Iterator[str]:
    """What docutils says."""
    try:
        run = subprocess.run(['rst2html', '--report=2', path], text=True,
                             capture_output=True, check=False)
    except FileNotFoundError:
        return
    yield from (line.split(':', 1)[1] for line in run.stderr.splitlines()
                if line.startswith(path))


def main() -> bool:
    """Whether there are errors."""
    files = tracked()
    words = words_of_code(files)
    errors = []
    for path in ['README.rst', *sorted(glob.glob('docs/*/*.rst'))]:
        with open(path, encoding='utf-8') as f:
            text = f.read()
        found = [*unknown_names(text, files, words), *long_lines(text),
                 *markup(path)]
        errors += [f'{path}: {error.strip()}' for error in found]
    print('\n'.join(errors))
    return bool(errors)


if __name__ == '__main__':
    sys.exit(main())
