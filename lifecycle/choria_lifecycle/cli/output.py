"""The standard streams of the process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["abandon", "flush_or_abandon", "has_colors", "open_missing"]


def open_missing() -> None:
    """Open the null device in place of standard streams that the parent process has closed.

    Otherwise the next file or connection would get their descriptors, and output would be written to it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # This opens the lowest free descriptor, which is the closed one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def flush_or_abandon(stream: TextIO) -> None:
    """Flush a stream, or abandon it if that fails."""
    try:
        stream.flush()
    except OSError:
        abandon(stream)


def abandon(stream: TextIO) -> None:
    """Redirect a stream to the null device, so that the interpreter does not fail to flush it at exit."""
    with suppress(OSError):  # including a stream that is not a file, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def has_colors(choice: str) -> bool:
    """Return True for `always`, and for `auto` on a terminal unless NO_COLOR or TERM=dumb is set."""
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"
