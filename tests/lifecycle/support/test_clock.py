"""The machine's clock."""

from __future__ import annotations

import time

from choria_lifecycle.support.clock import SystemClock


async def test_system_clock() -> None:
    clock = SystemClock()
    now = clock.now()
    assert abs(now - time.monotonic()) < 1
    await clock.sleep_until(now - 5)
    await clock.sleep_until(now + 0.02)
    assert clock.now() >= now + 0.02
