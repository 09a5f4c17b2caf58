# SPDX-License-Identifier: MIT
"""The form of expressions: keys, kinds of values, names.

What they refer to is checked by schema.py.
"""
from __future__ import annotations

import re
from typing import Any, Dict, Iterator, NoReturn, Set, Tuple

from .error import QAPIError
from .parser import Expression, Pragma, Result

# Keys of each kind of definition: (required, optional)
KEYS: Dict[str, Tuple[Set[str], Set[str]]] = {
    'enum': ({'data'}, {'if', 'features', 'prefix'}),
    'struct': ({'data'}, {'base', 'if', 'features'}),
    'union': ({'base', 'discriminator', 'data'}, {'if', 'features'}),
    'alternate': ({'data'}, {'if', 'features'}),
    'command': (set(), {'data', 'returns', 'boxed', 'if', 'features', 'gen',
                        'success-response', 'allow-oob', 'allow-preconfig',
                        'coroutine'}),
    'event': (set(), {'data', 'boxed', 'if', 'features'}),
}
# Flags, and the value that is not the default
FLAGS = {'boxed': True, 'gen': False, 'success-response': False,
         'allow-oob': True, 'allow-preconfig': True, 'coroutine': True}
# Downstream extensions start with their domain: __org.example_name
NAME = re.compile(r'(__[a-z][a-z0-9.-]*_)?(x-)?([A-Za-z][A-Za-z0-9_-]*)$')
# Values of enumerations may start with a digit.
VALUE = re.compile(r'(__[a-z][a-z0-9.-]*_)?(x-)?([A-Za-z0-9][A-Za-z0-9_-]*)$')
RESERVED_SUFFIX = 'List'      # of types made from arrays


def kind_of(data: Dict[str, Any]) -> str:
    """Which kind of definition the checked expression @data is."""
    return next(kind for kind in KEYS if kind in data)


def check_expressions(result: Result) -> None:
    """Raise QAPIError for the first expression that is malformed."""
    for expr in result.expressions:
        kinds = [kind for kind in KEYS if kind in expr.data]
        if len(kinds) != 1:
            raise QAPIError(expr.info, 'expression must have exactly one of '
                            'the keys ' +
                            ', '.join(f"'{kind}'" for kind in KEYS))
        Checker(expr, kinds[0], result.pragma).check()


def typed(members: Dict[str, Any]) -> Iterator[Tuple[str, Any]]:
    """(name, type) of checked members."""
    for key, value in members.items():
        yield key.lstrip('*'), \
            value['type'] if isinstance(value, dict) else value


