"""SIGINT and SIGTERM: both end a command in good order, and the exit code says which it was."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

__all__ = ["Stop"]

T = TypeVar("T")


class Stop:
    """Turns a signal into the cancellation of a coroutine, or into KeyboardInterrupt where none is running.

    asyncio does that for SIGINT alone. A second signal interrupts whatever is going on.

    Attributes:
        signal: the first signal that came, None before.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._cancel: Callable[[], object] | None = None
        self._blocking = False

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as in a shell: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def terminated(self) -> bool:
        """Whether it was SIGTERM."""
        return self.signal == signal.SIGTERM

    @contextmanager
    def listening(self) -> Generator[None]:
        """Within this, signals come here. One that was ignored before, as under nohup, stays ignored.

        Does nothing outside of the main thread, where Python handles no signals.
        """
        here = threading.current_thread() is threading.main_thread()
        both = (signal.SIGINT, signal.SIGTERM) if here else ()
        wanted = [each for each in both if signal.getsignal(each) is not signal.SIG_IGN]
        before = {each: signal.signal(each, self._handle) for each in wanted}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def run(self, program: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, as asyncio.run does.

        Raises:
            KeyboardInterrupt: a signal came; the coroutine was cancelled and has ended.
        """

        async def cancellable() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None  # noqa: S101 - this is a coroutine
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            try:
                return await program
            finally:
                self._cancel = None

        try:
            return asyncio.run(cancellable())
        except asyncio.CancelledError:
            if self.signal is None:
                raise
            raise KeyboardInterrupt from None
        finally:
            program.close()  # a signal may have come before it began

    @contextmanager
    def blocking(self) -> Generator[None]:
        """Within this a coroutine may wait without giving way, as when a pipe is full; a signal ends that at once."""
        self._blocking = True
        try:
            yield
        finally:
            self._blocking = False

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        again = self.signal is not None
        self.signal = self.signal or number
        if self._cancel is None or self._blocking or again:
            raise KeyboardInterrupt
        self._cancel()
