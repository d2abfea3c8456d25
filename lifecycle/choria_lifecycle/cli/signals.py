"""SIGINT, SIGTERM and SIGHUP: they end a command in good order, and the exit code says which it was."""

from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

__all__ = ["Signals"]

_T = TypeVar("_T")

# Windows has no SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signals:
    """Turns a signal into the cancellation of a coroutine, or into KeyboardInterrupt where none is running.

    asyncio does that for SIGINT alone. A second signal interrupts whatever is going on.

    Attributes:
        signal: the first signal that came, None before.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._cancel: Callable[[], object] | None = None
        self._deferring = self._pending = False
        self._wakeup_fd: int | None = None

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as in a shell: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def terminated(self) -> bool:
        """Whether it was SIGTERM, or SIGHUP: the terminal is gone."""
        return self.signal is not None and self.signal != signal.SIGINT

    @contextmanager
    def handling(self) -> Generator[None]:
        """Within this, signals come here. One that was ignored before, as under nohup, stays ignored.

        Does nothing outside of the main thread, where Python handles no signals.
        """
        here = threading.current_thread() is threading.main_thread()
        wanted = [each for each in _SIGNALS if here and signal.getsignal(each) is not signal.SIG_IGN]
        with self._wakeup_pipe() if wanted else nullcontext():
            before = {each: signal.signal(each, self._handle) for each in wanted}
            try:
                yield
            finally:
                for each, handler in before.items():
                    signal.signal(each, handler)

    @contextmanager
    def _wakeup_pipe(self) -> Generator[None]:
        """Within this, a signal can be read from a pipe.

        A signal that comes just before a system call that waits does not interrupt it, and its handler would run only
        once the call has ended: whoever waits has to wait for the pipe as well. Windows would want a socket.
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
        """Return a stream in a form in which a signal interrupts waiting for more, as on a pipe or a terminal."""
        try:
            return io.BufferedReader(_InterruptibleReader(stream.fileno(), self._wait_readable), 65536)
        except OSError:  # no file, as in tests
            return stream

    def _wait_readable(self, descriptor: int) -> None:
        """Return once there is something to read; a signal that comes before interrupts."""
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
        """Within this, no signal interrupts; one that came raises KeyboardInterrupt afterwards.

        For what must happen as a whole, such as counting an event and showing it, and takes no time.
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
        """Run a coroutine to its end, as asyncio.run does.

        Raises:
            KeyboardInterrupt: a signal came; the coroutine was cancelled and has ended.
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
            program.close()  # a signal may have come before it began

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        again = self.signal is not None
        self.signal = self.signal or number
        if self._deferring:
            self._pending = True
        elif self._cancel is None or again:
            raise KeyboardInterrupt
        else:
            self._cancel()


class _InterruptibleReader(io.RawIOBase):
    """Reads a descriptor, after waiting for it in a way of the caller's; closing this leaves the descriptor open."""

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
