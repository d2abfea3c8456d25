"""What is received: a message with what it says, and what became of all messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from choria_lifecycle.errors import LifecycleError

__all__ = ["Counters", "Delivery"]


class Delivery(NamedTuple):
    """One received message.

    Attributes:
        subject: the subject it came on. Foreign: clean it before showing it.
        data: the bytes as they came.
        received: when it arrived here, in seconds since the epoch (`time.time`); out of a stream, when that stored it.
        event: what the bytes say: a lifecycle event, or another registered contract such as a machine event; None where
            they are not valid.
        error: the InvalidEvent or UnknownProtocol that says why there is no event, else None.
        replayed: whether it was in the stream before the subscription began; False without a stream.
    """

    subject: str
    data: bytes
    received: float
    event: object | None
    error: LifecycleError | None
    replayed: bool = False


@dataclass(slots=True)
class Counters:
    """What became of the messages of one subscription.

    At any time received = delivered + rejected + filtered + dropped + queued, where queued is `Subscription.queued`.

    Attributes:
        received: messages that arrived.
        delivered: valid ones handed out.
        rejected: invalid ones. `events` keeps them back, `deliveries` hands them out with their error.
        filtered: ones kept back because another type or component was asked for.
        dropped: ones thrown away because the program read too slowly.
        gaps: how often the connection was lost and came back; what was published in between was missed, and is in no
            other counter. Out of a stream nothing is missed that way: there it is how often the stream was replaced, or
            let go of messages before they were read.
        replayed: of the received ones, those that were in the stream before the subscription began.
    """

    received: int = 0
    delivered: int = 0
    rejected: int = 0
    filtered: int = 0
    dropped: int = 0
    gaps: int = 0
    replayed: int = 0
