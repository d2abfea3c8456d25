"""The clock of a server, which times stored messages, relative to this machine's monotonic clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ServerClock"]

# A larger difference between two clocks, or between two measurements of one, is worth a warning.
_MAX_DIFFERENCE: Final = 60.0


class ServerClock:
    """A server's clock as an offset to a monotonic clock, so that no step of this machine's clock changes an age.

    Until it is measured, it counts as equal to this machine's clock at creation.

    Args:
        wall: returns this machine's time in seconds since the epoch.
        monotonic: the monotonic clock; by default `choria_lifecycle.support.clock.steady`.

    Attributes:
        steps: how often a measurement differed from the previous one by more than a minute.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = steady) -> None:
        self.steps: int = 0
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._measured = False
        # How far the server's clock is ahead of this machine's, as last logged.
        self._logged_skew = 0.0

    def measured(self, offset: float) -> None:
        """Take a measurement, and warn once about each difference.

        Args:
            offset: the server's time in seconds since the epoch, minus that of `steady` at the same moment.
        """
        step, self._offset = offset - self._offset, offset
        skew = self._monotonic() + offset - self._wall()
        if self._measured and abs(step) > _MAX_DIFFERENCE:
            self.steps += 1
            self._logged_skew = skew if abs(skew) > _MAX_DIFFERENCE else 0.0
            logger.warning(
                "the clock of the server was set %s by %.0f s, or this machine was paused; it now %s",
                "forward" if step > 0 else "back",
                abs(step),
                _describe(skew),
            )
        elif abs(skew - self._logged_skew) > _MAX_DIFFERENCE:
            if abs(skew) > _MAX_DIFFERENCE:
                self._logged_skew = skew
                logger.warning(
                    "the clock of the server %s: stored messages have its times; correct the clocks", _describe(skew)
                )
            else:
                self._logged_skew = 0.0
                logger.info("the clock of the server %s again", _describe(skew))
        self._measured = True

    def to_monotonic(self, time: float) -> float:
        """Return a time of the server, in seconds since the epoch, on the monotonic clock; never in the future."""
        return min(time - self._offset, self._monotonic())

    def to_server(self, monotonic: float) -> float:
        """Return a time of the monotonic clock by the server's clock, in seconds since the epoch."""
        return monotonic + self._offset


def _describe(skew: float) -> str:
    if abs(skew) <= _MAX_DIFFERENCE:
        return "agrees with this machine's"
    return f"is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
