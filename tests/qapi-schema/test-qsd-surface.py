#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the storage daemon says of itself, against a list; in TAP.

    test-qsd-surface.py [--exceptions FILE] PROGRAM

query-qmp-schema must have the commands and events in qsd-surface.txt, with the
same arguments, and no others.  Differences are excused by a line in the file
of exceptions (default: qsd-exceptions.txt):

    NAME: REASON        this command or event is not there
    +NAME: REASON       this one is there though it is not listed
    NAME.ARG: REASON    its argument ARG differs
    PATH^NAME: REASON   what is at PATH does not have the feature NAME

An exception for something that does not differ is a failure as well, so that
the file stays true.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from typing import Any, Dict, Iterator, List, Set, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'python'))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from qemu.qmp import QEMUMonitorProtocol    # noqa: E402

Entry = Tuple[str, str]                 # "command" or "event", name
Surface = Dict[Entry, Dict[str, bool]]  # of each argument: may be left out?
SECONDS = 60


def lines_of(path: str) -> Iterator[Tuple[str, str]]:
    """Lines with text, each with its place."""
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if line and not line.startswith('#'):
                yield f'{os.path.basename(path)}:{number}', line


def read_list(path: str) -> Surface:
    """The list."""
    surface: Surface = {}
    for place, line in lines_of(path):
        kind, name, *args = line.split()
        if kind == 'feature':
            continue
        if kind not in ('command', 'event') or (kind, name) in surface:
            sys.exit(f'{place}: {line}: twice, or of no known kind')
        surface[kind, name] = {arg.rstrip('?'): arg.endswith('?')
                               for arg in args}
    return surface


def read_features(path: str) -> Set[Tuple[str, str]]:
    """The features in the list: where and which."""
    words = [line.split() for _, line in lines_of(path)]
    return {(w[1], w[2]) for w in words if w[0] == 'feature'}


def read_exceptions(path: str) -> Dict[str, str]:
    """The reasons."""
    reasons: Dict[str, str] = {}
    for place, line in lines_of(path):
        name, colon, reason = line.partition(':')
        if not colon or not reason.strip() or name in reasons:
            sys.exit(f'{place}: {line}: twice, or without a reason')
        reasons[name] = reason.strip()
    return reasons


def ask(program: str) -> List[Dict[str, Any]]:
    """query-qmp-schema of the daemon."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'qmp')
        with QEMUMonitorProtocol(path, server=True) as qmp, \
             subprocess.Popen([program, '--chardev',
                               f'socket,id=c,path={path}',
                               '--monitor', 'c']) as daemon:
            try:
                qmp.accept(SECONDS)
                schema = qmp.command('query-qmp-schema')
                qmp.command('quit')
                if daemon.wait(SECONDS) != 0:
                    sys.exit(f'the daemon ended with {daemon.returncode}')
            finally:
                daemon.kill()
    return schema


def read_schema(schema: List[Dict[str, Any]]) -> Surface:
    """The same as a list."""
    types = {info['name']: info for info in schema
             if info['meta-type'] not in ('command', 'event')}
    surface: Surface = {}
    for info in schema:
        if info['meta-type'] in ('command', 'event'):
            members = types[info['arg-type']]['members']
            surface[info['meta-type'], info['name']] = {
                member['name']: 'default' in member for member in members}
    return surface


def features_of(schema: List[Dict[str, Any]]) -> Iterator[Tuple[str, str]]:
    """Where there are features, and which; a type is looked at once."""
    infos = {info['name']: info for info in schema}
    seen: Set[str] = set()

    def walk(name: str, path: str) -> Iterator[Tuple[str, str]]:
        if name in seen:
            return
        seen.add(name)
        info = infos[name]
        for feature in info.get('features', []):
            yield path, feature
        for member in info.get('members', []):
            place = path
            if 'name' in member:
                place = f"{path}.{member['name']}"
            for feature in member.get('features', []):
                yield place, feature
            if 'type' in member:
                yield from walk(member['type'], place)
        for branch in info.get('variants', []):
            yield from walk(branch['type'], f"{path}.{branch['case']}")
        for key, suffix in (('element-type', ''), ('arg-type', ''),
                            ('ret-type', ':')):
            if key in info:
                yield from walk(info[key], path + suffix)

    for name in sorted(name for name, info in infos.items()
                       if info['meta-type'] in ('command', 'event')):
        yield from walk(name, name)


def differences(listed: Dict[str, bool],
                found: Dict[str, bool]) -> Iterator[Tuple[str, str]]:
    """Arguments that differ, and how."""
    for arg in sorted(listed.keys() | found.keys()):
        if arg not in found:
            yield arg, 'is missing'
        elif arg not in listed:
            yield arg, 'is not in the list'
        elif listed[arg] and not found[arg]:
            yield arg, 'may be left out, but here it must not'
        elif found[arg] and not listed[arg]:
            yield arg, 'must be there, but here it may be left out'


def compare(listed: Surface,
            found: Surface) -> Iterator[Tuple[str, List[Tuple[str, str]]]]:
    """Of each entry, the names for exceptions, and what differs."""
    for entry in sorted(listed.keys() | found.keys()):
        kind, name = entry
        if entry not in found:
            result = [(name, f'there is no {kind} of that name')]
        elif entry not in listed:
            result = [('+' + name, f'this {kind} is not in the list')]
        else:
            result = [(f'{name}.{arg}', text) for arg, text
                      in differences(listed[entry], found[entry])]
        yield f'{kind} {name}', result


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--exceptions', metavar='FILE',
                        default=os.path.join(HERE, 'qsd-exceptions.txt'))
    parser.add_argument('program')
    args = parser.parse_args()
    reasons = read_exceptions(args.exceptions)
    listed = read_list(os.path.join(HERE, 'qsd-surface.txt'))
    used: Set[str] = set()
    number = failed = 0

    def result(good: bool, text: str) -> None:
        nonlocal number, failed
        number += 1
        failed += not good
        print(f'{"ok" if good else "not ok"} {number} - {text}')

    schema = ask(args.program)
    features = set(features_of(schema))
    for path, feature in sorted(read_features(
            os.path.join(HERE, 'qsd-surface.txt'))):
        name = f'{path}^{feature}'
        there = (path, feature) in features
        if not there:
            used.add(name)
        result(there or name in reasons, f'feature {feature} of {path}')

    for title, found in compare(listed, read_schema(schema)):
        used.update(name for name, _ in found)
        bad = [f'{name}: {text}' for name, text in found
               if name not in reasons]
        result(not bad, title)
        for text in bad:
            print(f'# {text}')
    for name in reasons:
        result(name in used, f'exception {name} is needed')
        if name not in used:
            print(f'# {name}: nothing differs any more, remove the exception')
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
