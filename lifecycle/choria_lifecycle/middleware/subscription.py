"""Subscriptions: asynchronous iterators over events and deliveries."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from choria_lifecycle.errors import InvalidEvent, LifecycleError, UnknownProtocol
from choria_lifecycle.events.event import Event
from choria_lifecycle.middleware.delivery import Counters, Delivery
from choria_lifecycle.middleware.selection import Selection
from choria_lifecycle.middleware.server_clock import ServerClock
from choria_lifecycle.middleware.transport import Interest, Replay, Transport
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe
from choria_lifecycle.wire import codec

__all__ = ["LIMIT", "LIMIT_BYTES", "Deliveries", "Events", "Subscription"]

T = TypeVar("T")


# How much a subscription queues before it drops newer messages.
LIMIT = 65536
LIMIT_BYTES = 64 * 1024 * 1024

# An iteration that never waits yields to the event loop after this many messages.
_YIELD_EVERY = 256


class Subscription(ABC, Generic[T]):
    """An asynchronous context manager that is iterated within its block.

    Entering subscribes and waits for the server's confirmation; leaving unsubscribes and discards what is still queued.
    Iteration ends when the block is left, or when the middleware closes, after handing out what had arrived. It raises
    NotAuthorised if the server revokes the permission. If the program reads too slowly and the queue is full, newer
    messages are dropped and counted, as a nats-server does with a slow consumer; the order is kept.

    A replay drops nothing, because it requests only what fits in the queue. Iteration raises NoStream if the stream is
    deleted.

    Attributes:
        counters: the message counts so far.
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
        self.counters: Final = Counters()
        self._transport = transport
        self._selection = selection
        self._queue = queue
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._failure: LifecycleError | None = None
        self._timeout = timeout
        self._waiting: deque[tuple[str, bytes, float, float]] = deque()
        self._clock = ServerClock()
        self._wake = asyncio.Event()
        self._subscription: Interest | None = None
        self._replay: Replay | None = None
        self._begin: float | None = None
        self._begin_monotonic: float | None = None
        self._full = False
        self._caught_up = selection.since is None
        self._replayed = asyncio.Event()
        # How many queued messages are history, and whether the one being handed out is.
        self._history_queued = 0
        self._from_history = False
        self._entered = False
        self._ended = False
        self._since_yield = 0
        self._discarded = 0

    @property
    def subject(self) -> str:
        """The subscribed subject."""
        return self._selection.subject

    @property
    def queued(self) -> int:
        """The number of messages that arrived and are still queued, or were discarded on leaving the block."""
        return len(self._waiting) + self._discarded

    @property
    def begin(self) -> float | None:
        """The time from which nothing is missing except what `counters` reports; None until entered.

        In seconds since the epoch. For a replay, `since`, or later if the stream does not reach back that far, by the
        server's clock.
        """
        return self._begin

    @property
    def begin_monotonic(self) -> float | None:
        """The same time as `begin` on the clock of `Delivery.monotonic`; None until entered."""
        return self._begin_monotonic

    @property
    def clock_steps(self) -> int:
        """How often the server's clock was set by more than a minute; messages stored around then may have other ages.

        It is measured when the replay starts, after each interruption, and every 30 s. Each step is logged.
        """
        return self._clock.steps

    @property
    def replaying(self) -> bool:
        """True while stored history remains to be handed out; False without a stream."""
        return not self._caught_up or self._history_queued > 0

    async def replayed(self) -> None:
        """Wait until `replaying` is False; another task must iterate in the meantime."""
        if self.replaying:
            await self._replayed.wait()

    async def __aenter__(self) -> Self:
        """Subscribe.

        Raises:
            ConnectionFailed: no server confirmed the subscription in time.
            NotAuthorised: the server refused the subject, or access to the stream.
            NoStream: no stream stores the subject.
            RuntimeError: the subscription was entered before.
        """
        if self._entered:
            raise RuntimeError("a subscription can be entered only once: call events() or deliveries() again")
        self._entered = True
        try:
            since, stream = self._selection.since, self._selection.stream
            if since is None:
                self._subscription = await self._transport.subscribe(self.subject, self._queue, self, self._timeout)
                self._begin, self._begin_monotonic = time.time(), steady()
            else:
                self._replay = await self._transport.replay(self.subject, since, self, self._timeout, stream)
                self._subscription = self._replay
                self._begin = self._replay.begin
                self._begin_monotonic = self._clock.to_monotonic(self._begin)
        except BaseException:
            self.closed()  # or iteration would wait forever
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
            raise RuntimeError("iterate a subscription within its block: async with middleware.events() as events")
        waiting = self._waiting
        while True:
            while waiting:
                self._since_yield += 1
                if self._since_yield >= _YIELD_EVERY:
                    self._since_yield = 0
                    await asyncio.sleep(0)
                    continue
                subject, data, received, monotonic = waiting.popleft()
                self._bytes -= len(subject) + len(data)
                if self._replay is not None:
                    self._count_handed_out(self._replay)
                item = self._handle(subject, data, received, monotonic)
                if item is not None:
                    return item
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
    def _handle(self, subject: str, data: bytes, received: float, monotonic: float) -> T | None:
        """Count a message and return what to hand out for it; None to skip it."""

    # The methods of Sink and ReplaySink, which the transport calls.

    def message(self, subject: str, data: bytes) -> None:
        """Queue a message that has arrived."""
        self.counters.received += 1
        size = len(subject) + len(data)
        # A message larger than the byte limit is accepted if the queue is empty, or it would never be delivered.
        if len(self._waiting) >= self._limit or (self._waiting and self._bytes + size > self._limit_bytes):
            self.counters.dropped += 1
            return
        self._bytes += size
        self._waiting.append((subject, data, time.time(), steady()))
        self._wake.set()

    def capacity(self) -> tuple[int, int]:
        """Return the free capacity; none until the queue is half empty."""
        self._full = self._above_half
        return (0, 0) if self._full else (self._limit - len(self._waiting), self._limit_bytes - self._bytes)

    def stored(self, subject: str, data: bytes, at: float, history: bool) -> None:
        """Queue a message from a stream."""
        self.counters.received += 1
        if history:
            self.counters.replayed += 1
            self._history_queued += 1
        self._bytes += len(subject) + len(data)
        self._waiting.append((subject, data, at, self._clock.to_monotonic(at)))
        self._wake.set()

    def server_clock(self, offset: float) -> None:
        """Take a measurement of the server's clock."""
        self._clock.measured(offset)

    def caught_up(self) -> None:
        """Record that all history has arrived."""
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


class Events(Subscription[Event]):
    """A subscription to lifecycle events; other messages are only counted."""

    def _handle(self, subject: str, data: bytes, received: float, monotonic: float) -> Event | None:  # noqa: ARG002
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
    """A subscription that hands out every message, valid or not, as a `Delivery`."""

    def _handle(self, subject: str, data: bytes, received: float, monotonic: float) -> Delivery | None:
        counters = self.counters
        selection = self._selection
        if selection.filter_subjects and not selection.filter.matches_subject(subject):
            counters.filtered += 1
            return None
        try:
            event = codec.decode(data)
        except (InvalidEvent, UnknownProtocol) as error:
            counters.rejected += 1
            return Delivery(subject, data, received, None, error, self._from_history, monotonic)
        if selection.filter_events and not selection.filter.matches_event(event):
            counters.filtered += 1
            return None
        counters.delivered += 1
        return Delivery(subject, data, received, event, None, self._from_history, monotonic)
