# SPDX-License-Identifier: MIT
"""Names in C, and conditions."""
from __future__ import annotations

import re
from typing import Dict, List, Optional, Union

# The value of an 'if'; checked by expr.py
Cond = Union[str, Dict[str, 'Cond'], Dict[str, List['Cond']]]

# Keywords of C and C++, and what system headers define in lower case
RESERVED = frozenset('''
auto break case char const continue default do double else enum extern float
for goto if int long register return short signed sizeof static struct switch
typedef union unsigned void volatile while
inline restrict _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary
_Noreturn _Static_assert _Thread_local asm typeof
bool catch class const_cast delete dynamic_cast explicit false friend mutable
namespace new operator private protected public reinterpret_cast static_cast
template this throw true try typeid typename using virtual wchar_t
and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq
errno i386 linux mips unix
'''.split())


def c_name(name: str) -> str:
    """@name as an identifier."""
    name = re.sub(r'[^A-Za-z0-9_]', '_', name)
    if name in RESERVED or name[:1].isdigit():
        name = 'q_' + name
    return name


def camel_to_upper(name: str) -> str:
    """BlockJobStatus -> BLOCK_JOB_STATUS"""
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    name = re.sub(r'([A-Z])([A-Z][a-z])', r'\1_\2', name)
    return re.sub(r'[^A-Za-z0-9]', '_', name).upper()


def enum_const(type_name: str, value: str,
               prefix: Optional[str] = None) -> str:
    """The constant of a value of an enumeration."""
    return (prefix or camel_to_upper(type_name)) + '_' + \
        re.sub(r'[^A-Za-z0-9]', '_', value).upper()


def condition(cond: Optional[Cond]) -> Optional[str]:
    """@cond of an 'if' as a preprocessor expression; None if there is none."""
    if not cond:
        return None
    if isinstance(cond, str):
        return f'defined({cond})'
    (op, args), = cond.items()
    if isinstance(args, list):
        joined = {'all': ' && ', 'any': ' || '}[op].join(
            str(condition(arg)) for arg in args)
        return f'({joined})'
    return f'!{condition(args)}'


def any_of(conds: List[Optional[Cond]]) -> Optional[Cond]:
    """A condition that holds if one of @conds does; None: always."""
    found: List[Cond] = []
    for cond in conds:
        if cond is None:
            return None
        if cond not in found:
            found.append(cond)
    return found[0] if len(found) == 1 else {'any': found}


def guarded(cond: Optional[Cond], text: str) -> str:
    """@text, which ends a line, under the condition."""
    expr = condition(cond)
    return f'#if {expr}\n{text}#endif\n' if expr and text else text


def escape(text: str) -> str:
    """@text inside a C string."""
    return text.replace('\\', '\\\\').replace('"', '\\"')
