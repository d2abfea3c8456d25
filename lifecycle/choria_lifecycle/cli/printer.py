"""A printer that writes lines to standard output and standard error, and a status line, in a thread.

A slow reader blocks only that thread, not the event loop, which must answer the server, nor signal handling.
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
"""The time in seconds after which a command that must end stops waiting for a reader that accepts no output."""

# In seconds; signal handlers run between waits.
_POLL_INTERVAL: Final = 0.25

# The number of queued bytes at which callers must wait.
_MAX_QUEUED: Final = 256 * 1024

# Writes of up to this many bytes to a pipe are atomic, so it is known which lines have arrived. Windows does
# not define the limit.
_PIPE_BUF: Final[int] = getattr(select, "PIPE_BUF", 512)

# Represents the status line in the queue, whose lines are never empty.
_STATUS_MARKER: Final = b""
_ERASE: Final = b"\r\x1b[K"


class OutputStream:
    """Standard output or standard error.

    Attributes:
        encoding: the encoding of lines; initially that of the terminal or the environment.
        terminal: the stream is a terminal.
        lines_written: the number of lines written completely.
        failure: the error after which nothing more is written, or None.
        abandoned: its reader accepted no output in time; nothing more is written.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.encoding: str = stream.encoding or "utf-8"
        self.lines_written = 0
        self.failure: OSError | None = None
        self.abandoned = False
        self.terminal: Final = stream.isatty()
        self._stream = stream
        self._name = name
        try:
            self.descriptor: int | None = stream.fileno()
        except OSError:  # not a file, as in tests
            self.descriptor = None

    @property
    def closed(self) -> bool:
        """True once nothing more is written."""
        return self.abandoned or self.failure is not None

    def encode_line(self, text: str, *, fit: bool) -> bytes:
        """Encode a line; characters that the encoding lacks are escaped.

        Args:
            text: the line without its end.
            fit: wrap the line at the width of the terminal.
        """
        data = text.encode(self.encoding, "backslashreplace")
        if fit and self.terminal:
            data = wrap(data.decode(self.encoding), self.columns).encode(self.encoding)
        return data + b"\n"

    def encode_status(self, text: str) -> bytes:
        """Encode a line, truncated to one row of the terminal without its last column."""
        text = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return wrap(text, self.columns - 1).partition("\n")[0].encode(self.encoding)

    def write(self, data: memoryview) -> int:
        """Write the beginning of data, and return the number of bytes written.

        Raises:
            OSError: the data cannot be written; the error names the stream.
        """
        try:
            if self.descriptor is not None:
                # Bypass the stream's buffer: the interpreter would flush it at exit, and block.
                return os.write(self.descriptor, data[:_PIPE_BUF])
            buffer = self._stream.buffer
            buffer.write(data)
            buffer.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from error
        return len(data)

    def pipe_descriptor(self) -> int | None:
        """Return the descriptor if it is a pipe whose reader can be watched, else None."""
        if sys.platform != "win32" and self.descriptor is not None:
            with suppress(OSError):
                if stat.S_ISFIFO(os.fstat(self.descriptor).st_mode):
                    return self.descriptor
        return None

    @property
    def columns(self) -> int:
        """The width of the terminal; 80 if it is unknown or the stream is not a terminal."""
        with suppress(OSError):
            if self.descriptor is not None:
                return os.get_terminal_size(self.descriptor).columns or 80
        return 80


