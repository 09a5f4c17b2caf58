# SPDX-License-Identifier: MIT
"""From the text of a schema file to tokens: JSON with single quotes,
comments and doc comments."""
from __future__ import annotations

import re
from typing import List, NamedTuple, NoReturn, Optional

from .error import Info, QAPIError

TOKEN = re.compile(r"""
    (?P<space>[ \n]+)
  | (?P<doc>\#\#[^\n]*\n)
  | (?P<comment>\#[^\n]*\n?)
  | (?P<punct>[{}:,\[\]])
  | '(?P<string>[^'\n]*)'
  | (?P<bool>(?:true|false)\b)
""", re.X)


class Token(NamedTuple):
    """A token; at the end of the file its kind is 'end'."""
    kind: str       # 'doc', 'punct', 'string', 'bool' or 'end'
    value: str      # of a doc: its lines without '#', joined by newlines
    info: Info


class Lexer:
    """The tokens of one file."""

    def __init__(self, fname: str, included_from: Optional[Info]) -> None:
        try:
            with open(fname, encoding='utf-8') as f:
                self.text = f.read()
        except OSError as e:
            raise QAPIError(included_from, f"can't read schema file "
                                           f"'{fname}': {e.strerror}") from e
        self.info = Info(fname, 1, included_from)
        self.pos = 0

    def _here(self) -> Info:
        return self.info.at_line(self.text.count('\n', 0, self.pos) + 1)

    def _fail(self, msg: str) -> NoReturn:
        raise QAPIError(self._here(), msg)

    def next(self) -> Token:
        """The next token that is neither space nor comment."""
        while self.pos < len(self.text):
            info = self._here()
            m = TOKEN.match(self.text, self.pos)
            if not m:
                self._fail_stray()
            kind, value = str(m.lastgroup), m.group(str(m.lastgroup))
            if kind == 'string':
                self._check_string(value)
            self.pos = m.end()
            if kind == 'doc':
                return Token(kind, self._doc(value, info), info)
            if kind not in ('space', 'comment'):
                return Token(kind, value, info)
        return Token('end', '', self._here())

    def _fail_stray(self) -> NoReturn:
        if self.text[self.pos] == "'":
            self._fail("missing terminating \"'\"")
        self._fail(f'stray {self.text[self.pos]!r}')

    def _check_string(self, value: str) -> None:
        for char in value:
            if char == '\\' or not ' ' <= char <= '~':
                self._fail(f'string contains {char!r}; only printable ASCII '
                           'without backslashes is supported')

    def _doc(self, first: str, info: Info) -> str:
        """The rest of a doc comment, after the line @first."""
        if first != '##\n':
            raise QAPIError(info, "junk after '##' at the start of a "
                                  "documentation comment")
        lines: List[str] = []
        while True:
            end = self.text.find('\n', self.pos) + 1
            line = self.text[self.pos:end].rstrip('\n')
            if not line.startswith('#'):
                self._fail("documentation comment must end with '##'")
            if line.startswith('##'):
                if line != '##':
                    self._fail("junk after '##' at the end of a "
                               "documentation comment")
                self.pos = end
                return '\n'.join(lines)
            if line != '#' and not line.startswith('# '):
                self._fail("missing space after '#' in a documentation "
                           "comment")
            lines.append(line[2:])
            self.pos = end
