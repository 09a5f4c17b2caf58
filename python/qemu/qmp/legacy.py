# SPDX-License-Identifier: MIT
"""The names of qemu.qmp under the module that blocking clients import."""
from . import (QEMUMonitorProtocol, QMPBadPortError, QMPConnectError,
               QMPError, QMPMessage, QMPObject, QMPReturnValue,
               QMPTimeoutError, SocketAddrT)

__all__ = ['QEMUMonitorProtocol', 'QMPBadPortError', 'QMPConnectError',
           'QMPError', 'QMPMessage', 'QMPObject', 'QMPReturnValue',
           'QMPTimeoutError', 'SocketAddrT']
