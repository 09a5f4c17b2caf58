# SPDX-License-Identifier: MIT
"""What a schema consists of."""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .common import Cond, c_name, enum_const
from .doc import Doc
from .error import Info

# name: (C type, type in JSON, QType)
BUILTINS = {
    'str': ('char *', 'string', 'QTYPE_QSTRING'),
    'number': ('double', 'number', 'QTYPE_QNUM'),
    'int': ('int64_t', 'int', 'QTYPE_QNUM'),
    'int8': ('int8_t', 'int', 'QTYPE_QNUM'),
    'int16': ('int16_t', 'int', 'QTYPE_QNUM'),
    'int32': ('int32_t', 'int', 'QTYPE_QNUM'),
    'int64': ('int64_t', 'int', 'QTYPE_QNUM'),
    'uint8': ('uint8_t', 'int', 'QTYPE_QNUM'),
    'uint16': ('uint16_t', 'int', 'QTYPE_QNUM'),
    'uint32': ('uint32_t', 'int', 'QTYPE_QNUM'),
    'uint64': ('uint64_t', 'int', 'QTYPE_QNUM'),
    'size': ('uint64_t', 'int', 'QTYPE_QNUM'),
    'bool': ('bool', 'boolean', 'QTYPE_QBOOL'),
    'any': ('QObject *', 'value', None),
    'null': ('QNull *', 'null', 'QTYPE_QNULL'),
}

Feature = Tuple[str, Optional[Cond]]
# These have a meaning to the code; the others only to clients.
SPECIAL_FEATURES = ('deprecated', 'unstable')


def features_of(data: Dict[str, Any]) -> List[Feature]:
    """The features of checked @data."""
    return [(f, None) if isinstance(f, str) else (f['name'], f.get('if'))
            for f in data.get('features', [])]


class Entity:
    """A definition."""

    def __init__(self, name: str, module: Optional[str] = None,
                 info: Optional[Info] = None,
                 data: Optional[Dict[str, Any]] = None) -> None:
        data = data or {}
        self.name = name
        self.c_name = c_name(name)
        self.module = module            # None: builtin
        self.info = info
        self.doc: Optional[Doc] = None
        self.cond: Optional[Cond] = data.get('if')
        self.features = features_of(data)

    def kind(self) -> str:
        """In documentation and messages."""
        return type(self).__name__.lower()


class Type(Entity):
    """A type."""

    c_type = ''                     # of a member or variable
    # What it looks like in JSON, if that is always the same.
    qtype: Optional[str] = None
    implicit = False                # without a name in the schema

    def c_param(self) -> str:
        """As the type of a parameter."""
        return self.c_type

    def declare(self, name: str) -> str:
        """A declaration without semicolon: "int64_t x", "char *x"."""
        return with_blank(self.c_type) + name


def with_blank(c_type: str) -> str:
    """@c_type as it comes before a name."""
    return c_type if c_type.endswith('*') else c_type + ' '


class Builtin(Type):
    """A type that is not made of others."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.c_name = name
        self.c_type, self.json_type, self.qtype = BUILTINS[name]

    def c_param(self) -> str:
        return 'const char *' if self.name == 'str' else self.c_type


class Member:
    """A member of an object, a branch, or (without type) a value of an
    enumeration."""

    def __init__(self, name: str, type_: Optional[Type], optional: bool,
                 data: Any) -> None:
        data = data if isinstance(data, dict) else {}
        self.name = name
        self.c_name = c_name(name)
        self._type = type_
        self.optional = optional
        self.cond: Optional[Cond] = data.get('if')
        self.features = features_of(data)

    @property
    def type(self) -> Type:
        """Its type."""
        assert self._type
        return self._type


class Enum(Type):
    """An enumeration."""

    qtype = 'QTYPE_QSTRING'

    def __init__(self, name: str, module: str, info: Info,
                 data: Dict[str, Any]) -> None:
        super().__init__(name, module, info, data)
        self.prefix: Optional[str] = data.get('prefix')
        self.values = [
            Member(v['name'] if isinstance(v, dict) else v, None, False, v)
            for v in data['data']]
        self.c_type = self.c_name

    def const(self, value: str) -> str:
        """The constant of one of its values."""
        return enum_const(self.name, value, self.prefix)


class Array(Type):
    """A list of values of one type."""

    qtype = 'QTYPE_QLIST'

    def __init__(self, element: Type) -> None:
        super().__init__(element.name + 'List', element.module, element.info)
        self.element = element
        self.cond = element.cond
        self.c_name = element.c_name + 'List'
        self.c_type = self.c_name + ' *'


class Object(Type):
    """A struct or a union."""

    qtype = 'QTYPE_QDICT'

    def __init__(self, name: str, module: Optional[str],
                 info: Optional[Info], data: Dict[str, Any]) -> None:
        super().__init__(name, module, info, data)
        self.c_type = self.c_name + ' *'
        self.base: Optional[Object] = None
        self.local_members: List[Member] = []
        self.tag: Optional[Member] = None       # the discriminator
        self.branches: List[Member] = []

    def kind(self) -> str:
        return 'union' if self.tag else 'struct'

    def members(self) -> List[Member]:
        """All, those of the base first, without those of branches."""
        base = self.base.members() if self.base else []
        return base + self.local_members

    def is_empty(self) -> bool:
        """Can it have no member at all?"""
        return not self.members() and not self.branches


class Alternate(Type):
    """One of several types."""

    def __init__(self, name: str, module: str, info: Info,
                 data: Dict[str, Any]) -> None:
        super().__init__(name, module, info, data)
        self.c_type = self.c_name + ' *'
        self.branches: List[Member] = []


class Command(Entity):
    """A command."""

    def __init__(self, name: str, module: str, info: Info,
                 data: Dict[str, Any]) -> None:
        super().__init__(name, module, info, data)
        self.arg: Optional[Object] = None       # None: there are none
        self.ret: Optional[Type] = None
        self.boxed: bool = data.get('boxed', False)
        self.gen: bool = data.get('gen', True)
        self.success_response: bool = data.get('success-response', True)
        self.allow_oob: bool = data.get('allow-oob', False)
        self.allow_preconfig: bool = data.get('allow-preconfig', False)
        self.coroutine: bool = data.get('coroutine', False)


class Event(Entity):
    """An event."""

    def __init__(self, name: str, module: str, info: Info,
                 data: Dict[str, Any]) -> None:
        super().__init__(name, module, info, data)
        self.arg: Optional[Object] = None
        self.boxed: bool = data.get('boxed', False)
