"""What tells a service's time; a test puts another one in its place."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """A time that only goes on. `choria_lifecycle.testing.FakeClock` is one that a test moves."""

    def now(self) -> float:
        """The time in seconds, from any beginning."""
        ...

    async def sleep_until(self, time: float) -> None:
        """Return once it is that time."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.monotonic()

    async def sleep_until(self, time: float) -> None:
        """See `Clock.sleep_until`."""
        await asyncio.sleep(max(0.0, time - self.now()))
