#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate C code from a QAPI schema.

    qapi-gen.py [-o DIR] [-p PREFIX] SCHEMA

writes into DIR, for each module of the schema, PREFIXqapi-types-MODULE.[ch],
-visit-, -commands- and -events-, and for the whole PREFIXqapi-init-commands,
-emit-events and -introspect; also qapi-builtin-types and -visit.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from qapi.error import QAPIError    # noqa: E402
from qapi.output import generate    # noqa: E402
from qapi.schema import Schema      # noqa: E402


def main():
    ap = argparse.ArgumentParser(description='Generate code from a QAPI '
                                             'schema')
    ap.add_argument('-o', '--output-dir', default='.')
    ap.add_argument('-p', '--prefix', default='')
    ap.add_argument('-u', '--unmask-non-abi-names', action='store_true',
                    help='names of types in introspection, for debugging')
    ap.add_argument('schema')
    args = ap.parse_args()
    try:
        generate(Schema(args.schema), args.output_dir, args.prefix,
                 args.unmask_non_abi_names)
    except QAPIError as e:
        print(f'{sys.argv[0]}: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
