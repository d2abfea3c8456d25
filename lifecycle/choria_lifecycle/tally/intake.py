"""The intake of lifecycle events into a recorder, from a stream or live."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import ConnectionFailed, NoStream, NotAuthorised
from choria_lifecycle.events.event import Event
from choria_lifecycle.middleware.delivery import Gap
from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.middleware.delivery import Counters, Delivery, StreamState
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Deliveries
    from choria_lifecycle.tally.recorder import Recorder

__all__ = ["Intake", "log_unreadable"]

_RETRY_INTERVAL: Final = 1.0
# Characters of a reason that are shown.
_MAX_REASON: Final = 500

# How often to look for a stream while there is none; a permission is rarely granted later.
_SEARCH_INTERVAL: Final = 10.0
_REFUSED_INTERVAL: Final = 300.0

# At the change from live events to a stream: how far the time of receipt and the stream's time of an event may differ.
_OVERLAP: Final = 10.0

# Gaps that are kept, for people.
_MAX_GAPS: Final = 20

_WAITING_HINT: Final = "retrying; events are counted as they are published, and replayed once it can be read"
_NO_STREAM_HINT: Final = "events are counted as they are published, until there is a stream that the tally may read"


class Intake:
    """Receives lifecycle events and passes them to a recorder.

    Events that a stream stored before the start rebuild the nodes and are not counted; later ones are counted. If the
    stream does not exist, may not be read or is deleted, events are received live until it can be read; what it stored
    in the meantime rebuilds the nodes too, and each event is counted once. The same holds while brokers are starting.

    Attributes:
        reason: why the stream is not replayed, or not yet, safe to show; empty if it is, or replay is off.

    Args:
        middleware: the source of events.
        recorder: the recorder.
        subject: the subject of the events; empty for Choria's.
        components: the components to count; empty for all.
        replay: the seconds of the stream to replay; 0 disables the replay.
        stream: the stream to replay; empty for CHORIA_EVENTS, else the one that stores the events.
        notify: called with a summary of the replay once it is finished.
    """

    def __init__(
        self,
        middleware: Middleware,
        recorder: Recorder,
        *,
        subject: str = "",
        components: tuple[str, ...],
        replay: float,
        stream: str,
        notify: Callable[[str], None],
    ) -> None:
        self.reason: str = ""
        self._middleware = middleware
        self._recorder = recorder
        self._subject = subject
        self._components = components
        self._replay_period = timedelta(seconds=replay)
        self._stream = stream
        self._notify = notify
        # Whether there is no stream that may be read, or one that cannot be read yet.
        self._no_stream = self._waiting = False
        self._deliveries: Deliveries | None = None
        self._counters: list[Counters] = []  # one for each subscription, past ones too
        # Times are those of `steady`, as in `Delivery.monotonic`.
        self._subscribed_at = self._last_event = steady()
        self._replay_over = asyncio.Event()
        # What the stream had when it was read, in seconds, and from when on events are known.
        self._available = 0.0
        self._known_since: float | None = None
        # Intervals between two subscriptions, and the gaps of past subscriptions with them.
        self._interruptions = 0
        self._past_gaps: deque[Gap] = deque(maxlen=_MAX_GAPS)
        self._ended_at = 0.0
        # The end of the last of them, by `steady`.
        self._broken = 0.0
        # Whether the last stream was the only source of events, and nothing has arrived live since.
        self._stream_only = False
        # The last live events, when they began, and when they ended because there was a stream; what it stored is
        # matched with them.
        self._live_began = 0.0
        self._live: deque[tuple[float, str, bytes]] = deque()
        self._live_until: float | None = None
        self._unmatched: Counter[tuple[str, bytes]] = Counter()

    @property
    def receiving(self) -> bool:
        """True while events can arrive, as far as the subscription tells: a stream may have been the only source."""
        return self._deliveries is not None and not (self._stream_only and self.stream is None)

    @property
    def gaps(self) -> int:
        """Intervals in which events may have been missed, as in `Counters`."""
        return sum(each.gaps for each in self._counters) + self._interruptions

    @property
    def recent_gaps(self) -> tuple[Gap, ...]:
        """The last of these intervals, oldest first."""
        present = self._deliveries.gaps if self._deliveries is not None else ()
        return (*self._past_gaps, *present)[-_MAX_GAPS:]

    @property
    def dropped(self) -> int:
        """Messages dropped because the program was too slow, as in `Counters`."""
        return sum(each.dropped for each in self._counters)

    @property
    def replayed(self) -> int:
        """Replayed events: those that the stream stored before the start."""
        return sum(each.replayed for each in self._counters)

    @property
    def unstored(self) -> int:
        """Events that the stream should have stored and has not, as in `Counters`."""
        return sum(each.unstored for each in self._counters)

    @property
    def stream(self) -> StreamState | None:
        """The state of the stream; None while none is read."""
        return self._deliveries.stream if self._deliveries is not None else None

    @property
    def known_since(self) -> float | None:
        """When the events that are known begin, by `steady`; None without a stream."""
        return self._known_since if self.stream is not None else None

    @property
    def available(self) -> float | None:
        """How many seconds of the replay the stream had when it was read; None without a stream."""
        return self._available if self.stream is not None else None

    @property
    def replay_state(self) -> str:
        """The state of the replay, as in `TallyState.replay_state`."""
        if not self._replay_period:
            return "off"
        if self._no_stream:
            return "none"
        if self._waiting:
            return "waiting"
        return "running" if self._deliveries is None or self._deliveries.replaying else "done"

    @property
    def catching_up(self) -> bool:
        """True until the replay is finished or impossible."""
        return self.replay_state in ("waiting", "running")

    @property
    def complete(self) -> bool:
        """True once every live node must have been seen: a whole alive interval passed without a gap."""
        return self.unbroken >= ALIVE_INTERVAL

    @property
    def unbroken(self) -> float:
        """For how many seconds every event has arrived; 0 while it may not arrive, or has yet to come from the stream.

        It starts again after a gap, and when the server's clock is set, as ages of stored events are then uncertain.
        """
        deliveries = self._deliveries
        if deliveries is None or not self.receiving or deliveries.replaying or deliveries.unbroken_since is None:
            return 0.0
        stream = deliveries.stream
        if stream is not None and (not stream.verified or (stream.only and stream.fault)):
            return 0.0
        return max(steady() - max(deliveries.unbroken_since, self._broken), 0.0)

    async def wait_replay_over(self) -> None:
        """Wait until the replay is finished or impossible."""
        await self._replay_over.wait()

    async def run(self) -> None:
        """Receive until the middleware closes.

        Raises:
            NotAuthorised: the broker does not permit receiving lifecycle events.
            ConnectionFailed: the broker did not confirm the subscription, and there is no stream to wait for.
        """
        if not self._replay_period:
            await self._receive(self._deliveries_of(), stored=False)
            return
        while not await self._receive_from_stream():
            if not await self._receive_until_stream():
                return

    async def _receive_from_stream(self) -> bool:
        """Receive live and from the stream; return False if that cannot be read, does not exist, or is deleted."""
        try:
            await self._receive(self._deliveries_of(since=self._replay_period, stream=self._stream), stored=True)
        except (ConnectionFailed, NoStream, NotAuthorised) as error:
            self._note_failure(error)
            return False
        return True

    def _note_failure(self, error: LifecycleError) -> None:
        """Note why the stream is not read: it cannot be read yet, or there is none that may be."""
        before, self.reason = self.reason, safe(str(error), _MAX_REASON)
        if isinstance(error, ConnectionFailed):
            self._waiting = not self._no_stream
        elif not self._no_stream:
            self._no_stream, self._waiting, before = True, False, ""
        if not before:
            logger.warning("%s; %s", error, _WAITING_HINT if self._waiting else _NO_STREAM_HINT)

    async def _receive_until_stream(self) -> bool:
        """Receive live; return True once a stream can be read, False if the middleware has closed."""
        live = self._deliveries_of()
        if self._counters:  # nothing was received since the last subscription
            self._interruptions += 1
            self._broken = steady()
            now = time.time()
            self._past_gaps.append(Gap(now - (steady() - self._ended_at), now, self.reason))
        receiving = asyncio.create_task(self._receive(live, stored=False))
        searching = asyncio.create_task(self._wait_for_stream())
        try:
            await asyncio.wait({receiving, searching}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                try:
                    receiving.result()
                except ConnectionFailed:
                    if not self._waiting:
                        raise
                    await asyncio.sleep(_RETRY_INTERVAL)
                    return True
                return False
            self._live_until = self._live[-1][0] if live.queued and self._live else steady()
        finally:
            for task in (receiving, searching):
                task.cancel()
            await asyncio.gather(receiving, searching, return_exceptions=True)
        self._unmatched = Counter((subject, data) for _, subject, data in self._live)
        self._live.clear()
        return True

    async def _wait_for_stream(self) -> None:
        refused = False
        while True:
            pause = _RETRY_INTERVAL if self._waiting else _SEARCH_INTERVAL
            await asyncio.sleep(_REFUSED_INTERVAL if refused else pause)
            try:
                async with self._deliveries_of(since=timedelta(), stream=self._stream):
                    return
            except (ConnectionFailed, NoStream, NotAuthorised) as error:
                refused = isinstance(error, NotAuthorised)
                self._note_failure(error)
                if self._no_stream:
                    self._replay_over.set()

    def _deliveries_of(self, **replay: Any) -> Deliveries:
        if self._subject:
            return self._middleware.deliveries(subject=self._subject, **replay)
        return self._middleware.deliveries(component=self._components or None, **replay)

    async def _receive(self, deliveries: Deliveries, *, stored: bool) -> None:
        async with deliveries as received:
            if stored:
                self._no_stream, self._waiting, self.reason = False, False, ""
            self._subscribed_at = self._last_event = steady()
            if not stored:
                self._live_began = self._subscribed_at
            self._counters.append(received.counters)
            self._deliveries = received
            if stored and received.unbroken_since is not None:
                self._known_since = received.unbroken_since
                requested = self._replay_period.total_seconds()
                self._available = min(max(self._subscribed_at - self._known_since, 0.0), requested)
            # Not in the loop below, which never sees the last stored event if that is of another component.
            waiting = asyncio.create_task(self._watch_replay(received, stored))
            try:
                async for delivery in received:
                    if stored:
                        self._record(delivery, counted=self._is_counted(delivery))
                    else:
                        self._remember(delivery)
                        self._record(delivery, counted=False)
            finally:
                if (stream := received.stream) is not None:
                    self._stream_only = stream.only
                self._past_gaps.extend(received.gaps)
                if received.counters.gaps or received.counters.dropped:
                    self._broken = max(self._broken, received.unbroken_since or 0.0)
                self._deliveries, self._ended_at = None, steady()
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    async def _watch_replay(self, received: Deliveries, stored: bool) -> None:
        await received.replayed()
        if not self._waiting:
            self._replay_over.set()
        if stored:
            seconds = steady() - self._subscribed_at
            self._notify(f"rebuilt {self._recorder.nodes} nodes from {self.replayed} stored events in {seconds:.1f} s")

    def _remember(self, delivery: Delivery) -> None:
        """Keep a live event for as long as a stream that appears may have it at its beginning."""
        self._stream_only = False
        self._live.append((delivery.monotonic, delivery.subject, delivery.data))
        while delivery.monotonic - self._live[0][0] > 2 * _OVERLAP:
            self._live.popleft()

    def _is_counted(self, delivery: Delivery) -> bool:
        """Return True if a stored event was published before the start, or was received live and counted then."""
        if self._live_until is None:
            return delivery.replayed
        if delivery.monotonic > self._live_until + _OVERLAP:
            return False
        event = delivery.subject, delivery.data
        if self._unmatched[event] > 0:
            self._unmatched[event] -= 1
            return True
        return delivery.monotonic < max(self._live_until - _OVERLAP, self._live_began)

    def _record(self, delivery: Delivery, *, counted: bool) -> None:
        event = delivery.event
        if self._subject and self._components and _component(delivery) not in self._components:
            return  # the deliveries of a subject are of all components
        if counted:
            now = steady()
            self._recorder.replay(event, now, now - delivery.monotonic)
        elif isinstance(event, Event):
            begin = time.perf_counter()
            # Events read late count from the time they were stored, but never from before the start. Events come in the
            # order in which they were stored, whatever the server's clock did in between.
            self._last_event = max(self._last_event, delivery.monotonic)
            self._recorder.record(event, self._last_event)
            self._recorder.add_time(event.component, time.perf_counter() - begin)
        else:
            self._recorder.record_error(_component(delivery))
            log_unreadable(delivery)


def _component(delivery: Delivery) -> str:
    """Return the component of an event; that of an unreadable one is only in its subject."""
    event = delivery.event
    return event.component if isinstance(event, Event) else delivery.subject.rpartition(".")[2]


def log_unreadable(delivery: Delivery) -> None:
    """Log that a message could not be read."""
    reason: LifecycleError | str = delivery.error or "its type does not match its subject"
    logger.debug("could not read a message on %s: %s", safe(delivery.subject, 200), reason)
