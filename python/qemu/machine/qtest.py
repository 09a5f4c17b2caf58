# SPDX-License-Identifier: MIT
"""An emulator whose clock and devices a script moves through the qtest
protocol: one line a command, one line a reply."""
import os
import socket

from . import QEMUMachine


class QEMUQtestProtocol:
    """We listen; the emulator connects."""

    def __init__(self, address, server=True):
        self._sock = None
        self._file = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.address = address
        if server:
            self.listener.bind(address)
            self.listener.listen(1)

    def take(self, sock):
        sock.settimeout(None)
        self._sock = sock
        self._file = sock.makefile(mode='r', encoding='utf-8')
        self.listener.close()

    def cmd(self, text):
        self._sock.sendall((text + '\n').encode())
        return self._file.readline()

    def close(self):
        if self._file is not None:
            self._file.close()
        if self._sock is not None:
            self._sock.close()
        self.listener.close()

    def settimeout(self, timeout):
        self._sock.settimeout(timeout)


class QEMUQtestMachine(QEMUMachine):
    """A QEMUMachine with -accel qtest."""

    def __init__(self, binary, args=(), wrapper=(), name=None,
                 base_temp_dir=None, sock_dir=None, qmp_timer=30, **more):
        super().__init__(binary, args=args, wrapper=wrapper, name=name,
                         base_temp_dir=base_temp_dir, sock_dir=sock_dir,
                         qmp_timer=qmp_timer, **more)
        self._qtest = None

    @property
    def _qtest_path(self):
        return os.path.join(self.sock_dir, self._name + '-qtest.sock')

    @property
    def _base_args(self):
        return super()._base_args + ['-qtest', f'unix:path={self._qtest_path}',
                                     '-accel', 'qtest']

    def _pre_launch(self):
        super()._pre_launch()
        self._qtest = QEMUQtestProtocol(self._qtest_path)

    def _post_launch(self):
        super()._post_launch()
        self._qtest.take(self._accept(self._qtest.listener))

    def _post_shutdown(self):
        if self._qtest is not None:
            self._qtest.close()
            self._remove(self._qtest_path)
            self._qtest = None
        super()._post_shutdown()

    def qtest(self, cmd):
        """The reply to a line of the qtest protocol."""
        if self._qtest is None:
            raise RuntimeError('the emulator is not running')
        return self._qtest.cmd(cmd)
