"""How often, and for how long, in an election: all of it follows from how long the bucket keeps a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from choria_lifecycle.errors import ConfigError

__all__ = ["MAX_WAIT_SECONDS", "RENEWAL_SECONDS", "STAND_DOWN_SECONDS", "Timing"]

MAX_WAIT_SECONDS: Final = 5.0
"""The longest of all waits but those for a key to expire."""

RENEWAL_SECONDS: Final = 0.25
"""From one write of the leader to the next.

Go's tally renews each 0.25 to 0.75 s, and leads 0.2 s after its first renewal: who renews each 0.25 s has noticed an
eviction 0.2 s before a candidate of Go's leads.
"""

STAND_DOWN_SECONDS: Final = 0.2
"""As in Go: from the renewal that confirms a win to leading, for the leader before to stand down."""

# What go-choria takes for a TTL, and what its command line warns of.
_MIN_TTL: Final = 1.0
_MAX_TTL: Final = 3600.0
_USUAL_TTL: Final = (5.0, 60.0)

# Of the TTL: how much earlier than the server a leader counts its time as over, should one clock run faster.
_MARGIN_SHARE: Final = 0.05
# Of the TTL: a renewal waits for its answer no longer, so that after two without an answer there is time for a third.
_WRITE_TIMEOUT_SHARE: Final = 0.2
# Of the TTL, and in seconds: as long as Go's tally takes at most to its next renewal, so that it has noticed an
# eviction before whoever took the key leads.
_CONFIRMATION_SHARE: Final = 0.25
_MAX_CONFIRMATION_SECONDS: Final = 0.75
# Go waits for 0.75 of the TTL: of a minute, that is up to 45 s more without a leader.
_INTERVAL_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Timing:
    """What is to be kept to; all in seconds.

    Attributes:
        ttl: for how long the bucket keeps a key after it was written.

    Raises:
        ConfigError: an election cannot be held with this TTL; it is to be 1 s to 1 h.
    """

    ttl: float

    def __post_init__(self) -> None:
        if not _MIN_TTL <= self.ttl <= _MAX_TTL:
            found = f"for {self.ttl:g} s" if self.ttl else "for ever"
            raise ConfigError(
                f"the bucket keeps keys {found}, an election needs 1 s to 1 h: "
                "set plugin.choria.network.stream.leader_election_ttl of the brokers, such as to 1m"
            )

    @property
    def usual(self) -> bool:
        """Whether Choria does not warn of the TTL."""
        return _USUAL_TTL[0] <= self.ttl <= _USUAL_TTL[1]

    @property
    def lease(self) -> float:
        """From when a write was sent to when its time is over."""
        return self.ttl * (1 - _MARGIN_SHARE)

    @property
    def confirmation(self) -> float:
        """From the write that took the key to the one that confirms it."""
        return min(self.ttl * _CONFIRMATION_SHARE, _MAX_CONFIRMATION_SECONDS)

    @property
    def write_timeout(self) -> float:
        """The most to wait for the answer to a write."""
        return min(self.ttl * _WRITE_TIMEOUT_SHARE, MAX_WAIT_SECONDS)

    @property
    def interval(self) -> float:
        """From one campaign of a candidate to the next."""
        return min(self.ttl * _INTERVAL_SHARE, MAX_WAIT_SECONDS)
