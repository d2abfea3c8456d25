"""What a subscription hands out, one `async for` at a time."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from choria_lifecycle.errors import InvalidEvent, UnknownProtocol
from choria_lifecycle.middleware.delivery import Counters, Delivery
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe
from choria_lifecycle.wire import codec

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.events.event import Event
    from choria_lifecycle.middleware.selection import Selection
    from choria_lifecycle.middleware.transport import Interest, Replay, Transport

__all__ = ["LIMIT", "LIMIT_BYTES", "Counters", "Deliveries", "Delivery", "Events", "Subscription"]

T = TypeVar("T")


# How much may wait in a subscription before newer messages are dropped.
LIMIT = 65536
LIMIT_BYTES = 64 * 1024 * 1024

# A consumer that never waits gives the event loop its turn after this many messages.
_YIELD_EVERY = 256


class Subscription(ABC, Generic[T]):
    """A subscription: an asynchronous context manager, iterated within its block.

    Entering subscribes and waits until the server has confirmed; leaving unsubscribes, and discards what is still
    queued. Iteration ends when the block is left or the middleware closes; then what had arrived is handed out
    first. It ends with NotAuthorised where the server takes the permission back, as after a change of its users. Where
    the program reads too slowly and as much waits as may, newer messages are dropped and counted, as a nats-server does
    with a slow consumer: what is handed out stays in order.

    Out of a stream nothing is dropped: no more is asked for than may wait. Iteration ends with NoStream where the
    stream is gone.

    Attributes:
        counters: what became of the messages so far.
    """

    def __init__(
        self,
        transport: Transport,
        selection: Selection,
        queue: str,
        *,
        limit: int,
        limit_bytes: int,
        timeout: float,
    ) -> None:
        self.counters = Counters()
        self._transport = transport
        self._selection = selection
        self._queue = queue
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._failure: LifecycleError | None = None
        self._timeout = timeout
        self._waiting: deque[tuple[str, bytes, float]] = deque()
        self._wake = asyncio.Event()
        self._subscription: Interest | None = None
        self._replay: Replay | None = None
        self._begin: float | None = None
        self._full = False
        self._caught_up = selection.since is None
        self._replayed = asyncio.Event()
        # Of those that wait, how many were in the stream before; and whether the one that is handed out was.
        self._history_queued = 0
        self._from_history = False
        self._entered = False
        self._ended = False
        self._since_yield = 0
        self._discarded = 0

    @property
    def subject(self) -> str:
        """The subject that is subscribed to."""
        return self._selection.subject

    @property
    def queued(self) -> int:
        """Messages that have arrived and were not handed out: they wait, or were left behind with the block."""
        return len(self._waiting) + self._discarded

    @property
    def begin(self) -> float | None:
        """From when on nothing is missing but what `counters` tells, in seconds since the epoch; None until entered.

        Out of a stream that is the time asked for, or later where the stream does not reach so far back.
        """
        return self._begin

    @property
    def replaying(self) -> bool:
        """Whether there is more to hand out of what was in the stream before; False without a stream."""
        return not self._caught_up or self._history_queued > 0

    async def replayed(self) -> None:
        """Wait until `replaying` is False; somebody else has to iterate meanwhile."""
        if self.replaying:
            await self._replayed.wait()

    async def __aenter__(self) -> Self:
        """Subscribe.

        Raises:
            ConnectionFailed: no server confirmed the subscription in time.
            NotAuthorised: the server refused the subject, or to read a stream.
            NoStream: no stream stores what is to be replayed.
            RuntimeError: it was entered before.
        """
        if self._entered:
            raise RuntimeError("a subscription is entered once: call events() or deliveries() again for another")
        self._entered = True
        try:
            since, stream = self._selection.since, self._selection.stream
            if since is None:
                self._subscription = await self._transport.subscribe(self.subject, self._queue, self, self._timeout)
                self._begin = time.time()
            else:
                self._replay = await self._transport.replay(self.subject, since, self, self._timeout, stream)
                self._subscription = self._replay
                self._begin = self._replay.begin
        except BaseException:
            self.closed()  # or iterating would wait for ever
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._subscription is not None:
                await self._subscription.unsubscribe()
        finally:
            self._discarded += len(self._waiting)
            self._waiting.clear()
            self._bytes = self._history_queued = 0
            self.closed()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._entered:
            raise RuntimeError("a subscription is iterated within its block: async with middleware.events() as events")
        waiting = self._waiting
        while True:
            while waiting:
                self._since_yield += 1
                if self._since_yield >= _YIELD_EVERY:
                    self._since_yield = 0
                    await asyncio.sleep(0)
                    continue
                subject, data, received = waiting.popleft()
                self._bytes -= len(subject) + len(data)
                if self._replay is not None:
                    self._count_handed_out(self._replay)
                taken = self._handle(subject, data, received)
                if taken is not None:
                    return taken
            if self._failure is not None:
                raise self._failure
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def _count_handed_out(self, replay: Replay) -> None:
        self._from_history = self._history_queued > 0
        if self._from_history:
            self._history_queued -= 1
            if not self._history_queued:
                self._update_replayed()
        if self._full and not self._above_half:
            self._full = False
            replay.resume()

    def _update_replayed(self) -> None:
        if not self.replaying:
            self._replayed.set()

    @property
    def _above_half(self) -> bool:
        return len(self._waiting) > self._limit // 2 or self._bytes > self._limit_bytes // 2

    @abstractmethod
    def _handle(self, subject: str, data: bytes, received: float) -> T | None:
        """What to hand out for a message, None to go on with the next. Counts it either way."""

    # The transport's side: see choria_lifecycle.middleware.transport, Sink and ReplaySink.

    def message(self, subject: str, data: bytes) -> None:
        """Queue a message that has arrived."""
        self.counters.received += 1
        size = len(subject) + len(data)
        # A single message larger than all that may wait is taken when nothing else waits, or it would never be seen.
        if len(self._waiting) >= self._limit or (self._waiting and self._bytes + size > self._limit_bytes):
            self.counters.dropped += 1
            return
        self._bytes += size
        self._waiting.append((subject, data, time.time()))
        self._wake.set()

    def capacity(self) -> tuple[int, int]:
        """Say how much may come; nothing until half of what waits has been handed out."""
        self._full = self._above_half
        return (0, 0) if self._full else (self._limit - len(self._waiting), self._limit_bytes - self._bytes)

    def stored(self, subject: str, data: bytes, at: float, history: bool) -> None:
        """Queue a message out of a stream."""
        self.counters.received += 1
        if history:
            self.counters.replayed += 1
            self._history_queued += 1
        self._bytes += len(subject) + len(data)
        self._waiting.append((subject, data, at))
        self._wake.set()

    def caught_up(self) -> None:
        """Note that all has come that was there before."""
        self._caught_up = True
        self._update_replayed()

    def gap(self) -> None:
        """Count a gap."""
        self.counters.gaps += 1

    def failed(self, error: LifecycleError) -> None:
        """End the iteration with an error once the queue is empty."""
        self._failure = error
        self.closed()

    def closed(self) -> None:
        """End the iteration once the queue is empty."""
        self._ended = True
        self.caught_up()  # nothing more comes
        self._wake.set()


class Events(Subscription["Event"]):
    """Lifecycle events, and nothing else; what is invalid or was not asked for is counted."""

    def _handle(self, subject: str, data: bytes, received: float) -> Event | None:  # noqa: ARG002 - no Delivery here
        counters = self.counters
        selection = self._selection
        if selection.filter_subjects and not selection.filter.matches_subject(subject):
            counters.filtered += 1
            return None
        try:
            event = codec.parse(data)
        except (InvalidEvent, UnknownProtocol) as error:
            counters.rejected += 1
            logger.debug("rejected a message on %s: %s", safe(subject), error)
            return None
        if selection.filter_events and not selection.filter.matches_event(event):
            counters.filtered += 1
            return None
        counters.delivered += 1
        return event


class Deliveries(Subscription[Delivery]):
    """Every message, valid or not, as a `Delivery`."""

    def _handle(self, subject: str, data: bytes, received: float) -> Delivery | None:
        counters = self.counters
        selection = self._selection
        if selection.filter_subjects and not selection.filter.matches_subject(subject):
            counters.filtered += 1
            return None
        try:
            event = codec.decode(data)
        except (InvalidEvent, UnknownProtocol) as error:
            counters.rejected += 1
            return Delivery(subject, data, received, None, error, self._from_history)
        if selection.filter_events and not selection.filter.matches_event(event):
            counters.filtered += 1
            return None
        counters.delivered += 1
        return Delivery(subject, data, received, event, None, self._from_history)
