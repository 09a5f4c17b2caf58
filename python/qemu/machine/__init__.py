# SPDX-License-Identifier: MIT
"""An emulator under control of a script.

1. The emulator connects to us: we listen before it starts, so that there is
   no race and no polling.
2. Whatever goes wrong in launch() leaves no process and no file behind.
3. What the emulator prints goes to a file, which get_log() shows also after
   its end."""
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile

from typing import (Any, Dict, List, Mapping, Optional, Sequence, Tuple,
                    TypeVar)

from ..qmp import (QEMUMonitorProtocol, QMPConnectError, QMPError, QMPMessage,
                   QMPResponseError, QMPTimeoutError, SocketAddrT, WaitT)

LOG = logging.getLogger(__name__)

# Of what add_fd() and "with" return.
M = TypeVar('M', bound='QEMUMachine')
NamedMatch = Tuple[str, Optional[Mapping[str, Any]]]


class QEMUMachineError(Exception):
    """The base of errors about the process."""


class QEMUMachineAddDeviceError(QEMUMachineError):
    """A device could not be added."""


class VMLaunchFailure(QEMUMachineError):
    """It did not start; `output` is what it printed."""

    def __init__(self, message: str, exitcode: Optional[int] = None,
                 command: str = '', output: Optional[str] = '') -> None:
        super().__init__(message, exitcode, command, output)
        self.exitcode = exitcode
        self.command = command
        self.output = output

    def __str__(self) -> str:
        return (f'{self.args[0]}\n\tExit code: {self.exitcode}\n'
                f'\tCommand: {self.command}\n\tOutput: {self.output}')


class AbnormalShutdown(QEMUMachineError):
    """It had to be killed."""


