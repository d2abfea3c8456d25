"""The terminal that a process was started on, and who of its process groups has it."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["Terminal"]


class Terminal:
    """The controlling terminal. Where there is none, or it has hung up, nobody has it and nobody gets it.

    The caller holds back SIGTTOU, which would stop whoever gives a terminal away that it does not have.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        with suppress(OSError):
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return self._descriptor is not None

    def holder(self) -> int | None:
        """The process group in its foreground, which reads from it and gets Ctrl-C."""
        if self._descriptor is not None:
            with suppress(OSError):
                return os.tcgetpgrp(self._descriptor)
        return None

    def move(self, old: int, new: int) -> None:
        """Make one process group the foreground group if another one is; else nothing.

        Args:
            old: the group that may be.
            new: the group that is to be.
        """
        if self._descriptor is not None and self.holder() == old:
            with suppress(OSError):
                os.tcsetpgrp(self._descriptor, new)
