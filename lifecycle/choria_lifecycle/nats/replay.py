"""A stream of JetStream read in order, from a time on and without an end.

One consumer at a time hands out messages in batches, each of which is asked for once there is room for it: nothing is
lost if a program is slow, and nothing is kept for it but where it is. The consumer is one that the server forgets. If
it is gone, or skips a message, or falls silent, the next one begins after the last message that was handed over.
"""
# nats-py's annotations leave much open, which a strict checker reports at every call.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from nats import errors

from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NoStream
from choria_lifecycle.nats.api import Api, JetStreamError, NoReplyError
from choria_lifecycle.nats.diagnosis import diagnose
from choria_lifecycle.nats.jetstream import NO_STREAM, StreamCursor, Streams, parse_ack_subject
from choria_lifecycle.nats.waiting import ConnectionLostError, wait_confirmed
from choria_lifecycle.support.backoff import Backoff
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import ReplaySink
    from choria_lifecycle.nats.connection import Connection

__all__ = ["NatsReplay"]

# How much is asked for at once.
_BATCH: Final = 2000
_BATCH_BYTES: Final = 8 * 1024 * 1024

# After so many seconds without a message a request is asked again.
_EXPIRES: Final = 30.0
# How often the server says meanwhile that it is there, and after how much silence it is not believed to be.
_HEARTBEAT: Final = 2.0
_HEARTBEAT_TIMEOUT: Final = 6.0

# For each step of making a consumer, once the replay stands.
_REQUEST_TIMEOUT: Final = 5.0
# Between two attempts.
_MIN_PAUSE: Final = 0.25
_MAX_PAUSE: Final = 5.0

# Statuses: that the consumer has nothing to hand out, and is there.
_IDLE: Final = b"100"
_TOO_LARGE: Final = b"Message Size Exceeds MaxBytes"
# Those after which it is asked again: there was nothing, time is up, what was asked for is complete.
_RETRY: Final = (b"404", b"408")
_COMPLETE: Final = (_TOO_LARGE, b"Batch Completed")


class _RestartError(Exception):
    """The consumer is of no use any more."""


