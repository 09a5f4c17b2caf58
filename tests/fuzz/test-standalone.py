#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Failures that the runner of fuzz targets must see, in TAP.

    test-standalone.py [--leaks] fuzz-selftest

--leaks: the program is built with a sanitizer that finds leaks.
"""
import argparse
import os
import subprocess
import sys
import tempfile


class Runner:
    """Runs the program on one seed in a folder of its own."""

    def __init__(self, program: str, folder: str) -> None:
        self.program = os.path.abspath(program)
        self.folder = folder

    def run(self, seed: bytes, *args: str) -> 'subprocess.CompletedProcess':
        """Run."""
        path = os.path.join(self.folder, 'seed')
        with open(path, 'wb') as f:
            f.write(seed)
        return subprocess.run([self.program, '-o', self.folder, *args, path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding='utf-8', check=False, timeout=100)

    def fails(self, seed: bytes, text: str, *args: str) -> bool:
        """Does it report what is expected, and keep the input?"""
        run = self.run(seed, *args)
        good = run.returncode == 1 and 'not ok 1' in run.stdout \
            and text in run.stdout and self.kept(0) == seed
        if not good:
            print('#', run.returncode, run.stdout.replace('\n', '\n# '))
        return good

    def kept(self, number: int) -> bytes:
        """The input of that number, which is removed."""
        path = os.path.join(self.folder, f'failed-seed-{number}')
        with open(path, 'rb') as f:
            data = f.read()
        os.unlink(path)
        return data

    def first_failure(self, count: int) -> bytes:
        """Of the inputs made from a seed with which nothing is wrong."""
        run = self.run(b'nothing', '-n', str(count))
        number = int(run.stdout.split(', input ')[1].split(':')[0])
        assert 0 < number <= count, run.stdout
        return self.kept(number)


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--leaks', action='store_true')
    parser.add_argument('program')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(args.program, folder)
        good = runner.run(b'n')
        results = [
            ('nothing wrong', good.returncode == 0 and 'ok 1' in good.stdout),
            ('abort', runner.fails(b'a', 'Aborted')),
            ('what was printed', runner.fails(b'a', 'about to abort')),
            ('hang', runner.fails(b'h', 'takes too long', '-t', '1')),
            ('memory', runner.fails(b'm', 'too much memory', '-m', '48')),
            ('the same inputs each time',
             runner.first_failure(1000) == runner.first_failure(2000)),
            ('no seeds', subprocess.run(
                [args.program], stderr=subprocess.DEVNULL,
                check=False).returncode == 2),
        ]
        if args.leaks:
            results.append(('leak', runner.fails(b'l', 'a leak is in')))
    for number, (title, ok) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {number} - {title}')
    print(f'1..{len(results)}')
    return 0 if all(ok for _, ok in results) else 1


if __name__ == '__main__':
    sys.exit(main())
