"""The in-memory transport, for tests and for programs without a server."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count

from choria_lifecycle.errors import ConnectionFailed, DeliveryFailed, NotAuthorised
from choria_lifecycle.middleware.bucket import Bucket, InMemoryBucket, check_bucket
from choria_lifecycle.middleware.transport import (
    Interest,
    Message,
    Replay,
    ReplaySink,
    Sink,
    check_messages,
    check_pattern,
    covers,
    no_stream,
    nothing_stored,
    start_time,
)
from choria_lifecycle.support.choria import ELECTION_BUCKET
from choria_lifecycle.support.clock import steady

__all__ = ["InMemoryTransport"]


class InMemoryTransport:
    """A transport within one process, for tests: messages arrive as they are published, without a server.

    Each publish lets other tasks run once, as waiting for a server would.

    Args:
        streams: the subjects that a stream stores, wildcards allowed; by default those of Choria's own streams.
        max_payload: the largest message in bytes; by default a nats-server's 1 MiB.
        buckets: the existing key-value buckets, name to TTL in seconds; by default Choria's election bucket.
        clock: returns the server's time in seconds since the epoch; by default this machine's time, undisturbed by
            steps of its clock.

    Attributes:
        published: every message published so far, oldest first.
        stored: the published messages that a stream has stored.
    """

    def __init__(
        self,
        streams: Sequence[str] = ("choria.lifecycle.>", "choria.machine.>"),
        max_payload: int = 1024 * 1024,
        buckets: Mapping[str, float] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.published: list[Message] = []
        self.stored: list[Message] = []
        self._times: list[float] = []
        started = time.time() - steady()
        self._clock = clock = clock or (lambda: started + steady())
        self._begin = clock()
        self._replays: list[_MemoryReplay] = []
        ttls = {ELECTION_BUCKET: 60.0} if buckets is None else buckets
        self._buckets = {name: InMemoryBucket(name, ttl, clock=clock) for name, ttl in ttls.items()}
        self._streams = tuple(streams)
        self._max_payload = max_payload
        self._subscriptions: list[_MemorySubscription] = []
        self._turns: defaultdict[str, count[int]] = defaultdict(count)
        self._refused: set[str] = set()
        self._open = True

    @property
    def server(self) -> str:
        """`memory` until the transport is closed, then empty."""
        return "memory" if self._open else ""

    async def publish(self, messages: Sequence[Message], timeout: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._check(messages)
        for message in messages:
            self._deliver(message)
        await asyncio.sleep(0)

    async def publish_stored(self, messages: Sequence[Message], timeout: float) -> None:  # noqa: ARG002
        self._check(messages)
        for message in messages:
            self._deliver(message)
        await asyncio.sleep(0)
        for subject, _ in messages:
            if not self._is_stored(subject):
                raise no_stream(subject)

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:  # noqa: ARG002
        check_pattern(subject, queue)
        if not self._open:
            raise ConnectionFailed("the transport is closed")
        if subject in self._refused:
            raise _refused(subject)
        subscription = _MemorySubscription(self._subscriptions, subject, queue, sink)
        self._subscriptions.append(subscription)
        return subscription

    async def replay(
        self,
        subject: str,
        since: float | timedelta,
        sink: ReplaySink,
        timeout: float,  # noqa: ARG002
        stream: str = "",
    ) -> Replay:
        check_pattern(subject, "")
        if not self._open:
            raise ConnectionFailed("the transport is closed")
        if stream or not any(covers(stored, subject) for stored in self._streams):
            raise nothing_stored(subject, f" in {stream}" if stream else "")  # streams in memory have no names
        now = self._clock()
        sink.server_clock(now - steady())
        since = start_time(since, now)
        start = next((at for at, time in enumerate(self._times) if time >= since), len(self.stored))
        begin = max(since, self._begin)
        replay = _MemoryReplay(self._replays, subject, sink, self.stored, self._times, start, begin)
        self._replays.append(replay)
        replay.resume()
        return replay

    def bucket(self, name: str) -> Bucket:
        check_bucket(name)
        return self._buckets.get(name) or InMemoryBucket(name, None)

    async def flush(self, timeout: float) -> None:  # noqa: ARG002
        if not self._open:
            raise ConnectionFailed("the transport is closed")

    async def close(self) -> None:
        """End every subscription. Closing again does nothing."""
        self._open = False
        sinks: list[Sink | ReplaySink] = [each.sink for each in self._subscriptions]
        sinks += [each.sink for each in self._replays]
        self._subscriptions.clear()
        self._replays.clear()
        for sink in sinks:
            sink.closed()

    def interrupt(self) -> None:
        """Simulate a lost and restored connection, which is a gap for a subscription without a stream."""
        for subscription in list(self._subscriptions):
            subscription.sink.gap(steady())
        for replay in list(self._replays):
            replay.sink.caught_up()
            replay.sink.checked(steady())

    def refuse(self, subject: str) -> None:
        """Simulate a revoked permission: present and future subscriptions to the subject fail."""
        self._refused.add(subject)
        refused = [subscription for subscription in self._subscriptions if subscription.subject == subject]
        for subscription in refused:
            self._subscriptions.remove(subscription)
            subscription.sink.failed(_refused(subject))

    def _check(self, messages: Sequence[Message]) -> None:
        if messages and not self._open:
            raise DeliveryFailed("the transport is closed", subject=messages[0][0], may_arrive=False)
        check_messages(messages, self._max_payload)

    def _is_stored(self, subject: str) -> bool:
        return any(covers(stored, subject) for stored in self._streams)

    def _deliver(self, message: Message) -> None:
        subject, data = message
        self.published.append(message)
        if self._is_stored(subject):
            self.stored.append(message)
            self._times.append(self._clock())
            for replay in list(self._replays):
                replay.resume()
        groups: defaultdict[str, list[Sink]] = defaultdict(list)
        for subscription in self._subscriptions:
            if not subscription.pattern.fullmatch(subject):
                continue
            if subscription.queue:
                groups[subscription.queue].append(subscription.sink)
            else:
                subscription.sink.message(subject, data)
        for queue, sinks in groups.items():
            sinks[next(self._turns[queue]) % len(sinks)].message(subject, data)


class _MemorySubscription:
    def __init__(self, siblings: list[_MemorySubscription], subject: str, queue: str, sink: Sink) -> None:
        self.subject = subject
        self.pattern = _pattern(subject)
        self.queue = queue
        self.sink = sink
        self._siblings = siblings

    async def unsubscribe(self) -> None:
        if self in self._siblings:
            self._siblings.remove(self)


class _MemoryReplay:
    def __init__(
        self,
        siblings: list[_MemoryReplay],
        subject: str,
        sink: ReplaySink,
        stored: list[Message],
        times: list[float],
        start: int,
        begin: float,
    ) -> None:
        self.begin = begin
        self.stream = ""
        self.direct = True
        self.fault = ""
        self.sink = sink
        self._siblings = siblings
        self._pattern = _pattern(subject)
        self._stored = stored
        self._times = times
        self._next = start
        self._history = len(stored)
        self._caught_up = False

    def resume(self) -> None:
        while self in self._siblings and self._next < len(self._stored) and min(self.sink.capacity()) > 0:
            subject, data = self._stored[self._next]
            at, history = self._times[self._next], self._next < self._history
            self._next += 1
            if self._pattern.fullmatch(subject):
                self.sink.stored(subject, data, at, history, self._next)
        if not self._caught_up and self._next >= self._history:
            self._caught_up = True
            self.sink.caught_up()

    async def check_history(self, timeout: float) -> None:
        """Do nothing: nothing is ever deleted."""

    async def unsubscribe(self) -> None:
        if self in self._siblings:
            self._siblings.remove(self)


def _refused(subject: str) -> NotAuthorised:
    return NotAuthorised(f"the server does not allow this user to subscribe to {subject}")


def _pattern(subject: str) -> re.Pattern[str]:
    """Return the regular expression for a subject with NATS wildcards."""
    tokens = {"*": r"[^.]+", ">": r".+"}
    return re.compile(r"\.".join(tokens.get(token) or re.escape(token) for token in subject.split(".")))
