# SPDX-License-Identifier: MIT
"""A client of the QEMU Machine Protocol, by blocking calls.

1. What arrives is either returned to the caller that asked or kept in the
   list of events, in the order of arrival; nothing is dropped.
2. A time limit that runs out never loses what has been read: half a line
   stays in the buffer."""
import collections
import json
import logging
import os
import select
import socket
import struct
import time
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple, Union

QMPObject = Dict[str, Any]
QMPMessage = QMPObject
QMPReturnValue = QMPObject
# A path, or (host, port).
SocketAddrT = Union[str, Tuple[str, int]]
# False, True (for ever), or seconds.
WaitT = Union[bool, float]


class QMPError(Exception):
    """The base of all errors of this module."""


class QMPConnectError(QMPError):
    """No connection, or it has ended."""


class QMPCapabilitiesError(QMPError):
    """The greeting or its answer are not those of QMP."""


class QMPTimeoutError(QMPError):
    """Nothing came in time."""


class QMPProtocolError(QMPError):
    """What came is not a message of QMP."""


class QMPBadPortError(QMPError):
    """An address that cannot be understood."""


class QMPResponseError(QMPError):
    """The answer to a command was an error."""

    def __init__(self, reply: QMPMessage) -> None:
        self.reply = reply
        error = reply.get('error', {})
        self.error_class: Optional[str] = error.get('class')
        super().__init__(error.get('desc', reply))


ExecuteError = QMPResponseError


