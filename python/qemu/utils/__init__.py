# SPDX-License-Identifier: MIT
"""Small things that scripts share."""
import subprocess


class VerboseProcessError(subprocess.CalledProcessError):
    """A failed command, with what it printed."""

    def __str__(self) -> str:
        parts = [super().__str__()]
        for name in ('stdout', 'stderr'):
            text = getattr(self, name)
            if isinstance(text, bytes):
                text = text.decode(errors='replace')
            if text:
                parts.append(f'{name}:\n{text.rstrip()}')
        return '\n'.join(parts)
