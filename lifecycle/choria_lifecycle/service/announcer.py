"""The events of one service: a queue that is published in order, retried on failure, and flushed at the end."""

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

# Seconds for one publish, including a reconnect.
_PUBLISH_TIMEOUT: Final = 5.0
# Seconds between a failed publish and the next attempt; each pause is twice the one before.
_MIN_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 60.0
# The same while closing, when only seconds remain.
_CLOSING_PAUSE: Final = 0.1
# Seconds for closing after the program has cancelled the publishing task, and perhaps the connection's tasks too.
_RESTARTED_TIMEOUT: Final = 0.5


@dataclass(slots=True)
class AnnouncerCounters:
    """Counters of a service's events.

    Attributes:
        published: events that a server has confirmed.
        failures: failed attempts to connect or to publish; the event is retried.
        dropped: discarded events: the oldest when too many are queued, heartbeats still queued when the next one is
            due or the service ends, and events that no server would accept.
    """

    published: int = 0
    failures: int = 0
    dropped: int = 0


class _PendingEvent(NamedTuple):
    """An event that is built once the identity is known; each retry sends the same one."""

    factory: Callable[..., Event]
    options: dict[str, Any]

    def build(self, identity: str) -> Event:
        return self.factory(identity=identity, **self.options)


class Announcer:
    """Publisher of one service's events, within one event loop.

    Args:
        component: the kind of software the service is.
        version: its version.
        identity: returns the node's identity; may take seconds.
        source: supplies the middleware to publish with; the caller closes it.
        interval: seconds between two heartbeats.
        initial_delay: seconds until the first heartbeat.
        format: the wire format.
        limit: the maximum number of queued events.
        clock: determines when a heartbeat is due.

    Attributes:
        counters: the counters of the service's events.
        version: its current version.
        identity: the node's identity; empty until it is known.
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
        self.counters: Final = AnnouncerCounters()
        self.version: str = version
        self.identity: str = ""
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
        """True once an event may have reached a broker, confirmed or not."""
        return self._may_be_known

    async def wait_announced(self) -> None:
        """Wait until startup is published.

        Raises:
            LifecycleError: the first attempt failed; it is retried.
        """
        await asyncio.shield(self._announced)

    def provisioned(self) -> None:
        """Publish a provisioned event."""
        self._enqueue(provisioned)

    def upgraded(self, new_version: str) -> None:
        """Publish an upgraded event; later heartbeats carry the new version."""
        self._enqueue(upgraded, version=self.version, new_version=new_version)
        self.version = new_version

    async def close(self, timeout: float) -> None:
        """Publish shutdown, and wait until the queue is empty.

        Queued heartbeats are dropped. This does not wait if every attempt so far has failed, because no subscriber
        knows of the service, or if the source is closed.

        Args:
            timeout: the maximum wait, in seconds.

        Raises:
            LifecycleError: shutdown was not published.
        """
        try:
            self._tasks[1].cancel()
            self._drop_heartbeats(0)
            if (self._last_error is not None and not self._may_be_known) or self._source.closed:
                self.counters.dropped += len(self._queue)
                raise self._last_error or ConnectionFailed("the middleware is already closed")
            self._enqueue(shutdown)
            self._drained.clear()
            self._closing.set()
            if self._tasks[0].done():
                # The program cancelled all tasks of its loop, perhaps those of the connection too.
                self._tasks[0] = asyncio.create_task(self._publish_loop())
                timeout = min(timeout, _RESTARTED_TIMEOUT)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._drained.wait()
            if self._queue:
                self.counters.dropped += len(self._queue)
                raise self._last_error or ConnectionFailed(f"no server confirmed the events within {timeout:g} s")
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
                # A broker that comes back must not receive the backlog of all its clients at once.
                self._drop_heartbeats(1)
            self._enqueue(alive, version=self.version)
            # Heartbeats missed during a suspend are skipped.
            beats = max(beats, math.floor((self._clock.now() - self._first_due) / self._interval)) + 1

    def _drop_heartbeats(self, start: int) -> None:
        """Drop queued heartbeats from a position on; the event at the head of the queue may be in flight."""
        waiting = list(self._queue)
        self._queue = deque(waiting[:start] + [pending for pending in waiting[start:] if pending.factory is not alive])
        self.counters.dropped += len(waiting) - len(self._queue)

    async def _publish_loop(self) -> None:
        while True:
            while self._queue:
                await self._publish(self._queue[0])
            self._drained.set()
            self._queued.clear()
            await self._queued.wait()

    async def _publish(self, pending: _PendingEvent) -> None:
        before = self._may_be_known
        try:
            self.identity = self.identity or await self._find_identity()
            event = pending.build(self.identity)
            middleware = await self._source.middleware()
            self._may_be_known = True  # from here on it may arrive, even if it is never confirmed
            await middleware.publish(event, format=self._format, timeout=_PUBLISH_TIMEOUT)
        except (InvalidEvent, OptionError) as error:
            self.counters.dropped += 1
            self._dequeue(pending)
            self._record_failure(error)
        except LifecycleError as error:
            self._may_be_known = before or getattr(error, "may_arrive", False)
            self._record_failure(error)
            await self._back_off()
        except Exception as error:  # noqa: BLE001 - for example, no thread can be started at the moment
            logger.debug("unexpected error", exc_info=True)
            self._record_failure(ConnectionFailed(f"{type(error).__name__}: {error}"))
            await self._back_off()
        else:
            self._dequeue(pending)
            self._record_success()

    def _dequeue(self, pending: _PendingEvent) -> None:
        # A full queue may have dropped it already.
        if self._queue and self._queue[0] is pending:
            self._queue.popleft()

    def _record_failure(self, error: LifecycleError) -> None:
        self.counters.failures += 1
        if self._last_error is None:
            logger.warning("%s is not announced: %s; the service keeps running and retries", self._component, error)
        else:
            logger.debug("%s is not announced: %s", self._component, error)
        self._last_error = error
        if self._closing.is_set() and (not self._may_be_known or self._source.closed):
            self._drained.set()  # gives up: see `close`
        if not self._announced.done():
            self._announced.set_exception(error)
            self._announced.exception()  # marks it as retrieved, in case no caller waits for it

    def _record_success(self) -> None:
        self.counters.published += 1
        if self._last_error is not None:
            self._last_error = None
            logger.info("%s is announced again", self._component)
        self._backoff.reset()
        if not self._announced.done():
            self._announced.set_result(None)

    async def _back_off(self) -> None:
        """Wait before the next attempt: longer each time, but only briefly while closing."""
        if self._closing.is_set():
            await asyncio.sleep(_CLOSING_PAUSE)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next()):
                await self._closing.wait()
