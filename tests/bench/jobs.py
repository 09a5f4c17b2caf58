#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Block jobs of two storage daemons side by side: what they cost in time, CPU
time and memory.  docs/devel/performance.rst has the results."""
import argparse
import json
import os
import re
import statistics
import sys
import tempfile
from typing import Any, Dict, List, Optional

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.join(HERE, '..', '..')
sys.path.insert(0, os.path.join(TOP, 'python'))

# pylint: disable=wrong-import-position
from programs import MIB, BenchError, Cost, Programs        # noqa: E402
from scenarios import SCENARIOS, Bench                      # noqa: E402
from qemu.blockjob.units import parse_size                  # noqa: E402
from qemu.qmp import QMPError                               # noqa: E402

EPILOG = '''\
Runs of the two sides alternate, on images that are made anew; figures are
medians, ratios are ours divided by theirs.  The copies are compared with the sources after each run.  Exit
status: 0 all scenarios ran, 1 one of them failed, 2 wrong arguments.
'''
HEADING = (f"{'':20} {'theirs':^25} {'ours':^25} {'ours / theirs':^19}\n"
           f"{'scenario':20}" + f" {'wall s':>8} {'CPU s':>7} {'MiB':>8}" * 2 +
           f" {'wall':>6} {'CPU':>6} {'mem':>5}")


def positive(text: str) -> int:
    """For argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return int(text)


def size(text: str) -> int:
    """For argparse: whole MiB, so that images of all formats are as large."""
    try:
        count = parse_size(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    if count == 0 or count % MIB:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of "
                                         "MiB above 0")
    return count


def pattern(text: str) -> 're.Pattern[str]':
    """For argparse."""
    try:
        return re.compile(text)
    except re.error as e:
        raise argparse.ArgumentTypeError(f"'{text}': {e}") from e


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Measures the block jobs of two storage daemons.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ours', metavar='DIR',
                        default=os.environ.get('BUILD_DIR',
                                               os.path.join(TOP, 'build')),
                        help='programs to measure (default: the build folder)')
    parser.add_argument('--theirs', metavar='DIR',
                        help='programs to compare with; they also make and '
                        'compare the images (default: those in PATH)')
    parser.add_argument('--size', type=size, default=2048 * MIB,
                        help='data of a large disk (default: 2G)')
    parser.add_argument('--runs', type=positive, default=3, metavar='N',
                        help='that count, of each side (default: 3)')
    parser.add_argument('--warm-up', type=int, default=1, metavar='N',
                        help='runs before these (default: 1)')
    parser.add_argument('--disks', type=positive, default=64, metavar='N',
                        help='of "mirror many" (default: 64)')
    parser.add_argument('--depth', type=positive, default=100, metavar='N',
                        help='of "stream chain" (default: 100)')
    parser.add_argument('--aio', choices=('native', 'io_uring', 'threads'),
                        default='native', help='(default: native)')
    parser.add_argument('--cached', action='store_true',
                        help='all files through the page cache')
    parser.add_argument('--only', type=pattern, default='', metavar='REGEX',
                        help='scenarios whose names match')
    parser.add_argument('--list', action='store_true',
                        help='list the scenarios')
    parser.add_argument('--dir', metavar='DIR',
                        help='where the images are made, in a folder that is '
                        'removed (default: TMPDIR)')
    parser.add_argument('--json', metavar='FILE', help='each run, as JSON')
    return parser.parse_args(argv)


def measure(bench: Bench, name: str, sides: List[Programs],
            args: argparse.Namespace) -> Dict[str, List[Cost]]:
    """All runs of a scenario.  The side that is first changes, so that
    neither always has the disk's cache that the other one left."""
    costs: Dict[str, List[Cost]] = {side.name: [] for side in sides}
    for number in range(args.warm_up + args.runs):
        for side in sides if number % 2 == 0 else reversed(sides):
            try:
                cost = SCENARIOS[name](bench, side)
            except (BenchError, QMPError, OSError) as e:
                raise BenchError(f'{name}: {side.name}: {e}') from e
            if number >= args.warm_up:
                costs[side.name].append(cost)
    return costs


def median(costs: List[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*(statistics.median(figure) for figure in zip(*costs)))


def row(name: str, theirs: Cost, ours: Cost) -> str:
    """A line of the table."""
    figures = ''.join(f' {c.wall:8.3f} {c.cpu:7.3f} {c.memory / MIB:8.1f}'
                      for c in (theirs, ours))
    ratios = [f'{a / b:.2f}' if b else '--' for a, b in zip(ours, theirs)]
    return (f'{name:20}{figures} {ratios[0]:>6} {ratios[1]:>6} '
            f'{ratios[2]:>5}')


def run(args: argparse.Namespace, folder: str) -> int:
    """The exit status."""
    sides = [Programs('theirs', args.theirs), Programs('ours', args.ours)]
    bench = Bench(folder, sides[0], args.size, args.disks, args.depth,
                  args.aio, args.cached)
    results: Dict[str, Any] = {
        'programs': {side.name: side.version() for side in sides},
        'size': args.size, 'scenarios': {}}
    for side in sides:
        print(f'{side.name}: {side.version()}')
    print(HEADING, flush=True)
    failed = False
    for name in filter(re.compile(args.only).search, SCENARIOS):
        try:
            costs = measure(bench, name, sides, args)
        except BenchError as e:
            print(f'jobs: {e}', file=sys.stderr)
            failed = True
            continue
        print(row(name, median(costs['theirs']), median(costs['ours'])),
              flush=True)
        results['scenarios'][name] = {
            side: [cost._asdict() for cost in runs]
            for side, runs in costs.items()}
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as f:
            json.dump(results, f, indent=1)
            f.write('\n')
    return 1 if failed else 0


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    args = parse(argv)
    if args.list:
        print('\n'.join(SCENARIOS))
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix='bench-',
                                         dir=args.dir) as folder:
            return run(args, folder)
    except (BenchError, OSError) as e:
        print(f'jobs: {e}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
