# SPDX-License-Identifier: MIT
"""A QMP server, as this command sees it: every error is a ToolError, and
what only some servers know is asked for once."""
import contextlib
import select
from typing import Any, Dict, Iterator, List, Optional

from qemu.qmp import (QEMUMonitorProtocol, QMPConnectError, QMPError,
                      QMPResponseError, QMPTimeoutError, parse_address)

from .outcome import Disconnected, Refused, Usage

Message = Dict[str, Any]
GREETING_TIMEOUT = 15.0


@contextlib.contextmanager
def _errors(where: str) -> Iterator[None]:
    try:
        yield
    except QMPResponseError as e:
        raise Refused(str(e), e.error_class or '') from e
    except QMPTimeoutError as e:
        raise Disconnected(f'{where} does not answer: no QMP, or '
                           'busy with another client') from e
    except QMPConnectError as e:
        raise Disconnected(str(e)) from e
    except (QMPError, OSError) as e:
        raise Disconnected(f'{where}: {e}') from e


class Server:
    """A connection, from its creation to close()."""

    def __init__(self, address: str) -> None:
        try:
            parsed = parse_address(address)
        except QMPError as e:
            raise Usage(f"'{address}': {e}") from e
        self.name = address
        # Whether paths mean the same here and there.
        self.local = not isinstance(parsed, tuple)
        self._detail = True
        self._qmp = QEMUMonitorProtocol(parsed)
        with _errors(address):
            self._qmp.connect()

    def __enter__(self) -> 'Server':
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def close(self) -> None:
        self._qmp.close()

    def command(self, name: str, arguments: Optional[Message] = None) -> Any:
        """The result of a command; Refused if it is an error."""
        with _errors(self.name):
            return self._qmp.command(name, **(arguments or {}))

    def jobs(self) -> List[Message]:
        """query-jobs, with all that the server can tell."""
        jobs: List[Message]
        if self._detail:
            try:
                jobs = self.command('query-jobs', {'detail': True})
                return jobs
            except Refused:
                self._detail = False
        jobs = self.command('query-jobs')
        return jobs

    def job(self, job_id: str) -> Message:
        for info in self.jobs():
            if info['id'] == job_id:
                return info
        raise Refused(f"Job '{job_id}' not found")

    def concluded(self, job_id: str) -> Message:
        """The entry of a job that was just created, when it has ended.  Its
        events are taken; such jobs stay until they are dismissed."""
        while True:
            info = self.job(job_id)
            if info['status'] == 'concluded':
                return info
            with _errors(self.name):
                self._qmp.pull_event(wait=True)

    def next_event(self) -> Optional[Message]:
        """One that is there, or None."""
        with _errors(self.name):
            return self._qmp.pull_event()

    def wait(self, also: int, timeout: float) -> None:
        """Until the server sends something, `also` can be read, or the time
        is over."""
        select.select([self._qmp.get_sock_fd(), also], [], [], timeout)
