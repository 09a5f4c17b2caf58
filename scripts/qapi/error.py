# SPDX-License-Identifier: MIT
"""Errors in a schema, and places in it."""
from __future__ import annotations

from typing import Optional


class Info:
    """A place in a schema file, and what is defined there."""

    def __init__(self, fname: str, line: int,
                 included_from: Optional[Info] = None) -> None:
        self.fname = fname
        self.line = line
        self.included_from = included_from
        self.what: Optional[str] = None     # such as "struct 'Foo'"

    def at_line(self, line: int) -> Info:
        """Another line of the same file."""
        return Info(self.fname, line, self.included_from)

    def __str__(self) -> str:
        text = ''
        place = self.included_from
        while place:
            text = f'In file included from {place.fname}:{place.line}:\n' + \
                text
            place = place.included_from
        text += f'{self.fname}:{self.line}'
        if self.what:
            text += f': In {self.what}'
        return text


class QAPIError(Exception):
    """Something is wrong at a place (None: on the command line)."""

    def __init__(self, info: Optional[Info], msg: str) -> None:
        super().__init__(msg)
        self.info = info
        self.msg = msg

    def __str__(self) -> str:
        return f'{self.info}: {self.msg}' if self.info else self.msg
