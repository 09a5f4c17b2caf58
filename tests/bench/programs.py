# SPDX-License-Identifier: MIT
"""The programs of one side, and a storage daemon of it under measurement."""
import os
import shutil
import subprocess
import tempfile
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from qemu.qmp import QEMUMonitorProtocol

NAMES = ('qemu-storage-daemon', 'qemu-img', 'qemu-io')
# Folders of a build, below its top.
FOLDERS = ('', 'storage-daemon')
MIB = 1 << 20


class BenchError(Exception):
    """A scenario that did not do what it should, or cannot be run."""


class Cost(NamedTuple):
    """Of one run: seconds, seconds, bytes."""

    wall: float
    cpu: float
    memory: int


class Programs:
    """Those of one side: in `folder`, or in PATH if that is None."""

    def __init__(self, name: str, folder: Optional[str]) -> None:
        self.name = name
        self._paths = {program: self._find(program, folder)
                       for program in NAMES}

    def _find(self, program: str, folder: Optional[str]) -> str:
        places = [os.path.join(folder, sub) for sub in FOLDERS] \
            if folder is not None else [os.environ.get('PATH', os.defpath)]
        for place in places:
            found = shutil.which(program, path=place)
            if found:
                return os.path.abspath(found)
        raise BenchError(f"{self.name}: there is no {program} in "
                         f"{'PATH' if folder is None else folder}")

    def path(self, program: str) -> str:
        return self._paths[program]

    def run(self, program: str, *args: str) -> None:
        """Waits for its success."""
        done = subprocess.run([self._paths[program], *args], text=True,
                              stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        # qemu-io tells of a failed request in its output only.
        if done.returncode or 'failed' in done.stdout:
            raise BenchError(f'{program} {args[0]}: {done.stdout.strip()}')

    def img(self, *args: str) -> None:
        self.run('qemu-img', *args)

    def version(self) -> str:
        """The first line that the daemon says about itself."""
        return subprocess.run(
            [self._paths['qemu-storage-daemon'], '--version'], check=True,
            stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]


class Daemon:
    """A storage daemon, from its start to its end.  It connects to us, so
    that its greeting is waited for without polling."""

    def __init__(self, programs: Programs) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='bench-')
        sock = os.path.join(self._folder.name, 'qmp')
        self._qmp = QEMUMonitorProtocol(sock, server=True)
        self._events: List[Dict[str, Any]] = []
        self.started = time.monotonic()
        with open(os.path.join(self._folder.name, 'log'), 'w+b') as self._log:
            self._process = subprocess.Popen(
                [programs.path('qemu-storage-daemon'),
                 '--chardev', f'socket,id=q,path={sock}',
                 '--monitor', 'chardev=q'],
                stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=subprocess.STDOUT)
        try:
            self._qmp.accept(alive=lambda: self._process.poll() is None)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> 'Daemon':
        return self

    def __exit__(self, kind: Any, *_rest: object) -> None:
        try:
            if kind is None:
                self.command('quit')
                if self._process.wait(60):
                    raise BenchError('the daemon ended with status '
                                     f'{self._process.returncode}')
        finally:
            self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._qmp.close()
        self._folder.cleanup()

    def command(self, name: str, **arguments: Any) -> Any:
        """Its result; underscores in names become dashes."""
        return self._qmp.command(
            name, **{k.replace('_', '-'): v for k, v in arguments.items()})

    def wait_event(self, name: str, **data: Any) -> Dict[str, Any]:
        """The data of the first event that has these; others are kept."""
        def fits(event: Dict[str, Any]) -> bool:
            return event['event'] == name and \
                data.items() <= event.get('data', {}).items()

        event = next(filter(fits, self._events), None)
        while event is None:
            self._events += self._qmp.get_events(wait=True)
            event = next(filter(fits, self._events), None)
        self._events.remove(event)
        found: Dict[str, Any] = event['data']
        return found

    def cpu(self) -> float:
        """Seconds of CPU time of all its threads so far."""
        # The clock of a process, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def peak_memory(self) -> int:
        with open(f'/proc/{self._process.pid}/status',
                  encoding='ascii') as f:
            for line in f:
                if line.startswith('VmHWM:'):
                    return int(line.split()[1]) * 1024
        raise BenchError('/proc tells nothing about the daemon')

    def measure(self, work: Callable[[], None]) -> Cost:
        """What it costs to do that."""
        wall, cpu = time.monotonic(), self.cpu()
        work()
        return Cost(time.monotonic() - wall, self.cpu() - cpu,
                    self.peak_memory())
