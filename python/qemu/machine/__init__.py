# SPDX-License-Identifier: MIT
"""An emulator under control of a script.

1. The emulator connects to us: we listen before it starts, so that there is
   no race and no polling.
2. Whatever goes wrong in launch() leaves no process and no file behind.
3. What the emulator prints goes to a file, which get_log() shows also after
   its end."""
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from ..qmp import (QEMUMonitorProtocol, QMPConnectError, QMPError,
                   QMPTimeoutError)

LOG = logging.getLogger(__name__)


class QEMUMachineError(Exception):
    """The base of errors about the process."""


class QEMUMachineAddDeviceError(QEMUMachineError):
    """A device could not be added."""


class VMLaunchFailure(QEMUMachineError):
    """It did not start; `output` is what it printed."""

    def __init__(self, message, exitcode=None, command='', output=''):
        super().__init__(message, exitcode, command, output)
        self.exitcode = exitcode
        self.command = command
        self.output = output

    def __str__(self):
        return (f'{self.args[0]}\n\tExit code: {self.exitcode}\n'
                f'\tCommand: {self.command}\n\tOutput: {self.output}')


class AbnormalShutdown(QEMUMachineError):
    """It had to be killed."""


class QEMUMachine:
    """with QEMUMachine(binary) as vm: vm.add_args(...); vm.launch()"""

    # pylint: disable=too-many-instance-attributes

    def __init__(self, binary, args=(), wrapper=(), name=None,
                 base_temp_dir=None, monitor_address=None, sock_dir=None,
                 log_dir=None, qmp_timer=30, **_ignored):
        self._binary = binary
        self._args = list(args)
        self._wrapper = list(wrapper)
        self._name = name or f'qemu-{os.getpid()}-{id(self):x}'
        self._base = base_temp_dir or tempfile.gettempdir()
        self._sock_dir = sock_dir
        self._log_dir = log_dir
        self._qmp_timer = qmp_timer
        self._monitor_address = monitor_address
        self._machine = None
        self._qmp_set = True
        self._events = []
        self._temp_dir = None
        self._qmp_connection = None
        self._popen = None
        self._iolog = None
        self._quit_issued = False
        self._log_file = None
        self._command = ()
        self._inherit = []

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.shutdown()

    # Before it starts

    def add_args(self, *args):
        self._args.extend(args)

    def add_monitor_null(self):
        self.add_args('-monitor', 'null')

    def add_fd(self, fd, fdset, opaque, opts=''):
        os.set_inheritable(fd, True)
        self._inherit.append(fd)
        extra = [opts] if opts else []
        self.add_args('-add-fd', ','.join(
            [f'fd={fd}', f'set={fdset}', f'opaque={opaque}'] + extra))
        return self

    def set_machine(self, machine):
        self._machine = machine

    def set_qmp_monitor(self, enabled=True):
        self._qmp_set = enabled

    @property
    def args(self):
        return self._args

    @property
    def temp_dir(self):
        if self._temp_dir is None:
            self._temp_dir = tempfile.mkdtemp(prefix='qemu-machine-',
                                              dir=self._base)
        return self._temp_dir

    @property
    def sock_dir(self):
        return self._sock_dir or self.temp_dir

    @property
    def log_dir(self):
        return self._log_dir or self.temp_dir

    @property
    def _monitor_path(self):
        return self._monitor_address or os.path.join(
            self.sock_dir, self._name + '-monitor.sock')

    @property
    def _base_args(self):
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

    def launch(self):
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

    def _pre_launch(self):
        self._log_file = os.path.join(self.log_dir, self._name + '.log')
        self._iolog = None
        self._quit_issued = False
        if self._qmp_set:
            self._qmp_connection = QEMUMonitorProtocol(
                self._monitor_path, server=True, nickname=self._name)

    def _accept(self, listener, timeout=15.0):
        """Waits for the process to connect, or to end."""
        listener.settimeout(0.05)
        for _ in range(int(timeout / 0.05)):
            try:
                return listener.accept()[0]
            except socket.timeout:
                if self._popen.poll() is not None:
                    break
        raise QMPConnectError('the emulator did not connect')

    def _post_launch(self):
        if self._qmp_connection is None:
            return
        # pylint: disable=protected-access
        listener = self._qmp_connection._listener
        sock = self._accept(listener)
        listener.close()
        self._qmp_connection._listener = None
        sock.settimeout(None)
        self._qmp_connection._sock = sock
        self._qmp_connection._negotiate()
        self._qmp_connection.settimeout(self._qmp_timer)

    def _abandon(self):
        if self.is_running():
            self._popen.kill()
        if self._popen is not None:
            self._popen.wait()
        self._post_shutdown()

    # End

    def _load_log(self):
        if self._log_file and os.path.exists(self._log_file):
            with open(self._log_file, encoding='utf-8',
                      errors='backslashreplace') as f:
                self._iolog = f.read()

    def _remove(self, path):
        if isinstance(path, str) and os.path.exists(path):
            os.unlink(path)

    def _post_shutdown(self):
        if self._qmp_connection is not None:
            try:
                self._events.extend(self._qmp_connection.get_events())
            except QMPError:
                pass
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
                code == -signal.SIGKILL and self._quit_issued == 'hard'):
            LOG.warning('qemu received signal %i; command: "%s"', -code,
                        ' '.join(self._command))

    def shutdown(self, hard=False, timeout=30):
        """Ends it by quit, or at once if `hard`.  AbnormalShutdown if it
        did not end in time and was killed."""
        if self._popen is None:
            return
        killed = False
        try:
            if not hard and self.is_running():
                self._send_quit()
            if hard and self.is_running():
                self._quit_issued = 'hard'
                self._popen.kill()
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                killed = True
                self._quit_issued = 'hard'
                self._popen.kill()
                self._popen.wait()
        finally:
            self._finish()
        if killed:
            raise AbnormalShutdown('the emulator did not end in time')

    def _send_quit(self):
        if self._qmp_connection is None:
            self._popen.terminate()
        elif not self._quit_issued:
            try:
                self.qmp('quit')
            except (QMPConnectError, BrokenPipeError):
                pass

    def _finish(self):
        self._drain_events()
        self._post_shutdown()
        self._dead_code = self._popen.returncode
        self._popen = None

    def _drain_events(self):
        """Takes what the emulator has sent up to its end."""
        if self._qmp_connection is None:
            return
        try:
            while True:
                # pylint: disable=protected-access
                self._qmp_connection._collect(1)
        except QMPError:
            pass

    def wait(self, timeout=30):
        """Waits for it to end by itself."""
        self._quit_issued = True
        self.shutdown(timeout=timeout)

    def kill(self):
        self.shutdown(hard=True)

    def is_running(self):
        return self._popen is not None and self._popen.poll() is None

    _dead_code = None

    def exitcode(self):
        if self._popen is None:
            return self._dead_code
        return self._popen.poll()

    def get_pid(self):
        return self._popen.pid if self.is_running() else None

    def get_log(self):
        if self._popen is not None:
            self._load_log()
        return self._iolog

    # QMP

    @property
    def _qmp(self):
        if self._qmp_connection is None:
            raise QEMUMachineError('there is no QMP connection')
        return self._qmp_connection

    @staticmethod
    def _qmp_args(conv_keys, args):
        if conv_keys:
            return {k.replace('_', '-'): v for k, v in args.items()}
        return dict(args)

    def qmp(self, cmd, conv_keys=True, args_dict=None, **args):
        """The reply to a command, be it an error or not.  With conv_keys,
        underscores in the names of arguments become dashes."""
        if args_dict is not None:
            args, conv_keys = args_dict, False
        reply = self._qmp.cmd(cmd, self._qmp_args(conv_keys, args))
        if cmd == 'quit' and 'error' not in reply:
            self._quit_issued = True
        return reply

    def command(self, cmd, conv_keys=True, **args):
        """The result of a command; raises if that is an error."""
        reply = self.qmp(cmd, conv_keys, **args)
        if 'error' in reply:
            # pylint: disable=import-outside-toplevel
            from ..qmp import QMPResponseError
            raise QMPResponseError(reply)
        return reply['return']

    def get_qmp_event(self, wait=False):
        if self._events:
            return self._events.pop(0)
        if self._qmp_connection is None:
            return None
        return self._qmp.pull_event(wait=wait)

    def get_qmp_events(self, wait=False):
        events, self._events = self._events, []
        if self._qmp_connection is not None:
            events += self._qmp.get_events(wait=wait and not events)
        return events

    @classmethod
    def event_match(cls, event, match=None):
        """Is all that `match` has in `event`, at every depth?"""
        if match is None:
            return True
        if not isinstance(match, dict) or not isinstance(event, dict):
            return event == match
        return all(key in event and cls.event_match(event[key], value)
                   for key, value in match.items())

    def event_wait(self, name, timeout=60.0, match=None):
        return self.events_wait([(name, match)], timeout)

    def events_wait(self, events, timeout=60.0):
        """The first event that matches one of (name, match); those before
        it are kept.  None if it did not come in time and timeout is 0."""
        def fits(event):
            return any(event['event'] == name and
                       self.event_match(event, match)
                       for name, match in events)

        for event in self._events:
            if fits(event):
                self._events.remove(event)
                return event
        while True:
            event = self._qmp.pull_event(
                wait=timeout if timeout is not None else True) \
                if timeout != 0 else self._qmp.pull_event()
            if event is None:
                return None
            if fits(event):
                return event
            self._events.append(event)


__all__ = ['AbnormalShutdown', 'QEMUMachine', 'QEMUMachineAddDeviceError',
           'QEMUMachineError', 'QMPTimeoutError', 'VMLaunchFailure']
