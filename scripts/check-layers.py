#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail on an include that points from a lower to a higher layer.

scripts/layers.txt has lines "LAYER PATTERN"; the first pattern that matches a
file gives its layer.  Umbrella headers, which exist to pull in others, are
marked "*" and may include anything, but nothing of theirs counts as a
dependency of those who include them."""
import fnmatch
import os
import re
import subprocess
import sys
from typing import Collection, List, Optional, Tuple

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


Table = List[Tuple[str, str]]


def load_table(path: str) -> Table:
    """[(layer, pattern)]"""
    table = []
    with open(path, encoding='utf-8') as f:
        for line in f:
            words = line.split('#')[0].split()
            if words:
                table.append((words[0], words[1]))
    return table


def layer_of(table: Table, path: str) -> Optional[str]:
    """The first line that fits."""
    for layer, pattern in table:
        if fnmatch.fnmatchcase(path, pattern):
            return layer
    return None


def resolve(include: str, path: str,
            files: Collection[str]) -> Optional[str]:
    """The file of the tree that an #include in `path` means."""
    for candidate in (os.path.join(os.path.dirname(path), include),
                      'include/' + include, include):
        candidate = os.path.normpath(candidate)
        if candidate in files:
            return candidate
    return None


def main() -> bool:
    """Whether there are errors."""
    table = load_table('scripts/layers.txt')
    files = set(subprocess.run(['git', 'ls-files', '*.c', '*.h'], check=True,
                               text=True,
                               capture_output=True).stdout.split())
    errors = []
    for path in sorted(files):
        if path.startswith('tests/'):
            continue
        mine = layer_of(table, path)
        if mine is None:
            errors.append(f'{path}: no line of scripts/layers.txt matches')
            continue
        if mine == '*' or not os.path.exists(path):
            continue
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for m in INCLUDE.finditer(text):
            target = resolve(m.group(1), path, files)
            theirs = layer_of(table, target) if target else None
            if theirs and theirs != '*' and theirs > mine:
                line = text.count('\n', 0, m.start()) + 1
                errors.append(f'{path}:{line}: {mine} includes {m.group(1)}, '
                              f'which is {theirs}')
    print('\n'.join(errors))
    return bool(errors)


if __name__ == '__main__':
    sys.exit(main())
