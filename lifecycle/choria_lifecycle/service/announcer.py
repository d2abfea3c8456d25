"""What a service says of itself, and when; on its way out nothing waits for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from choria_lifecycle.errors import ConnectionFailed, InvalidEvent, LifecycleError, OptionError
from choria_lifecycle.events.factories import alive, provisioned, shutdown, startup, upgraded
from choria_lifecycle.support.backoff import Backoff
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.log import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from choria_lifecycle.events.event import Event
    from choria_lifecycle.service.publisher import PublisherSource
    from choria_lifecycle.support.clock import Clock
    from choria_lifecycle.wire.cloudevents import Format

__all__ = ["Announcer", "AnnouncerCounters"]

# For one publish, a lost connection that comes back included.
_PUBLISH_TIMEOUT: Final = 5.0
# Between a publish that failed and the next attempt; each pause is twice the one before.
_MIN_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 60.0
# The same at the end, where there are seconds left.
_CLOSING_PAUSE: Final = 0.1
# At most, for an end that may never be confirmed.
_RESTARTED_TIMEOUT: Final = 0.5


@dataclass(slots=True)
class AnnouncerCounters:
    """What became of a service's events.

    Attributes:
        published: events that the server has.
        failures: attempts to connect or to publish that failed. The event is tried again.
        dropped: events that were given up: the oldest where too many wait, heartbeats that wait for a broker when the
            next one is due or the service ends, and what no server would take.
    """

    published: int = 0
    failures: int = 0
    dropped: int = 0


class _PendingEvent(NamedTuple):
    """An event to be made once it is known whose it is; sent again, it is the same one."""

    factory: Callable[..., Event]
    options: dict[str, Any]

    def build(self, identity: str) -> Event:
        return self.factory(identity=identity, **self.options)


class Announcer:
    """The events of one service, within one event loop.

    Args:
        component: the kind of software the service is.
        version: the version it runs.
        identity: returns the name of the node; may take its time.
        source: where to publish; the caller closes it.
        interval: seconds between two heartbeats.
        initial_delay: how many seconds after the start the first one is.
        format: how to write the events.
        limit: how many events may wait.
        clock: tells when a heartbeat is due.

    Attributes:
        counters: what became of its events.
        version: the version it runs.
        identity: the name of the node; empty until it is known.
    """

    def __init__(
        self,
        *,
        component: str,
        version: str,
        identity: Callable[[], Awaitable[str]],
        source: PublisherSource,
        interval: float,
        initial_delay: float,
        format: Format,  # noqa: A002 - the name users know
        limit: int,
        clock: Clock,
    ) -> None:
        self.counters = AnnouncerCounters()
        self.version = version
        self.identity = ""
        self._component = component
        self._find_identity = identity
        self._source = source
        self._interval = interval
        self._format = format
        self._limit = limit
        self._clock = clock
        self._first_due = clock.now() + initial_delay
        self._queue: deque[_PendingEvent] = deque()
        self._queued = asyncio.Event()
        self._drained = asyncio.Event()
        self._closing = asyncio.Event()
        self._last_error: LifecycleError | None = None
        self._may_be_known = False
        self._backoff = Backoff(_MIN_PAUSE, _MAX_PAUSE)
        self._announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(startup, version=version)
        self._tasks = [asyncio.create_task(self._publish_loop()), asyncio.create_task(self._heartbeat_loop())]

    @property
    def may_be_known(self) -> bool:
        """Whether anything may have reached a broker, whether that was confirmed or not."""
        return self._may_be_known

    async def wait_announced(self) -> None:
        """Return once the startup event has been published.

        Raises:
            LifecycleError: the first attempt has failed; others follow.
        """
        await asyncio.shield(self._announced)

    def provisioned(self) -> None:
        """Say that the node has been provisioned."""
        self._enqueue(provisioned)

    def upgraded(self, new_version: str) -> None:
        """Say that another version runs from now on."""
        self._enqueue(upgraded, version=self.version, new_version=new_version)
        self.version = new_version

    async def close(self, timeout: float) -> None:
        """Say that the service ends, and wait until all has been said.

        Heartbeats that still wait are left out. Where all attempts failed, nobody knows of it, and where the channel is
        gone, nobody will: nothing is waited for.

        Args:
            timeout: seconds to wait at most.

        Raises:
            LifecycleError: the shutdown event was not published.
        """
        try:
            self._tasks[1].cancel()
            self._drop_heartbeats(0)
            if (self._last_error is not None and not self._may_be_known) or self._source.closed:
                self.counters.dropped += len(self._queue)
                raise self._last_error or ConnectionFailed("the middleware was closed before")
            self._enqueue(shutdown)
            self._drained.clear()
            self._closing.set()
            if self._tasks[0].done():
                # By a program that cancels whatever runs in its loop; what runs for the connection may be over as well.
                self._tasks[0] = asyncio.create_task(self._publish_loop())
                timeout = min(timeout, _RESTARTED_TIMEOUT)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._drained.wait()
            if self._queue:
                self.counters.dropped += len(self._queue)
                raise self._last_error or ConnectionFailed(f"nothing was confirmed within {timeout:g} s")
        finally:
            self._announced.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _enqueue(self, factory: Callable[..., Event], **options: object) -> None:
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self.counters.dropped += 1
        fixed = {"component": self._component, "id": uuid4(), "timestamp": int(time.time())}
        self._queue.append(_PendingEvent(factory, options | fixed))
        self._queued.set()

    async def _heartbeat_loop(self) -> None:
        beats = 0
        while True:
            await self._clock.sleep_until(self._first_due + beats * self._interval)
            if self._last_error is not None:
                # A broker that comes back is not to hear of the past from all of its clients at once.
                self._drop_heartbeats(1)
            self._enqueue(alive, version=self.version)
            # Those that were slept through, as with the lid closed, are not made up for.
            beats = max(beats, math.floor((self._clock.now() - self._first_due) / self._interval)) + 1

    def _drop_heartbeats(self, start: int) -> None:
        """Drop those that wait, from a place in the queue on; the event at its head may be on its way."""
        waiting = list(self._queue)
        self._queue = deque(waiting[:start] + [said for said in waiting[start:] if said.factory is not alive])
        self.counters.dropped += len(waiting) - len(self._queue)

    async def _publish_loop(self) -> None:
        while True:
            while self._queue:
                await self._publish(self._queue[0])
            self._drained.set()
            self._queued.clear()
            await self._queued.wait()

    async def _publish(self, pending: _PendingEvent) -> None:
        known = self._may_be_known
        try:
            self.identity = self.identity or await self._find_identity()
            event = pending.build(self.identity)
            middleware = await self._source.middleware()
            self._may_be_known = True  # it may arrive from here on, whenever that is confirmed
            await middleware.publish(event, format=self._format, timeout=_PUBLISH_TIMEOUT)
        except (InvalidEvent, OptionError) as error:
            self.counters.dropped += 1
            self._dequeue(pending)
            self._record_failure(error)
        except LifecycleError as error:
            self._may_be_known = known or getattr(error, "may_arrive", False)
            self._record_failure(error)
            await self._back_off()
        except Exception as error:  # noqa: BLE001 - as where no thread can be started; it may pass
            logger.debug("unexpected", exc_info=True)
            self._record_failure(ConnectionFailed(f"{type(error).__name__}: {error}"))
            await self._back_off()
        else:
            self._dequeue(pending)
            self._record_success()

    def _dequeue(self, pending: _PendingEvent) -> None:
        # It may have been taken away meanwhile, as one too many.
        if self._queue and self._queue[0] is pending:
            self._queue.popleft()

    def _record_failure(self, error: LifecycleError) -> None:
        self.counters.failures += 1
        if self._last_error is None:
            logger.warning(
                "%s is not announced: %s; the service goes on, and it is tried again", self._component, error
            )
        else:
            logger.debug("%s is not announced: %s", self._component, error)
        self._last_error = error
        if self._closing.is_set() and (not self._may_be_known or self._source.closed):
            self._drained.set()  # given up: see `close`
        if not self._announced.done():
            self._announced.set_exception(error)
            self._announced.exception()  # whether anybody waits for it or not

    def _record_success(self) -> None:
        self.counters.published += 1
        if self._last_error is not None:
            self._last_error = None
            logger.info("%s is announced again", self._component)
        self._backoff.reset()
        if not self._announced.done():
            self._announced.set_result(None)

    async def _back_off(self) -> None:
        """Wait before the next attempt, longer each time, but not where the end is near."""
        if self._closing.is_set():
            await asyncio.sleep(_CLOSING_PAUSE)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next()):
                await self._closing.wait()
