# SPDX-License-Identifier: MIT
"""Errors in a schema."""


class QAPIError(Exception):
    """An error at a place: file, line and what stands there."""

    def __init__(self, info, msg):
        super().__init__(msg)
        self.info = info
        self.msg = msg

    def __str__(self):
        return f'{self.info}: {self.msg}' if self.info else self.msg


class Info:
    """A place in a schema file, and what is defined there."""

    def __init__(self, fname, line, included_from=None):
        self.fname = fname
        self.line = line
        self.included_from = included_from
        self.what = None

    def __str__(self):
        text = f'{self.fname}:{self.line}'
        if self.what:
            text += f': In {self.what}'
        return text
