"""Lifecycle events on their way into a recorder: out of a stream where there is one, else as they are published."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import ConnectionFailed, NoStream, NotAuthorised
from choria_lifecycle.events.event import Event
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.middleware.delivery import Counters, Delivery
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Deliveries
    from choria_lifecycle.tally.recorder import Recorder

__all__ = ["ALIVE_INTERVAL", "Intake", "log_unreadable"]

ALIVE_INTERVAL: Final = 30 * 60.0
"""How often Choria's servers say that they are alive (go-choria, since 0.29)."""

# Between two attempts to read a stream that is not ready.
_RETRY_INTERVAL: Final = 1.0

_NO_STREAM_HINT: Final = (
    "events are counted as they are published; restart the tally once there is a stream that it may read"
)


class Intake:
    """Receives lifecycle events and has a recorder count them.

    What a stream stored before the start rebuilds the nodes and is not counted; what it stores from then on is. Where
    there is no stream, or none any more, events are received as they are published, until the end. Where the stream
    cannot be read yet, as while brokers come up, it is waited for: it keeps what is published meanwhile.

    Attributes:
        reason: why nothing is replayed, or not yet, safe to show; empty where something is, or nothing was to be.

    Args:
        middleware: where events come from.
        recorder: what counts them.
        components: the components to count; none for all.
        replay: how many seconds back the replay begins; 0 for no replay.
        stream: the stream to replay.
        notify: is told once what was replayed.
    """

    def __init__(
        self,
        middleware: Middleware,
        recorder: Recorder,
        *,
        components: tuple[str, ...],
        replay: float,
        stream: str,
        notify: Callable[[str], None],
    ) -> None:
        self.reason = ""
        self._middleware = middleware
        self._recorder = recorder
        self._components = components or None
        self._replay_period = timedelta(seconds=replay)
        self._stream = stream
        self._notify = notify
        self._no_stream = False  # no stream
        self._deliveries: Deliveries | None = None
        self._counters: list[Counters] = []  # of each subscription that there was
        self._subscribed_at = self._complete_since = time.monotonic()
        self._gaps_seen = 0
        self._replay_over = asyncio.Event()

    @property
    def receiving(self) -> bool:
        """Whether events can arrive."""
        return self._deliveries is not None

    @property
    def gaps(self) -> int:
        """How often events may have been missed; out of a stream a lost connection is no reason to."""
        return sum(each.gaps for each in self._counters) + max(0, len(self._counters) - 1)

    @property
    def dropped(self) -> int:
        """How many messages were thrown away because the program was too slow; none out of a stream."""
        return sum(each.dropped for each in self._counters)

    @property
    def replayed(self) -> int:
        """How many events were read that a stream had stored before the start."""
        return sum(each.replayed for each in self._counters)

    @property
    def replay_state(self) -> str:
        """What became of the replay.

        `off`, `waiting` for a stream that cannot be read yet, `running`, `done`, or `none` without a stream to read.
        """
        if not self._replay_period:
            return "off"
        if self._no_stream:
            return "none"
        if self._deliveries is None:
            return "waiting" if self.reason else "running"
        return "running" if self._deliveries.replaying else "done"

    @property
    def catching_up(self) -> bool:
        """Whether the past has still to be read."""
        return self.replay_state in ("waiting", "running")

    @property
    def complete(self) -> bool:
        """Whether every node that is alive must have been counted by now, as each says so once in a while."""
        if self._deliveries is None or self._deliveries.replaying:
            return False
        if self.gaps != self._gaps_seen:
            # What happened in between is known once each node has been heard again.
            self._gaps_seen, self._complete_since = self.gaps, time.monotonic()
        return time.monotonic() - self._complete_since >= ALIVE_INTERVAL

    async def wait_replay_over(self) -> None:
        """Wait until the past has been read, or is known not to be there."""
        await self._replay_over.wait()

    async def run(self) -> None:
        """Receive until the middleware closes, or this is cancelled; only the latter ends the wait for a stream.

        Raises:
            NotAuthorised: the broker does not allow to receive lifecycle events.
            ConnectionFailed: it does not confirm the subscription.
        """
        if not self._replay_period or not await self._receive_from_stream():
            await self._receive(self._middleware.deliveries(component=self._components))

    async def _receive_from_stream(self) -> bool:
        """Receive out of the stream; returns False where there is none, or none any more."""
        while True:
            stored = self._middleware.deliveries(
                component=self._components, since=self._replay_period, stream=self._stream
            )
            try:
                await self._receive(stored)
            except ConnectionFailed as error:
                before, self.reason = self.reason, safe(str(error), 300)
                if self.reason != before:
                    logger.warning("%s; trying on, nothing is counted until the stream can be read", error)
                await asyncio.sleep(_RETRY_INTERVAL)
            except (NoStream, NotAuthorised) as error:
                self._no_stream, self.reason = True, safe(str(error), 300)
                logger.warning("%s; %s", error, _NO_STREAM_HINT)
                return False
            else:
                return True

    async def _receive(self, deliveries: Deliveries) -> None:
        async with deliveries as received:
            if not self._no_stream:
                self.reason = ""
            self._subscribed_at = time.monotonic()
            self._complete_since = self._subscribed_at - (time.time() - (received.begin or time.time()))
            self._counters.append(received.counters)
            self._gaps_seen = self.gaps
            self._deliveries = received
            # Beside the loop: the last that was stored may be of a component that is not wanted.
            waiting = asyncio.create_task(self._watch_replay(received, received.replaying))
            try:
                async for delivery in received:
                    self._record(delivery)
            finally:
                self._deliveries = None
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    async def _watch_replay(self, received: Deliveries, replaying: bool) -> None:
        if replaying:
            await received.replayed()
        self._replay_over.set()
        if replaying:
            seconds = time.monotonic() - self._subscribed_at
            self._notify(f"{self._recorder.nodes} nodes out of {self.replayed} stored events, read in {seconds:.1f} s")

    def _record(self, delivery: Delivery) -> None:
        event = delivery.event
        now, age = time.monotonic(), time.time() - delivery.received
        if delivery.replayed:
            self._recorder.replay(event, now, age)
        elif isinstance(event, Event):
            begin = time.perf_counter()
            # What a stream kept during an outage is as old as it is; but none of it is from before the start.
            self._recorder.record(event, max(self._subscribed_at, now - max(age, 0.0)))
            self._recorder.add_time(event.component, time.perf_counter() - begin)
        else:
            self._recorder.record_error(delivery.subject.rpartition(".")[2])
            log_unreadable(delivery)


def log_unreadable(delivery: Delivery) -> None:
    """Log that a message could not be read."""
    reason: LifecycleError | str = delivery.error or "it is of another kind than its subject says"
    logger.debug("could not read a message on %s: %s", safe(delivery.subject, 200), reason)
