# SPDX-License-Identifier: MIT
"""What is shown of jobs at work.

1. A view never fails or stops a job: all it does is write.
2. On a terminal the lines of all jobs are drawn again in their place, and
   none is wider than the terminal is at that moment.
3. The others write a line only when there is something new to say."""
import json
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, TextIO

from .jobs import Snapshot
from .units import format_rate, format_size, format_time

BAR_MIN = 8
BAR_MAX = 40
STEP = 10       # percent, between two lines about a job at work


def bar(percent: int, width: int) -> str:
    """[=====>    ], `width` characters in all."""
    inside = width - 2
    full = inside * percent // 100
    head = '>' if full < inside else ''
    return '[' + ('=' * full + head).ljust(inside) + ']'


def state(job: Snapshot) -> str:
    """One word: the phase, or what keeps the job from going on."""
    if job.status in ('paused', 'standby', 'ready', 'pending', 'aborting'):
        return job.status
    return job.phase


def details(job: Snapshot) -> List[str]:
    """What stands behind the bar, the most important first."""
    parts = [f'{job.percent:3}%',
             f'{format_size(job.offset)}/{format_size(job.len)}']
    if job.rate is not None and job.phase != 'over':
        parts.append(format_rate(job.rate))
    if job.eta is not None:
        parts.append(f'ETA {format_time(job.eta)}')
    if job.dirty is not None:
        parts.append(f'dirty {format_size(job.dirty)}')
    return parts


def line(job: Snapshot, width: int) -> str:
    """One line of at most `width` characters.  What does not fit is left out
    from the end; a narrow terminal has no bar."""
    title = f'{job.id} {state(job)}'
    parts = details(job)
    while True:
        text = '  '.join(parts)
        room = width - len(title) - len(text) - 2
        if room >= BAR_MIN:
            return f'{title} {bar(job.percent, min(room, BAR_MAX))} {text}'
        if len(parts) == 1:
            return f'{title} {text}'[:width]
        parts.pop()


class View:
    """Shows nothing; the base of the others."""

    def update(self, jobs: Sequence[Snapshot]) -> None:
        """This is how the jobs are now."""

    def event(self, event: Dict[str, Any]) -> None:
        """This came from the server."""

    def say(self, text: str) -> None:
        """For people."""

    def result(self, members: Dict[str, Any]) -> None:
        """The last word about a job, for programs."""

    def close(self) -> None:
        """Nothing comes after this."""


class TerminalView(View):
    """Lines that are drawn again in their place."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return os.terminal_size((80, 24))
        return size if size.columns else os.terminal_size((80, 24))

    def _back(self) -> str:
        """To the first of the lines that were drawn."""
        up = f'\033[{self._drawn - 1}A' if self._drawn > 1 else ''
        return up + '\r' if self._drawn else ''

    def update(self, jobs: Sequence[Snapshot]) -> None:
        columns, rows = self._size()
        lines = [line(job, columns - 1) for job in jobs][:max(rows - 1, 1)]
        # To the end of the screen: a narrower terminal has broken lines.
        self._out.write(self._back() + '\033[J' + '\n'.join(lines))
        self._out.flush()
        self._drawn = len(lines)

    def say(self, text: str) -> None:
        self._out.write(self._back() + '\033[J' * bool(self._drawn) + text +
                        '\n')
        self._out.flush()
        self._drawn = 0

    def close(self) -> None:
        if self._drawn:
            self._out.write('\n')
            self._out.flush()
            self._drawn = 0


class LineView(View):
    """A line when a job's state changes, or when it has got on by STEP."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: Dict[str, Any] = {}

    def update(self, jobs: Sequence[Snapshot]) -> None:
        for job in jobs:
            key = (state(job), job.percent // STEP)
            if self._last.get(job.id) != key:
                self._last[job.id] = key
                self.say('  '.join([f'{job.id} {state(job)}'] +
                                   details(job)))

    def say(self, text: str) -> None:
        self._out.write(text + '\n')
        self._out.flush()


class JsonView(View):
    """One JSON object a line: events as the server sends them, {"progress":
    ...} when something is new, {"result": ...} at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: Dict[str, Snapshot] = {}

    def _write(self, message: Dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + '\n')
        self._out.flush()

    def update(self, jobs: Sequence[Snapshot]) -> None:
        for job in jobs:
            if self._last.get(job.id) != job:
                self._last[job.id] = job
                self._write({'progress': job.as_json()})

    def event(self, event: Dict[str, Any]) -> None:
        self._write(event)

    def result(self, members: Dict[str, Any]) -> None:
        self._write(members)


def choose(out: TextIO, as_json: bool, quiet: bool) -> View:
    """The view that fits what the output is."""
    if as_json:
        return JsonView(out)
    if quiet:
        return View()
    redraws = out.isatty() and os.environ.get('TERM') != 'dumb'
    return TerminalView(out) if redraws else LineView(out)


def table(jobs: Sequence[Snapshot]) -> List[str]:
    """For the command "list": a heading and a line each."""
    rows = [('ID', 'TYPE', 'STATUS', 'PHASE', 'DONE', 'OF', 'DIRTY', 'RATE',
             'LEFT')]
    for job in jobs:
        rows.append((job.id, job.type, job.status, job.phase,
                     format_size(job.offset), format_size(job.len),
                     _or_dash(job.dirty, format_size),
                     _or_dash(job.rate, format_rate),
                     _or_dash(job.eta, format_time)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip()
            for row in rows]


def _or_dash(value: Optional[int], form: Callable[[int], str]) -> str:
    return '-' if value is None else form(value)