class QEMUMachine:
    """with QEMUMachine(binary) as vm: vm.add_args(...); vm.launch()"""

    # pylint: disable=too-many-instance-attributes

    def __init__(self, binary: str, args: Sequence[str] = (),
                 wrapper: Sequence[str] = (), name: Optional[str] = None,
                 base_temp_dir: Optional[str] = None,
                 monitor_address: Optional[SocketAddrT] = None,
                 sock_dir: Optional[str] = None,
                 log_dir: Optional[str] = None,
                 qmp_timer: Optional[float] = 30, **_ignored: Any) -> None:
        self._binary = binary
        self._args = list(args)
        self._wrapper = list(wrapper)
        self._name = name or f'qemu-{os.getpid()}-{id(self):x}'
        self._base = base_temp_dir or tempfile.gettempdir()
        self._sock_dir = sock_dir
        self._log_dir = log_dir
        self._qmp_timer = qmp_timer
        self._monitor_address = monitor_address
        self._machine: Optional[str] = None
        self._qmp_set = True
        self._events: List[QMPMessage] = []
        self._temp_dir: Optional[str] = None
        self._qmp_connection: Optional[QEMUMonitorProtocol] = None
        self._popen: Optional['subprocess.Popen[bytes]'] = None
        self._iolog: Optional[str] = None
        self._quit_issued = False
        self._killed = False
        self._log_file = ''
        self._command: Tuple[str, ...] = ()
        self._inherit: List[int] = []
        self._status: Optional[int] = None      # of the last process

    def __enter__(self: M) -> M:
        return self

    def __exit__(self, *what: object) -> None:
        self.shutdown()

    # Before it starts

    def add_args(self, *args: str) -> None:
        """More of the command line."""
        self._args.extend(args)

    def add_monitor_null(self) -> None:
        """No monitor for people."""
        self.add_args('-monitor', 'null')

    def add_fd(self: M, fd: int, fdset: int, opaque: str,
               opts: str = '') -> M:
        """A file descriptor that the emulator inherits."""
        os.set_inheritable(fd, True)
        self._inherit.append(fd)
        extra = [opts] if opts else []
        self.add_args('-add-fd', ','.join(
            [f'fd={fd}', f'set={fdset}', f'opaque={opaque}'] + extra))
        return self

    def set_machine(self, machine: str) -> None:
        """The argument of -machine."""
        self._machine = machine

    def set_qmp_monitor(self, enabled: bool = True) -> None:
        """Whether there is a QMP connection."""
        self._qmp_set = enabled

    @property
    def args(self) -> List[str]:
        """Those that were added; may be changed in place."""
        return self._args

    @property
    def temp_dir(self) -> str:
        """Made when it is needed, removed at the end."""
        if self._temp_dir is None:
            self._temp_dir = tempfile.mkdtemp(prefix='qemu-machine-',
                                              dir=self._base)
        return self._temp_dir

    @property
    def sock_dir(self) -> str:
        """Where sockets are."""
        return self._sock_dir or self.temp_dir

    @property
    def log_dir(self) -> str:
        """Where the emulator's output is."""
        return self._log_dir or self.temp_dir

    @property
    def _monitor_path(self) -> SocketAddrT:
        return self._monitor_address or os.path.join(
            self.sock_dir, self._name + '-monitor.sock')

    @property
    def _base_args(self) -> List[str]:
        args = ['-display', 'none', '-vga', 'none']
        if self._qmp_set:
            path = self._monitor_path
            where = f'host={path[0]},port={path[1]}' \
                if isinstance(path, tuple) else f'path={path}'
            args += ['-chardev', f'socket,id=mon,{where}',
                     '-mon', 'chardev=mon,mode=control']
        if self._machine:
            args += ['-machine', self._machine]
        return args

    # Start

    def launch(self) -> None:
        """Starts it and waits for its greeting; VMLaunchFailure."""
        if self._popen is not None:
            raise QEMUMachineError('it has been launched already')
        try:
            self._pre_launch()
            self._command = tuple(self._wrapper + [self._binary] +
                                  self._base_args + self._args)
            LOG.debug('starting: %s', ' '.join(self._command))
            with open(self._log_file, 'wb') as log:
                self._popen = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, close_fds=True,
                    pass_fds=self._inherit)
            self._post_launch()
        except BaseException as e:
            self._abandon()
            if isinstance(e, Exception):
                raise VMLaunchFailure(
                    f'cannot launch: {e}', self.exitcode(),
                    ' '.join(self._command), self._iolog) from e
            raise

    def _pre_launch(self) -> None:
        self._log_file = os.path.join(self.log_dir, self._name + '.log')
        self._iolog = None
        self._quit_issued = False
        self._killed = False
        if self._qmp_set:
            self._qmp_connection = QEMUMonitorProtocol(
                self._monitor_path, server=True, nickname=self._name)

    def _post_launch(self) -> None:
        if self._qmp_connection is not None:
            self._qmp_connection.accept(alive=self.is_running)
            self._qmp_connection.settimeout(self._qmp_timer)

    def _abandon(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
        self._post_shutdown()

    # End

    def _load_log(self) -> None:
        if self._log_file and os.path.exists(self._log_file):
            with open(self._log_file, encoding='utf-8',
                      errors='backslashreplace') as f:
                self._iolog = f.read()

    @staticmethod
    def _remove(path: SocketAddrT) -> None:
        if isinstance(path, str) and os.path.exists(path):
            os.unlink(path)

    def _post_shutdown(self) -> None:
        if self._qmp_connection is not None:
            with contextlib.suppress(QMPError):
                self._events.extend(self._qmp_connection.get_events())
            self._qmp_connection.close()
            self._qmp_connection = None
            self._remove(self._monitor_path)
        self._load_log()
        if self._log_file:
            self._remove(self._log_file)
        if self._temp_dir is not None:
            shutil.rmtree(self._temp_dir, ignore_errors=True)
            self._temp_dir = None
        code = self.exitcode()
        if code is not None and code < 0 and not (
                code == -signal.SIGKILL and self._killed):
            LOG.warning('qemu received signal %i; command: "%s"', -code,
                        ' '.join(self._command))

    def shutdown(self, hard: bool = False,
                 timeout: Optional[float] = 30) -> None:
        """Ends it by quit, or at once if `hard`.  AbnormalShutdown if it
        did not end in time and was killed."""
        if self._popen is None:
            return
        late = False
        try:
            if self.is_running():
                if hard:
                    self._kill(self._popen)
                else:
                    self._send_quit(self._popen)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                late = True
                self._kill(self._popen)
                self._popen.wait()
        finally:
            self._finish()
        if late:
            raise AbnormalShutdown('the emulator did not end in time')

    def _kill(self, process: 'subprocess.Popen[bytes]') -> None:
        self._killed = True
        process.kill()

    def _send_quit(self, process: 'subprocess.Popen[bytes]') -> None:
        if self._qmp_connection is None:
            process.terminate()
        elif not self._quit_issued:
            with contextlib.suppress(QMPConnectError, BrokenPipeError):
                self.qmp('quit')

    def _finish(self) -> None:
        self._drain_events()
        self._post_shutdown()
        self._status = self.exitcode()
        self._popen = None

    def _drain_events(self) -> None:
        """Takes what the emulator has sent up to its end."""
        if self._qmp_connection is None:
            return
        with contextlib.suppress(QMPError):
            while True:
                self._events += self._qmp.get_events(wait=1.0)

    def wait(self, timeout: Optional[float] = 30) -> None:
        """Waits for it to end by itself."""
        self._quit_issued = True
        self.shutdown(timeout=timeout)

    def kill(self) -> None:
        """Ends it at once."""
        self.shutdown(hard=True)

    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._popen is not None and self._popen.poll() is None

    def exitcode(self) -> Optional[int]:
        """None while it runs, or was never started."""
        return self._status if self._popen is None else self._popen.poll()

    def get_pid(self) -> Optional[int]:
        """Of the process, if it runs."""
        return self._popen.pid if self._popen and self.is_running() else None

    def get_log(self) -> Optional[str]:
        """What it has printed so far."""
        if self._popen is not None:
            self._load_log()
        return self._iolog

    # QMP

    @property
    def _qmp(self) -> QEMUMonitorProtocol:
        if self._qmp_connection is None:
            raise QEMUMachineError('there is no QMP connection')
        return self._qmp_connection

    @staticmethod
    def _qmp_args(conv_keys: bool, args: Mapping[str, Any]) -> Dict[str, Any]:
        if conv_keys:
            return {k.replace('_', '-'): v for k, v in args.items()}
        return dict(args)

    def qmp(self, cmd: str, conv_keys: bool = True,
            args_dict: Optional[Dict[str, Any]] = None,
            **args: Any) -> QMPMessage:
        """The reply to a command, be it an error or not.  With conv_keys,
        underscores in the names of arguments become dashes."""
        if args_dict is not None:
            args, conv_keys = args_dict, False
        reply = self._qmp.cmd(cmd, self._qmp_args(conv_keys, args))
        if cmd == 'quit' and 'error' not in reply:
            self._quit_issued = True
        return reply

    def command(self, cmd: str, conv_keys: bool = True, **args: Any) -> Any:
        """The result of a command; raises if that is an error."""
        reply = self.qmp(cmd, conv_keys, **args)
        if 'error' in reply:
            raise QMPResponseError(reply)
        return reply['return']

    def get_qmp_event(self, wait: WaitT = False) -> Optional[QMPMessage]:
        """The first event; see QEMUMonitorProtocol.pull_event()."""
        if self._events:
            return self._events.pop(0)
        if self._qmp_connection is None:
            return None
        return self._qmp.pull_event(wait=wait)

    def get_qmp_events(self, wait: WaitT = False) -> List[QMPMessage]:
        """All events so far; waits for one if there is none."""
        events, self._events = self._events, []
        if self._qmp_connection is not None:
            events += self._qmp.get_events(wait=False if events else wait)
        return events

    @classmethod
    def event_match(cls, event: Any, match: Any = None) -> bool:
        """Is all that `match` has in `event`, at every depth?"""
        if match is None:
            return True
        if not isinstance(match, dict) or not isinstance(event, dict):
            return bool(event == match)
        return all(key in event and cls.event_match(event[key], value)
                   for key, value in match.items())

    def event_wait(self, name: str, timeout: Optional[float] = 60.0,
                   match: Optional[Mapping[str, Any]] = None
                   ) -> Optional[QMPMessage]:
        """events_wait() for one kind of event."""
        return self.events_wait([(name, match)], timeout)

    def events_wait(self, events: Sequence[NamedMatch],
                    timeout: Optional[float] = 60.0
                    ) -> Optional[QMPMessage]:
        """The first event that matches one of (name, match); those before
        it are kept.  None if it did not come in time and timeout is 0."""
        def fits(event: QMPMessage) -> bool:
            return any(event['event'] == name and
                       self.event_match(event, match)
                       for name, match in events)

        for event in self._events:
            if fits(event):
                self._events.remove(event)
                return event
        wait: WaitT = True if timeout is None else timeout or False
        while True:
            new = self._qmp.pull_event(wait)
            if new is None or fits(new):
                return new
            self._events.append(new)


__all__ = ['AbnormalShutdown', 'QEMUMachine', 'QEMUMachineAddDeviceError',
           'QEMUMachineError', 'QMPTimeoutError', 'VMLaunchFailure']
