"""The last hour, minute by minute, and the nodes that expired last."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["HISTORY_MINUTES", "MAX_EXPIRED", "MINUTE", "ExpiredNode", "History", "MinuteCounts"]

HISTORY_MINUTES: Final = 60
"""How many minutes are kept, the current one included."""

MINUTE: Final = 60.0
"""A minute in seconds."""

MAX_EXPIRED: Final = 50
"""How many expired nodes are kept."""


class ExpiredNode(NamedTuple):
    """A node that was not heard for too long. Times are those of the recorder's clock, in seconds.

    Attributes:
        identity: the node; foreign, and the hash of what is very long.
        component: its component, as in the series.
        version: the version it ran, as in the series.
        seen: when it was last heard, to the minute.
        expired: when it was given up.
    """

    identity: str
    component: str
    version: str
    seen: float
    expired: float


@dataclass(slots=True)
class MinuteCounts:
    """What happened in one minute.

    Attributes:
        startups: startup events.
        shutdowns: shutdown events.
        expiries: nodes that were given up.
        upgrades: upgraded events, and known nodes that turned up in another version.
    """

    startups: int = 0
    shutdowns: int = 0
    expiries: int = 0
    upgrades: int = 0


class History:
    """What happened lately. Times are those of the recorder's clock, in seconds.

    Attributes:
        expired: the nodes that expired last, the latest last.
    """

    __slots__ = ("_begin", "_minute", "_rows", "expired")

    def __init__(self, now: float) -> None:
        self._begin = now
        self._minute = 0
        self._rows = deque((MinuteCounts() for _ in range(HISTORY_MINUTES)), maxlen=HISTORY_MINUTES)
        self.expired: deque[ExpiredNode] = deque(maxlen=MAX_EXPIRED)

    def counts_at(self, now: float) -> MinuteCounts:
        """Return the row of a minute, to count in; for one that is not kept any more, one that nobody reads."""
        minute = int((now - self._begin) // MINUTE)
        if minute > self._minute:
            self._rows.extend(MinuteCounts() for _ in range(min(minute - self._minute, HISTORY_MINUTES)))
            self._minute = minute
        back = self._minute - minute
        return self._rows[-1 - back] if back < HISTORY_MINUTES else MinuteCounts()

    def last_hour(self, now: float) -> tuple[float, tuple[MinuteCounts, ...]]:
        """Return the start of the first of the last `HISTORY_MINUTES` minutes, and their counts, oldest first."""
        self.counts_at(now)
        return self._begin + (self._minute - HISTORY_MINUTES + 1) * MINUTE, tuple(self._rows)
