# SPDX-License-Identifier: MIT
"""An emulator whose clock and devices a script moves through the qtest
protocol: one line a command, one line a reply."""
import os
import socket
from typing import Any, Callable, List, Optional, Sequence, TextIO

from . import QEMUMachine
from ..qmp import accept_from


class QEMUQtestProtocol:
    """We listen; the emulator connects."""

    def __init__(self, address: str, server: bool = True) -> None:
        self._sock: Optional[socket.socket] = None
        self._file: Optional[TextIO] = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.address = address
        if server:
            self._listener.bind(address)
            self._listener.listen(1)

    def accept(self, alive: Callable[[], bool],
               timeout: float = 15.0) -> None:
        """Waits for the emulator as long as it is alive."""
        self._sock = accept_from(self._listener, timeout, alive)
        self._file = self._sock.makefile(mode='r', encoding='utf-8')
        self._listener.close()

    def cmd(self, text: str) -> str:
        """The line that answers a line."""
        assert self._sock is not None and self._file is not None
        self._sock.sendall((text + '\n').encode())
        return self._file.readline()

    def close(self) -> None:
        """May be called more than once."""
        if self._file is not None:
            self._file.close()
        if self._sock is not None:
            self._sock.close()
        self._listener.close()

    def settimeout(self, timeout: Optional[float]) -> None:
        """Seconds to wait for an answer; None waits for ever."""
        assert self._sock is not None
        self._sock.settimeout(timeout)


class QEMUQtestMachine(QEMUMachine):
    """A QEMUMachine with -accel qtest."""

    def __init__(self, binary: str, args: Sequence[str] = (),
                 **more: Any) -> None:
        super().__init__(binary, args, **more)
        self._qtest: Optional[QEMUQtestProtocol] = None

    @property
    def _qtest_path(self) -> str:
        return os.path.join(self.sock_dir, self._name + '-qtest.sock')

    @property
    def _base_args(self) -> List[str]:
        return super()._base_args + ['-qtest', f'unix:path={self._qtest_path}',
                                     '-accel', 'qtest']

    def _pre_launch(self) -> None:
        super()._pre_launch()
        self._qtest = QEMUQtestProtocol(self._qtest_path)

    def _post_launch(self) -> None:
        super()._post_launch()
        assert self._qtest is not None
        self._qtest.accept(self.is_running)

    def _post_shutdown(self) -> None:
        if self._qtest is not None:
            self._qtest.close()
            self._remove(self._qtest_path)
            self._qtest = None
        super()._post_shutdown()

    def qtest(self, cmd: str) -> str:
        """The reply to a line of the qtest protocol."""
        if self._qtest is None:
            raise RuntimeError('the emulator is not running')
        return self._qtest.cmd(cmd)
