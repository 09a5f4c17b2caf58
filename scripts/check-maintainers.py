#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail on files that no F: line of MAINTAINERS covers, on F: lines that cover
none, and on sections without S:."""
import fnmatch
import subprocess
import sys
from typing import Iterator, List, Optional, Tuple


Section = Tuple[str, Optional[str], List[str]]


def sections(path: str) -> Iterator[Section]:
    """Yield (title, status, [patterns]) of each section."""
    title, patterns = '', []
    status: Optional[str] = None
    with open(path, encoding='utf-8') as f:
        for line in f:
            line = line.rstrip()
            if line[1:3] == ': ':
                if line[0] == 'S':
                    status = line[3:]
                elif line[0] == 'F':
                    patterns.append(line[3:])
            elif line and not line.startswith(('-', '=', '#', ' ')):
                if patterns:
                    yield title, status, patterns
                title, status, patterns = line, None, []
    if patterns:
        yield title, status, patterns


def covers(pattern: str, path: str) -> bool:
    """One that ends in "/" covers a folder."""
    if pattern.endswith('/'):
        return path.startswith(pattern)
    return fnmatch.fnmatchcase(path, pattern)


def main() -> bool:
    """Whether there are errors."""
    files = subprocess.run(['git', 'ls-files'], check=True, text=True,
                           capture_output=True).stdout.split('\n')[:-1]
    uncovered = set(files)
    errors = []
    for title, status, patterns in sections('MAINTAINERS'):
        if not status:
            errors.append(f'MAINTAINERS: section "{title}" has no S: line')
        for pattern in patterns:
            hit = {f for f in files if covers(pattern, f)}
            if not hit:
                errors.append(f'MAINTAINERS: "F: {pattern}" covers no file')
            uncovered -= hit
    errors += [f'{f}: not covered by MAINTAINERS' for f in sorted(uncovered)]
    print('\n'.join(errors))
    return bool(errors)


if __name__ == '__main__':
    sys.exit(main())
