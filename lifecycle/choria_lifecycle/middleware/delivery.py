"""A received message, and the counters of a subscription."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from choria_lifecycle.errors import LifecycleError

__all__ = ["Counters", "Delivery"]


class Delivery(NamedTuple):
    """One received message.

    Attributes:
        subject: the subject it was published on. Untrusted: escape it before showing it.
        data: the payload.
        received: when it arrived, in seconds since the epoch (`time.time`); for a replay, when the stream stored it, by
            the server's clock. For people: a clock may be wrong, or set between two deliveries.
        event: the decoded payload: a lifecycle event, or another registered contract such as a machine event; None if
            it is invalid.
        error: the InvalidEvent or UnknownProtocol that explains why `event` is None, else None.
        replayed: whether the stream had stored it before the subscription began; False without a stream.
        monotonic: the same time as `received` on the clock `choria_lifecycle.support.clock.steady`, whose differences
            are durations whatever happens to the clocks of machine and server; NaN if unknown, as for a recording.
    """

    subject: str
    data: bytes
    received: float
    event: object | None
    error: LifecycleError | None
    replayed: bool = False
    monotonic: float = math.nan


@dataclass(slots=True)
class Counters:
    """Message counts of one subscription.

    At any time received = delivered + rejected + filtered + dropped + queued, where queued is `Subscription.queued`.

    Attributes:
        received: messages that arrived.
        delivered: valid messages handed out.
        rejected: invalid messages. `events` skips them, `deliveries` hands them out with their error.
        filtered: messages skipped because their type or component was not selected.
        dropped: messages discarded because the program read too slowly.
        gaps: how often the connection was lost and restored; messages published in between were missed and appear in no
            other counter. A replay does not miss these: its gaps count how often the stream was replaced, or discarded
            messages before they were read.
        replayed: received messages that the stream had stored before the subscription began.
    """

    received: int = 0
    delivered: int = 0
    rejected: int = 0
    filtered: int = 0
    dropped: int = 0
    gaps: int = 0
    replayed: int = 0
