# SPDX-License-Identifier: MIT
"""Which scripts there are and what groups they are in.

A test is an executable NNN beside ./check, or anything in tests/, that has a
line "# group: ..." near its top.  Helpers have no such line.  A line
"# formats: ..." says for which image formats it is meant; without one it is
for all, or finds out itself."""
import os
import re

LABEL = re.compile(r'^# ?(group|formats):(.*)$')
NUMBER = re.compile(r'^\d{3}$')
SUFFIXES = ('.out', '.bad', '.notrun', '.casenotrun', '.nocache')


class Test:
    def __init__(self, folder, name, labels):
        self.path = os.path.join(folder, name)
        self.name = name
        self.groups = labels['group']
        self.formats = labels.get('formats')

    def in_any(self, groups):
        return not self.groups.isdisjoint(groups)

    def is_for(self, fmt):
        return self.formats is None or fmt in self.formats


def read_labels(path):
    """The words behind each label of a script."""
    labels = {}
    try:
        with open(path, encoding='utf-8', errors='replace') as f:
            for _, line in zip(range(30), f):
                match = LABEL.match(line)
                if match:
                    labels[match.group(1)] = set(match.group(2).split())
    except OSError:
        pass
    return labels


def is_script(path):
    base = os.path.basename(path)
    if '.' in base and (base.endswith(SUFFIXES) or '.out' in base):
        return False
    try:
        with open(path, 'rb') as f:
            return f.read(2) == b'#!'
    except OSError:
        return False


def find(folder):
    """All tests: numbered ones first, then the named ones."""
    names = sorted(n for n in os.listdir(folder) if NUMBER.match(n))
    sub = os.path.join(folder, 'tests')
    if os.path.isdir(sub):
        names += sorted(os.path.join('tests', n) for n in os.listdir(sub)
                        if is_script(os.path.join(sub, n)))
    tests = []
    for name in names:
        labels = read_labels(os.path.join(folder, name))
        if 'group' in labels:
            tests.append(Test(folder, name, labels))
    return tests


class Unknown(Exception):
    """A name on the command line that is no test."""


def by_name(tests, folder, word):
    """Tests that a word of the command line means: NAME, tests/NAME, a
    path, or a range NNN-NNN."""
    match = re.match(r'^(\d+)-(\d+)$', word)
    if match:
        low, high = (int(n) for n in match.groups())
        return [t for t in tests
                if NUMBER.match(t.name) and low <= int(t.name) <= high]
    if word.isdigit():
        word = f'{int(word):03}'
    for name in (word, os.path.join('tests', word),
                 os.path.relpath(os.path.abspath(word), folder)):
        found = [t for t in tests if t.name == name]
        if found:
            return found
    raise Unknown(word)


def select(tests, folder, fmt, names, include, exclude):
    """Tests to run.  Names and included groups add up; with neither, all
    tests are meant.  A test that is named is run whatever it is for."""
    chosen = []
    if include or not names:
        chosen = [t for t in tests if t.is_for(fmt) and
                  (not include or t.in_any(include))]
    for word in names:
        chosen += by_name(tests, folder, word)
    chosen = [t for t in dict.fromkeys(chosen) if not t.in_any(exclude)]
    return sorted(chosen, key=tests.index)
