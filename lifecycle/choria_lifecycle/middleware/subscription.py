"""Subscriptions: asynchronous iterators over events and deliveries."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from choria_lifecycle.errors import InvalidEvent, LifecycleError, NotAuthorised, UnknownProtocol
from choria_lifecycle.events.event import Event
from choria_lifecycle.middleware.delivery import Delivery, Gap, StreamState
from choria_lifecycle.middleware.history import HistorySink
from choria_lifecycle.middleware.inbox import Inbox, LiveSink, StreamSink
from choria_lifecycle.middleware.selection import Selection
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

    With a stream, it subscribes live first and stays subscribed; the stream supplies what was stored before, and what
    was published while the connection was lost. Each message is handed out once: copies are told by subject and bytes.
    First come those of the stream, in its order, for which live ones wait; then new ones as they arrive. What was
    received live is handed out whether or not the stream has stored it; `counters.unstored` counts what it has not. A
    message is missed only if it neither arrived live nor was stored; each interval in which that may have happened is a
    gap. If the program reads too slowly, a message is left to the stream, and dropped if the stream has not stored it.
    Without permission to subscribe, the stream alone supplies the messages. Iteration raises NoStream if the stream is
    deleted.

    With an end, it does not subscribe live: the stream supplies what it had stored, and the iteration ends. Each
    interval before the end whose messages it has discarded, or may not have stored, is a gap.

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
        self._inbox = Inbox(selection.subject, limit, limit_bytes)
        self.counters: Final = self._inbox.counters
        self._transport = transport
        self._selection = selection
        self._queue = queue
        self._timeout = timeout
        self._stream: StreamSink | None = None
        if selection.until is not None:
            self._stream = HistorySink(self._inbox, selection.until, selection.since or 0.0)
        elif selection.since is not None:
            self._stream = StreamSink(self._inbox)
        self._live: Interest | None = None
        self._replay: Replay | None = None
        self._begin: float | None = None
        self._replayed = asyncio.Event()
        # With an end: whether everything before it was handed out.
        self._complete = False
        # Whether the message being handed out is history.
        self._from_history = False
        self._entered = False
        self._since_yield = 0
        self._discarded = 0

    @property
    def subject(self) -> str:
        """The subscribed subject."""
        return self._selection.subject

    @property
    def queued(self) -> int:
        """The number of messages that arrived and are still queued, or were discarded on leaving the block."""
        return len(self._inbox.waiting) + self._discarded

    @property
    def begin(self) -> float | None:
        """The time from which nothing is missing except what `counters` reports; None until entered.

        In seconds since the epoch. For a replay, `since`, or later if the stream does not reach back that far, by the
        server's clock.
        """
        return self._begin

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The last 100 of the intervals that `counters.gaps` counts, oldest first. Each is logged."""
        return tuple(self._inbox.gaps)

    @property
    def unbroken_since(self) -> float | None:
        """The end of the last gap, or of the time in which messages were dropped; before the first, as `begin`.

        On the clock of `Delivery.monotonic`; None until entered.
        """
        return self._inbox.unbroken_since

    @property
    def stream(self) -> StreamState | None:
        """The state of the stream; None without one, and until entered."""
        if self._stream is None or self._replay is None:
            return None
        replay, sink = self._replay, self._stream
        return StreamState(replay.stream, replay.fault, sink.last_stored, sink.only, sink.verified)

    @property
    def clock_steps(self) -> int:
        """How often the server's clock was set by more than a minute; messages stored around then may have other ages.

        It is measured when the replay starts, after each interruption, and every 10 s. Each step is logged.
        """
        return self._stream.clock.steps if self._stream is not None else 0

    @property
    def replaying(self) -> bool:
        """True while stored history remains to be handed out; False without a stream.

        With an end, it stays True if the iteration did not reach that.
        """
        if self._selection.until is not None:
            return not self._complete
        return self._stream is not None and (not self._stream.caught_up_once.is_set() or self._inbox.history > 0)

    async def replayed(self) -> None:
        """Wait until `replaying` is False; another task must iterate in the meantime."""
        if self._stream is not None:
            await self._stream.caught_up_once.wait()
            if self.replaying:
                await self._replayed.wait()

    async def check_history(self) -> None:
        """Count as gaps the intervals whose messages the stream had discarded before they were read.

        Call it once `replaying` is False. With an end, the iteration does this itself. Without a stream, this does
        nothing.
        """
        if self._replay is None or self._stream is None:
            return
        self._stream.checking_history = True
        try:
            await self._replay.check_history(self._timeout)
        finally:
            self._stream.checking_history = False

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
            since = self._selection.since
            if since is None or self._stream is None:
                sink = LiveSink(self._inbox)
                self._live = await self._transport.subscribe(self.subject, self._queue, sink, self._timeout)
                self._begin, self._inbox.unbroken_since = time.time(), steady()
            else:
                await self._enter_stream(since, self._stream)
        except BaseException:
            self._end()  # or iteration would wait forever
            await self._unsubscribe()
            raise
        return self

    async def _enter_stream(self, since: float | timedelta, sink: StreamSink) -> None:
        deadline = asyncio.get_running_loop().time() + self._timeout
        if self._selection.until is None:
            await self._enter_live(sink)
        remaining = max(0.0, deadline - asyncio.get_running_loop().time())
        self._replay = await self._transport.replay(self.subject, since, sink, remaining, self._selection.stream)
        sink.stream_found(self._replay.direct)
        self._begin = self._replay.begin
        self._inbox.unbroken_since = sink.clock.to_monotonic(self._begin)

    async def _enter_live(self, sink: StreamSink) -> None:
        asked = steady()
        try:
            self._live = await self._transport.subscribe(self.subject, "", sink.live, self._timeout)
        except NotAuthorised as error:
            sink.live_failed(error)
        else:
            sink.live_begins(asked)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._unsubscribe()
        finally:
            self._end()
            self._discarded += len(self._inbox.waiting)
            self._inbox.clear()
            self._replayed.set()

    async def _unsubscribe(self) -> None:
        for each in (self._live, self._replay):
            if each is not None:
                await each.unsubscribe()

    def _end(self) -> None:
        if self._stream is not None:
            self._stream.closed()
        self._inbox.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._entered:
            raise RuntimeError("iterate a subscription within its block: async with middleware.events() as events")
        inbox, stream, selection, counters = self._inbox, self._stream, self._selection, self.counters
        waiting = inbox.waiting
        while True:
            while waiting:
                self._since_yield += 1
                if self._since_yield >= _YIELD_EVERY:
                    self._since_yield = 0
                    await asyncio.sleep(0)
                    continue
                subject, data, received, monotonic, sequence = waiting.popleft()
                inbox.size -= len(subject) + len(data)
                if stream is not None:
                    self._count_handed_out(stream)
                if selection.filter_subjects and not selection.filter.matches_subject(subject):
                    counters.filtered += 1
                    continue
                event = error = None
                try:
                    event = self._decode(data)
                except (InvalidEvent, UnknownProtocol) as failure:
                    counters.rejected += 1
                    error = failure
                else:
                    if selection.filter_events and not selection.filter.matches_event(event):
                        counters.filtered += 1
                        continue
                    counters.delivered += 1
                item = self._item(subject, data, received, event, error, self._from_history, monotonic, sequence)
                if item is not None:
                    return item
            if inbox.failure is not None:
                raise inbox.failure
            if inbox.ended or self._complete:
                raise StopAsyncIteration
            if selection.until is not None and stream is not None and stream.caught_up_once.is_set():
                await self._finish()
                continue
            inbox.wake.clear()
            await inbox.wake.wait()

    async def _finish(self) -> None:
        """Note that everything before the end was handed out."""
        await self.check_history()
        self._complete = True
        self._replayed.set()

    def _count_handed_out(self, stream: StreamSink) -> None:
        inbox = self._inbox
        self._from_history = inbox.history > 0
        if self._from_history:
            inbox.history -= 1
            if not self.replaying:
                self._replayed.set()
        if stream.full and not inbox.above_half and self._replay is not None:
            stream.full = False
            self._replay.resume()

    @staticmethod
    @abstractmethod
    def _decode(data: bytes) -> object:
        """Decode a payload, or raise InvalidEvent or UnknownProtocol."""

    @staticmethod
    @abstractmethod
    def _item(
        subject: str,
        data: bytes,
        received: float,
        event: Any,
        error: LifecycleError | None,
        replayed: bool,
        monotonic: float,
        sequence: int | None,
    ) -> T | None:
        """Return what to hand out for a message, as in `Delivery`; None to skip it."""


class Events(Subscription[Event]):
    """A subscription to lifecycle events; other messages are only counted."""

    _decode = staticmethod(codec.parse)

    @staticmethod
    def _item(
        subject: str,
        data: bytes,  # noqa: ARG004
        received: float,  # noqa: ARG004
        event: Event | None,
        error: LifecycleError | None,
        replayed: bool,  # noqa: ARG004
        monotonic: float,  # noqa: ARG004
        sequence: int | None,  # noqa: ARG004
    ) -> Event | None:
        if error is not None:
            logger.debug("rejected a message on %s: %s", safe(subject), error)
        return event


class Deliveries(Subscription[Delivery]):
    """A subscription that hands out every message, valid or not, as a `Delivery`."""

    _decode = staticmethod(codec.decode)
    _item = staticmethod(Delivery)
