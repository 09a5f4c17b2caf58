# SPDX-License-Identifier: MIT
"""From expressions to entities that know each other."""
import os

from .common import c_name, enum_const
from .error import QAPIError
from .expr import check_expressions
from .parser import Parser

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


class Entity:
    """What a schema defines."""

    def __init__(self, name, module=None, info=None, data=None):
        data = data or {}
        self.name = name
        self.c_name = c_name(name)
        self.module = module
        self.info = info
        self.cond = data.get('if')
        self.features = features_of(data)

    def is_implicit(self):
        """Not named by the schema?"""
        return self.name.startswith('q_')


def features_of(data):
    """[(name, condition)]"""
    return [(f, None) if isinstance(f, str) else (f['name'], f.get('if'))
            for f in data.get('features', [])]


class Member:
    """A member of a struct, a branch, a value of an enumeration."""

    def __init__(self, name, type_, optional=False, data=None):
        data = data if isinstance(data, dict) else {}
        self.name = name
        self.c_name = c_name(name)
        self.type = type_
        self.optional = optional
        self.cond = data.get('if')
        self.features = features_of(data)


class Builtin(Entity):
    """A type that is not made of others."""

    def __init__(self, name):
        super().__init__(name)
        self.c_name = name
        self.c_type, self.json_type, self.qtype = BUILTINS[name]

    def c_param(self):
        """As a parameter of functions that do not change it."""
        return 'const char *' if self.name == 'str' else self.c_type


class Enum(Entity):
    """An enumeration."""

    qtype = 'QTYPE_QSTRING'

    def __init__(self, name, module, info, data):
        super().__init__(name, module, info, data)
        self.prefix = data.get('prefix')
        self.members = [
            Member(v if isinstance(v, str) else v['name'], None, data=v)
            for v in data['data']]
        self.c_type = self.c_name

    def c_param(self):
        return self.c_type

    def const(self, value):
        """The constant of one of its values."""
        return enum_const(self.name, value, self.prefix)


class Array(Entity):
    """A list of values of one type."""

    qtype = 'QTYPE_QLIST'

    def __init__(self, element):
        super().__init__(element.name + 'List', element.module, element.info)
        self.element = element
        self.cond = element.cond
        self.c_name = element.c_name + 'List'
        self.c_type = self.c_name + ' *'

    def c_param(self):
        return self.c_type


class Object(Entity):
    """A struct or a union."""

    qtype = 'QTYPE_QDICT'

    def __init__(self, name, module, info, data):
        super().__init__(name, module, info, data)
        self.c_type = self.c_name + ' *'
        self.base = None
        self.local_members = []
        self.tag = None         # the member that is the discriminator
        self.branches = []      # Member; its type is an Object

    def c_param(self):
        return self.c_type

    def members(self):
        """All, those of the base first."""
        base = self.base.members() if self.base else []
        return base + self.local_members

    def is_empty(self):
        return not self.members() and not self.branches


class Alternate(Entity):
    """One of several types."""

    qtype = None

    def __init__(self, name, module, info, data):
        super().__init__(name, module, info, data)
        self.c_type = self.c_name + ' *'
        self.branches = []

    def c_param(self):
        return self.c_type


class Command(Entity):
    """A command."""

    def __init__(self, name, module, info, data):
        super().__init__(name, module, info, data)
        self.arg = None
        self.ret = None
        self.boxed = data.get('boxed', False)
        self.gen = data.get('gen', True)
        self.success_response = data.get('success-response', True)
        self.allow_oob = data.get('allow-oob', False)
        self.allow_preconfig = data.get('allow-preconfig', False)
        self.coroutine = data.get('coroutine', False)


class Event(Entity):
    """An event."""

    def __init__(self, name, module, info, data):
        super().__init__(name, module, info, data)
        self.arg = None
        self.boxed = data.get('boxed', False)


