# SPDX-License-Identifier: MIT
"""The form of expressions: keys, types of values, names."""
import re

from .error import QAPIError

# Key of each kind of definition: (required, optional)
KEYS = {
    'enum': ({'data'}, {'if', 'features', 'prefix'}),
    'struct': ({'data'}, {'base', 'if', 'features'}),
    'union': ({'base', 'discriminator', 'data'}, {'if', 'features'}),
    'alternate': ({'data'}, {'if', 'features'}),
    'command': (set(), {'data', 'returns', 'boxed', 'if', 'features', 'gen',
                        'success-response', 'allow-oob', 'allow-preconfig',
                        'coroutine'}),
    'event': (set(), {'data', 'boxed', 'if', 'features'}),
}
FLAGS = {'boxed', 'gen', 'success-response', 'allow-oob', 'allow-preconfig',
         'coroutine'}
NAME = re.compile(r'^(__[a-z0-9.-]+_)?(x-)?[a-zA-Z0-9][a-zA-Z0-9_-]*$')


def check_expressions(expressions, pragmas):
    """Raise QAPIError for the first expression that is malformed."""
    for expr in expressions:
        metas = [m for m in KEYS if m in expr.data]
        if len(metas) != 1:
            raise QAPIError(expr.info, "expression must have exactly one of "
                            "the keys 'enum', 'struct', 'union', "
                            "'alternate', 'command', 'event'")
        Checker(expr, metas[0], pragmas).check()


