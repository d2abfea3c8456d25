"""Exponential backoff between attempts."""

from __future__ import annotations

__all__ = ["Backoff"]


class Backoff:
    """Pauses in seconds that double up to a maximum.

    Args:
        initial: the first pause.
        maximum: the longest pause.

    >>> backoff = Backoff(1.0, 3.0)
    >>> [backoff.next(), backoff.next(), backoff.next()]
    [1.0, 2.0, 3.0]
    """

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial = initial
        self._maximum = maximum
        self._pause = initial

    def next(self) -> float:
        """Return the pause before the next attempt."""
        pause, self._pause = self._pause, min(self._maximum, 2 * self._pause)
        return pause

    def reset(self) -> None:
        """Start over with the initial pause, after a success."""
        self._pause = self._initial
