"""Clocks that keep running while the machine is suspended, and times as text."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final, Protocol

__all__ = ["Clock", "SystemClock", "format_time", "steady"]

# Linux has another clock for that than `time.monotonic`, which stands still while the machine is suspended.
_STEADY_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Timers stand still while the machine is suspended; what came due meanwhile is noticed this much later.
_MAX_SLEEP: Final = 60.0


def steady() -> float:
    """The time in seconds, by a clock that nobody sets and that goes on while the machine is suspended.

    It does not see that a virtual machine was stopped from outside.
    """
    return time.clock_gettime(_STEADY_CLOCK)


def format_time(seconds: float) -> str:
    """Return a Unix time as text for people, for example `2026-11-30 08:15 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


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
        return steady()

    async def sleep_until(self, time: float) -> None:
        while (remaining := time - self.now()) > 0:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(min(remaining, _MAX_SLEEP))
        await asyncio.sleep(0)
