# SPDX-License-Identifier: MIT
"""The names of qemu.machine, for those who import them from here."""
from . import (AbnormalShutdown, QEMUMachine, QEMUMachineAddDeviceError,
               QEMUMachineError, VMLaunchFailure)

__all__ = ['AbnormalShutdown', 'QEMUMachine', 'QEMUMachineAddDeviceError',
           'QEMUMachineError', 'VMLaunchFailure']
