#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate C code and documentation from a QAPI schema.

    qapi-gen.py [-o DIR] [-p PREFIX] [-u] [-r] SCHEMA

writes into DIR, for each module of the schema, PREFIXqapi-types-MODULE.[ch],
-visit-, -commands- and -events-, and for the whole PREFIXqapi-init-commands,
-emit-events, -introspect and -doc.rst; also qapi-builtin-types and -visit.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from qapi.error import QAPIError    # noqa: E402
from qapi.output import generate    # noqa: E402
from qapi.schema import Schema      # noqa: E402


def prefix(text: str) -> str:
    """A prefix of names of files and identifiers."""
    if not re.fullmatch(r'([A-Za-z_.-][A-Za-z0-9_.-]*)?', text):
        raise argparse.ArgumentTypeError(f"'{text}' does not start a name")
    return text


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(
        description='Generate code from a QAPI schema')
    parser.add_argument('-o', '--output-dir', default='.',
                        help='directory for the files')
    parser.add_argument('-p', '--prefix', default='', type=prefix,
                        help='start of the names of files and globals')
    parser.add_argument('-u', '--unmask-non-abi-names', action='store_true',
                        help='names of types in introspection, for debugging')
    parser.add_argument('-r', '--root-only', action='store_true',
                        help='only files that depend on the root; the '
                             'modules are those of a schema without prefix')
    parser.add_argument('schema')
    args = parser.parse_args()
    try:
        generate(Schema(args.schema), args.output_dir, args.prefix,
                 args.unmask_non_abi_names, args.root_only)
    except QAPIError as e:
        print(f'{os.path.basename(sys.argv[0])}: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
