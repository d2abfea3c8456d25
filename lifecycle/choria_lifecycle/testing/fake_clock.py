"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FakeClock"]

# Iterations of an event loop for a woken service to queue and publish an event; in memory that takes about ten.
_TURNS: Final = 25
# Seconds for an event loop to run them; a stopped loop never does.
_WAKE_TIMEOUT: Final = 5.0


class _Sleeper(NamedTuple):
    time: float
    woken: asyncio.Future[None]


class FakeClock:
    """A `choria_lifecycle.support.clock.Clock` that a test advances, as in `Service(..., clock=clock)`.

    It starts at 0. Services in any thread may share it, but only one thread at a time may advance it.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[_Sleeper] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the number of seconds by which it was advanced so far."""
        return self._now

    async def sleep_until(self, time: float) -> None:
        """Wait until the clock is advanced to this time."""
        sleeper = _Sleeper(time, asyncio.get_running_loop().create_future())
        with self._lock:
            awake = time <= self._now
            if not awake:
                self._sleepers.append(sleeper)
        if awake:
            await asyncio.sleep(0)
            return
        try:
            await sleeper.woken
        finally:
            with self._lock:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Advance the clock, waking each sleeper at its own time, and wait until the services have reacted.

        Services that `announcing` or a `MemoryMiddleware` keeps in memory have then published their events, unless more
        than a dozen others were queued; over a network, the events may still be in flight. This blocks the event loop
        of an asynchronous test; for a service that runs in that loop, use `advance_async`.

        Args:
            seconds: the time to advance by, 0 or more.

        Raises:
            ValueError: `seconds` is negative.
            RuntimeError: a service sleeps in the current event loop, which this would block.
            TimeoutError: the event loop of a sleeping service did not run for 5 seconds.
        """
        here = _running_loop()
        with self._lock:
            blocked = any(sleeper.woken.get_loop() is here for sleeper in self._sleepers)
        if blocked:
            raise RuntimeError("a service sleeps in the current event loop: use await clock.advance_async(...)")
        for loop, due in self._steps(seconds):
            asyncio.run_coroutine_threadsafe(_wake(due), loop).result(_WAKE_TIMEOUT)

    async def advance_async(self, seconds: float) -> None:
        """Do the same as `advance` without blocking the event loop.

        Args:
            seconds: the time to advance by, 0 or more.

        Raises:
            ValueError: `seconds` is negative.
            TimeoutError: another event loop, of a sleeping service, did not run for 5 seconds.
        """
        here = asyncio.get_running_loop()
        for loop, due in self._steps(seconds):
            if loop is here:
                await _wake(due)
            else:
                async with asyncio.timeout(_WAKE_TIMEOUT):
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_wake(due), loop))

    def _steps(self, seconds: float) -> Iterator[tuple[asyncio.AbstractEventLoop, list[_Sleeper]]]:
        """Advance from one wake-up time to the next, and yield the sleepers of each event loop that are due."""
        if not seconds >= 0:
            raise ValueError(f"a clock cannot go back: advance by 0 seconds or more, not by {seconds:g}")
        end = self._now + seconds
        while True:
            by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Sleeper]] = defaultdict(list)
            with self._lock:
                self._now = max(self._now, min([end, *(sleeper.time for sleeper in self._sleepers)]))
                due = [sleeper for sleeper in self._sleepers if sleeper.time <= self._now]
                self._sleepers = [sleeper for sleeper in self._sleepers if sleeper.time > self._now]
            if not due:
                return
            for sleeper in due:
                by_loop[sleeper.woken.get_loop()].append(sleeper)
            yield from by_loop.items()


async def _wake(sleepers: list[_Sleeper]) -> None:
    for sleeper in sleepers:
        if not sleeper.woken.done():
            sleeper.woken.set_result(None)
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
