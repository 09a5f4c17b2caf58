# SPDX-License-Identifier: MIT
"""From schema files to expressions with their documentation; directives."""
from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Set, Tuple

from .doc import Doc
from .error import Info, QAPIError
from .lexer import Lexer, Token

LIST_PRAGMAS = ('command-name-exceptions', 'command-returns-exceptions',
                'documentation-exceptions', 'member-name-exceptions')


class Pragma:
    """What directives 'pragma' say."""

    def __init__(self) -> None:
        self.doc_required = False
        self.exceptions: Dict[str, Set[str]] = {p: set()
                                                for p in LIST_PRAGMAS}

    def set(self, name: str, value: Any, info: Info) -> None:
        """One of them."""
        if name == 'doc-required':
            if not isinstance(value, bool):
                raise QAPIError(info, f"pragma '{name}' must be a boolean")
            self.doc_required = value
        elif name in self.exceptions:
            if not isinstance(value, list) or \
                    not all(isinstance(v, str) for v in value):
                raise QAPIError(info, f"pragma '{name}' must be a list of "
                                      "strings")
            self.exceptions[name].update(value)
        else:
            raise QAPIError(info, f"unknown pragma '{name}'")


class Expression:
    """One top-level expression, with its documentation if there is one."""

    def __init__(self, data: Dict[str, Any], info: Info,
                 doc: Optional[Doc]) -> None:
        self.data = data
        self.info = info
        self.doc = doc


class Result:
    """What all files together contain."""

    def __init__(self) -> None:
        self.pragma = Pragma()
        self.expressions: List[Expression] = []
        self.free_docs: List[Doc] = []
        self.files: List[str] = []                  # in order
        self.includes: List[Tuple[str, str]] = []   # (file, included file)


def parse_schema(fname: str) -> Result:
    """The file @fname and all that it includes."""
    result = Result()
    FileParser(fname, None, result).parse()
    return result


class FileParser:
    """Parses one file into a Result."""

    def __init__(self, fname: str, included_from: Optional[Info],
                 result: Result) -> None:
        self.fname = fname
        self.included_from = included_from
        self.result = result
        result.files.append(os.path.abspath(fname))
        self.lexer = Lexer(fname, included_from)
        self.token = self.lexer.next()

    # Values

    def _take(self) -> Token:
        token = self.token
        self.token = self.lexer.next()
        return token

    def _accept(self, punct: str) -> bool:
        if self.token.kind == 'punct' and self.token.value == punct:
            self._take()
            return True
        return False

    def _expect(self, punct: str, expected: str) -> None:
        if not self._accept(punct):
            raise QAPIError(self.token.info, f'expected {expected}')

    def _value(self) -> Any:
        if self.token.kind == 'string':
            return self._take().value
        if self.token.kind == 'bool':
            return self._take().value == 'true'
        if self._accept('{'):
            return self._members()
        if self._accept('['):
            return self._elements()
        raise QAPIError(self.token.info,
                        "expected '{', '[', string, or boolean")

    def _members(self) -> Dict[str, Any]:
        result: Dict[str, Any] = {}
        if self._accept('}'):
            return result
        while True:
            key = self._take()
            if key.kind != 'string':
                raise QAPIError(key.info, "expected string or '}'")
            if key.value in result:
                raise QAPIError(key.info, f"duplicate key '{key.value}'")
            self._expect(':', "':'")
            result[key.value] = self._value()
            if self._accept('}'):
                return result
            self._expect(',', "',' or '}'")

    def _elements(self) -> List[Any]:
        result: List[Any] = []
        if self._accept(']'):
            return result
        while True:
            result.append(self._value())
            if self._accept(']'):
                return result
            self._expect(',', "',' or ']'")

    # Files

    def parse(self) -> None:
        """Parse the file."""
        doc: Optional[Doc] = None
        while self.token.kind != 'end':
            if self.token.kind == 'doc':
                self._end_doc(doc)
                token = self._take()
                doc = Doc(token.value, token.info)
                if not doc.name:
                    self.result.free_docs.append(doc)
                    doc = None
                continue
            self._expression(doc)
            doc = None
        self._end_doc(doc)

    @staticmethod
    def _end_doc(doc: Optional[Doc]) -> None:
        if doc:
            raise QAPIError(doc.info, f"documentation of '{doc.name}' is not "
                                      "followed by its definition")

    def _expression(self, doc: Optional[Doc]) -> None:
        info = self.token.info
        data = self._value()
        if not isinstance(data, dict):
            raise QAPIError(info, 'top-level expression must be an object')
        if 'include' in data:
            self._end_doc(doc)
            self._include(data, info)
        elif 'pragma' in data:
            self._end_doc(doc)
            self._pragma(data, info)
        else:
            self.result.expressions.append(Expression(data, info, doc))

    def _include(self, data: Dict[str, Any], info: Info) -> None:
        name = data['include']
        if len(data) != 1:
            raise QAPIError(info, "invalid 'include' directive")
        if not isinstance(name, str):
            raise QAPIError(info, "value of 'include' must be a string")
        path = os.path.normpath(
            os.path.join(os.path.dirname(self.fname), name))
        place: Optional[Info] = info
        while place:
            if os.path.abspath(place.fname) == os.path.abspath(path):
                raise QAPIError(info, f'inclusion loop for {name}')
            place = place.included_from
        self.result.includes.append((self.fname, path))
        if os.path.abspath(path) not in self.result.files:
            FileParser(path, info, self.result).parse()

    def _pragma(self, data: Dict[str, Any], info: Info) -> None:
        if len(data) != 1:
            raise QAPIError(info, "invalid 'pragma' directive")
        if not isinstance(data['pragma'], dict):
            raise QAPIError(info, "value of 'pragma' must be an object")
        for name, value in data['pragma'].items():
            self.result.pragma.set(name, value, info)
