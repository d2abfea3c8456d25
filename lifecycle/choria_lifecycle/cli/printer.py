"""Lines on standard output and standard error, and a status line below them, written by a thread.

Whoever does not read them holds up that thread, and neither the event loop, which has a server to answer, nor a signal.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections import deque
from contextlib import contextmanager, suppress
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final, TextIO

from choria_lifecycle.cli.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["READER_TIMEOUT", "OutputStream", "Printer"]

READER_TIMEOUT: Final = 1.0
"""How many seconds a reader may take nothing before it counts as gone, where a command has to end."""

# How often, in seconds, whoever waits for a reader looks up.
_POLL_INTERVAL: Final = 0.25

# How much may wait to be written before whoever writes is to wait.
_MAX_QUEUED: Final = 256 * 1024

# What a pipe takes as a whole or not at all, so that it is known which lines have arrived in it. Windows has no name
# for it, and other limits.
_PIPE_BUF: Final[int] = getattr(select, "PIPE_BUF", 512)

# Stands for the status line among the lines that wait, none of which is empty.
_STATUS_MARKER: Final = b""
_ERASE: Final = b"\r\x1b[K"


class OutputStream:
    """Standard output or standard error.

    Attributes:
        encoding: what lines are written in; at first what the terminal or the environment asks for.
        terminal: it is one.
        lines_written: how many lines it has taken as a whole.
        failure: why it takes no more, None while it does.
        abandoned: nobody waits for its reader any longer.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.encoding = stream.encoding or "utf-8"
        self.lines_written = 0
        self.failure: OSError | None = None
        self.abandoned = False
        self.terminal = stream.isatty()
        self._stream = stream
        self._name = name
        try:
            self.descriptor: int | None = stream.fileno()
        except OSError:  # no file, as in tests
            self.descriptor = None

    @property
    def closed(self) -> bool:
        """Whether nothing is written to it any more."""
        return self.abandoned or self.failure is not None

    def encode_line(self, text: str, *, fit: bool) -> bytes:
        """Return a line as it is written; what the encoding does not have becomes an escape.

        Args:
            text: the line without its end.
            fit: break it on a terminal that is not as wide.
        """
        data = text.encode(self.encoding, "backslashreplace")
        if fit and self.terminal:
            data = wrap(data.decode(self.encoding), self.columns).encode(self.encoding)
        return data + b"\n"

    def encode_status(self, text: str) -> bytes:
        """Return what fits of a line into one row of the terminal, without the last column, as it is written."""
        text = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return wrap(text, self.columns - 1).partition("\n")[0].encode(self.encoding)

    def write(self, data: memoryview) -> int:
        """Write the beginning of some bytes, and return how many they were.

        Raises:
            OSError: it takes no more; the error names the channel.
        """
        try:
            if self.descriptor is not None:
                # Past the stream, whose buffer the interpreter would write at its end, and wait.
                return os.write(self.descriptor, data[:_PIPE_BUF])
            buffer = self._stream.buffer
            buffer.write(data)
            buffer.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from error
        return len(data)

    def pipe_descriptor(self) -> int | None:
        """The descriptor, if it is a pipe whose reader can be watched."""
        if sys.platform != "win32" and self.descriptor is not None:
            with suppress(OSError):
                if stat.S_ISFIFO(os.fstat(self.descriptor).st_mode):
                    return self.descriptor
        return None

    @property
    def columns(self) -> int:
        """How wide the terminal is, 80 if it is none or does not tell."""
        with suppress(OSError):
            if self.descriptor is not None:
                return os.get_terminal_size(self.descriptor).columns or 80
        return 80


