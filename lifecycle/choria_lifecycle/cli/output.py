"""The standard streams of the process, whatever is at their other ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["abandon", "has_colors", "open_missing", "try_flush"]


def open_missing() -> None:
    """Open the null device in place of standard streams that whoever started this process has closed.

    Otherwise the next file or connection would be opened in their place, and written to.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def try_flush(stream: TextIO) -> OSError | None:
    """Write what is buffered, and return what went wrong; then it goes nowhere."""
    try:
        stream.flush()
    except OSError as error:
        abandon(stream)
        return error
    return None


def abandon(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: the interpreter would try to write it when it ends."""
    with suppress(OSError):  # also if it is no file, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def has_colors(choice: str) -> bool:
    """Whether to write in colours: `always`, `never`, or `auto`, on terminals unless NO_COLOR or TERM=dumb is set."""
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"
