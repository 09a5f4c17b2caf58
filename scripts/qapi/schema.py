# SPDX-License-Identifier: MIT
"""From expressions to entities that know each other; what expressions may
refer to."""
from __future__ import annotations

import os
from typing import (Any, Dict, Iterable, List, NoReturn, Optional, Sequence,
                    Tuple, Type as Class, TypeVar, cast)

from .entities import (BUILTINS, Alternate, Array, Builtin, Command, Entity,
                       Enum, Event, Member, Object, Type)
from .error import QAPIError
from .expr import check_expressions, kind_of
from .parser import Expression, parse_schema

CLASSES: Dict[str, Any] = {
    'enum': Enum, 'struct': Object, 'union': Object, 'alternate': Alternate,
    'command': Command, 'event': Event,
}
AnyEntity = TypeVar('AnyEntity', bound=Entity)


def fail(user: Entity, msg: str) -> NoReturn:
    """An error in the definition of @user."""
    raise QAPIError(user.info, msg)


class Schema:
    """All entities, in the order of their definition."""

    def __init__(self, fname: str) -> None:
        parsed = parse_schema(fname)
        check_expressions(parsed)
        self.pragma = parsed.pragma
        self.free_docs = parsed.free_docs
        self.entities: List[Entity] = []
        self.types: Dict[str, Type] = {}
        self.arrays: Dict[str, Array] = {}      # by name of element
        self.modules: List[str] = []            # in order of definitions
        self.includes: Dict[str, List[str]] = {}
        for including, included in parsed.includes:
            self.includes.setdefault(self.module_name(including), []).append(
                self.module_name(included))
        for name in BUILTINS:
            self.types[name] = Builtin(name)
        self._names: Dict[str, Entity] = {}
        pending = [(self._define(e), e.data) for e in parsed.expressions]
        for entity, data in pending:
            self._resolve(entity, data)
        for obj in self.of_class(Object):
            self._check_bases(obj)
        for entity in self.entities:
            self._check(entity)

    @staticmethod
    def module_name(fname: str) -> str:
        """DIR/block-core.json -> block-core"""
        return os.path.splitext(os.path.basename(fname))[0]

    def of_module(self, module: str,
                  *classes: Class[AnyEntity]) -> List[AnyEntity]:
        """The entities of some classes that a module defines."""
        return cast(List[AnyEntity],
                    [e for e in self.entities
                     if e.module == module and isinstance(e, classes)])

    def of_class(self, cls: Class[AnyEntity]) -> List[AnyEntity]:
        """All entities of a class."""
        return [e for e in self.entities if isinstance(e, cls)]

    def arrays_of(self, module: str) -> List[Array]:
        """The arrays of types of a module."""
        return sorted((a for a in self.arrays.values()
                       if a.module == module), key=lambda a: a.name)

    # First pass: names

    def _define(self, expr: Expression) -> Entity:
        kind = kind_of(expr.data)
        module = self.module_name(expr.info.fname)
        if module not in self.modules:
            self.modules.append(module)
        entity: Entity = CLASSES[kind](expr.data[kind], module, expr.info,
                                       expr.data)
        entity.doc = expr.doc
        # Commands and events have name spaces of their own.
        key = f'{kind} {entity.c_name}' if kind in ('command', 'event') \
            else entity.c_name
        if key in self._names:
            other = self._names[key]
            assert other.info
            fail(entity, f"'{other.name}' is defined already at "
                         f'{other.info.fname}:{other.info.line}')
        if isinstance(entity, Type):
            self.types[entity.name] = entity
        self._names[key] = entity
        self.entities.append(entity)
        return entity

    # Second pass: references

    def _type(self, ref: Any, user: Entity, what: str) -> Type:
        if isinstance(ref, list):
            element = self._type(ref[0], user, what)
            if element.name not in self.arrays:
                self.arrays[element.name] = Array(element)
            return self.arrays[element.name]
        if ref not in self.types:
            fail(user, f"{what} uses unknown type '{ref}'")
        return self.types[ref]

    def _member(self, key: str, data: Any, user: Entity,
                what: str) -> Member:
        optional = key.startswith('*')
        name = key[1:] if optional else key
        ref = data['type'] if isinstance(data, dict) else data
        return Member(name, self._type(ref, user, f"{what} '{name}'"),
                      optional, data)

    def _implicit(self, name: str, members: Dict[str, Any],
                  user: Entity) -> Object:
        """An object type for members that stand in place of one."""
        obj = Object('q_obj_' + name, user.module, user.info, {})
        obj.implicit = True
        obj.cond = user.cond
        obj.local_members = [self._member(k, v, user, 'member')
                             for k, v in members.items()]
        self.entities.insert(self.entities.index(user), obj)
        return obj

    def _object(self, ref: Any, user: Entity, what: str,
                name: str) -> Optional[Object]:
        """A type, or members in place of one; None if there are none."""
        if isinstance(ref, dict):
            return self._implicit(name, ref, user) if ref else None
        if ref is None:
            return None
        type_ = self._type(ref, user, what)
        if not isinstance(type_, Object):
            fail(user, f"{what} cannot be '{ref}', which is neither struct "
                       'nor union')
        return type_

    def _resolve(self, entity: Entity, data: Dict[str, Any]) -> None:
        if isinstance(entity, Object):
            entity.base = self._object(data.get('base'), entity, "'base'",
                                       entity.name + '-base')
            if 'union' in data:
                self._resolve_union(entity, data)
            else:
                entity.local_members = [
                    self._member(k, v, entity, 'member')
                    for k, v in data['data'].items()]
        elif isinstance(entity, Alternate):
            entity.branches = [self._member(k, v, entity, 'branch')
                               for k, v in data['data'].items()]
        elif isinstance(entity, (Command, Event)):
            entity.arg = self._object(data.get('data'), entity, "'data'",
                                      entity.name + '-arg')
        if isinstance(entity, Command) and 'returns' in data:
            entity.ret = self._type(data['returns'], entity, "'returns'")

    def _resolve_union(self, union: Object, data: Dict[str, Any]) -> None:
        # The members of the base may not be known yet.
        union.tag = Member(data['discriminator'], None, False, None)
        for key, ref in data['data'].items():
            branch = self._member(key, ref, union, 'branch')
            if not isinstance(branch.type, Object):
                fail(union, f"branch '{key}' cannot be '{branch.type.name}', "
                            'which is neither struct nor union')
            union.branches.append(branch)

    # Third pass: do they fit?

    def _check(self, entity: Entity) -> None:
        if isinstance(entity, Enum):
            self._check_distinct(entity, [
                (entity.const(v.name), f"value '{v.name}'")
                for v in entity.values])
        elif isinstance(entity, Object):
            self._check_object(entity)
        elif isinstance(entity, Alternate):
            self._check_alternate(entity)
        elif isinstance(entity, Command):
            self._check_args(entity)
            self._check_returns(entity)
        elif isinstance(entity, Event):
            self._check_args(entity)

    @staticmethod
    def _check_distinct(user: Entity,
                        names: Iterable[Tuple[str, str]]) -> None:
        """names: (in C, as the schema calls it)"""
        seen: Dict[str, str] = {}
        for name, what in names:
            if name in seen:
                fail(user, f'{what} collides with {seen[name]}')
            seen[name] = what

    @staticmethod
    def _check_bases(obj: Object) -> None:
        base, chain = obj.base, [obj]
        while base:
            if base in chain:
                fail(obj, f"'{base.name}' contains itself")
            if base.tag:
                fail(obj, f"'base' cannot be the union '{base.name}'")
            chain.append(base)
            base = base.base

    def _check_object(self, obj: Object) -> None:
        self._check_distinct(obj, self._named(obj.members()))
        if obj.tag:
            self._check_union(obj, obj.tag.name)

    @staticmethod
    def _named(members: Sequence[Member]) -> List[Tuple[str, str]]:
        return [(m.c_name, f"member '{m.name}'") for m in members]

    def _check_union(self, union: Object, tag_name: str) -> None:
        tag = next((m for m in union.members() if m.name == tag_name), None)
        if not tag:
            fail(union, f"discriminator '{tag_name}' is not a member of "
                        "'base'")
        if not isinstance(tag.type, Enum):
            fail(union, f"discriminator '{tag_name}' is not of an enum type")
        if tag.optional:
            fail(union, f"discriminator '{tag_name}' must not be optional")
        if tag.cond:
            fail(union, f"discriminator '{tag_name}' must not be "
                        'conditional')
        union.tag = tag
        values = {v.name: v for v in tag.type.values}
        for branch in union.branches:
            if branch.name not in values:
                fail(union, f"branch '{branch.name}' is not a value of "
                            f"'{tag.type.name}'")
            assert isinstance(branch.type, Object)
            if union in self._contained(branch.type):
                fail(union, f"'{union.name}' contains itself")
            # On the wire they are members of the union.
            self._check_distinct(
                union, self._named(union.members()) +
                [(m.c_name, f"member '{m.name}' of branch '{branch.name}'")
                 for m in branch.type.members()])

    @staticmethod
    def _contained(obj: Object) -> List[Object]:
        """Objects that are part of @obj."""
        found: List[Object] = []
        todo = [obj]
        while todo:
            part = todo.pop()
            if part not in found:
                found.append(part)
                todo += [b.type for b in part.branches
                         if isinstance(b.type, Object)]
                todo += [part.base] if part.base else []
        return found

    def _check_alternate(self, alternate: Alternate) -> None:
        seen: Dict[str, str] = {}
        for branch in alternate.branches:
            qtype = branch.type.qtype
            if not qtype:
                fail(alternate, f"branch '{branch.name}' cannot be "
                                f"'{branch.type.name}'")
            if qtype in seen:
                fail(alternate, f"branch '{branch.name}' can't be told from "
                                f"'{seen[qtype]}'")
            seen[qtype] = branch.name
        self._check_distinct(alternate, [
            (b.c_name, f"branch '{b.name}'") for b in alternate.branches])

    @staticmethod
    def _check_args(user: Any) -> None:
        if user.arg and user.arg.tag and not user.boxed:
            fail(user, f"'data' can be the union '{user.arg.name}' only with "
                       "'boxed'")
        for member in user.arg.members() if user.arg else []:
            if member.cond and not user.boxed:
                fail(user, f"conditional member '{member.name}' of 'data' "
                           "needs 'boxed'")
        if user.arg and user.arg.is_empty() and not user.boxed:
            user.arg = None

    def _check_returns(self, command: Command) -> None:
        ret = command.ret
        if isinstance(ret, Array):
            ret = ret.element
        if ret and not isinstance(ret, Object) and command.name not in \
                self.pragma.exceptions['command-returns-exceptions']:
            fail(command, f"'returns' cannot be '{ret.name}', which is "
                          'neither struct nor union')
