# SPDX-License-Identifier: MIT
"""Python modules to drive the programs: qemu.qmp, qemu.machine."""
