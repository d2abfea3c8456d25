from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.testing import FakeClock
from choria_lifecycle.testing import fake_clock as module
from tests.bed.background import background

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.support.clock import Clock
    from tests.bed.background import Background


@pytest.fixture
def here() -> Iterator[Background]:
    """An event loop in another thread."""
    with background() as here:
        yield here


async def beat(clock: Clock, every: float, beats: list[float]) -> None:
    for number in range(1, 1000):
        await clock.sleep_until(number * every)
        beats.append(clock.now())


def test_advance_returns_once_another_thread_has_caught_up(here: Background) -> None:
    clock = FakeClock()
    fast: list[float] = []
    slow: list[float] = []
    here.start(beat(clock, 1, fast))
    here.start(beat(clock, 2.5, slow))
    for _ in range(50):
        before = len(fast)
        clock.advance(1)
        assert len(fast) == before + 1
    assert clock.now() == 50
    clock.advance(7.5)
    assert clock.now() == 57.5
    assert fast == [float(number) for number in range(1, 58)]
    assert slow == [number * 2.5 for number in range(1, 24)]


async def test_advance_async_waits_for_this_loop_and_others(here: Background) -> None:
    clock = FakeClock()
    ours: list[float] = []
    others: list[float] = []
    task = asyncio.create_task(beat(clock, 2, ours))
    here.start(beat(clock, 3, others))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match=r"use await clock\.advance_async"):
        clock.advance(100)
    assert clock.now() == 0
    await clock.advance_async(7)
    assert (ours, others, clock.now()) == ([2, 4, 6], [3, 6], 7)
    task.cancel()
    await asyncio.wait({task})
    clock.advance(5)  # no task sleeps in this loop now
    assert others == [3, 6, 9, 12]


async def test_a_clock_never_goes_back() -> None:
    clock = FakeClock()
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="a clock cannot go back"):
            clock.advance(seconds)
        with pytest.raises(ValueError, match="a clock cannot go back"):
            await clock.advance_async(seconds)
    clock.advance(0)
    await clock.sleep_until(-5)
    await clock.sleep_until(0)


async def test_a_cancelled_sleeper_is_not_waited_for() -> None:
    clock = FakeClock()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await clock.sleep_until(5)
    clock.advance(10)
    assert clock._sleepers == []


def test_waiting_for_a_blocked_loop_times_out(here: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAKE_TIMEOUT", 0.05)
    clock, go_on = FakeClock(), threading.Event()
    for every in (1, 2):
        here.start(beat(clock, every, []))

    async def block() -> None:
        go_on.wait(10)

    blocked = asyncio.run_coroutine_threadsafe(block(), here._loop)
    try:
        with pytest.raises(TimeoutError):
            clock.advance(1)
        with pytest.raises(TimeoutError):
            asyncio.run(clock.advance_async(1))
    finally:
        go_on.set()
        blocked.result(5)
