"""What tells a service's time; a test puts another one in its place."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from choria_lifecycle.support.clock import steady

__all__ = ["Clock", "SystemClock"]

# Timers stand still while the machine is suspended; what came due meanwhile is noticed this much later.
_TURN: Final = 60.0


class Clock(Protocol):
    """A time that only goes on. `choria_lifecycle.testing.FakeClock` is one that a test moves."""

    def now(self) -> float:
        """The time in seconds, from any beginning."""
        ...

    async def sleep_until(self, time: float) -> None:
        """Return once it is that time."""


class SystemClock:
    """The machine's own clock, which goes on while the machine is suspended."""

    def now(self) -> float:
        """See `Clock.now`."""
        return steady()

    async def sleep_until(self, time: float) -> None:
        """See `Clock.sleep_until`."""
        while (remaining := time - self.now()) > 0:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(min(remaining, _TURN))
        await asyncio.sleep(0)
