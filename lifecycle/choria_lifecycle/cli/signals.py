"""Handling of SIGINT, SIGTERM and SIGHUP, which end a command cleanly with an exit code of their own."""

from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import sys
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextlib import AbstractContextManager
    from types import FrameType

__all__ = ["Signals", "open_input"]

_T = TypeVar("_T")

# Windows has no SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signals:
    """Signal handlers that cancel the running coroutine, or raise KeyboardInterrupt if there is none.

    asyncio does this for SIGINT only. A second signal always raises KeyboardInterrupt.

    Attributes:
        signal: the first signal received, None before.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._cancel: Callable[[], object] | None = None
        self._deferring = self._pending = False
        self._wakeup_fd: int | None = None

    @property
    def exit_code(self) -> int:
        """128 plus the number of the signal, as in a shell: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def terminated(self) -> bool:
        """True after SIGTERM, or SIGHUP (the terminal is gone)."""
        return self.signal is not None and self.signal != signal.SIGINT

    @contextmanager
    def handling(self) -> Generator[None]:
        """Handle signals within the block. An ignored signal, as under nohup, stays ignored.

        Does nothing outside the main thread, where Python cannot set signal handlers.
        """
        is_main = threading.current_thread() is threading.main_thread()
        handled = [each for each in _SIGNALS if is_main and signal.getsignal(each) is not signal.SIG_IGN]
        with self._wakeup_pipe() if handled else nullcontext():
            before = {each: signal.signal(each, self._handle) for each in handled}
            try:
                yield
            finally:
                for each, handler in before.items():
                    signal.signal(each, handler)

    @contextmanager
    def _wakeup_pipe(self) -> Generator[None]:
        """Write signals to a pipe within the block.

        A signal just before a blocking system call does not interrupt the call, and its handler would run only after
        the call returns; so blocking calls wait for this pipe too. Not on Windows, which would need a socket.
        """
        if os.name == "nt":
            yield
            return
        self._wakeup_fd, write = os.pipe()
        os.set_blocking(self._wakeup_fd, False)
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(write)
            os.close(self._wakeup_fd)
            self._wakeup_fd = None

    def reader(self, stream: IO[bytes]) -> IO[bytes]:
        """Return a reader of a stream; signals interrupt its blocking reads, as from a pipe or a terminal."""
        try:
            return io.BufferedReader(_InterruptibleReader(stream.fileno(), self._wait_readable), 65536)
        except OSError:  # not a file, as in tests
            return stream

    def _wait_readable(self, descriptor: int) -> None:
        """Wait until a descriptor is readable; a signal interrupts."""
        while self._wakeup_fd is not None:
            if descriptor in select.select([descriptor, self._wakeup_fd], [], [])[0]:
                return
            self._drain_wakeups()

    def _drain_wakeups(self) -> None:
        with suppress(BlockingIOError):
            if self._wakeup_fd is not None:
                os.read(self._wakeup_fd, 512)

    @contextmanager
    def deferred(self) -> Generator[None]:
        """Defer signals within the block; KeyboardInterrupt is raised at its end.

        For short operations that must not be split, such as counting an event and showing it.
        """
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def run(self, program: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine, as asyncio.run does.

        Raises:
            KeyboardInterrupt: a signal was received; the coroutine was cancelled and has ended.
        """

        async def cancellable() -> _T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None  # noqa: S101 - this is a coroutine
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            wake = self._wakeup_fd
            if wake is not None:
                loop.add_reader(wake, self._drain_wakeups)
            try:
                return await program
            finally:
                self._cancel = None
                if wake is not None:
                    loop.remove_reader(wake)

        try:
            return asyncio.run(cancellable())
        except asyncio.CancelledError:
            if self.signal is None:
                raise
            raise KeyboardInterrupt from None
        finally:
            program.close()  # in case of a signal before it started

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        again = self.signal is not None
        self.signal = self.signal or number
        if self._deferring:
            self._pending = True
        elif self._cancel is None or again:
            raise KeyboardInterrupt
        else:
            self._cancel()


def open_input(name: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file to be read by `Signals.reader`; "-" is standard input.

    Does not wait for the writer of a named pipe, as a signal just before that call would not interrupt it; the reader
    waits instead. Only Linux can tell a pipe without a writer so far from one whose writer has closed it.
    """
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    file = open(name, "rb", opener=_open_at_once if sys.platform == "linux" else None)  # noqa: SIM115 - returned
    os.set_blocking(file.fileno(), True)
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


class _InterruptibleReader(io.RawIOBase):
    """A reader of a descriptor that waits with the given function; closing it leaves the descriptor open."""

    def __init__(self, descriptor: int, wait_for: Callable[[int], object]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._wait_for = wait_for

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait_for(self._descriptor)
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)
