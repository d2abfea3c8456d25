"""The tally at work: what a middleware receives goes into a recorder, which answers whoever asks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NotAuthorised
from choria_lifecycle.event import Event
from choria_lifecycle.log import logger
from choria_lifecycle.tally.exposition import PREFIX, Facts, check_prefix, render
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.recorder import EXPIRY, Recorder
from choria_lifecycle.tally.status import status
from choria_lifecycle.text import safe
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

if TYPE_CHECKING:
    from choria_lifecycle.middleware import Middleware
    from choria_lifecycle.receiver import Deliveries, Delivery
    from choria_lifecycle.tally.status import Status

__all__ = ["ALIVE_SECONDS", "Options", "Tally"]

ALIVE_SECONDS: Final = 30 * 60.0
"""How often Choria's servers say that they are alive (go-choria, since 0.29)."""

# The machine events that are counted: subject, what travels there, and what stands for them among the errors.
_MACHINE_EVENTS: Final = (
    ("choria.machine.transition", Transition, "transition"),
    ("choria.machine.watcher.exec.state", ExecState, "exec_watcher"),
)

_SWEEP_SECONDS: Final = 60.0
_PING_SECONDS: Final = 15.0
_PATIENCE_SECONDS: Final = 5.0

# Three pings without an answer.
_ANSWERED_SECONDS: Final = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a tally counts, and under which names.

    Attributes:
        components: the components to count; none for all.
        prefix: what the names of the metrics begin with.
        expiry: after how many seconds of silence a node is given up.
        limits: how much is kept, whoever publishes.

    Raises:
        ConfigError: the prefix cannot be used.
    """

    components: tuple[str, ...] = ()
    prefix: str = PREFIX
    expiry: float = EXPIRY
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check_prefix(self.prefix)


class Tally:
    """Counts what a middleware receives, and answers scrapes; a `tally.http.Source`.

    Attributes:
        recorder: what was counted.

    Args:
        middleware: where events come from; the caller closes it.
        options: what to count.
    """

    def __init__(self, middleware: Middleware, options: Options) -> None:
        self.recorder = Recorder(limits=options.limits, expiry=options.expiry, now=time.monotonic())
        self._middleware = middleware
        self._options = options
        self._started = time.time()
        self._received: list[Deliveries] = []
        self._whole_since = time.monotonic()
        self._gaps = 0
        self._answered: float | None = None

    # What is asked for, in the event loop, at any time.

    def metrics(self) -> bytes:
        """The numbers, in Prometheus' text format."""
        return render(self.recorder, self.facts(), prefix=self._options.prefix, now=time.monotonic())

    def status(self) -> Status:
        """The numbers, and how the tally is doing."""
        return status(self.recorder, self.facts(), prefix=self._options.prefix, now=time.monotonic())

    def unready(self) -> str:
        """Why the tally is not ready; empty if it is connected, subscribed, and the broker has answered lately."""
        facts = self.facts()
        if not facts.connected:
            return "not connected to a broker"
        if not facts.subscribed:
            return "not subscribed yet"
        if facts.last_answer is None or facts.now - facts.last_answer > _ANSWERED_SECONDS:
            return "the broker does not answer"
        return ""

    def facts(self) -> Facts:
        """How the tally is doing."""
        server = self._middleware.server
        return Facts(
            connected=bool(server),
            server=server,
            subscribed=bool(self._received),
            last_answer=self._answered,
            gaps=self._lost,
            dropped=sum(received.counters.dropped for received in self._received),
            components=self._options.components,
            complete=time.monotonic() - self._whole_since >= ALIVE_SECONDS,
            started=self._started,
            now=time.time(),
        )

    @property
    def _lost(self) -> int:
        """How often the connection was lost: each subscription counts the same losses."""
        return max((received.counters.gaps for received in self._received), default=0)

    # The work.

    async def run(self) -> None:
        """Count until cancelled.

        Raises:
            NotAuthorised: the broker does not allow to receive lifecycle events.
            ConnectionFailed: it does not confirm the subscription.
        """
        async with AsyncExitStack() as stack:
            received = await stack.enter_async_context(self._lifecycle())
            work = [self._count_events(received)]
            entered = [received]
            for subject, kind, name in _MACHINE_EVENTS:
                machines = self._middleware.deliveries(subject=subject)
                try:
                    entered.append(await stack.enter_async_context(machines))
                except NotAuthorised as error:
                    logger.warning("%s: these events are not counted", error)
                else:
                    work.append(self._count_machines(machines, kind, name))
            self._received = entered
            await self._ping()
            tasks = [asyncio.create_task(each) for each in (*work, self._keep_sweeping(), self._keep_asking())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _lifecycle(self) -> Deliveries:
        return self._middleware.deliveries(component=self._options.components or None)

    async def _count_events(self, received: Deliveries) -> None:
        take, spent, failed = self.recorder.take, self.recorder.spent, self.recorder.failed
        now, clock = time.monotonic, time.perf_counter
        async for delivery in received:
            event = delivery.event
            if isinstance(event, Event):
                begin = clock()
                take(event, now())
                spent(event.component, clock() - begin)
            else:
                failed(delivery.subject.rpartition(".")[2])
                _unread(delivery)

    async def _count_machines(self, received: Deliveries, kind: type, name: str) -> None:
        async for delivery in received:
            if isinstance(delivery.event, kind):
                self.recorder.take(delivery.event, time.monotonic())
            else:
                self.recorder.failed(name)
                _unread(delivery)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            while self.recorder.sweep(time.monotonic()):  # noqa: ASYNC110 - it is work, not waiting
                await asyncio.sleep(0)

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(_PING_SECONDS)
            await self._ping()

    async def _ping(self) -> None:
        try:
            await self._middleware.flush(timeout=_PATIENCE_SECONDS)
        except ConnectionFailed as error:
            logger.debug("the broker did not answer: %s", error)
        else:
            self._answered = time.time()
        if self._lost != self._gaps:
            # What happened in between is known once each node has been heard again.
            self._gaps = self._lost
            self._whole_since = time.monotonic()


def _unread(delivery: Delivery) -> None:
    reason: LifecycleError | str = delivery.error or "it is of another kind than its subject says"
    logger.debug("could not read a message on %s: %s", safe(delivery.subject, 200), reason)