class Printer:
    """Writes lines to both streams, in the order of the calls.

    One thread may use it, except for `say`, which any thread may call. The thread that writes starts with the first
    line.

    Attributes:
        out: standard output.
        err: standard error, whose failures are ignored, as they cannot be reported.
        reader_timeout: the seconds to wait at the end for a reader that accepts no output; None waits indefinitely.
    """

    def __init__(self) -> None:
        self.out: Final = OutputStream(sys.stdout, "standard output")
        self.err: Final = OutputStream(sys.stderr, "standard error")
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
            BrokenPipeError: the reader has gone.
            OSError: standard output cannot be written, for example because the disk is full.
        """
        self.check()
        self._enqueue(self.out, self.out.encode_line(text, fit=fit))

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        self._enqueue(self.err, self.err.encode_line(text, fit=True))

    def status(self, text: str | None) -> None:
        """Show a status below all lines if standard error is a terminal that can erase it.

        The next line on a terminal, and the end, erase it. A new status replaces one that is still queued.

        Args:
            text: a line, safe to show, truncated to the width of the terminal; None erases the current status.
        """
        row = self.err.encode_status(text) if text and self._has_status else b""
        if row == self._status == b"":
            return
        with self._changed:
            self._status = row
            if not self._status_queued:
                self._enqueue(self.err, _STATUS_MARKER)
                self._status_queued = True  # last, so that `close` erases the status even if a signal interrupts this

    def check(self) -> None:
        """Raise the error of standard output as `line` does, if it has failed."""
        if self.out.failure is not None:
            raise self.out.failure

    async def wait_writable(self) -> None:
        """Wait until another line may be written, so that unread output does not accumulate here."""
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
        """Wait as `wait_writable` does, without an event loop."""
        if self._queued_bytes >= _MAX_QUEUED:
            with self._changed:
                self._wait_for(lambda: not self._is_backlogged(), None)

    def flush(self, timeout: float | None) -> None:
        """Wait until all lines are written; abandon streams that accept no output in time.

        Args:
            timeout: the seconds to wait for progress; None waits indefinitely.
        """
        while self._queue:
            with self._changed:
                before = self._writes
                progress = self._wait_for(lambda: not self._queue or self._writes != before, timeout)  # noqa: B023
                if not progress:
                    self._abandon(self._queue[0][0])

    def close(self, timeout: float | None) -> None:
        """Erase the status, flush as `flush` does, and end the thread."""
        self.status(None)
        self.flush(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            # With a timeout, because a signal may have left the lock acquired.
            self._thread.join(READER_TIMEOUT)

    @contextmanager
    def cancel_on_failure(self) -> Generator[None]:
        """Within this context, cancel the task as soon as standard output fails, not at the next line.

        Raises:
            BrokenPipeError: the reader has gone.
            OSError: standard output cannot be written.
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

    def _enqueue(self, stream: OutputStream, data: bytes) -> None:
        if stream.closed:
            return
        with self._changed:
            self._queue.append((stream, data))
            self._queued_bytes += len(data)
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        # A daemon, because it may be blocked in a write when the process ends.
        self._thread = Thread(target=self._write_loop, daemon=True, name="lifecycle-printer")
        self._thread.start()

    def _wait_for(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for a condition as `Condition.wait_for` does.

        A signal that arrives just before the wait does not interrupt it; polling lets its handler run.
        """
        while not self._changed.wait_for(condition, _POLL_INTERVAL if timeout is None else timeout):
            if timeout is not None:
                return False
        return True

    def _is_backlogged(self) -> bool:
        # Half the limit, so that the threads do not alternate for every line.
        return self._queued_bytes > _MAX_QUEUED // 2 and self.out.failure is None

    def _abandon(self, stream: OutputStream) -> None:
        """Discard the lines of a stream, and continue in a new thread, as the current one may be blocked."""
        stream.abandoned = True
        self._queue = deque(each for each in self._queue if each[0] is not stream)
        self._queued_bytes = sum(len(data) for _, data in self._queue)
        self._thread = None
        if self._queue:
            self._start()

    def _write_loop(self) -> None:
        stream: OutputStream | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue or (stream is not None and stream.abandoned):
                    return
                stream, lines, data = self._next_chunk()
                row = b""
                if not data:
                    row, self._status_queued = self._status, False
            if stream.terminal and (row or self._status_shown):
                self._status_shown = bool(row)
                self._write(self.err, _ERASE + row)
            arrived = self._write(stream, data)
            with self._changed:
                if stream.abandoned:
                    return
                stream.lines_written += lines if arrived and data else 0
                for _ in range(lines):
                    self._queued_bytes -= len(self._queue.popleft()[1])
                self._changed.notify_all()
                self._notify(self._on_writable)

    def _next_chunk(self) -> tuple[OutputStream, int, bytes]:
        """Return the stream, number and bytes of the next lines.

        These are as many lines as a pipe accepts atomically, one line if it is longer than that, or the status.
        """
        stream, data = self._queue[0]
        lines = [data]
        size = len(data)
        for number, (other, more) in enumerate(self._queue):
            if number:
                size += len(more)
                if other is not stream or not (data and more) or size > _PIPE_BUF:
                    break
                lines.append(more)
        return stream, len(lines), b"".join(lines)

    def _write(self, stream: OutputStream, data: bytes) -> bool:
        rest = memoryview(data)
        try:
            while rest and not stream.closed:
                rest = rest[stream.write(rest) :]
                with self._changed:
                    self._writes += 1
                    self._changed.notify_all()
        except OSError as error:
            stream.failure = error
            if stream is self.out:
                self._notify(self._on_failure)
        return not rest

    @staticmethod
    def _notify(callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the event loop may be closed
            callback()


def _do_nothing() -> None:
    """Ignore a notification."""
