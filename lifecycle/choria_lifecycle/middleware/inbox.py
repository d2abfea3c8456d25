"""The queue of a subscription, and the receivers that fill it: live, or live and from a stream."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.middleware.delivery import Counters, Gap
from choria_lifecycle.middleware.merge import Interval, Merge
from choria_lifecycle.middleware.server_clock import ServerClock
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.errors import LifecycleError

__all__ = ["Inbox", "LiveSink", "StreamSink"]

_MAX_GAPS: Final = 100


class Inbox:
    """The queue of a subscription.

    Attributes:
        counters: the message counts.
        gaps: the last intervals in which messages may have been missed.
        unbroken_since: the end of the last interval in which a message was or may have been missed, by `steady`; at
            first the begin of the subscription, None until then.
        waiting: the queued messages: subject, data, and the times of receipt and the sequence as in `Delivery`.
        history: how many of them are history.
        size: their size in bytes, subjects included.
        wake: set when there is something to do for the reader.
        failure: the error that ends the iteration.
        ended: whether nothing more comes.
        limit: how many messages to queue.
        limit_bytes: how many bytes to queue.
    """

    def __init__(self, subject: str, limit: int, limit_bytes: int) -> None:
        self.counters: Final = Counters()
        self.gaps: Final[deque[Gap]] = deque(maxlen=_MAX_GAPS)
        self.unbroken_since: float | None = None
        self.waiting: Final[deque[tuple[str, bytes, float, float, int | None]]] = deque()
        self.history: int = 0
        self.size: int = 0
        self.wake: Final = asyncio.Event()
        self.failure: LifecycleError | None = None
        self.ended: bool = False
        self.limit: Final = limit
        self._subject = subject
        self.limit_bytes: Final = limit_bytes

    def has_room(self, size: int) -> bool:
        """Return True if a message of a size fits; one larger than the limit fits into an empty queue."""
        waiting = len(self.waiting)
        return waiting < self.limit and (not waiting or self.size + size <= self.limit_bytes)

    def put(self, subject: str, data: bytes, received: float, monotonic: float, sequence: int | None = None) -> None:
        """Queue a message and count it."""
        self.counters.received += 1
        self.size += len(subject) + len(data)
        self.waiting.append((subject, data, received, monotonic, sequence))
        self.wake.set()

    @property
    def above_half(self) -> bool:
        """True while the queue is more than half full."""
        return len(self.waiting) > self.limit // 2 or self.size > self.limit_bytes // 2

    @property
    def free(self) -> tuple[int, int]:
        """The number of messages and bytes that still fit."""
        return self.limit - len(self.waiting), self.limit_bytes - self.size

    def missed(self, interval: Interval) -> None:
        """Count and log an interval in which messages may have been missed."""
        self.counters.gaps += 1
        self.broken(interval.end)
        offset = time.time() - steady()
        gap = Gap(interval.begin + offset, interval.end + offset, safe(interval.reason, 200))
        self.gaps.append(gap)
        logger.warning("messages on %s may have been missed %s", self._subject, gap)

    def broken(self, end: float) -> None:
        """Note that a message may have been missed until a time."""
        if self.unbroken_since is not None:
            self.unbroken_since = max(self.unbroken_since, end)

    def fail(self, error: LifecycleError) -> None:
        """End the iteration with an error once the queue is empty."""
        self.failure = error
        self.end()

    def end(self) -> None:
        """End the iteration once the queue is empty."""
        self.ended = True
        self.wake.set()

    def clear(self) -> None:
        """Discard what is queued."""
        self.waiting.clear()
        self.size = self.history = 0


class LiveSink:
    """Receives live messages into an inbox, and drops those that do not fit."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def message(self, subject: str, data: bytes) -> None:
        inbox = self._inbox
        if inbox.has_room(len(subject) + len(data)):
            inbox.put(subject, data, time.time(), steady())
        else:
            inbox.counters.received += 1
            inbox.counters.dropped += 1
            inbox.broken(steady())

    def gap(self, begin: float) -> None:
        self._inbox.missed(Interval(begin, steady(), "the connection was lost"))

    def failed(self, error: LifecycleError) -> None:
        self._inbox.fail(error)

    def closed(self) -> None:
        self._inbox.end()


class _Held(NamedTuple):
    subject: str
    data: bytes
    received: float
    monotonic: float