class Checker:
    """Checks one expression."""

    def __init__(self, expr: Expression, kind: str, pragma: Pragma) -> None:
        self.data = expr.data
        self.info = expr.info
        self.doc = expr.doc
        self.kind = kind
        self.pragma = pragma
        self.name: Any = expr.data[kind]

    def _fail(self, msg: str) -> NoReturn:
        raise QAPIError(self.info, msg)

    def check(self) -> None:
        """All of it."""
        if not isinstance(self.name, str):
            self._fail(f"value of '{self.kind}' must be a string")
        self.info.what = f"{self.kind} '{self.name}'"
        self._check_definition_name()
        self._check_keys(self.data, self.kind, {self.kind} | KEYS[
            self.kind][0], KEYS[self.kind][1])
        self._check_flags()
        self._check_extras(self.data, self.kind)
        getattr(self, '_check_' + self.kind)()
        self._check_doc()

    # Names

    def _check_name(self, name: Any, what: str, pattern: Any = NAME) -> str:
        """Returns the part without the prefixes of extensions."""
        if not isinstance(name, str):
            self._fail(f'{what} must have a string as name')
        m = pattern.match(name)
        if not m:
            self._fail(f"{what} has the invalid name '{name}'")
        if m.group(3).lower().startswith(('q-', 'q_')):
            self._fail(f"{what} has the reserved name '{name}'")
        return str(m.group(3))

    def _excepted(self, pragma: str) -> bool:
        return self.name in self.pragma.exceptions[pragma]

    def _check_definition_name(self) -> None:
        stem = self._check_name(self.name, self.kind)
        if self.kind == 'event':
            if not re.fullmatch(r'[A-Z][A-Z0-9_]*', stem):
                self._fail('name of an event must be in upper case with '
                           "'_'")
        elif self.kind == 'command':
            if not re.fullmatch(r'[a-z][a-z0-9-]*', stem) and \
                    not self._excepted('command-name-exceptions'):
                self._fail("name of a command must be in lower case with '-'")
        else:
            if not re.fullmatch(r'[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*', stem):
                self._fail('name of a type must be in CamelCase')
            if stem.endswith(RESERVED_SUFFIX):
                self._fail('name of a type must not end in '
                           f"'{RESERVED_SUFFIX}'")

    def _check_member_name(self, name: Any, what: str,
                           pattern: Any = NAME) -> None:
        stem = self._check_name(name, what, pattern)
        if (stem != stem.lower() or '_' in stem) and \
                not self._excepted('member-name-exceptions'):
            self._fail(f"name of {what} must not have upper case or '_'")

    # Parts that many expressions have

    def _check_keys(self, data: Dict[str, Any], what: str, required: Any,
                    optional: Any) -> None:
        for key in sorted(required):
            if key not in data:
                self._fail(f"{what} misses key '{key}'")
        for key in data:
            if key not in required and key not in optional:
                self._fail(f"{what} has unknown key '{key}'")

    def _check_flags(self) -> None:
        for flag, value in FLAGS.items():
            if flag in self.data and self.data[flag] is not value:
                self._fail(f"flag '{flag}' may only be "
                           f"{str(value).lower()}")

    def _check_extras(self, data: Dict[str, Any], what: str) -> None:
        """'if' and 'features'."""
        if 'if' in data:
            self._check_condition(data['if'], what)
        if 'features' in data:
            self._check_features(data['features'], what)

    def _check_condition(self, cond: Any, what: str) -> None:
        if isinstance(cond, str):
            if not re.fullmatch(r'[A-Z][A-Z0-9_]*', cond):
                self._fail(f"'if' of {what}: '{cond}' is not the name of a "
                           'macro')
            return
        if not isinstance(cond, dict):
            self._fail(f"'if' of {what} must be a string or an object")
        if len(cond) != 1 or not set(cond) <= {'all', 'any', 'not'}:
            self._fail(f"'if' of {what} must have one of the keys 'all', "
                       "'any', 'not'")
        (operator, args), = cond.items()
        if operator == 'not':
            self._check_condition(args, what)
            return
        if not isinstance(args, list) or not args:
            self._fail(f"'if' of {what}: '{operator}' must be a list that is "
                       'not empty')
        for arg in args:
            self._check_condition(arg, what)

    def _check_features(self, features: Any, what: str) -> None:
        if not isinstance(features, list):
            self._fail(f"'features' of {what} must be a list")
        seen = set()
        for feature in features:
            if not isinstance(feature, dict):
                feature = {'name': feature}
            self._check_keys(feature, f'feature of {what}', {'name'}, {'if'})
            name = feature['name']
            self._check_member_name(name, f'feature of {what}')
            self._check_extras(feature, f"feature '{name}'")
            if name in seen:
                self._fail(f"feature '{name}' of {what} occurs twice")
            seen.add(name)

    def _check_type(self, ref: Any, what: str) -> None:
        if isinstance(ref, list):
            if len(ref) != 1 or not isinstance(ref[0], str):
                self._fail(f'{what}: an array must contain the name of one '
                           'type')
        elif not isinstance(ref, str):
            self._fail(f'{what} must be the name of a type or an array')

    def _check_members(self, members: Any, what: str) -> None:
        if not isinstance(members, dict):
            self._fail(f'{what} must be an object')
        for key, value in members.items():
            name = key[1:] if key.startswith('*') else key
            self._check_member_name(name, f'member of {what}')
            member = f"member '{name}'"
            if name == 'u' or name.startswith(('has-', 'has_')):
                self._fail(f'{member} has a reserved name')
            if isinstance(value, dict):
                self._check_keys(value, member, {'type'}, {'if', 'features'})
                self._check_extras(value, member)
                value = value['type']
            self._check_type(value, member)

    def _check_branches(self) -> None:
        branches = self.data['data']
        if not isinstance(branches, dict):
            self._fail("'data' must be an object")
        for name, value in branches.items():
            # Those of unions are values of enumerations.
            self._check_name(name, "branch of 'data'", VALUE)
            if isinstance(value, dict):
                self._check_keys(value, f"branch '{name}'", {'type'}, {'if'})
                self._check_extras(value, f"branch '{name}'")
                value = value['type']
            if not isinstance(value, str):
                self._fail(f"branch '{name}' must be the name of a type")

    # The kinds

    def _check_enum(self) -> None:
        values = self.data['data']
        if not isinstance(values, list):
            self._fail("'data' must be a list")
        prefix = self.data.get('prefix', 'X')
        if not isinstance(prefix, str) or \
                not re.fullmatch(r'[A-Z][A-Z0-9_]*', prefix):
            self._fail("'prefix' must be a string in upper case with '_'")
        for value in values:
            if not isinstance(value, dict):
                value = {'name': value}
            self._check_keys(value, "value of 'data'", {'name'},
                             {'if', 'features'})
            name = value['name']
            self._check_member_name(name, "value of 'data'", VALUE)
            self._check_extras(value, f"value '{name}'")

    def _check_struct(self) -> None:
        self._check_members(self.data['data'], "'data'")
        if not isinstance(self.data.get('base', ''), str):
            self._fail("'base' of a struct must be the name of a type")

    def _check_union(self) -> None:
        base = self.data['base']
        if isinstance(base, dict):
            self._check_members(base, "'base'")
        elif not isinstance(base, str):
            self._fail("'base' must be the name of a type or an object")
        if not isinstance(self.data['discriminator'], str):
            self._fail("'discriminator' must be a string")
        self._check_branches()

    def _check_alternate(self) -> None:
        self._check_branches()
        if not self.data['data']:
            self._fail("'data' must not be empty")

    def _check_args(self) -> None:
        data = self.data.get('data', {})
        boxed = self.data.get('boxed', False)
        if isinstance(data, dict):
            if boxed:
                self._fail("'boxed' needs 'data' to be the name of a type")
            self._check_members(data, "'data'")
        elif not isinstance(data, str):
            self._fail("'data' must be the name of a type or an object")

    def _check_command(self) -> None:
        self._check_args()
        if 'returns' in self.data:
            self._check_type(self.data['returns'], "'returns'")
        if self.data.get('coroutine') and self.data.get('allow-oob'):
            self._fail("flags 'coroutine' and 'allow-oob' exclude each other")

    def _check_event(self) -> None:
        self._check_args()

    # Documentation

    def _check_doc(self) -> None:
        if not self.doc:
            if self.pragma.doc_required:
                self._fail('documentation is missing')
            return
        if self.doc.name != self.name:
            raise QAPIError(self.doc.info, f"documentation of "
                            f"'{self.doc.name}' is not followed by its "
                            'definition')
        self.doc.check(
            self._described(), self._features(), self.kind == 'command',
            self.pragma.doc_required and
            not self._excepted('documentation-exceptions'))

    def _described(self) -> list[str]:
        """What the documentation describes, besides features."""
        data = self.data.get('data', {})
        if self.kind == 'enum':
            return [v['name'] if isinstance(v, dict) else v for v in data]
        if self.kind == 'union':
            # Branches are described where their types are.
            data = self.data['base']
        if isinstance(data, str):
            return []
        return [name for name, _ in typed(data)]

    def _features(self) -> list[str]:
        """All features of the definition and what is in it."""
        found = []

        def collect(data: Any) -> None:
            if isinstance(data, dict):
                for feature in data.get('features', []):
                    name = feature['name'] if isinstance(feature, dict) \
                        else feature
                    if name not in found:
                        found.append(name)

        collect(self.data)
        for part in ('data', 'base'):
            values = self.data.get(part, [])
            if isinstance(values, dict):
                values = list(values.values())
            for value in values if isinstance(values, list) else []:
                collect(value)
        return found
