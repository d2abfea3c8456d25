"""The machine's clock."""

from __future__ import annotations

from itertools import pairwise

from choria_lifecycle.support.clock import SystemClock, steady


async def test_system_clock() -> None:
    clock = SystemClock()
    now = clock.now()
    assert 0 <= steady() - now < 1
    await clock.sleep_until(now - 5)
    await clock.sleep_until(now + 0.02)
    assert clock.now() >= now + 0.02


def test_the_steady_clock_never_goes_back() -> None:
    times = [steady() for _ in range(1000)]
    assert all(before <= after for before, after in pairwise(times))
