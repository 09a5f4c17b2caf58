#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden tests of the QAPI generator, in TAP.

    test-qapi.py [--update] [NAME...]

NAME.json with a file NAME.err beside it must be refused with that message,
with NAME.out it must give those files; other schemas are only included.  All
tests together must reach every place of the generator that reports an error.
"""
import argparse
import ast
import os
import sys
import tempfile
import traceback
from typing import Iterator, List, Set, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, '..', '..', 'scripts')
sys.path.insert(0, SCRIPTS)
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from qapi import error              # noqa: E402
from qapi.output import generate    # noqa: E402
from qapi.schema import Schema      # noqa: E402

Place = Tuple[str, int]     # file, line


class Coverage:
    """Which places have reported errors."""

    def __init__(self) -> None:
        self.hit: Set[Place] = set()
        original = error.QAPIError.__init__

        def record(err: error.QAPIError, *args: object) -> None:
            for frame in traceback.extract_stack():
                self.hit.add((os.path.basename(frame.filename),
                              frame.lineno or 0))
            original(err, *args)

        error.QAPIError.__init__ = record   # type: ignore

    def missing(self) -> Iterator[Place]:
        """Places that have not."""
        package = os.path.join(SCRIPTS, 'qapi')
        for name in sorted(os.listdir(package)):
            if not name.endswith('.py'):
                continue
            with open(os.path.join(package, name), encoding='utf-8') as f:
                tree = ast.parse(f.read())
            for first, last in self._sites(tree):
                if not any((name, line) in self.hit
                           for line in range(first, last + 1)):
                    yield name, first

    @staticmethod
    def _sites(tree: ast.AST) -> Iterator[Tuple[int, int]]:
        """The lines of each call that makes an error."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                func = node.func
                name = func.id if isinstance(func, ast.Name) else \
                    func.attr if isinstance(func, ast.Attribute) else ''
                if name in ('QAPIError', 'fail', '_fail', '_fail_stray'):
                    yield node.lineno, node.end_lineno or node.lineno


def run(name: str) -> Tuple[str, str]:
    """('out' or 'err', text)"""
    with tempfile.TemporaryDirectory() as outdir:
        try:
            generate(Schema(name + '.json'), outdir, '', True, False)
        except error.QAPIError as e:
            return 'err', f'{e}\n'
        text = ''
        for fname in sorted(os.listdir(outdir)):
            if 'builtin' not in fname:
                with open(os.path.join(outdir, fname),
                          encoding='utf-8') as f:
                    text += f'--- {fname}\n{f.read()}'
        return 'out', text


def check(name: str, update: bool) -> List[str]:
    """What is wrong with the result of test @name."""
    kind, text = run(name)
    golden = f'{name}.{kind}'
    if update:
        with open(golden, 'w', encoding='utf-8') as f:
            f.write(text)
        return []
    if not os.path.exists(golden):
        return [f'there is no {golden}, but the generator says:',
                *text.split('\n')]
    with open(golden, encoding='utf-8') as f:
        expected = f.read()
    if text == expected:
        return []
    for number, (a, b) in enumerate(zip(expected.split('\n'),
                                        text.split('\n')), 1):
        if a != b:
            return [f'{golden}:{number}: expected: {a}',
                    f'{golden}:{number}: got:      {b}']
    return [f'{golden}: other length']


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--update', action='store_true',
                        help='write the results instead of comparing them')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    os.chdir(HERE)
    coverage = Coverage()
    names = args.names or sorted(
        f[:-5] for f in os.listdir('.') if f.endswith('.json') and (
            os.path.exists(f[:-5] + '.err') or
            os.path.exists(f[:-5] + '.out')))
    failed = False
    for number, name in enumerate(names, 1):
        problems = check(name, args.update)
        failed |= bool(problems)
        print(f'{"not " if problems else ""}ok {number} {name}')
        for line in problems:
            print(f'# {line}')
    if not args.names:
        problems = [f'# no test of the error at scripts/qapi/{f}:{line}'
                    for f, line in coverage.missing()]
        failed |= bool(problems)
        print(f'{"not " if problems else ""}ok {len(names) + 1} coverage',
              *problems, sep='\n')
    print(f'1..{len(names) + (0 if args.names else 1)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
