#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fail on files that no F: line of MAINTAINERS covers, on F: lines that cover
none, and on sections without S:."""
import fnmatch
import subprocess
import sys


def sections(path):
    """Yield (title, status, [patterns]) of each section."""
    title, status, patterns = None, None, []
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


def covers(pattern, path):
    if pattern.endswith('/'):
        return path.startswith(pattern)
    return fnmatch.fnmatchcase(path, pattern)


def main():
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
