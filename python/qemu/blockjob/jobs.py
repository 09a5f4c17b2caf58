# SPDX-License-Identifier: MIT
"""What is known of a job at a moment.

A server that tells the phase, the dirty bytes, the rate and the time left is
believed; for others they are made from what was seen so far."""
import collections
import dataclasses
from typing import Any, Callable, Deque, Dict, Optional, Tuple

# Jobs that are block jobs for QMP too, with its block-job-* commands.
BLOCK_JOBS = ('mirror', 'backup', 'commit', 'stream')

PHASES = {
    'undefined': 'created', 'created': 'created', 'running': 'copy',
    'paused': 'copy', 'ready': 'sync', 'standby': 'sync',
    'waiting': 'finish', 'pending': 'finish', 'aborting': 'finish',
    'concluded': 'over', 'null': 'over',
}


@dataclasses.dataclass
class Snapshot:
    """A job.  Numbers are bytes, bytes a second, seconds."""

    id: str
    type: str
    status: str
    phase: str
    offset: int
    len: int
    dirty: Optional[int] = None
    rate: Optional[int] = None
    eta: Optional[int] = None
    error: Optional[str] = None

    @property
    def percent(self) -> int:
        """0..100; 100 only if nothing is left, 0 if nothing is known."""
        return min(self.offset * 100 // self.len, 100) if self.len else \
            100 * (self.phase not in ('created', 'scan', 'copy'))

    def as_json(self) -> Dict[str, Any]:
        """The names are those of QMP."""
        members = {
            'id': self.id, 'type': self.type, 'status': self.status,
            'phase': self.phase, 'offset': self.offset, 'len': self.len,
            'dirty-bytes': self.dirty, 'rate': self.rate, 'eta': self.eta,
            'error': self.error,
        }
        return {k: v for k, v in members.items() if v is not None}


class Meter:
    """Estimates the rate of one job, over the last seconds."""

    WINDOW = 5.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: Deque[Tuple[float, int]] = collections.deque()

    def rate(self, offset: int) -> Optional[int]:
        """None while nothing can be said."""
        now = self._clock()
        if self._seen and offset < self._seen[-1][1]:
            self._seen.clear()      # it started anew
        self._seen.append((now, offset))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self.WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        return int((offset - before) / (now - then)) if now > then else None


def snapshot(info: Dict[str, Any], meter: Optional[Meter] = None) -> Snapshot:
    """An entry of query-jobs; `meter` helps where the server says little."""
    offset, length = info['current-progress'], info['total-progress']
    now = Snapshot(info['id'], info['type'], info['status'],
                   info.get('phase') or PHASES[info['status']],
                   offset, length, info.get('dirty-bytes'),
                   info.get('rate'), info.get('eta'), info.get('error'))
    if 'phase' not in info:
        if meter:
            now.rate = meter.rate(offset)
        if now.rate and now.phase == 'copy' and now.status == 'running':
            now.eta = -(-max(length - offset, 0) // now.rate)
    return now


def verb(kind: str, job_id: str, what: str) -> Tuple[str, Dict[str, Any]]:
    """The QMP command that does something to a job of that kind."""
    if what in ('stop', 'kill') and kind in BLOCK_JOBS:
        return 'block-job-cancel', {'device': job_id, 'force': what == 'kill'}
    if what in ('stop', 'kill'):
        return 'job-cancel', {'id': job_id}
    return 'job-' + what, {'id': job_id}
