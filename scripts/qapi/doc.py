# SPDX-License-Identifier: MIT
"""Documentation comments.

A comment whose first line is "@NAME:" documents the definition that follows.
Any other one is free text, with headings "= TITLE" and "== TITLE".

In the former, "@MEMBER: text" describes a member or argument, and one of the
words below with a colon starts a section.  What belongs to either and is not
on its first line is indented; text that is not goes to the definition as a
whole.
"""
from __future__ import annotations

import re
from typing import Dict, List, NoReturn, Optional, Tuple

from .error import Info, QAPIError

TAGS = ('Returns', 'Since', 'Note', 'Notes', 'Example', 'Examples', 'TODO')
SYMBOL = re.compile(r'@([^ :]*)(:?)(?: +(.*))?$')
TAG = re.compile(r'(' + '|'.join(TAGS) + r'):(?: +(.*))?$')


class Section:
    """Lines that belong together."""

    def __init__(self, what: str, info: Info) -> None:
        self.what = what
        self.info = info
        self.lines: List[str] = []

    def text(self) -> str:
        """Without empty lines around it."""
        return '\n'.join(self.lines).strip('\n')


class Doc:
    """What a comment says."""

    def __init__(self, text: str, info: Info) -> None:
        self.info = info
        self.name: Optional[str] = None         # None: free text
        self.body = Section('text', info)
        self.members: Dict[str, Section] = {}
        self.features: Dict[str, Section] = {}
        self.sections: List[Tuple[str, Section]] = []   # by tag
        self._current = self.body
        self._described = self.members
        self._line = info.line
        lines = text.split('\n')
        while lines and not lines[0]:
            self._line += 1
            del lines[0]
        if not lines:
            self._fail('empty documentation comment')
        is_symbol = SYMBOL.match(lines[0])
        for number, line in enumerate(lines):
            self._line += 1
            if not is_symbol:
                self._add_free(line)
            elif number == 0:
                self._set_name(line)
            else:
                self._add(line)
        self._check_empty()

    def _here(self) -> Info:
        return self.info.at_line(self._line)

    def _fail(self, msg: str) -> NoReturn:
        raise QAPIError(self._here(), msg)

    def _add_free(self, line: str) -> None:
        if SYMBOL.match(line):
            self._fail(f"'{line.split()[0]}' can only follow '@NAME:' on the "
                       "first line of a documentation comment")
        self.body.lines.append(line)

    def _symbol(self, line: str) -> Optional[Tuple[str, str]]:
        """(name, text) if @line describes something."""
        m = SYMBOL.match(line)
        if not m:
            return None
        name, colon, text = m.groups()
        if not name:
            self._fail("'@' must be followed by a name")
        if not colon:
            self._fail(f"'@{name}' must be followed by ':'")
        return name, text or ''

    def _set_name(self, line: str) -> None:
        symbol = self._symbol(line)
        assert symbol
        if symbol[1]:
            self._fail("no text may follow ':' on the line that says what is "
                       "documented")
        self.name = symbol[0]

    def _add(self, line: str) -> None:
        if line.startswith('='):
            self._fail('headings are for free documentation comments')
        symbol = self._symbol(line)
        tag = TAG.match(line)
        if symbol:
            self._describe(*symbol)
        elif line == 'Features:':
            self._check_empty()
            if self._described is self.features:
                self._fail("section 'Features' occurs twice")
            self._described = self.features
            self._current = Section('Features', self._here())
            self._current.lines.append('-')     # it needs no text of its own
        elif tag:
            self._start_section(tag.group(1), tag.group(2) or '')
        else:
            self._add_text(line)

    def _describe(self, name: str, text: str) -> None:
        self._check_empty()
        if name in self._described:
            self._fail(f"'@{name}' is described twice")
        self._current = Section(f"'@{name}:'", self._here())
        self._current.lines.append(text)
        self._described[name] = self._current

    def _start_section(self, tag: str, text: str) -> None:
        self._check_empty()
        if tag in ('Returns', 'Since') and \
                any(other == tag for other, _ in self.sections):
            self._fail(f"section '{tag}' occurs twice")
        self._current = Section(f"section '{tag}'", self._here())
        self._current.lines.append(text)
        self.sections.append((tag, self._current))

    def _add_text(self, line: str) -> None:
        section = self._current
        if section is self.body or not line or line.startswith(' ') or \
                section.what.startswith("section 'Example"):
            section.lines.append(line)
            return
        if section.lines[-1]:
            self._fail(f"text that belongs to {section.what} must be "
                       "indented")
        # Text on the whole again
        self._check_empty()
        self._current = self.body
        self.body.lines += ['', line]

    def _check_empty(self) -> None:
        section = self._current
        if section is not self.body and not section.text().strip():
            raise QAPIError(section.info, f"{section.what} has no text")

    # Against the definition

    def check(self, members: List[str], features: List[str],
              is_command: bool, complete: bool) -> None:
        """Is described what is there?  @complete: is all of it?"""
        for described, there, what in (
                (self.members, members, 'member'),
                (self.features, features, 'feature')):
            for name, section in described.items():
                if name not in there:
                    raise QAPIError(section.info, f"documented {what} "
                                                  f"'{name}' does not exist")
            for name in there:
                if name not in described and (complete or
                                              what == 'feature'):
                    raise QAPIError(self.info,
                                    f"{what} '{name}' is not documented")
        for tag, section in self.sections:
            if tag == 'Returns' and not is_command:
                raise QAPIError(section.info,
                                "section 'Returns' is for commands only")