class Checker:
    """Checks one expression."""

    def __init__(self, expr, meta, pragmas):
        self.data = expr.data
        self.info = expr.info
        self.doc = expr.doc
        self.meta = meta
        self.pragmas = pragmas
        self.name = expr.data[meta]

    def fail(self, msg):
        raise QAPIError(self.info, msg)

    def check(self):
        if not isinstance(self.name, str):
            self.fail(f"'{self.meta}' key must have a string value")
        self.info.what = f"{self.meta} '{self.name}'"
        self.check_name(self.name, f"name of {self.meta}")
        self.check_case()
        self.check_keys()
        self.check_condition(self.data, self.meta)
        self.check_features(self.data, self.meta)
        getattr(self, 'check_' + self.meta)()
        if self.pragmas.get('doc-required') and not self.doc:
            self.fail('documentation comment required')

    def check_name(self, name, what):
        if not NAME.match(name):
            self.fail(f"{what} has an invalid name '{name}'")
        if name.startswith(('q_', 'q-')):
            self.fail(f"{what} has the reserved name '{name}'")

    def check_case(self):
        if self.meta == 'event':
            good = self.name.upper() == self.name and '-' not in self.name
            hint = 'upper case'
        elif self.meta == 'command':
            good = self.name in self.pragmas.get('command-name-exceptions',
                                                 ()) or \
                (self.name.lower() == self.name and '_' not in self.name)
            hint = "lower case with '-'"
        else:
            good = self.name[0].isupper() and '_' not in self.name and \
                '-' not in self.name and not self.name.endswith('List')
            hint = 'CamelCase, not ending in List'
        if not good:
            self.fail(f"name of {self.meta} must be {hint}")

    def check_keys(self):
        required, optional = KEYS[self.meta]
        keys = set(self.data) - {self.meta}
        missing = required - keys
        unknown = keys - required - optional
        if missing:
            self.fail(f"{self.meta} misses key '{sorted(missing)[0]}'")
        if unknown:
            self.fail(f"{self.meta} has unknown key '{sorted(unknown)[0]}'")
        for flag in FLAGS & keys:
            if not isinstance(self.data[flag], bool):
                self.fail(f"flag '{flag}' must be a boolean")

    def check_condition(self, data, what):
        if 'if' in data:
            self.check_cond(data['if'], what)

    def check_cond(self, cond, what):
        if isinstance(cond, str):
            if not re.fullmatch(r'[A-Z][A-Z0-9_]*', cond):
                self.fail(f"'if' condition '{cond}' of {what} is not a valid "
                          "identifier")
        elif isinstance(cond, dict) and len(cond) == 1 and \
                set(cond) <= {'all', 'any', 'not'}:
            (op, args), = cond.items()
            if op != 'not' and (not isinstance(args, list) or not args):
                self.fail(f"'{op}' condition of {what} must be a non-empty "
                          "list")
            for arg in [args] if op == 'not' else args:
                self.check_cond(arg, what)
        else:
            self.fail(f"'if' condition of {what} must be a string or an "
                      "object with key 'all', 'any' or 'not'")

    def check_features(self, data, what):
        features = data.get('features', [])
        if not isinstance(features, list):
            self.fail(f"'features' of {what} must be a list")
        for f in features:
            name = f if isinstance(f, str) else \
                f.get('name') if isinstance(f, dict) else None
            if not isinstance(name, str):
                self.fail(f"'features' of {what}: each needs a name")
            self.check_name(name, f"feature of {what}")
            if isinstance(f, dict):
                self.check_condition(f, f"feature '{name}'")

    def check_members(self, members, what):
        if not isinstance(members, dict):
            self.fail(f"{what} must be an object")
        for key, value in members.items():
            name = key[1:] if key.startswith('*') else key
            self.check_name(name, f"member of {what}")
            self.check_member_case(name)
            if name.startswith(('has_', 'has-')) or name == 'u':
                self.fail(f"member '{name}' of {what} has a reserved name")
            if isinstance(value, dict):
                if set(value) - {'type', 'if', 'features'} or \
                        'type' not in value:
                    self.fail(f"member '{name}' of {what} must have key "
                              "'type' and may have 'if' and 'features'")
                self.check_condition(value, f"member '{name}'")
                self.check_features(value, f"member '{name}'")
                value = value['type']
            self.check_ref(value, f"member '{name}' of {what}")

    def check_member_case(self, name):
        if self.name not in self.pragmas.get('member-name-exceptions', ()) \
                and (name.lower() != name or '_' in name) and \
                self.name[:1].isupper() and self.meta != 'event':
            self.fail(f"name of member '{name}' must not use uppercase or "
                      "'_'")

    def check_ref(self, value, what):
        if isinstance(value, list):
            if len(value) != 1 or not isinstance(value[0], str):
                self.fail(f"{what}: array type must contain a single type "
                          "name")
        elif not isinstance(value, str):
            self.fail(f"{what} should be a type name")

    def check_enum(self):
        if not isinstance(self.data['data'], list):
            self.fail("'data' must be a list")
        seen = set()
        for value in self.data['data']:
            if isinstance(value, dict):
                if set(value) - {'name', 'if', 'features'} or \
                        not isinstance(value.get('name'), str):
                    self.fail("a value must have key 'name' and may have "
                              "'if' and 'features'")
                self.check_condition(value, f"value '{value['name']}'")
                self.check_features(value, f"value '{value['name']}'")
                value = value['name']
            if not isinstance(value, str):
                self.fail('a value must be a string or an object')
            self.check_name(value, 'value')
            if value in seen:
                self.fail(f"value '{value}' occurs twice")
            seen.add(value)
        if not isinstance(self.data.get('prefix', ''), str):
            self.fail("'prefix' must be a string")

    def check_struct(self):
        self.check_members(self.data['data'], "'data'")
        if not isinstance(self.data.get('base', ''), str):
            self.fail("'base' of a struct must be a type name")

    def check_union(self):
        base = self.data['base']
        if isinstance(base, dict):
            self.check_members(base, "'base'")
        elif not isinstance(base, str):
            self.fail("'base' must be a type name or an object")
        if not isinstance(self.data['discriminator'], str):
            self.fail("'discriminator' must be a string")
        self.check_branches()

    def check_alternate(self):
        if not self.data['data']:
            self.fail("'data' must not be empty")
        self.check_branches()

    def check_branches(self):
        if not isinstance(self.data['data'], dict):
            self.fail("'data' must be an object")
        for key, value in self.data['data'].items():
            self.check_name(key, 'branch')
            if isinstance(value, dict):
                if set(value) - {'type', 'if'} or 'type' not in value:
                    self.fail(f"branch '{key}' must have key 'type' and may "
                              "have 'if'")
                self.check_condition(value, f"branch '{key}'")
                value = value['type']
            self.check_ref(value, f"branch '{key}'")

    def check_args(self):
        data = self.data.get('data', {})
        if isinstance(data, dict):
            if self.data.get('boxed'):
                self.fail("'boxed': true needs 'data' to be a type name")
            self.check_members(data, "'data'")
        elif not isinstance(data, str):
            self.fail("'data' must be a type name or an object")

    def check_command(self):
        self.check_args()
        if 'returns' in self.data:
            self.check_ref(self.data['returns'], "'returns'")
        if self.data.get('coroutine') and self.data.get('allow-oob'):
            self.fail("'coroutine' and 'allow-oob' exclude each other")

    def check_event(self):
        self.check_args()