class NatsReplay:
    """A replay on a server. See `choria_lifecycle.middleware.transport.Transport.replay` for what it promises.

    Args:
        connection: where the stream is.
        subject: which of its messages.
        since: from which time on, in seconds since the epoch.
        sink: what messages are handed to.
        siblings: where it is listed while it lasts.
    """

    def __init__(
        self, connection: Connection, subject: str, since: float, sink: ReplaySink, siblings: list[NatsReplay]
    ) -> None:
        self.sink = sink
        self._siblings = siblings
        self._connection = connection
        self._streams = Streams(Api(connection))
        self._cursor = StreamCursor(subject, int(since * 1e9))
        self._caught_up = False
        self._task: asyncio.Task[None] | None = None
        self._gap_checks: set[asyncio.Task[None]] = set()
        self._resumed = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._inbox = connection.client.new_inbox()
        self._sid = 0
        # The consumer, and how many messages it has handed out.
        self._consumer = b""
        self._received = 0
        # The current request: its number, how much it asks for, what came, and its end, told as a status or empty.
        self._request_number = 0
        self._batch_size = 0
        self._batch_received = 0
        self._single = False
        self._last_heard = 0.0
        self._request_done: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()

    @property
    def begin(self) -> float:
        return self._cursor.begin

    async def start(self, stream: str, timeout: float) -> None:
        """Begin; returns once there is a consumer.

        Raises:
            NoStream: there is no stream to read.
            ConnectionFailed: no answer came in time.
            NotAuthorised: the server does not allow it.
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
        self._siblings.append(self)

    def resume(self) -> None:
        self._resumed.set()

    async def unsubscribe(self) -> None:
        await self.stop()
        await self._connection.client.unlisten(self._sid)

    async def _delete_consumer(self) -> None:
        """Delete the consumer, where that can be said; else the server forgets it in a minute."""
        consumer, self._consumer = self._consumer, b""
        client = self._connection.client
        if consumer and client.is_connected:
            try:
                await client.publish(f"$JS.API.CONSUMER.DELETE.{self._cursor.stream}.{consumer.decode()}")
            except errors.Error as error:
                logger.debug("a consumer was left behind: %s", diagnose(error))

    async def stop(self) -> None:
        """End the task, and let go of the consumer; nothing is handed over from now on."""
        if self in self._siblings:
            self._siblings.remove(self)
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait({task})
        looks = list(self._gap_checks)
        for each in looks:
            each.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        await self._delete_consumer()

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._read_batch()
                except (_RestartError, ConnectionLostError, errors.Error) as error:
                    self._consumer = b""
                    logger.debug("the replay of %s begins again: %s", self._cursor.subject, error)
                    await self._recreate_consumer()
        except LifecycleError as error:
            self.sink.failed(error)

    async def _recreate_consumer(self) -> None:
        reason, pause, backoff = "", 0.0, Backoff(_MIN_PAUSE, _MAX_PAUSE)
        while True:
            await asyncio.sleep(pause)
            pause = backoff.next()
            if not await self._connection.connected(self._now() + _REQUEST_TIMEOUT):
                continue
            before = reason
            try:
                await self._make_consumer(self._now() + _REQUEST_TIMEOUT)
            except JetStreamError as error:
                if error.code == NO_STREAM or not error.enabled:
                    raise NoStream(f"the stream {self._cursor.stream} is gone: {error}") from error
                reason = str(error)
            except NoReplyError as error:
                reason = str(error)
            else:
                return
            if reason != before:
                logger.warning("the stream %s cannot be read, trying again: %s", self._cursor.stream, reason)

    async def _make_consumer(self, deadline: float) -> None:
        name = uuid4()
        missed, pending = await self._streams.create_consumer(self._cursor, name, deadline)
        if missed:
            self.sink.gap()
        self._received = 0
        self._consumer = name.encode()
        if not pending:
            self._report_caught_up()

    async def _read_batch(self) -> None:
        """Ask for what there is room for, and wait until it is there.

        Raises:
            _RestartError: the consumer cannot be asked again.
            ConnectionLostError: neither can the server.
        """
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
        code, words = await self._request(msgspec.json.encode(request))
        # A message larger than what is asked for at once has to come alone.
        self._single = words == _TOO_LARGE and not self._batch_received
        if code and code not in _RETRY and words not in _COMPLETE:
            raise _RestartError(safe(f"{code.decode(errors='replace')} {words.decode(errors='replace')}", 200))

    async def _request(self, data: bytes) -> tuple[bytes, bytes]:
        """Ask the consumer; returns the status with which it ends, empty if all came that was asked for."""
        client = self._connection.client
        lost = client.lost
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._cursor.stream}.{self._consumer.decode()}"
        self._request_done = asyncio.get_running_loop().create_future()
        self._last_heard = self._now()
        with self._connection.permissions.publishing({subject}) as refused:
            await client.publish(subject, data, reply=f"{self._inbox}.{self._request_number}")
            while True:
                try:
                    await wait_confirmed(self._request_done, refused, lost, self._last_heard + _HEARTBEAT_TIMEOUT)
                except TimeoutError:
                    if self._now() - self._last_heard >= _HEARTBEAT_TIMEOUT:
                        raise _RestartError("the server says nothing") from None
                else:
                    return self._request_done.result()

    def _receive(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        """Take a message from the server: one of the stream, or about the request."""
        self._last_heard = self._now()
        if not reply:
            if subject.rpartition(b".")[2] == b"%d" % self._request_number:
                self._handle_status(headers or b"")
            return
        message = parse_ack_subject(reply)
        if message is None or message.consumer != self._consumer:
            return  # of an earlier one
        if message.consumer_sequence != self._received + 1:
            self._consumer = b""
            self._finish_request(b"lost", b"messages on their way here were lost")
            return
        if (
            not self._batch_received
            and self._received
            and message.stream_sequence > self._cursor.last_sequence + 1
            and self._task is not None
        ):
            # They may be of other subjects. Within a batch nothing waits long enough to be lost.
            self._gap_checks.add(looking := asyncio.create_task(self._check_gap(self._cursor.last_sequence)))
            looking.add_done_callback(self._gap_checks.discard)
        self._received += 1
        self._batch_received += 1
        history = self._cursor.advance(message.stream_sequence, message.time)
        self.sink.stored(subject.decode(errors="replace"), data, message.time / 1e9, history)
        if not self._caught_up and (not message.pending or message.stream_sequence >= self._cursor.last_at_start):
            self._report_caught_up()
        if self._batch_received == self._batch_size:
            self._finish_request(b"", b"")

    async def _check_gap(self, last: int) -> None:
        """Count a gap if what came after a message is missed, and not of another subject."""
        try:
            if await self._streams.has_dropped_after(self._cursor, last, self._now() + _REQUEST_TIMEOUT):
                self.sink.gap()
        except (NoReplyError, JetStreamError, LifecycleError) as error:
            logger.debug("whether messages of %s are missed is not known: %s", self._cursor.stream, error)

    def _handle_status(self, headers: bytes) -> None:
        status, _, _ = headers.partition(b"\r\n")
        _, _, said = status.partition(b" ")
        code, _, words = said.strip().partition(b" ")
        if code == _IDLE:
            self._report_caught_up()
        else:
            self._finish_request(code or b"503", words)

    def _finish_request(self, code: bytes, words: bytes) -> None:
        if not self._request_done.done():
            self._request_done.set_result((code, words))

    def _report_caught_up(self) -> None:
        if not self._caught_up:
            self._caught_up = True
            self.sink.caught_up()


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
