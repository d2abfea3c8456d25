"""Replay of a JetStream stream: in order, from a given time, continuing with new messages.

An ephemeral pull consumer delivers messages in batches, each requested once the sink has capacity for it. If the
consumer disappears, skips a message or falls silent, a new one continues after the last message delivered.
"""
# nats-py's annotations leave much open, which a strict checker reports at every call.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from nats import errors

from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NoStream, NotAuthorised
from choria_lifecycle.nats.api import NO_CONSUMER, NO_STREAM, Api, JetStreamError, NoReplyError
from choria_lifecycle.nats.diagnosis import diagnose
from choria_lifecycle.nats.jetstream import StreamCursor, Streams, parse_ack_subject
from choria_lifecycle.nats.stream_watch import StreamWatch
from choria_lifecycle.nats.waiting import ConnectionLostError, wait_confirmed
from choria_lifecycle.support.backoff import Backoff
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from datetime import timedelta

    from choria_lifecycle.middleware.transport import ReplaySink
    from choria_lifecycle.nats.connection import Connection

__all__ = ["NatsReplay", "to_seconds"]

# The size of one request.
_BATCH: Final = 2000
_BATCH_BYTES: Final = 8 * 1024 * 1024

# A request without messages expires after this many seconds and is repeated.
_EXPIRES: Final = 30.0
# Seconds between the server's heartbeats, and without one until the consumer counts as lost.
_HEARTBEAT: Final = 2.0
_HEARTBEAT_TIMEOUT: Final = 6.0

# For each step of creating another consumer.
_REQUEST_TIMEOUT: Final = 5.0
# Between checks of the stream and of the server's clock.
_CHECK_INTERVAL: Final = 10.0
# Between attempts.
_MIN_PAUSE: Final = 0.25
_MAX_PAUSE: Final = 5.0

# The status of a heartbeat, which the server sends while the consumer has nothing to deliver.
_IDLE: Final = b"100"
_TOO_LARGE: Final = b"Message Size Exceeds MaxBytes"
# Statuses after which the next request follows: no messages, expired, complete.
_RETRY: Final = (b"404", b"408")
_COMPLETE: Final = (_TOO_LARGE, b"Batch Completed")


class _RestartError(Exception):
    """The consumer can no longer be used; create another."""


