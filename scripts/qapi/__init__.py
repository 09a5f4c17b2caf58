# SPDX-License-Identifier: MIT
"""Generator of C types, visitors, commands, events and introspection data
from a QAPI schema."""
