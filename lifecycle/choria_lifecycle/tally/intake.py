"""Lifecycle events on their way into a recorder: out of a stream where there is one, else as they are published."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import ConnectionFailed, NoStream, NotAuthorised
from choria_lifecycle.event import Event
from choria_lifecycle.log import logger
from choria_lifecycle.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.delivery import Counters, Delivery
    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.middleware import Middleware
    from choria_lifecycle.receiver import Deliveries
    from choria_lifecycle.tally.recorder import Recorder

__all__ = ["ALIVE_SECONDS", "Intake", "unread"]

ALIVE_SECONDS: Final = 30 * 60.0
"""How often Choria's servers say that they are alive (go-choria, since 0.29)."""


class Intake:
    """Receives lifecycle events and has a recorder count them.

    What a stream stored before the start rebuilds the nodes and is not counted; what it stores from then on is. Where
    there is no stream, or none any more, events are received as they are published.

    Attributes:
        why: why nothing is replayed, safe to show; empty where something is, or nothing was to be.

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
        self._received: Deliveries | None = None
        self._counters: list[Counters] = []  # of each subscription that there was
        self._whole_since = time.monotonic()
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
        """What became of the replay: `off`, `running`, `done`, or `none` where there is no stream to read."""
        if not self._back:
            return "off"
        if self.why:
            return "none"
        return "running" if self._received is None or self._received.replaying else "done"

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
        """Receive until the middleware closes, or this is cancelled.

        Raises:
            NotAuthorised: the broker does not allow to receive lifecycle events.
            ConnectionFailed: it does not confirm the subscription.
        """
        if self._back:
            stored = self._middleware.deliveries(component=self._components, since=self._back, stream=self._stream)
            try:
                await self._receive(stored)
            except (NoStream, NotAuthorised, ConnectionFailed) as error:
                self.why = safe(str(error), 300)
                logger.warning("%s; events are counted as they are published", error)
            else:
                return
        await self._receive(self._middleware.deliveries(component=self._components))

    async def _receive(self, deliveries: Deliveries) -> None:
        async with deliveries as received:
            self._whole_since = time.monotonic() - (time.time() - (received.begin or time.time()))
            self._counters.append(received.counters)
            self._gaps_known = self.gaps
            self._received = received
            try:
                if received.replaying:
                    await self._restore(received)
                self._begun.set()
                async for delivery in received:
                    self._count(delivery)
            finally:
                self._received = None

    async def _restore(self, received: Deliveries) -> None:
        begin = time.monotonic()
        async for delivery in received:
            if not delivery.replayed:
                self._count(delivery)
            elif delivery.event is not None:
                self._recorder.restore(delivery.event, time.monotonic(), time.time() - delivery.received)
            if not received.replaying:
                break
        seconds = time.monotonic() - begin
        self._say(f"{self._recorder.nodes} nodes out of {self.replayed} stored events, read in {seconds:.1f} s")

    def _count(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, Event):
            begin = time.perf_counter()
            self._recorder.take(event, time.monotonic())
            self._recorder.spent(event.component, time.perf_counter() - begin)
        else:
            self._recorder.failed(delivery.subject.rpartition(".")[2])
            unread(delivery)


def unread(delivery: Delivery) -> None:
    """Log that a message could not be read."""
    reason: LifecycleError | str = delivery.error or "it is of another kind than its subject says"
    logger.debug("could not read a message on %s: %s", safe(delivery.subject, 200), reason)
