"""A received message, and the counters of a subscription."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from choria_lifecycle.errors import LifecycleError

__all__ = ["Counters", "Delivery", "Gap", "StreamState"]


class Gap(NamedTuple):
    """An interval in which messages may have been missed.

    Attributes:
        begin: its begin, in seconds since the epoch. For people: a clock may be wrong, or be set.
        end: its end.
        reason: the reason, safe to show.
    """

    begin: float
    end: float
    reason: str

    def __str__(self) -> str:
        """Return its times in UTC, with dates unless both are today, and the reason."""
        times = [datetime.fromtimestamp(each, UTC) for each in (self.begin, self.end)]
        today = all(each.date() == datetime.now(UTC).date() for each in times)
        begin, end = (f"{each:{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}}" for each in times)
        return f"from {begin} to {end} UTC: {self.reason}"


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
        sequence: its sequence in the stream that it was read from; None for a message that arrived live, also if the
            stream has stored it.
    """

    subject: str
    data: bytes
    received: float
    event: object | None
    error: LifecycleError | None
    replayed: bool = False
    monotonic: float = math.nan
    sequence: int | None = None


class StreamState(NamedTuple):
    """The state of a stream that is read beside a live subscription.

    Attributes:
        name: its name; empty if it has none.
        fault: the reason why it cannot be read or stores nothing at present, safe to show; empty if it is well.
        last_stored: when it stored the last message that was read, on the clock of `Delivery.monotonic`; None before
            the first.
        only: whether it is the only source: the server refuses the live subscription, or the stream copies others, and
            nothing was received live.
        verified: False from a lost connection until everything was read that it stored in the meantime.
    """

    name: str
    fault: str
    last_stored: float | None
    only: bool
    verified: bool

    def __str__(self) -> str:
        """Return the stream in words, with its name if it has one."""
        return f"the stream {self.name}" if self.name else "the stream"


@dataclass(slots=True)
class Counters:
    """Message counts of one subscription.

    A message that comes both from a stream and live counts once. At any time received = delivered + rejected +
    filtered + dropped + queued, where queued is `Subscription.queued`.

    Attributes:
        received: messages that arrived.
        delivered: valid messages handed out.
        rejected: invalid messages. `events` skips them, `deliveries` hands them out with their error.
        filtered: messages skipped because their type or component was not selected.
        dropped: messages discarded because the program read too slowly; with a stream, only those that it has not
            stored either.
        gaps: intervals in which messages may have been missed, which appear in no other counter; see
            `Subscription.gaps`. Without a stream, each time that the connection was lost and restored. With one, only
            if the stream may not have stored, or no longer has, what was published while nothing arrived live.
        replayed: received messages that the stream had stored before the subscription began.
        unstored: received messages that the stream should have stored and has not within 10 seconds; they are among
            the others. Known 10 to 20 seconds later.
    """

    received: int = 0
    delivered: int = 0
    rejected: int = 0
    filtered: int = 0
    dropped: int = 0
    gaps: int = 0
    replayed: int = 0
    unstored: int = 0
