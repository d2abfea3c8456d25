"""The events of the last hour by minute, and the nodes that expired last."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["HISTORY_MINUTES", "MAX_EXPIRED", "MINUTE", "ExpiredNode", "History", "MinuteCounts"]

HISTORY_MINUTES: Final = 60
"""Minutes kept, including the current one."""

MINUTE: Final = 60.0
"""A minute in seconds."""

MAX_EXPIRED: Final = 50
"""Expired nodes kept."""


class ExpiredNode(NamedTuple):
    """A node that expired. Times are seconds on the recorder's clock.

    Attributes:
        identity: the node, as it named itself; shortened to a hash if very long.
        component: the value of its label.
        version: the value of its label.
        seen: when it was last seen, to the minute.
        expired: when it expired.
    """

    identity: str
    component: str
    version: str
    seen: float
    expired: float


@dataclass(slots=True)
class MinuteCounts:
    """Counts of one minute.

    Attributes:
        startups: startup events.
        shutdowns: shutdown events.
        expiries: nodes that expired.
        upgrades: upgraded events, and known nodes seen with another version.
    """

    startups: int = 0
    shutdowns: int = 0
    expiries: int = 0
    upgrades: int = 0


class History:
    """The last hour. Times are seconds on the recorder's clock.

    Attributes:
        expired: the last nodes to expire, oldest first.
    """

    __slots__ = ("_begin", "_minute", "_rows", "expired")

    def __init__(self, now: float) -> None:
        self._begin = now
        self._minute = 0
        self._rows = deque((MinuteCounts() for _ in range(HISTORY_MINUTES)), maxlen=HISTORY_MINUTES)
        self.expired: deque[ExpiredNode] = deque(maxlen=MAX_EXPIRED)

    def counts_at(self, now: float) -> MinuteCounts:
        """Return the counts of a minute, for incrementing; a throwaway object for a minute no longer kept."""
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
