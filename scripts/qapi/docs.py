# SPDX-License-Identifier: MIT
"""The documentation of a schema as reStructuredText."""
from __future__ import annotations

import re
from typing import List, Optional, Tuple, Union

from .common import Cond
from .doc import Doc, Section
from .entities import (Alternate, Array, Command, Entity, Enum, Event, Member,
                       Object, Type)
from .schema import Schema

# By the number of '=' in a heading, then those of definitions
UNDERLINES = {1: '=', 2: '-', 3: '~'}


def describe_condition(cond: Cond) -> str:
    """@cond in words."""
    if isinstance(cond, str):
        return f'``{cond}``'
    (operator, args), = cond.items()
    if isinstance(args, list):
        joined = {'all': ' and ', 'any': ' or '}[operator].join(
            describe_condition(arg) for arg in args)
        return f'({joined})'
    return f'not {describe_condition(args)}'


def describe_type(type_: Type) -> str:
    """A type as it is used."""
    if isinstance(type_, Array):
        return f'array of {describe_type(type_.element)}'
    return f'``{type_.name}``'


def literal(text: str) -> str:
    """What stands after @ is a name."""
    return re.sub(r'@([A-Za-z_][A-Za-z0-9_-]*)', r'``\1``', text)


def indent(text: str, by: str = '  ') -> str:
    """@text with each line indented."""
    return '\n'.join(by + line if line.strip() else ''
                     for line in text.split('\n'))


def dedent_continuation(text: str) -> str:
    """Without the indentation of lines after the first."""
    return '\n'.join(line.strip() for line in text.split('\n'))


class Writer:
    """Collects lines."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.lines: List[str] = []

    def _put(self, *lines: str) -> None:
        self.lines += [*lines, '']

    def _heading(self, title: str, underline: str) -> None:
        self._put(title, underline * len(title))

    def free(self, doc: Doc) -> None:
        """A comment without definition."""
        for line in doc.body.text().split('\n'):
            m = re.match(r'(=+) +(.*)', line)
            if m and len(m.group(1)) in UNDERLINES:
                self._heading(m.group(2), UNDERLINES[len(m.group(1))])
            else:
                self.lines.append(literal(line))
        self.lines.append('')

    def _member(self, member: Member, section: Optional[Section],
                with_type: bool) -> None:
        line = f'``{member.name}``'
        if with_type:
            line += f': {describe_type(member.type)}'
        if member.optional:
            line += ' (optional)'
        if member.cond:
            line += f' (if {describe_condition(member.cond)})'
        for feature, _ in member.features:
            line += f' **{feature}**'
        self.lines.append(line)
        if section:
            self.lines.append(indent(literal(
                dedent_continuation(section.text()))))
        self.lines.append('')

    def _members(self, title: str, members: List[Member],
                 doc: Optional[Doc], with_type: bool = True) -> None:
        if members:
            self._put(f'**{title}**')
            for member in members:
                self._member(member,
                             doc.members.get(member.name) if doc else None,
                             with_type)

    def definition(self, entity: Entity) -> None:
        """A definition with its comment."""
        doc = entity.doc
        self._put(f'.. _qapi-{entity.kind()}-{entity.name}:')
        self._heading(f'{entity.name} ({entity.kind()})', '~')
        if entity.cond:
            self._put(f'If {describe_condition(entity.cond)}.')
        if doc and doc.body.text():
            self._put(literal(doc.body.text()))
        self._contents(entity, doc)
        for name, cond in entity.features:
            self._put(f'Feature **{name}**' + (
                f' (if {describe_condition(cond)})' if cond else ''))
        if doc:
            self._sections(doc)

    def _contents(self, entity: Entity, doc: Optional[Doc]) -> None:
        if isinstance(entity, Enum):
            self._members('Values', entity.values, doc, False)
        elif isinstance(entity, Object):
            self._object(entity, doc)
        elif isinstance(entity, Alternate):
            self._members('Alternatives', entity.branches, doc)
        elif isinstance(entity, (Command, Event)):
            if entity.arg and entity.arg.implicit:
                self._members('Arguments' if isinstance(entity, Command)
                              else 'Data', entity.arg.members(), doc)
            elif entity.arg:
                self._put('Arguments as the members of '
                          f'{describe_type(entity.arg)}.')
        if isinstance(entity, Command) and entity.ret:
            self._put(f'Returns {describe_type(entity.ret)}.')

    def _object(self, obj: Object, doc: Optional[Doc]) -> None:
        local = obj.local_members
        if obj.base and obj.base.implicit:
            local = obj.members()
        self._members('Members', local, doc)
        if obj.base and not obj.base.implicit:
            self._put('Also the members of '
                      f'{describe_type(obj.base)}.')
        for branch in obj.branches:
            assert obj.tag
            self._put(f'If ``{obj.tag.name}`` is ``{branch.name}``: the '
                      f'members of {describe_type(branch.type)}.')

    def _sections(self, doc: Doc) -> None:
        if doc.features:
            self._put('**Features**')
            for name, section in doc.features.items():
                self._put(f'``{name}``', indent(literal(
                    dedent_continuation(section.text()))))
        for tag, section in doc.sections:
            if tag.startswith('Example'):
                self._put(f'{tag}::', '', indent(section.text().strip('\n')))
            else:
                self._put(f'{tag}: ' + literal(
                    dedent_continuation(section.text()).strip()))


def gen_docs(schema: Schema, title: str) -> str:
    """The text of the file: modules in the order of their definitions, free
    comments where they stand."""
    writer = Writer(schema)
    writer.lines = [f'.. {title}', '']
    items = [(schema.modules.index(e.module), e.doc.info.line, e)
             for e in schema.entities
             if e.doc and e.module in schema.modules]
    free = [(schema.modules.index(schema.module_name(d.info.fname)),
             d.info.line, d)
            for d in schema.free_docs
            if schema.module_name(d.info.fname) in schema.modules]
    both: List[Tuple[int, int, Union[Entity, Doc]]] = [*items, *free]
    for _, _, item in sorted(both, key=lambda i: i[:2]):
        if isinstance(item, Doc):
            writer.free(item)
        else:
            writer.definition(item)
    text = '\n'.join(writer.lines)
    return re.sub(r'\n{3,}', '\n\n', text).rstrip('\n') + '\n'
