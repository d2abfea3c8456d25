"""A clock for what must end in time, also where the machine was suspended in between."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

__all__ = ["format_time", "steady"]

# Linux has another clock for that than `time.monotonic`, which stands still while the machine is suspended.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """The time in seconds, by a clock that nobody sets and that goes on while the machine is suspended.

    It does not see that a virtual machine was stopped from outside.
    """
    return time.clock_gettime(_CLOCK)


def format_time(seconds: float) -> str:
    """Return a Unix time as text for people, for example `2026-11-30 08:15 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