class Printer:
    """Writes lines to both channels, in the order in which they were given.

    It belongs to one thread, apart from its own, which is started with the first line; `say` is for any thread.

    Attributes:
        out: standard output.
        err: standard error. That it takes no more is no failure: there is nowhere to say so.
        reader_timeout: how many seconds to wait at the end for a reader that takes nothing; None for as long as it takes.
    """

    def __init__(self) -> None:
        self.out = OutputStream(sys.stdout, "standard output")
        self.err = OutputStream(sys.stderr, "standard error")
        self.reader_timeout: float | None = None
        self._changed = Condition()
        self._queue: deque[tuple[OutputStream, bytes]] = deque()
        self._queued_bytes = 0
        self._writes = 0
        self._has_status = self.err.terminal and os.environ.get("TERM") != "dumb"
        self._status = b""
        self._status_queued = False
        self._status_shown = False
        self._thread: Thread | None = None
        self._closing = False
        self._on_writable: Callable[[], object] = _do_nothing
        self._on_failure: Callable[[], object] = _do_nothing

    def line(self, text: str, *, fit: bool = True) -> None:
        """Write a line to standard output; see `OutputStream.encode_line`.

        Raises:
            BrokenPipeError: nobody reads any more.
            OSError: no more can be written, as on a disk that is full.
        """
        self.check()
        self._enqueue(self.out, self.out.encode_line(text, fit=fit))

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        self._enqueue(self.err, self.err.encode_line(text, fit=True))

    def status(self, text: str | None) -> None:
        """Show a text below everything that was written, if standard error is a terminal that can erase it again.

        It is gone with the next line that a terminal gets, and at the end. While one waits to be shown, the next one
        takes its place: they do not pile up.

        Args:
            text: a line, safe to show, cut where the terminal ends; None erases the one that is shown.
        """
        row = self.err.encode_status(text) if text and self._has_status else b""
        if row == self._status == b"":
            return
        with self._changed:
            self._status = row
            if not self._status_queued:
                self._enqueue(self.err, _STATUS_MARKER)
                self._status_queued = True  # last: a signal may interrupt this, and the end has to erase all the same

    def check(self) -> None:
        """Raise what `line` raises, if standard output has failed meanwhile."""
        if self.out.failure is not None:
            raise self.out.failure

    async def wait_writable(self) -> None:
        """Return once another line may be written: what is not read piles up where somebody counts it, not here."""
        if self._queued_bytes < _MAX_QUEUED:
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._on_writable = lambda: loop.call_soon_threadsafe(woken.set)
        try:
            while self._is_backlogged():
                await woken.wait()
                woken.clear()
        finally:
            self._on_writable = _do_nothing

    def wait_writable_blocking(self) -> None:
        """Do as `wait_writable` does, without an event loop."""
        if self._queued_bytes >= _MAX_QUEUED:
            with self._changed:
                self._wait_for(lambda: not self._is_backlogged(), None)

    def flush(self, timeout: float | None) -> None:
        """Return once all was written, or a channel that takes nothing has been forgotten.

        Args:
            reader_timeout: as the attribute.
        """
        while self._queue:
            with self._changed:
                before = self._writes
                moved = self._wait_for(lambda: not self._queue or self._writes != before, timeout)  # noqa: B023
                if not moved:
                    self._abandon(self._queue[0][0])

    def close(self, timeout: float | None) -> None:
        """Erase the status, drain, and end the thread."""
        self.status(None)
        self.flush(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            # Bounded: a signal that came in between may have left the lock taken, and the process has to end.
            self._thread.join(READER_TIMEOUT)

    @contextmanager
    def cancel_on_failure(self) -> Generator[None]:
        """Within this, end the task as soon as standard output fails, instead of at the next line.

        Raises:
            BrokenPipeError: nobody reads any more.
            OSError: as `line`.
        """
        descriptor = self.out.pipe_descriptor()
        task, loop, ended = asyncio.current_task(), asyncio.get_running_loop(), False
        assert task is not None  # noqa: S101 - this is a coroutine

        def unwatch() -> None:
            if descriptor is not None:
                loop.remove_reader(descriptor)

        def end() -> None:
            nonlocal ended
            unwatch()
            if not ended:
                ended = True
                task.cancel()

        if descriptor is not None:
            loop.add_reader(descriptor, end)
        self._on_failure = lambda: loop.call_soon_threadsafe(end)
        try:
            self.check()
            yield
        except asyncio.CancelledError:
            if not ended:
                raise
            task.uncancel()
            raise self.out.failure or BrokenPipeError from None
        finally:
            self._on_failure = _do_nothing
            unwatch()

    def _enqueue(self, channel: OutputStream, data: bytes) -> None:
        if channel.closed:
            return
        with self._changed:
            self._queue.append((channel, data))
            self._queued_bytes += len(data)
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        # It may be in the middle of a line for ever; the process ends without it.
        self._thread = Thread(target=self._write_loop, daemon=True, name="lifecycle-printer")
        self._thread.start()

    def _wait_for(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for a condition as `Condition.wait_for` does.

        A signal that comes just before the wait does not end it, and its handler has to get a turn all the same.
        """
        while not self._changed.wait_for(condition, _POLL_INTERVAL if timeout is None else timeout):
            if timeout is not None:
                return False
        return True

    def _is_backlogged(self) -> bool:
        # Half of it, so that the two threads do not take turns for every line.
        return self._queued_bytes > _MAX_QUEUED // 2 and self.out.failure is None

    def _abandon(self, channel: OutputStream) -> None:
        """Leave a channel that takes nothing, and the thread that is stuck with it, to themselves."""
        channel.abandoned = True
        self._queue = deque(each for each in self._queue if each[0] is not channel)
        self._queued_bytes = sum(len(data) for _, data in self._queue)
        self._thread = None
        if self._queue:
            self._start()

    def _write_loop(self) -> None:
        channel: OutputStream | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue or (channel is not None and channel.abandoned):
                    return
                channel, lines, data = self._next_chunk()
                row = b""
                if not data:
                    row, self._status_queued = self._status, False
            if channel.terminal and (row or self._status_shown):
                self._status_shown = bool(row)
                self._write(self.err, _ERASE + row)
            arrived = self._write(channel, data)
            with self._changed:
                if channel.abandoned:
                    return
                channel.lines_written += lines if arrived and data else 0
                for _ in range(lines):
                    self._queued_bytes -= len(self._queue.popleft()[1])
                self._changed.notify_all()
                self._notify(self._on_writable)

    def _next_chunk(self) -> tuple[OutputStream, int, bytes]:
        """The next lines that a pipe takes as a whole, or the next one if that is longer, or the status line."""
        channel, data = self._queue[0]
        lines = [data]
        size = len(data)
        for number, (other, more) in enumerate(self._queue):
            if number:
                size += len(more)
                if other is not channel or not (data and more) or size > _PIPE_BUF:
                    break
                lines.append(more)
        return channel, len(lines), b"".join(lines)

    def _write(self, channel: OutputStream, data: bytes) -> bool:
        rest = memoryview(data)
        try:
            while rest and not channel.closed:
                rest = rest[channel.write(rest) :]
                with self._changed:
                    self._writes += 1
                    self._changed.notify_all()
        except OSError as error:
            channel.failure = error
            if channel is self.out:
                self._notify(self._on_failure)
        return not rest

    @staticmethod
    def _notify(callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # its event loop has ended meanwhile
            callback()


def _do_nothing() -> None:
    """Nobody wants to know."""
