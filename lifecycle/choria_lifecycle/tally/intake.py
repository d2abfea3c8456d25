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

__all__ = ["ALIVE_SECONDS", "Intake", "unread"]

ALIVE_SECONDS: Final = 30 * 60.0
"""How often Choria's servers say that they are alive (go-choria, since 0.29)."""

# Between two attempts to read a stream that is not ready.
_AGAIN_SECONDS: Final = 1.0

_WITHOUT: Final = "events are counted as they are published; restart the tally once there is a stream that it may read"


class Intake:
    """Receives lifecycle events and has a recorder count them.

    What a stream stored before the start rebuilds the nodes and is not counted; what it stores from then on is. Where
    there is no stream, or none any more, events are received as they are published, until the end. Where the stream
    cannot be read yet, as while brokers come up, it is waited for: it keeps what is published meanwhile.

    Attributes:
        why: why nothing is replayed, or not yet, safe to show; empty where something is, or nothing was to be.

    Args:
        middleware: where events come from.
        recorder: what counts them.
        components: the components to count; none for all.
        replay: how many seconds back the replay begins; 0 for no replay.
        stream: the stream to replay.
        say: is told once what was replayed.
    """

    def __init__(
        self,
        middleware: Middleware,
        recorder: Recorder,
        *,
        components: tuple[str, ...],
        replay: float,
        stream: str,
        say: Callable[[str], None],
    ) -> None:
        self.why = ""
        self._middleware = middleware
        self._recorder = recorder
        self._components = components or None
        self._back = timedelta(seconds=replay)
        self._stream = stream
        self._say = say
        self._none = False  # no stream
        self._received: Deliveries | None = None
        self._counters: list[Counters] = []  # of each subscription that there was
        self._entered = self._whole_since = time.monotonic()
        self._gaps_known = 0
        self._begun = asyncio.Event()

    @property
    def receiving(self) -> bool:
        """Whether events can arrive."""
        return self._received is not None

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
    def state(self) -> str:
        """What became of the replay.

        `off`, `waiting` for a stream that cannot be read yet, `running`, `done`, or `none` without a stream to read.
        """
        if not self._back:
            return "off"
        if self._none:
            return "none"
        if self._received is None:
            return "waiting" if self.why else "running"
        return "running" if self._received.replaying else "done"

    @property
    def catching_up(self) -> bool:
        """Whether the past has still to be read."""
        return self.state in ("waiting", "running")

    @property
    def complete(self) -> bool:
        """Whether every node that is alive must have been counted by now, as each says so once in a while."""
        if self._received is None or self._received.replaying:
            return False
        if self.gaps != self._gaps_known:
            # What happened in between is known once each node has been heard again.
            self._gaps_known, self._whole_since = self.gaps, time.monotonic()
        return time.monotonic() - self._whole_since >= ALIVE_SECONDS

    async def begun(self) -> None:
        """Wait until the past has been read, or is known not to be there."""
        await self._begun.wait()

    async def run(self) -> None:
        """Receive until the middleware closes, or this is cancelled; only the latter ends the wait for a stream.

        Raises:
            NotAuthorised: the broker does not allow to receive lifecycle events.
            ConnectionFailed: it does not confirm the subscription.
        """
        if not self._back or not await self._receive_stored():
            await self._receive(self._middleware.deliveries(component=self._components))

    async def _receive_stored(self) -> bool:
        """Receive out of the stream; returns False where there is none, or none any more."""
        while True:
            stored = self._middleware.deliveries(component=self._components, since=self._back, stream=self._stream)
            try:
                await self._receive(stored)
            except ConnectionFailed as error:
                before, self.why = self.why, safe(str(error), 300)
                if self.why != before:
                    logger.warning("%s; trying on, nothing is counted until the stream can be read", error)
                await asyncio.sleep(_AGAIN_SECONDS)
            except (NoStream, NotAuthorised) as error:
                self._none, self.why = True, safe(str(error), 300)
                logger.warning("%s; %s", error, _WITHOUT)
                return False
            else:
                return True

    async def _receive(self, deliveries: Deliveries) -> None:
        async with deliveries as received:
            if not self._none:
                self.why = ""
            self._entered = time.monotonic()
            self._whole_since = self._entered - (time.time() - (received.begin or time.time()))
            self._counters.append(received.counters)
            self._gaps_known = self.gaps
            self._received = received
            # Beside the loop: the last that was stored may be of a component that is not wanted.
            waiting = asyncio.create_task(self._begin(received, received.replaying))
            try:
                async for delivery in received:
                    self._count(delivery)
            finally:
                self._received = None
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    async def _begin(self, received: Deliveries, replaying: bool) -> None:
        if replaying:
            await received.replayed()
        self._begun.set()
        if replaying:
            seconds = time.monotonic() - self._entered
            self._say(f"{self._recorder.nodes} nodes out of {self.replayed} stored events, read in {seconds:.1f} s")

    def _count(self, delivery: Delivery) -> None:
        event = delivery.event
        now, age = time.monotonic(), time.time() - delivery.received
        if delivery.replayed:
            self._recorder.replay(event, now, age)
        elif isinstance(event, Event):
            begin = time.perf_counter()
            # What a stream kept during an outage is as old as it is; but none of it is from before the start.
            self._recorder.record(event, max(self._entered, now - max(age, 0.0)))
            self._recorder.add_time(event.component, time.perf_counter() - begin)
        else:
            self._recorder.record_error(delivery.subject.rpartition(".")[2])
            unread(delivery)


def unread(delivery: Delivery) -> None:
    """Log that a message could not be read."""
    reason: LifecycleError | str = delivery.error or "it is of another kind than its subject says"
    logger.debug("could not read a message on %s: %s", safe(delivery.subject, 200), reason)
