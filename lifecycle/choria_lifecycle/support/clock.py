"""Clocks that keep running while the machine is suspended, and the formatting of times."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final, Protocol

__all__ = ["Clock", "SystemClock", "format_time", "steady"]

# On Linux `time.monotonic` stops while the machine is suspended; this clock does not.
_STEADY_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Timers stop while the machine is suspended; a time that has passed is noticed at most this late, in seconds.
_MAX_SLEEP: Final = 60.0


def steady() -> float:
    """Return the seconds of a monotonic clock that keeps running while the machine is suspended.

    It stops while the hypervisor pauses a virtual machine.
    """
    return time.clock_gettime(_STEADY_CLOCK)


def format_time(seconds: float) -> str:
    """Return a Unix time as text, for example `2026-11-30 08:15 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


class Clock(Protocol):
    """A monotonic clock; tests use `choria_lifecycle.testing.FakeClock`."""

    def now(self) -> float:
        """Return the time in seconds since an arbitrary start."""
        ...

    async def sleep_until(self, time: float) -> None:
        """Wait until the clock reaches a time."""


class SystemClock:
    """The machine's monotonic clock, which keeps running while the machine is suspended."""

    def now(self) -> float:
        return steady()

    async def sleep_until(self, time: float) -> None:
        while (remaining := time - self.now()) > 0:  # noqa: ASYNC110 - a timer alone misses a suspend
            await asyncio.sleep(min(remaining, _MAX_SLEEP))
        await asyncio.sleep(0)
