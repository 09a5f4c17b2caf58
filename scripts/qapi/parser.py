# SPDX-License-Identifier: MIT
"""From the text of schema files to expressions: JSON with single quotes,
comments and doc comments."""
import os
import re

from .error import Info, QAPIError

TOKEN = re.compile(r"""
    (?P<space>[ \n]+)
  | (?P<doc>\#\#\n(?:\#[^\n]*\n)*?\#\#\n)
  | (?P<comment>\#[^\n]*\n?)
  | (?P<punct>[{}:,\[\]])
  | '(?P<string>[^'\n]*)'
  | (?P<bool>true|false)
""", re.X)


class Expression:
    """One top-level expression, with its documentation if there is one."""

    def __init__(self, data, info, doc):
        self.data = data
        self.info = info
        self.doc = doc


class Parser:
    """Parses a file and what it includes.  Results: expressions, and
    includes: [(including file, included file)]."""

    def __init__(self, fname, root=None, info=None):
        self.root = root or self
        self.fname = fname
        self.info = info
        if not root:
            self.seen = set()
            self.pragmas = {}
            self.expressions = []
            self.includes = []
        self.root.seen.add(os.path.abspath(fname))
        try:
            with open(fname, encoding='utf-8') as f:
                self.text = f.read()
        except OSError as e:
            raise QAPIError(info, f"can't read schema file '{fname}': "
                                  f"{e.strerror}") from e
        self.pos = 0
        self.kind = self.value = None
        self._next()
        self._parse_file()

    # Tokens

    def _here(self, pos=None):
        line = self.text.count('\n', 0, self.pos if pos is None else pos) + 1
        return Info(self.fname, line, self.info)

    def _next(self):
        """Go to the next token that is neither space nor comment."""
        while self.pos < len(self.text):
            m = TOKEN.match(self.text, self.pos)
            if not m:
                raise QAPIError(self._here(), 'stray '
                                f'{self.text[self.pos]!r}')
            self.start, self.pos = self.pos, m.end()
            kind = m.lastgroup
            if kind in ('space', 'comment'):
                continue
            self.kind, self.value = kind, m.group(kind)
            if kind == 'string' and '\\' in self.value:
                raise QAPIError(self._here(self.start),
                                'escapes in strings are not supported')
            return
        self.start = self.pos
        self.kind = self.value = None

    def _error(self, msg):
        raise QAPIError(self._here(self.start), msg)

    def _accept(self, punct):
        if self.kind == 'punct' and self.value == punct:
            self._next()
            return True
        return False

    # Values

    def _value(self):
        if self.kind == 'string':
            value = self.value
        elif self.kind == 'bool':
            value = self.value == 'true'
        elif self._accept('{'):
            return self._members()
        elif self._accept('['):
            return self._elements()
        else:
            self._error("expected '{', '[', string, or boolean")
        self._next()
        return value

    def _members(self):
        result = {}
        if self._accept('}'):
            return result
        while True:
            if self.kind != 'string':
                self._error('expected string or "}"')
            key = self.value
            if key in result:
                self._error(f"duplicate key '{key}'")
            self._next()
            if not self._accept(':'):
                self._error("expected ':'")
            result[key] = self._value()
            if self._accept('}'):
                return result
            if not self._accept(','):
                self._error("expected ',' or '}'")

    def _elements(self):
        result = []
        if self._accept(']'):
            return result
        while True:
            result.append(self._value())
            if self._accept(']'):
                return result
            if not self._accept(','):
                self._error("expected ',' or ']'")

    # Files

    def _parse_file(self):
        doc = None
        while self.kind:
            info = self._here(self.start)
            if self.kind == 'doc':
                doc = self.value
                self._next()
                continue
            data = self._value()
            if not isinstance(data, dict):
                raise QAPIError(info, 'expected an object')
            if 'include' in data:
                self._include(data, info)
            elif 'pragma' in data:
                self._pragma(data, info)
            else:
                self.root.expressions.append(Expression(data, info, doc))
            doc = None

    def _include(self, data, info):
        name = data['include']
        if len(data) != 1 or not isinstance(name, str):
            raise QAPIError(info, "invalid 'include' directive")
        path = os.path.normpath(
            os.path.join(os.path.dirname(self.fname), name))
        self.root.includes.append((self.fname, path))
        place = info
        while place:
            if os.path.abspath(place.fname) == os.path.abspath(path):
                raise QAPIError(info, f'inclusion loop for {name}')
            place = place.included_from
        if os.path.abspath(path) not in self.root.seen:
            Parser(path, self.root, info)

    def _pragma(self, data, info):
        if len(data) != 1 or not isinstance(data['pragma'], dict):
            raise QAPIError(info, "invalid 'pragma' directive")
        for name, value in data['pragma'].items():
            if name == 'doc-required':
                if not isinstance(value, bool):
                    raise QAPIError(info, f"pragma '{name}' must be boolean")
                self.root.pragmas[name] = value
            elif name in ('command-name-exceptions',
                          'command-returns-exceptions',
                          'documentation-exceptions',
                          'member-name-exceptions'):
                if not isinstance(value, list) or \
                        not all(isinstance(v, str) for v in value):
                    raise QAPIError(info, f"pragma '{name}' must be a list "
                                          "of strings")
                self.root.pragmas.setdefault(name, set()).update(value)
            else:
                raise QAPIError(info, f"unknown pragma '{name}'")
