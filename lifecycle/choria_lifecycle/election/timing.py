"""Election timing, derived from the bucket's TTL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from choria_lifecycle.errors import ConfigError

__all__ = ["MAX_WAIT_SECONDS", "RENEWAL_SECONDS", "STAND_DOWN_SECONDS", "Timing"]

MAX_WAIT_SECONDS: Final = 5.0
"""The longest wait, except for a key to expire."""

RENEWAL_SECONDS: Final = 0.25
"""The interval between a leader's writes.

Go's tally renews every 0.25 to 0.75 s and leads 0.2 s after its first renewal. A leader that renews every 0.25 s
notices an eviction 0.2 s before a candidate written in Go leads.
"""

STAND_DOWN_SECONDS: Final = 0.2
"""The delay, as in Go, from the renewal that confirms a win to leading, in which the previous leader stands down."""

# The TTLs that go-choria accepts, and those its command line does not warn about.
_MIN_TTL: Final = 1.0
_MAX_TTL: Final = 3600.0
_USUAL_TTL: Final = (5.0, 60.0)

# Shares of the TTL. The margin ends a lease before the key expires, even if the server's clock runs faster.
_MARGIN_SHARE: Final = 0.05
# Leaves time for a third attempt after two renewals without a reply.
_WRITE_TIMEOUT_SHARE: Final = 0.2
# Up to Go's longest renewal interval, so that a leader in Go notices an eviction before the next one leads.
_CONFIRMATION_SHARE: Final = 0.25
_MAX_CONFIRMATION_SECONDS: Final = 0.75
# As in Go, but capped by MAX_WAIT_SECONDS: a TTL of a minute would mean up to 45 s more without a leader.
_INTERVAL_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Timing:
    """Election timing derived from the bucket's TTL, in seconds.

    Attributes:
        ttl: the time for which the bucket keeps a key after a write.

    Raises:
        ConfigError: the TTL is not between 1 s and 1 h.
    """

    ttl: float

    def __post_init__(self) -> None:
        if not _MIN_TTL <= self.ttl <= _MAX_TTL:
            found = f"for {self.ttl:g} s" if self.ttl else "forever"
            raise ConfigError(
                f"the bucket keeps keys {found}, an election needs 1 s to 1 h: "
                "set plugin.choria.network.stream.leader_election_ttl on the brokers, for example to 1m"
            )

    @property
    def usual(self) -> bool:
        """True if Choria does not warn about the TTL."""
        return _USUAL_TTL[0] <= self.ttl <= _USUAL_TTL[1]

    @property
    def lease(self) -> float:
        """The time for which a leader may lead after sending a write."""
        return self.ttl * (1 - _MARGIN_SHARE)

    @property
    def confirmation(self) -> float:
        """The delay from the write that takes the key to the one that confirms it."""
        return min(self.ttl * _CONFIRMATION_SHARE, _MAX_CONFIRMATION_SECONDS)

    @property
    def write_timeout(self) -> float:
        """The timeout of a write."""
        return min(self.ttl * _WRITE_TIMEOUT_SHARE, MAX_WAIT_SECONDS)

    @property
    def interval(self) -> float:
        """The interval between a candidate's campaigns."""
        return min(self.ttl * _INTERVAL_SHARE, MAX_WAIT_SECONDS)
