#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Of the file names on standard input, print those that are shell scripts."""
import sys


def is_shell(path: str) -> bool:
    """By its name, or by its first line."""
    if path.endswith('.sh'):
        return True
    try:
        with open(path, 'rb') as f:
            line = f.readline(80)
    except OSError:
        return False
    return line.startswith(b'#!') and line.rstrip().endswith(
        (b'/sh', b'/bash', b'env bash', b'env sh'))


def main() -> None:
    """Names and answers are lines."""
    for name in sys.stdin.read().split('\n'):
        if name and is_shell(name):
            print(name)


if __name__ == '__main__':
    main()
