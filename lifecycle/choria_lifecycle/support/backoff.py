"""Pauses between attempts that grow while attempts fail."""

from __future__ import annotations

__all__ = ["Backoff"]


class Backoff:
    """Pauses in seconds, each twice the one before.

    Args:
        shortest: the first pause.
        longest: the pause that is never exceeded.

    >>> backoff = Backoff(1.0, 3.0)
    >>> [backoff.next(), backoff.next(), backoff.next()]
    [1.0, 2.0, 3.0]
    """

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._pause = shortest

    def next(self) -> float:
        """Return the pause before the next attempt."""
        pause, self._pause = self._pause, min(self._longest, 2 * self._pause)
        return pause

    def reset(self) -> None:
        """Start over after a success."""
        self._pause = self._shortest
