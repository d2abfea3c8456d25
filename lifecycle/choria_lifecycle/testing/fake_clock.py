"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FakeClock"]

# Whoever was woken says something, which another task then publishes: in memory that takes about ten turns of a loop.
_TURNS: Final = 25
# For an event loop to take these turns; one that is stopped never does.
_WAKE_TIMEOUT: Final = 5.0


class _Sleeper(NamedTuple):
    time: float
    woken: asyncio.Future[None]


class FakeClock:
    """A `choria_lifecycle.support.clock.Clock` for tests, shared by all threads: `Service(..., clock=clock)`.

    It begins at 0. One test moves it at a time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[_Sleeper] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """The seconds that it was moved by so far."""
        return self._now

    async def sleep_until(self, time: float) -> None:
        """Return once the test has moved the clock there."""
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
        """Move the clock, and return once what became due meanwhile has been done, each at its own time.

        In a service on the memory of `choria_lifecycle.testing` the events have been announced then, unless more than a
        dozen others were waiting; on a network they are on their way. Services that speak in a thread of their own do
        so while an asynchronous test waits here; for one with a middleware of the test's own event loop there is
        `advance_async`.

        Args:
            seconds: by how much.

        Raises:
            ValueError: seconds is negative.
            RuntimeError: somebody sleeps in the event loop that runs here, which this would block.
            TimeoutError: an event loop in which somebody is to be woken does nothing for 5 seconds.
        """
        here = _running_loop()
        with self._lock:
            blocked = any(sleeper.woken.get_loop() is here for sleeper in self._sleepers)
        if blocked:
            raise RuntimeError("a service sleeps in this event loop: write await clock.advance_async(...)")
        for loop, due in self._steps(seconds):
            asyncio.run_coroutine_threadsafe(_wake(due), loop).result(_WAKE_TIMEOUT)

    async def advance_async(self, seconds: float) -> None:
        """Move the clock likewise, while the event loop goes on.

        Args:
            seconds: by how much.

        Raises:
            ValueError: seconds is negative.
            TimeoutError: another event loop in which somebody is to be woken does nothing for 5 seconds.
        """
        here = asyncio.get_running_loop()
        for loop, due in self._steps(seconds):
            if loop is here:
                await _wake(due)
            else:
                async with asyncio.timeout(_WAKE_TIMEOUT):
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_wake(due), loop))

    def _steps(self, seconds: float) -> Iterator[tuple[asyncio.AbstractEventLoop, list[_Sleeper]]]:
        """Go from one moment at which somebody is due to the next."""
        if not seconds >= 0:
            raise ValueError(f"a clock only goes on: advance by 0 seconds or more, not by {seconds:g}")
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