def make_socket(address: SocketAddrT) -> socket.socket:
    """Of the family that the address is of."""
    if isinstance(address, tuple):
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def connect_socket(address: SocketAddrT) -> socket.socket:
    """A connection; a name may mean several addresses, of both families."""
    if isinstance(address, tuple):
        return socket.create_connection(address)
    sock = make_socket(address)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def format_address(address: Union[SocketAddrT, socket.socket]) -> str:
    """As parse_address() takes it."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def accept_from(listener: socket.socket, timeout: float,
                alive: Callable[[], bool]) -> socket.socket:
    """Waits for a connection as long as `alive` says that there is somebody
    who could make one."""
    deadline = time.monotonic() + timeout
    while not select.select([listener], [], [], 0.05)[0]:
        if not alive():
            raise QMPConnectError('the other side ended without connecting')
        if time.monotonic() > deadline:
            raise QMPTimeoutError('nobody connected to '
                                  f'{listener.getsockname()}')
    return listener.accept()[0]


class QEMUMonitorProtocol:
    """One connection.  `address` is a path, a (host, port), or a socket that
    is connected.  A server listens from its creation on."""

    logger = logging.getLogger('QMP')

    def __init__(self, address: Union[SocketAddrT, socket.socket],
                 server: bool = False,
                 nickname: Optional[str] = None) -> None:
        self.address = address
        self.nickname = nickname
        self.greeting: Optional[QMPMessage] = None
        self._events: Deque[QMPMessage] = collections.deque()
        self._buffer = b''
        self._timeout: Optional[float] = None
        self._listener: Optional[socket.socket] = None
        self._sock: Optional[socket.socket] = None
        if isinstance(address, socket.socket):
            self._sock = address
        elif server:
            self._listener = make_socket(address)
            self._listener.setsockopt(socket.SOL_SOCKET,
                                      socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(1)

    def __enter__(self) -> 'QEMUMonitorProtocol':
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    # The connection

    def connect(self, negotiate: bool = True) -> Optional[QMPMessage]:
        """Returns the greeting, unless it is left to the caller."""
        if self._sock is None:
            assert not isinstance(self.address, socket.socket)
            try:
                self._sock = connect_socket(self.address)
            except OSError as e:
                raise QMPConnectError(
                    f'cannot connect to {format_address(self.address)}: '
                    f'{e.strerror or e}') from e
        return self._negotiate() if negotiate else None

    def accept(self, timeout: float = 15.0, negotiate: bool = True,
               alive: Callable[[], bool] = lambda: True
               ) -> Optional[QMPMessage]:
        """The same on the side that listens; see accept_from()."""
        assert self._listener is not None
        self._sock = accept_from(self._listener, timeout, alive)
        self._listener.close()
        self._listener = None
        return self._negotiate(timeout) if negotiate else None

    def _negotiate(self, timeout: float = 15.0) -> QMPMessage:
        self.greeting = self.receive(timeout)
        if not isinstance(self.greeting.get('QMP'), dict):
            raise QMPCapabilitiesError(
                f'this is no greeting: {self.greeting}')
        reply = self.cmd('qmp_capabilities')
        if 'return' not in reply:
            raise QMPCapabilitiesError(f'refused: {reply}')
        return self.greeting

    def close(self) -> None:
        """May be called more than once."""
        for sock in (self._sock, self._listener):
            if sock is not None:
                sock.close()
        self._sock = self._listener = None

    def settimeout(self, timeout: Optional[float]) -> None:
        """Seconds to wait for an answer; None waits for ever."""
        self._timeout = timeout

    @property
    def _connected(self) -> socket.socket:
        if self._sock is None:
            raise QMPConnectError('there is no connection')
        return self._sock

    def get_sock_fd(self) -> int:
        """For those who wait for several things."""
        return self._connected.fileno()

    def is_scm_available(self) -> bool:
        """Whether send_fd_scm() works."""
        return self._connected.family == socket.AF_UNIX

    def send_fd_scm(self, fd: int) -> None:
        """A file descriptor, for the command getfd that follows."""
        self._connected.sendmsg([b' '], [(
            socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', fd))])

    # Messages

    def _read_more(self, deadline: Optional[float]) -> None:
        sock = self._connected
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left < 0:
            left = 0
        ready, _, _ = select.select([sock], [], [], left)
        if not ready:
            raise QMPTimeoutError('no message in time')
        try:
            data = sock.recv(65536)
        except ConnectionError as e:
            raise QMPConnectError(f'the connection has ended: {e}') from e
        if not data:
            raise QMPConnectError('the connection has ended')
        self._buffer += data

    def receive_line(self, timeout: Optional[float] = None) -> bytes:
        """The next line, as bytes without its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b'\n' not in self._buffer:
            self._read_more(deadline)
        line, self._buffer = self._buffer.split(b'\n', 1)
        return line.rstrip(b'\r')

    def receive(self, timeout: Optional[float] = None) -> QMPMessage:
        """The next message of any kind."""
        line = self.receive_line(timeout)
        try:
            message: QMPMessage = json.loads(line)
        except ValueError as e:
            raise QMPProtocolError(f'not JSON: {line!r}') from e
        self.logger.debug('<- %s %s', self.nickname or '', message)
        return message

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are, for tests of the parser."""
        self._connected.sendall(data)

    def cmd_obj(self, message: QMPMessage) -> QMPMessage:
        """Sends a command as it is; returns the reply, error or not."""
        self.logger.debug('-> %s %s', self.nickname or '', message)
        try:
            self._connected.sendall(json.dumps(message).encode())
        except OSError as e:
            raise QMPConnectError(f'cannot send: {e}') from e
        while True:
            reply = self.receive(self._timeout)
            if 'event' not in reply:
                return reply
            self._events.append(reply)

    def cmd(self, name: str, args: Optional[QMPObject] = None,
            cmd_id: object = None) -> QMPMessage:
        """The reply to a command, be it an error or not."""
        message: QMPMessage = {'execute': name}
        if args:
            message['arguments'] = args
        if cmd_id is not None:
            message['id'] = cmd_id
        return self.cmd_obj(message)

    def command(self, name: str, /, **args: Any) -> Any:
        """The result of a command; an error is raised."""
        reply = self.cmd(name, args)
        if 'error' in reply:
            raise QMPResponseError(reply)
        if 'return' not in reply:
            raise QMPProtocolError(f'not a reply: {reply}')
        return reply['return']

    # Events

    def _collect(self, timeout: Optional[float]) -> None:
        """Takes one message into the list of events."""
        message = self.receive(timeout)
        if 'event' not in message:
            raise QMPProtocolError(f'nobody asked for this: {message}')
        self._events.append(message)

    def _collect_available(self) -> None:
        while True:
            try:
                self._collect(0)
            except QMPTimeoutError:
                return
            except QMPConnectError:
                if self._events:
                    return
                raise

    def pull_event(self, wait: WaitT = False) -> Optional[QMPMessage]:
        """The first event, or None.  `wait`: False, True (for ever), or
        seconds, after which QMPTimeoutError is raised."""
        if not self._events:
            self._collect_available()
        if not self._events and wait is not False:
            self._collect(None if wait is True else float(wait))
        return self._events.popleft() if self._events else None

    def get_events(self, wait: WaitT = False) -> List[QMPMessage]:
        """All events so far; waits for one if there is none and `wait`."""
        self._collect_available()
        if not self._events and wait is not False:
            self._collect(None if wait is True else float(wait))
        events = list(self._events)
        self._events.clear()
        return events

    def clear_events(self) -> None:
        """Forgets those that have come so far."""
        self._events.clear()


def parse_address(text: str) -> SocketAddrT:
    """HOST:PORT, [HOST]:PORT or a path."""
    if os.sep in text or ':' not in text:
        return text
    host, _, port = text.rpartition(':')
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise QMPBadPortError(f"'{port}' is not the number of a port")
    if host.startswith('[') and host.endswith(']'):
        host = host[1:-1]
    return host, int(port)
