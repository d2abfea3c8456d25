"""Standard output, a line at a time, whatever is at its other end."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from choria_lifecycle.cli.stop import Stop

__all__ = ["Output", "abandon", "has_colors", "reader_watched"]


class Output:
    """Lines on standard output.

    Args:
        stop: what signals do; a reader that has stopped reading must not keep them waiting.
        live: write each line at once, because the next one may be long in coming.
        encoding: what the lines are written in; by default what the terminal or the environment asks for.
    """

    def __init__(self, stop: Stop, *, live: bool, encoding: str | None = None) -> None:
        self._stop = stop
        self._live = live
        self._encoding = encoding or sys.stdout.encoding
        self._stream = sys.stdout.buffer

    def line(self, text: str) -> None:
        """Write a line; what the encoding does not have is written as an escape.

        Raises:
            BrokenPipeError: nobody reads any more.
            KeyboardInterrupt: a signal came while the reader did not read.
        """
        data = f"{text}\n".encode(self._encoding, "backslashreplace")
        try:
            with self._stop.blocking():
                self._stream.write(data)
                if self._live:
                    self._stream.flush()
        except KeyboardInterrupt:
            abandon()
            raise


def abandon() -> None:
    """Let what is still buffered go nowhere: the interpreter would try to write it when it ends."""
    with suppress(OSError):  # also if standard output is no file, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def has_colors(choice: str) -> bool:
    """Whether to write in colours: `always`, `never`, or `auto`, on terminals unless NO_COLOR or TERM=dumb is set."""
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"


@contextmanager
def reader_watched() -> Generator[None]:
    """Within this, end the task as soon as nobody reads standard output, instead of at the next line.

    Raises:
        BrokenPipeError: that has happened.
    """
    descriptor = _pipe()
    if descriptor is None:
        yield
        return
    task, loop, closed = asyncio.current_task(), asyncio.get_running_loop(), False
    assert task is not None  # noqa: S101 - this is a coroutine

    def end() -> None:
        nonlocal closed
        closed = True
        loop.remove_reader(descriptor)
        task.cancel()

    loop.add_reader(descriptor, end)
    try:
        yield
    except asyncio.CancelledError:
        if not closed:
            raise
        task.uncancel()
        raise BrokenPipeError from None
    finally:
        loop.remove_reader(descriptor)


def _pipe() -> int | None:
    """The descriptor of standard output if it is a pipe that can be watched."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        descriptor = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return descriptor
    return None
