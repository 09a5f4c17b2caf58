#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print how many tests of a meson log (one JSON object a line) passed, failed
and were skipped; the cases of TAP programs count one by one."""
import json
import re
import sys
from typing import Any, Dict, Tuple


def count(test: Dict[str, Any]) -> Tuple[int, int, int]:
    """(passed, failed, skipped) of one entry of the log."""
    cases = re.findall(r'^(not ok|ok) \d+[^\n#]*(# SKIP)?',
                       test.get('stdout') or '', re.M)
    bad = test['result'] in ('FAIL', 'TIMEOUT', 'ERROR', 'INTERRUPT')
    if not cases:
        return (test['result'] in ('OK', 'EXPECTEDFAIL'), bad,
                test['result'] == 'SKIP')
    failed = sum(r == 'not ok' for r, _ in cases)
    skipped = sum(r == 'ok' and bool(s) for r, s in cases)
    # A program that crashes after its last case has failed too.
    return (len(cases) - failed - skipped, max(failed, int(bad)), skipped)


def main() -> None:
    """The log is the only argument."""
    with open(sys.argv[1], encoding='utf-8') as f:
        counts = [count(json.loads(line)) for line in f]
    print(*(sum(column) for column in zip(*counts, (0, 0, 0))))


if __name__ == '__main__':
    main()
