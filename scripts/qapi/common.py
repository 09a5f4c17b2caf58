# SPDX-License-Identifier: MIT
"""Names in C, and conditions."""
import re

RESERVED = set('''
auto break case char const continue default do double else enum extern float
for goto if int long register return short signed sizeof static struct switch
typedef union unsigned void volatile while inline restrict _Bool _Complex
asm typeof unix linux errno and or not xor new class this true false
'''.split())


def c_name(name):
    """@name as an identifier."""
    name = re.sub(r'[^A-Za-z0-9_]', '_', name)
    if name in RESERVED or name[:1].isdigit():
        name = 'q_' + name
    return name


def camel_to_upper(name):
    """BlockJobStatus -> BLOCK_JOB_STATUS"""
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    name = re.sub(r'([A-Z])([A-Z][a-z])', r'\1_\2', name)
    return re.sub(r'[^A-Za-z0-9]', '_', name).upper()


def enum_const(type_name, value, prefix=None):
    """The constant of a value of an enumeration."""
    return (prefix or camel_to_upper(type_name)) + '_' + \
        re.sub(r'[^A-Za-z0-9]', '_', value).upper()


def condition(cond):
    """@cond of an 'if' as a preprocessor expression; None if there is none."""
    if not cond:
        return None
    if isinstance(cond, str):
        return f'defined({cond})'
    (op, args), = cond.items()
    if op == 'not':
        return '!' + condition(args)
    return '(' + {'all': ' && ', 'any': ' || '}[op].join(
        condition(a) for a in args) + ')'


def guarded(cond, text):
    """@text under the condition."""
    cond = condition(cond)
    return f'#if {cond}\n{text}#endif\n' if cond else text


def escape(text):
    """@text inside a C string."""
    return text.replace('\\', '\\\\').replace('"', '\\"')
