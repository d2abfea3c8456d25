"""Durations as text, for help and messages that state a constant."""

from __future__ import annotations

from typing import Final

__all__ = ["compact", "minutes"]

_UNITS: Final = (("h", 3600.0), ("m", 60.0), ("s", 1.0))


def minutes(seconds: float) -> str:
    """Return a duration in words.

    >>> minutes(90.0)
    '1.5 minutes'
    """
    return f"{seconds / 60:g} minutes"


def compact(seconds: float) -> str:
    """Return a duration as options write it, in the largest unit that leaves no fraction.

    >>> compact(4800.0), compact(7200.0), compact(0.5)
    ('80m', '2h', '0.5s')
    """
    unit, size = next((each for each in _UNITS if not seconds % each[1]), _UNITS[-1])
    return f"{seconds / size:g}{unit}"