class Schema:
    """All entities, in the order of their definition."""

    def __init__(self, fname):
        parser = Parser(fname)
        self.root = fname
        check_expressions(parser.expressions, parser.pragmas)
        self.entities = []
        self.types = {}
        self.arrays = {}
        self.modules = []       # in the order of their first expression
        self.includes = {}      # module: [modules]
        for name in BUILTINS:
            self.types[name] = Builtin(name)
        pending = [self._define(e) for e in parser.expressions]
        for including, included in parser.includes:
            self.includes.setdefault(self.module_name(including), []).append(
                self.module_name(included))
        for entity, data in pending:
            self._resolve(entity, data)

    @staticmethod
    def module_name(fname):
        """block-core.json -> block-core"""
        return os.path.splitext(os.path.basename(fname))[0]

    # First pass: names

    def _define(self, expr):
        data, info = expr.data, expr.info
        module = self.module_name(info.fname)
        if module not in self.modules:
            self.modules.append(module)
        classes = {'enum': Enum, 'struct': Object, 'union': Object,
                   'alternate': Alternate, 'command': Command, 'event': Event}
        meta = next(m for m in classes if m in data)
        entity = classes[meta](data[meta], module, info, data)
        self._add(entity, meta)
        return entity, data

    def _add(self, entity, meta):
        if meta not in ('command', 'event'):
            other = self.types.get(entity.name)
            if other:
                raise QAPIError(entity.info,
                                f"{meta} '{entity.name}' is defined already")
            self.types[entity.name] = entity
        self.entities.append(entity)

    # Second pass: references

    def _type(self, ref, user, what):
        if isinstance(ref, list):
            element = self._type(ref[0], user, what)
            if element.name not in self.arrays:
                self.arrays[element.name] = Array(element)
            return self.arrays[element.name]
        if ref not in self.types:
            raise QAPIError(user.info, f"{what} uses unknown type '{ref}'")
        return self.types[ref]

    def _member(self, key, data, user, what):
        optional = key.startswith('*')
        name = key[1:] if optional else key
        ref = data['type'] if isinstance(data, dict) else data
        return Member(name, self._type(ref, user, f"{what} '{name}'"),
                      optional, data)

    def _implicit(self, name, members, user, what):
        obj = Object('q_obj_' + name, user.module, user.info, {})
        obj.cond = user.cond
        obj.local_members = [self._member(k, v, user, what)
                             for k, v in members.items()]
        self.types[obj.name] = obj
        self.entities.insert(self.entities.index(user), obj)
        return obj

    def _object_ref(self, ref, user, what, name):
        """A type, or members that stand in place of one; None if empty."""
        if ref is None:
            return None
        if isinstance(ref, dict):
            return self._implicit(name, ref, user, what) if ref else None
        type_ = self._type(ref, user, what)
        if not isinstance(type_, Object):
            raise QAPIError(user.info, f"{what} cannot be '{ref}', "
                                       "which is no struct or union")
        return type_

    def _resolve(self, entity, data):
        if isinstance(entity, Object):
            if 'union' in data:
                self._resolve_union(entity, data)
            else:
                self._resolve_struct(entity, data)
        elif isinstance(entity, Alternate):
            entity.branches = [self._member(k, v, entity, 'branch')
                               for k, v in data['data'].items()]
            self._check_alternate(entity)
        elif isinstance(entity, (Command, Event)):
            entity.arg = self._object_ref(data.get('data'), entity, "'data'",
                                          entity.name + '-arg')
            if data.get('returns') is not None:
                entity.ret = self._type(data['returns'], entity, "'returns'")

    def _resolve_struct(self, entity, data):
        if 'base' in data:
            entity.base = self._object_ref(data['base'], entity, "'base'",
                                           '')
        entity.local_members = [self._member(k, v, entity, 'member')
                                for k, v in data['data'].items()]
        self._check_clashes(entity)

    def _resolve_union(self, entity, data):
        entity.base = self._object_ref(data['base'], entity, "'base'",
                                       entity.name + '-base')
        tag = data['discriminator']
        entity.tag = next((m for m in entity.base.members()
                           if m.name == tag), None)
        if not entity.tag or not isinstance(entity.tag.type, Enum):
            raise QAPIError(entity.info, f"discriminator '{tag}' is not a "
                                         "member of enum type of 'base'")
        values = [m.name for m in entity.tag.type.members]
        for key, ref in data['data'].items():
            if key not in values:
                raise QAPIError(entity.info,
                                f"branch '{key}' is not a value of "
                                f"enum '{entity.tag.type.name}'")
            branch = self._member(key, ref, entity, 'branch')
            if not isinstance(branch.type, Object):
                raise QAPIError(entity.info, f"branch '{key}' cannot use "
                                             f"type '{branch.type.name}'")
            entity.branches.append(branch)
        self._check_clashes(entity)

    @staticmethod
    def _check_clashes(entity):
        seen = {}
        for member in entity.members():
            if member.c_name in seen:
                raise QAPIError(entity.info,
                                f"member '{member.name}' collides with "
                                f"'{seen[member.c_name]}'")
            seen[member.c_name] = member.name

    @staticmethod
    def _check_alternate(entity):
        seen = {}
        for branch in entity.branches:
            qtype = branch.type.qtype
            if not qtype:
                raise QAPIError(entity.info, f"branch '{branch.name}' cannot "
                                             f"use type '{branch.type.name}'")
            if qtype in seen:
                raise QAPIError(entity.info,
                                f"branch '{branch.name}' can't be "
                                f"distinguished from '{seen[qtype]}'")
            seen[qtype] = branch.name

    def of_module(self, module, kind):
        """The entities of a kind that a module defines."""
        return [e for e in self.entities
                if e.module == module and isinstance(e, kind)]

    def arrays_of(self, module):
        """The arrays of types of a module (None: builtin ones)."""
        return sorted((a for a in self.arrays.values()
                       if a.element.module == module), key=lambda a: a.name)
