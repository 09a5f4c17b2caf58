# SPDX-License-Identifier: MIT
"""Waits for jobs and shows how they get on.

1. What happens to a job is learned from events; the server is asked only for
   numbers, between two of them.
2. A job is settled once: when it has ended, or when it has come to where the
   caller wants to leave it.
3. An interruption is a byte in a pipe, so that it never hits half a message;
   a second one ends the command at once."""
import contextlib
import errno
import os
import signal
import time
from typing import Any, Dict, Iterable, List, Optional

from .connection import Server
from .jobs import Meter, Snapshot, snapshot, verb
from .outcome import Exit, Refused
from .progress import View

INTERVAL = 0.5
CANCELLED = os.strerror(errno.ECANCELED)


class Signals:
    """SIGINT and SIGWINCH as something to wait for, until close()."""

    def __init__(self) -> None:
        self.interrupted = False
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write,
                                            warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._on_signal)
                        for number in (signal.SIGINT, signal.SIGWINCH)}

    def __enter__(self) -> 'Signals':
        return self

    def __exit__(self, *what: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write)

    def _on_signal(self, number: int, _frame: Any) -> None:
        if number == signal.SIGINT:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

    def drain(self) -> None:
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            pass


class Job:
    """One job that is waited for."""

    def __init__(self, job_id: str) -> None:
        self.id = job_id
        self.meter = Meter(time.monotonic)
        self.now: Optional[Snapshot] = None
        self.aborting = False
        self.asked = False          # to complete or to stop, by us
        self.error: Optional[str] = None
        self.status: Optional[Exit] = None
        self.result = ''            # one of TEXTS

    TEXTS = {
        'done': 'done',
        'cancelled': 'cancelled',
        'failed': 'failed: {}',
        'ready': 'ready; the copy is kept up to date until "complete" or '
                 '"cancel"',
        'pending': 'has done its work; "finalize" or "cancel" ends it',
        'detached': 'goes on in the server',
    }

    def settle(self, status: Exit, result: str,
               error: Optional[str] = None) -> None:
        """The first one counts."""
        if self.status is None:
            self.status, self.result, self.error = status, result, error

    def end(self, error: Optional[str]) -> None:
        """It has ended, well or with an error."""
        if error is None:
            self.settle(Exit.DONE, 'done')
        elif error == CANCELLED:
            self.settle(Exit.CANCELLED, 'cancelled')
        else:
            self.settle(Exit.FAILED, 'failed', error)

    @property
    def over(self) -> bool:
        return self.result in ('done', 'failed', 'cancelled')

    @property
    def may_have_switched(self) -> bool:
        """Whether the target may be the disk now."""
        return self.result == 'done' and \
            (self.now is None or self.now.type == 'mirror')

    def as_json(self) -> Dict[str, Any]:
        members: Dict[str, Any] = {'result': self.result, 'id': self.id}
        if self.result == 'failed':
            members['error'] = self.error
        return members

    def __str__(self) -> str:
        return f'{self.id}: ' + self.TEXTS[self.result].format(self.error)


class Watcher:
    """Waits for some jobs of a server.  Their events are taken from the
    connection's beginning on, so that none that was started over it can end
    unseen.

    at_ready: what to do with a job that is ready: "wait" for somebody else,
    "leave" it so, "complete" it, "stop" it and keep the copy.  Only "wait"
    waits for somebody to finalize a job."""

    def __init__(self, server: Server, view: View, at_ready: str = 'wait',
                 on_interrupt: str = 'detach') -> None:
        self._server = server
        self._view = view
        self._at_ready = at_ready
        self._on_interrupt = on_interrupt
        self._jobs: Dict[str, Job] = {}
        self._interrupted = False

    def watch(self, job_ids: Iterable[str]) -> List[Job]:
        """Returns them when all are settled."""
        self._jobs = {job_id: Job(job_id) for job_id in job_ids}
        with Signals() as signals:
            self._refresh()
            while self._open():
                if not self._take_events():
                    self._server.wait(signals.fd, INTERVAL)
                    signals.drain()
                    if signals.interrupted:
                        self._interrupt()
                    self._take_events()
                self._refresh()
        return list(self._jobs.values())

    def _open(self) -> List[Job]:
        return [job for job in self._jobs.values() if job.status is None]

    def _show(self) -> None:
        self._view.update([job.now for job in self._jobs.values()
                           if job.now is not None])

    # ---- Events ----

    def _take_events(self) -> bool:
        """Whether there were any."""
        some = False
        while True:
            event = self._server.next_event()
            if event is None:
                return some
            some = True
            self._take(event)

    def _take(self, event: Dict[str, Any]) -> None:
        data = event.get('data', {})
        job = self._jobs.get(data.get('device') or data.get('id', ''))
        if job is None or 'JOB' not in event['event']:
            return
        self._view.event(event)
        name = event['event']
        if name == 'JOB_STATUS_CHANGE':
            job.aborting |= data['status'] == 'aborting'
        elif name == 'BLOCK_JOB_ERROR':
            self._view.say(f"{job.id}: {data['operation']} error, "
                           f"action: {data['action']}")
        elif name == 'BLOCK_JOB_COMPLETED':
            self._ended(job, data, data.get('error'))
        elif name == 'BLOCK_JOB_CANCELLED':
            self._ended(job, data, CANCELLED)

    def _ended(self, job: Job, data: Dict[str, Any],
               error: Optional[str]) -> None:
        if job.status is None:
            job.now = Snapshot(job.id, data['type'], 'concluded', 'over',
                               data['offset'], data['len'])
            job.end(error)
            self._show()

    # ---- Questions ----

    def _refresh(self) -> None:
        """Asks how the jobs are, and acts on it."""
        infos = {info['id']: info for info in self._server.jobs()}
        for job in self._open():
            if job.id in infos:
                job.now = snapshot(infos[job.id], job.meter)
                self._act(job)
            else:
                self._vanished(job)
        if self._open():
            self._show()

    def _act(self, job: Job) -> None:
        assert job.now is not None
        if job.now.status == 'concluded':
            job.end(job.now.error)
            self._show()
        elif job.now.status == 'pending' and self._at_ready != 'wait':
            job.settle(Exit.DONE, 'pending')
        elif job.now.status == 'ready' and not job.asked:
            if self._at_ready == 'leave':
                job.settle(Exit.DONE, 'ready')
                self._show()
            elif self._at_ready != 'wait':
                job.asked = True
                self._server.command(*verb(job.now.type, job.id,
                                           self._at_ready))

    def _vanished(self, job: Job) -> None:
        """Its last events have come before the answer did."""
        self._take_events()
        if job.status is None and job.now is None and not job.aborting:
            raise Refused(f"Job '{job.id}' not found")
        job.end('the reason is not known' if job.aborting else None)

    # ---- Interruptions ----

    def _interrupt(self) -> None:
        """Only the first one; what cannot be cancelled any more ends."""
        if self._interrupted:
            return
        self._interrupted = True
        for job in self._open():
            if self._on_interrupt == 'detach':
                job.settle(Exit.DETACHED, 'detached')
            elif job.now is not None:
                job.asked = True
                with contextlib.suppress(Refused):
                    self._server.command(*verb(job.now.type, job.id, 'kill'))
