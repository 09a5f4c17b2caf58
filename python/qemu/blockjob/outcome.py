# SPDX-License-Identifier: MIT
"""How the command and its jobs end."""
import enum


class Exit(enum.IntEnum):
    """Exit statuses; the manual lists them."""

    DONE = 0
    FAILED = 1          # a job ended with an error
    USAGE = 2           # the number that argparse takes
    NO_CONNECTION = 3   # to the server, or it broke
    CANCELLED = 4       # a job was cancelled
    REFUSED = 5         # the server refused a command
    DETACHED = 6        # interrupted; the jobs go on


class ToolError(Exception):
    """Ends the command with a message and a status."""

    def __init__(self, message: str, status: Exit) -> None:
        super().__init__(message)
        self.status = status


class Refused(ToolError):
    """The server does not do what it was asked for."""

    def __init__(self, message: str, error_class: str = '') -> None:
        super().__init__(message, Exit.REFUSED)
        self.error_class = error_class


class Usage(ToolError):
    """Arguments that argparse takes and that make no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.USAGE)


class Disconnected(ToolError):
    """No connection, or none any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.NO_CONNECTION)