class NatsReplay:
    """A replay on a server, as specified by `choria_lifecycle.middleware.transport.Transport.replay`.

    Args:
        connection: the connection to the server.
        subject: the subject.
        since: the start.
        sink: the receiver.
        siblings: the list of active replays, to which this one adds itself while it runs.
    """

    def __init__(
        self,
        connection: Connection,
        subject: str,
        since: float | timedelta,
        sink: ReplaySink,
        siblings: list[NatsReplay],
    ) -> None:
        self.sink = sink
        self._siblings = siblings
        self._connection = connection
        self._api = Api(connection)
        self._watch = StreamWatch(sink, subject)
        self._streams = Streams(self._api, sink, self._watch)
        self._cursor = StreamCursor(subject, since)
        self._caught_up = False
        self._task: asyncio.Task[None] | None = None
        self._check_task: asyncio.Task[None] | None = None
        # The connection on which the consumer was created, as `Client.lost`, and when.
        self._lost = connection.client.lost
        self._created_at = 0.0
        self._gap_checks: set[asyncio.Task[None]] = set()
        self._resumed = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._inbox = connection.client.new_inbox()
        self._sid = 0
        # The consumer last requested, which the server may have created; the one in use, and how many messages it has
        # delivered.
        self._requested = ""
        self._consumer = b""
        self._received = 0
        # The current request: its number, its size, the messages received, and the status that ends it, or empty.
        self._request_number = 0
        self._batch_size = 0
        self._batch_received = 0
        # The last message before the first that the batch has skipped: its sequence, and when it was stored.
        self._skip: tuple[int, int] | None = None
        self._single = False
        self._last_received = 0.0
        self._request_done: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()

    @property
    def begin(self) -> float:
        return self._cursor.begin

    @property
    def stream(self) -> str:
        return safe(self._cursor.stream, 200)

    @property
    def direct(self) -> bool:
        return self._cursor.direct

    @property
    def fault(self) -> str:
        return safe(self._watch.fault, 500)

    async def start(self, stream: str, timeout: float) -> None:
        """Find the stream and create the first consumer.

        Raises:
            NoStream: no stream can be read.
            ConnectionFailed: no reply came in time.
            NotAuthorised: the server refused access.
        """
        deadline = self._now() + timeout
        try:
            await self._streams.find(self._cursor, stream, deadline)
            self._sid = await self._connection.client.listen(f"{self._inbox}.*", "", self._receive)
            await self._make_consumer(deadline)
        except (NoReplyError, JetStreamError, errors.Error) as error:
            await self.unsubscribe()
            raise ConnectionFailed(f"no replay of {self._cursor.subject}: {error}") from error
        except BaseException:
            await self.unsubscribe()
            raise
        self._task = asyncio.create_task(self._run())
        self._check_task = asyncio.create_task(self._check_loop())
        self._siblings.append(self)

    def resume(self) -> None:
        self._resumed.set()

    async def check_history(self, timeout: float) -> None:
        deadline = self._now() + timeout
        self._check_skip()
        await asyncio.gather(*self._gap_checks)
        try:
            await self._connection.connected(deadline)
            await self._streams.check_history(self._cursor, deadline)
        except (NoReplyError, JetStreamError, LifecycleError) as error:
            reason = f"the stream {self._cursor.stream} did not tell whether it has discarded any: {error}"
            self.sink.doubt(self._streams.monotonic(self._cursor.time), steady(), reason)

    async def unsubscribe(self) -> None:
        try:
            await self.stop()
        finally:
            await self._connection.client.unlisten(self._sid)

    async def _delete_consumer(self) -> None:
        """Delete the consumer if connected; otherwise the server does so after a minute of inactivity."""
        consumer, self._requested, self._consumer = self._requested, "", b""
        client = self._connection.client
        if consumer and client.is_connected:
            try:
                await client.publish(self._api.subject(f"CONSUMER.DELETE.{self._cursor.stream}.{consumer}"))
            except errors.Error as error:
                logger.debug("a consumer was left behind: %s", diagnose(error))

    async def stop(self) -> None:
        """End the task and delete the consumer; nothing is delivered afterwards."""
        if self in self._siblings:
            self._siblings.remove(self)
        tasks = {each for each in (self._task, self._check_task, *self._gap_checks) if each is not None}
        tasks.discard(asyncio.current_task())
        self._task = self._check_task = None
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:  # also if the caller is cancelled
            await self._delete_consumer()

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._read_batch()
                except (_RestartError, ConnectionLostError, errors.Error) as error:
                    self._consumer = b""
                    logger.debug("restarting the replay of %s: %s", self._cursor.subject, error)
                    await self._recreate_consumer()
        except LifecycleError as error:
            self.sink.failed(error)

    async def _check_loop(self) -> None:
        """Check the stream and the consumer regularly, while the task of `_run` keeps the connection and the consumer.

        What the stream had stored before a check has been delivered if nothing is pending.
        """
        while True:
            await asyncio.sleep(_CHECK_INTERVAL)
            lost, consumer, asked = self._connection.client.lost, self._consumer, steady()
            if lost.done() or not consumer:
                continue
            try:
                await self._streams.check(self._cursor, self._now() + _REQUEST_TIMEOUT)
                delivered = await self._delivered_before(consumer, asked)
            except (NoReplyError, JetStreamError) as error:
                if not lost.done():
                    self._watch.unreadable(self._cursor.stream, str(error))
            except LifecycleError as error:
                logger.debug("cannot check the stream %s: %s", self._cursor.stream, error)
            else:
                if delivered is not None and consumer == self._consumer:
                    self.sink.checked(delivered)

    async def _delivered_before(self, consumer: bytes, asked: float) -> float | None:
        """Return the time before which everything that was stored has been delivered; None if it is unknown."""
        last = self._streams.monotonic(self._cursor.time) if self._cursor.last_sequence else None
        try:
            info = await self._streams.consumer(self._cursor, consumer.decode(), self._now() + _REQUEST_TIMEOUT)
        except NotAuthorised as error:
            logger.debug("cannot examine the consumer: %s", error)
            self._watch.readable(self._cursor.stream)
            return last
        except JetStreamError as error:
            if error.code != NO_CONSUMER:
                raise
            return None  # deleted, as the reader is slow: its next request creates another
        if info.paused:
            self._watch.unreadable(self._cursor.stream, "its consumer is paused", storing=True)
            return last
        self._watch.readable(self._cursor.stream)
        return last if info.num_pending else asked

    async def _recreate_consumer(self) -> None:
        pause, backoff = 0.0, Backoff(_MIN_PAUSE, _MAX_PAUSE)
        while True:
            await asyncio.sleep(pause)
            pause = backoff.next()
            if not await self._connection.connected(self._now() + _REQUEST_TIMEOUT):
                continue
            try:
                await self._make_consumer(self._now() + _REQUEST_TIMEOUT)
            except JetStreamError as error:
                if error.code == NO_STREAM or not error.enabled:
                    raise NoStream(f"the stream {self._cursor.stream} no longer exists: {error}") from error
                reason = str(error)
            except NoReplyError as error:
                reason = str(error)
            else:
                return
            if self._connection.client.lost.done():
                continue
            # Each attempt has a consumer of its own.
            self._watch.unreadable(self._cursor.stream, reason.replace(self._requested, "*"))
            self.sink.interrupted()

    async def _make_consumer(self, deadline: float) -> None:
        name = self._requested = uuid4()
        self._lost, self._created_at = self._connection.client.lost, steady()
        try:
            made = await self._streams.create_consumer(self._cursor, name, deadline)
        except NotAuthorised:
            self._requested = ""  # not created, so there is nothing to delete
            raise
        self._watch.readable(self._cursor.stream)
        self._received = 0
        self._consumer = name.encode()
        self._caught_up = False
        if not made.num_pending:
            self._report_caught_up()

    async def _read_batch(self) -> None:
        """Request as much as the sink has capacity for, and wait until the request ends.

        Raises:
            _RestartError: the consumer can no longer be used.
            ConnectionLostError: the connection was lost.
        """
        if self._lost is not self._connection.client.lost:
            raise _RestartError("the connection was lost")
        self._resumed.clear()
        messages, size = self.sink.capacity()
        if messages <= 0 or size <= 0:
            await self._resumed.wait()
            return
        self._request_number += 1
        self._batch_size, self._batch_received = (1 if self._single else min(messages, _BATCH)), 0
        request: dict[str, int] = {"batch": self._batch_size, "expires": _nanoseconds(_EXPIRES)}
        request["idle_heartbeat"] = _nanoseconds(_HEARTBEAT)
        if not self._single:
            request["max_bytes"] = min(size, _BATCH_BYTES)
        code, description = await self._request(msgspec.json.encode(request))
        # A message larger than the limit in bytes must be requested alone.
        self._single = description == _TOO_LARGE and not self._batch_received
        if code and code not in _RETRY and description not in _COMPLETE:
            raise _RestartError(safe(f"{code.decode(errors='replace')} {description.decode(errors='replace')}", 200))

    async def _request(self, data: bytes) -> tuple[bytes, bytes]:
        """Send a request to the consumer; return the status that ends it, empty if the batch is complete."""
        client = self._connection.client
        lost = client.lost
        subject = self._api.subject(f"CONSUMER.MSG.NEXT.{self._cursor.stream}.{self._consumer.decode()}")
        self._request_done = asyncio.get_running_loop().create_future()
        self._last_received = self._now()
        with self._connection.permissions.publishing({subject}) as refused:
            await client.publish(subject, data, reply=f"{self._inbox}.{self._request_number}")
            while True:
                try:
                    await wait_confirmed(self._request_done, refused, lost, self._last_received + _HEARTBEAT_TIMEOUT)
                except TimeoutError:
                    if self._now() - self._last_received >= _HEARTBEAT_TIMEOUT:
                        raise _RestartError("the server is silent") from None
                else:
                    return self._request_done.result()

    def _receive(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        """Handle a message of the stream, or a status of the request."""
        self._last_received = self._now()
        if not reply:
            if subject.rpartition(b".")[2] == b"%d" % self._request_number:
                self._handle_status(headers or b"")
            return
        message = parse_ack_subject(reply)
        if message is None or message.consumer != self._consumer:
            return  # from an earlier consumer
        if message.consumer_sequence != self._received + 1:
            self._consumer = b""
            self._finish_request(b"lost", b"messages were lost in transit")
            return
        if 0 < self._cursor.last_sequence < message.stream_sequence - 1 and self._skip is None:
            self._skip = (self._cursor.last_sequence, self._cursor.time)
        self._received += 1
        self._batch_received += 1
        history = self._cursor.advance(message.stream_sequence, message.time)
        self.sink.stored(
            subject.decode(errors="replace"), data, to_seconds(message.time), history, message.stream_sequence
        )
        if not self._caught_up and (not message.pending or message.stream_sequence >= self._cursor.target):
            self._report_caught_up()
        if self._batch_received == self._batch_size:
            self._finish_request(b"", b"")

    def _check_skip(self) -> None:
        """Find out whether messages that the batch has skipped were deleted; they may have other subjects.

        The stream deletes its oldest messages, so the first skip tells.
        """
        if self._skip is not None and self._task is not None:
            skipped = self._check_gap(*self._skip, self._cursor.time)
            self._gap_checks.add(check := asyncio.create_task(skipped))
            check.add_done_callback(self._gap_checks.discard)
        self._skip = None

    async def _check_gap(self, last: int, begin: int, end: int) -> None:
        """Report a gap if the stream has deleted messages that follow a sequence, stored between two times."""
        try:
            if await self._streams.has_dropped_after(self._cursor, last, self._now() + _REQUEST_TIMEOUT):
                self._streams.report_discarded(self._cursor, begin, self._streams.monotonic(end))
        except (NoReplyError, JetStreamError, LifecycleError) as error:
            logger.debug("cannot tell whether messages of %s were missed: %s", self._cursor.stream, error)

    def _handle_status(self, headers: bytes) -> None:
        status, _, _ = headers.partition(b"\r\n")
        _, _, text = status.partition(b" ")
        code, _, description = text.strip().partition(b" ")
        if code == _IDLE:
            self._report_caught_up()
        else:
            self._finish_request(code or b"503", description)

    def _finish_request(self, code: bytes, description: bytes) -> None:
        self._check_skip()
        if not self._request_done.done():
            self._request_done.set_result((code, description))

    def _report_caught_up(self) -> None:
        if not self._caught_up:
            self._caught_up = True
            self.sink.caught_up()
            self.sink.checked(self._created_at)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def to_seconds(nanoseconds: int) -> float:
    """Return the float that is closest to a time; dividing by a float would round twice, and could reverse the order.

    >>> to_seconds(1796558726167977082) >= 1796558726.167977
    True
    """
    return nanoseconds / 10**9
