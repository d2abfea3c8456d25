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
_PUBLISH_SECONDS: Final = 5.0
# Between a publish that failed and the next attempt; each pause is twice the one before.
_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
# The same at the end, where there are seconds left.
_LAST_PAUSE: Final = 0.1
# At most, for an end that may never be confirmed.
_CUT_OFF: Final = 0.5


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


class _Said(NamedTuple):
    """An event to be made once it is known whose it is; sent again, it is the same one."""

    make: Callable[..., Event]
    options: dict[str, Any]

    def event(self, identity: str) -> Event:
        return self.make(identity=identity, **self.options)


class Announcer:
    """The events of one service, within one event loop.

    Args:
        component: the kind of software the service is.
        version: the version it runs.
        identity: returns the name of the node; may take its time.
        channel: where to publish; the caller closes it.
        interval: seconds between two heartbeats.
        first: how many seconds after the start the first one is.
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
        channel: PublisherSource,
        interval: float,
        first: float,
        format: Format,  # noqa: A002 - the name users know
        limit: int,
        clock: Clock,
    ) -> None:
        self.counters = AnnouncerCounters()
        self.version = version
        self.identity = ""
        self._component = component
        self._find_identity = identity
        self._channel = channel
        self._interval = interval
        self._format = format
        self._limit = limit
        self._clock = clock
        self._first = clock.now() + first
        self._queue: deque[_Said] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._closing = asyncio.Event()
        self._trouble: LifecycleError | None = None
        self._known = False
        self._backoff = Backoff(_SHORTEST_PAUSE, _LONGEST_PAUSE)
        self._announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(startup, version=version)
        self._tasks = [asyncio.create_task(self._publish_loop()), asyncio.create_task(self._heartbeat_loop())]

    @property
    def may_be_known(self) -> bool:
        """Whether anything may have reached a broker, whether that was confirmed or not."""
        return self._known

    async def announced(self) -> None:
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
            self._leave_out_heartbeats(0)
            if (self._trouble is not None and not self._known) or self._channel.closed:
                self.counters.dropped += len(self._queue)
                raise self._trouble or ConnectionFailed("the middleware was closed before")
            self._enqueue(shutdown)
            self._emptied.clear()
            self._closing.set()
            if self._tasks[0].done():
                # By a program that cancels whatever runs in its loop; what runs for the connection may be over as well.
                self._tasks[0] = asyncio.create_task(self._publish_loop())
                timeout = min(timeout, _CUT_OFF)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._emptied.wait()
            if self._queue:
                self.counters.dropped += len(self._queue)
                raise self._trouble or ConnectionFailed(f"nothing was confirmed within {timeout:g} s")
        finally:
            self._announced.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _enqueue(self, make: Callable[..., Event], **options: object) -> None:
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self.counters.dropped += 1
        fixed = {"component": self._component, "id": uuid4(), "timestamp": int(time.time())}
        self._queue.append(_Said(make, options | fixed))
        self._filled.set()

    async def _heartbeat_loop(self) -> None:
        beats = 0
        while True:
            await self._clock.sleep_until(self._first + beats * self._interval)
            if self._trouble is not None:
                # A broker that comes back is not to hear of the past from all of its clients at once.
                self._leave_out_heartbeats(1)
            self._enqueue(alive, version=self.version)
            # Those that were slept through, as with the lid closed, are not made up for.
            beats = max(beats, math.floor((self._clock.now() - self._first) / self._interval)) + 1

    def _leave_out_heartbeats(self, first: int) -> None:
        """Drop those that wait, from a place in the queue on; the event at its head may be on its way."""
        waiting = list(self._queue)
        self._queue = deque(waiting[:first] + [said for said in waiting[first:] if said.make is not alive])
        self.counters.dropped += len(waiting) - len(self._queue)

    async def _publish_loop(self) -> None:
        while True:
            while self._queue:
                await self._try(self._queue[0])
            self._emptied.set()
            self._filled.clear()
            await self._filled.wait()

    async def _try(self, said: _Said) -> None:
        known = self._known
        try:
            self.identity = self.identity or await self._find_identity()
            event = said.event(self.identity)
            middleware = await self._channel.middleware()
            self._known = True  # it may arrive from here on, whenever that is confirmed
            await middleware.publish(event, format=self._format, timeout=_PUBLISH_SECONDS)
        except (InvalidEvent, OptionError) as error:
            self.counters.dropped += 1
            self._drop(said)
            self._failed(error)
        except LifecycleError as error:
            self._known = known or getattr(error, "may_arrive", False)
            self._failed(error)
            await self._pause()
        except Exception as error:  # noqa: BLE001 - as where no thread can be started; it may pass
            logger.debug("unexpected", exc_info=True)
            self._failed(ConnectionFailed(f"{type(error).__name__}: {error}"))
            await self._pause()
        else:
            self._drop(said)
            self._succeeded()

    def _drop(self, said: _Said) -> None:
        # It may have been taken away meanwhile, as one too many.
        if self._queue and self._queue[0] is said:
            self._queue.popleft()

    def _failed(self, error: LifecycleError) -> None:
        self.counters.failures += 1
        if self._trouble is None:
            logger.warning(
                "%s is not announced: %s; the service goes on, and it is tried again", self._component, error
            )
        else:
            logger.debug("%s is not announced: %s", self._component, error)
        self._trouble = error
        if self._closing.is_set() and (not self._known or self._channel.closed):
            self._emptied.set()  # given up: see `close`
        if not self._announced.done():
            self._announced.set_exception(error)
            self._announced.exception()  # whether anybody waits for it or not

    def _succeeded(self) -> None:
        self.counters.published += 1
        if self._trouble is not None:
            self._trouble = None
            logger.info("%s is announced again", self._component)
        self._backoff.reset()
        if not self._announced.done():
            self._announced.set_result(None)

    async def _pause(self) -> None:
        """Wait before the next attempt, longer each time, but not where the end is near."""
        if self._closing.is_set():
            await asyncio.sleep(_LAST_PAUSE)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next()):
                await self._closing.wait()