class StreamSink:
    """Receives the messages of a stream, and live ones through `live`, into an inbox: each once.

    Live messages are held while the stream supplies what was published before them, at the start and after a lost
    connection, so that the order is right. A message that does not fit is left to the stream.

    Attributes:
        live: receives the live messages.
        clock: the clock of the server.
        caught_up_once: set once all history is queued.
        last_stored: when the stream stored the last message received from it, by `steady`; None before the first.
        full: whether `capacity` was zero, so that the replay waits to be resumed.
        checking_history: whether doubts are about what was stored before messages arrived live.

    Args:
        inbox: the queue.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.live: Final = _LiveCopy(self)
        self.clock: Final = ServerClock()
        self.caught_up_once: Final = asyncio.Event()
        self.last_stored: float | None = None
        self.full: bool = False
        self.checking_history: bool = False
        self._inbox = inbox
        self._merge = Merge(inbox.missed)
        # Since when messages arrive live, and since when stored ones may be copies of them.
        self._live_since = self._copies_since = math.inf
        self._holding = True
        self._held: list[_Held] = []
        self._held_size = 0

    def live_begins(self, asked: float) -> None:
        """Note that messages published from now on arrive live, and perhaps some published since it was asked for."""
        self._live_since = steady()
        self._merge.live_begins(asked, self._live_since)
        self._copies_since = self._merge.copies_since

    def stream_found(self, direct: bool) -> None:
        """Note whether the stream stores what is published on the subject, as in `Replay`."""
        self._merge.direct = direct
        self._copies_since = self._merge.copies_since

    @property
    def only(self) -> bool:
        """True while nothing can arrive live: refused, or the stream copies others and nothing ever has."""
        return self._merge.live_over or not (self._merge.direct or self._merge.any_live)

    @property
    def verified(self) -> bool:
        """False from a lost connection until the stream has delivered what it stored in the meantime."""
        return self._merge.verified

    # The methods of ReplaySink, and of the Sink `live`.

    def message(self, subject: str, data: bytes) -> None:
        now = steady()
        key = hash((subject, data))
        inbox, merge = self._inbox, self._merge
        if merge.is_copy(key, now):
            return
        size = len(subject) + len(data)
        if self._holding:
            # Held messages come on top of the queue, within the same limits.
            if len(self._held) < inbox.limit and (not self._held or self._held_size + size <= inbox.limit_bytes):
                merge.held(key, now)
                self._held.append(_Held(subject, data, time.time(), now))
                self._held_size += size
            else:
                merge.left_to_stream(key, now)
        elif inbox.has_room(size):
            merge.handed_out(key, now)
            inbox.put(subject, data, time.time(), now)
        else:
            merge.left_to_stream(key, now)

    def live_gap(self, begin: float) -> None:
        """Note that the connection was lost and restored."""
        self._merge.live_lost(begin, steady())
        self._holding = True

    def live_failed(self, error: LifecycleError) -> None:
        """Note that the server refuses the live subscription."""
        if not self._merge.live_over:
            logger.warning("%s: events arrive from the stream alone", error)
            self._merge.live_ends(steady())

    def capacity(self) -> tuple[int, int]:
        self.full = self._inbox.above_half
        return (0, 0) if self.full else self._inbox.free

    def stored(self, subject: str, data: bytes, at: float, history: bool, sequence: int | None = None) -> None:
        inbox = self._inbox
        monotonic = self.last_stored = self.clock.to_monotonic(at)
        if history:
            if monotonic > self._copies_since:
                self._merge.history(hash((subject, data)), monotonic, steady())
            inbox.counters.replayed += 1
            inbox.history += 1
        elif not self._merge.stored(hash((subject, data)), monotonic, steady()):
            return
        inbox.put(subject, data, at, monotonic, sequence)

    def server_clock(self, offset: float) -> None:
        steps = self.clock.steps
        self.clock.measured(offset)
        if self.clock.steps > steps:
            self._inbox.broken(steady())  # the ages of stored messages are uncertain

    def caught_up(self) -> None:
        self._merge.checked(self._live_since)  # what it had stored before has been delivered
        self._release()
        self.caught_up_once.set()
        self._inbox.wake.set()

    def interrupted(self) -> None:
        if self.caught_up_once.is_set():
            self._release()

    def _release(self) -> None:
        """Hand out the held messages that have not come from the stream."""
        self._holding = False
        held, self._held, self._held_size = self._held, [], 0
        for each in held:
            if self._merge.release(hash((each.subject, each.data)), each.monotonic):
                self._inbox.put(*each)

    def checked(self, at: float) -> None:
        merge, counters = self._merge, self._inbox.counters
        lost = merge.lost
        merge.checked(at)
        counters.unstored = merge.unstored
        if merge.lost > lost:
            counters.received += merge.lost - lost
            counters.dropped += merge.lost - lost
            self._inbox.broken(at)

    def doubt(self, begin: float, end: float, reason: str) -> None:
        if self.checking_history:
            self._inbox.missed(Interval(begin, min(end, self._live_since), reason))
        else:
            self._merge.doubt(begin, end, reason)

    def failed(self, error: LifecycleError) -> None:
        self._inbox.failure = error
        self.closed()

    def closed(self) -> None:
        self._release()
        self.caught_up_once.set()
        self._inbox.end()


class _LiveCopy:
    """Receives the live messages of a `StreamSink`."""

    def __init__(self, sink: StreamSink) -> None:
        self.message: Final = sink.message
        self.gap: Final = sink.live_gap
        self.failed: Final = sink.live_failed

    def closed(self) -> None:
        """Do nothing: the replay ends the iteration."""
