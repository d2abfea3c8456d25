"""The transport over NATS."""
# nats-py's annotations leave much open, which a strict checker reports at every call.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nats import errors
from nats.js.errors import APIError, NoStreamResponseError

from choria_lifecycle.errors import ConnectionFailed, DeliveryFailed
from choria_lifecycle.middleware.bucket import check_bucket
from choria_lifecycle.middleware.transport import check_messages, check_pattern, check_stream, no_stream
from choria_lifecycle.nats.connection import Connection
from choria_lifecycle.nats.diagnosis import diagnose
from choria_lifecycle.nats.kv import NatsBucket
from choria_lifecycle.nats.replay import NatsReplay
from choria_lifecycle.nats.waiting import ConnectionLostError, wait_confirmed, wait_flushed
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from choria_lifecycle.config.settings import ConnectionSettings
    from choria_lifecycle.errors import LifecycleError, NotAuthorised
    from choria_lifecycle.middleware.bucket import Bucket
    from choria_lifecycle.middleware.transport import Interest, Message, Replay, ReplaySink, Sink
    from choria_lifecycle.nats.client import Client, Peer
    from choria_lifecycle.nats.permissions import RefusedSubscription

__all__ = ["NatsTransport"]

# A batch waits for the socket after this many bytes, to bound memory and to let other tasks run.
_CHUNK_BYTES = 256 * 1024

# Messages to a stream that may be unacknowledged at once.
_MAX_UNACKNOWLEDGED = 256

# With more unsent bytes, over all callers, a publish fails at once: the server has stopped reading.
_MAX_UNSENT_BYTES = 32 * 1024 * 1024

# For draining; the rest of the promised 5 seconds is for closing the connection.
_DRAIN_SECONDS = 3.0


class NatsTransport:
    """The transport protocol over NATS.

    Nothing is buffered while disconnected: a publish waits for the connection, or fails without having sent anything.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._subscriptions: dict[int, _NatsSubscription] = {}
        self._replays: list[NatsReplay] = []
        self._closing: asyncio.Future[None] | None = None
        connection.client.on_connect = self._count_gap
        connection.permissions.on_subscription = self._fail_refused

    @classmethod
    async def open(cls, settings: ConnectionSettings, timeout: float) -> NatsTransport:
        """Connect; the caller must close the transport.

        Raises:
            ConnectionFailed: no server could be reached; the message gives the reason for each.
            NotAuthorised: a server refused the credentials.
            ConfigError: a file with credentials cannot be used.
            MissingExtra: the credentials need an optional package.
        """
        return cls(await Connection.open(settings, timeout))

    @property
    def server(self) -> str:
        return self._connection.server

    @property
    def peer(self) -> Peer:
        """The connected server, and its TLS."""
        return self._connection.client.peer

    async def publish(self, messages: Sequence[Message], timeout: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        subjects = await self._wait_ready(messages, deadline)
        client = self._connection.client
        lost = client.lost
        with self._connection.permissions.publishing(subjects) as refused:
            try:
                rest = iter(messages)
                while client.enqueue(rest, _CHUNK_BYTES):
                    await wait_flushed(client, refused, lost, deadline)
                await wait_flushed(client, refused, lost, deadline)
                await wait_confirmed(client.ping(), refused, lost, deadline)
            except TimeoutError as error:
                raise _unconfirmed(messages, f"no confirmation within {timeout:g} s") from error
            except ConnectionLostError as error:
                raise _unconfirmed(messages, diagnose(error)) from error

    async def publish_stored(self, messages: Sequence[Message], timeout: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        subjects = await self._wait_ready(messages, deadline)
        client = self._connection.client
        jetstream = client.jetstream()
        lost = client.lost
        waiting: list[asyncio.Task[object]] = []
        with self._connection.permissions.publishing(subjects, inbox=True) as refused:
            try:
                for start in range(0, len(messages), _MAX_UNACKNOWLEDGED):
                    # Not publish_async, which waits forever if a stream refuses a message.
                    waiting = [
                        asyncio.create_task(jetstream.publish(subject, data, timeout=timeout))
                        for subject, data in messages[start : start + _MAX_UNACKNOWLEDGED]
                    ]
                    for (subject, _), acknowledged in zip(messages[start:], waiting, strict=False):
                        await wait_confirmed(acknowledged, refused, lost, deadline)
                        _check_acknowledged(subject, acknowledged)
            except TimeoutError as error:
                reason = f"no stream acknowledged within {timeout:g} s; is there one for this subject?"
                raise _unconfirmed(messages, reason) from error
            except (errors.Error, ConnectionLostError) as error:
                raise _unconfirmed(messages, diagnose(error)) from error
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        check_pattern(subject, queue)
        deadline = asyncio.get_running_loop().time() + timeout
        if not await self._connected(deadline):
            raise ConnectionFailed(f"not subscribed to {subject}: {self._connection.state}")
        client = self._connection.client
        with self._connection.permissions.subscribing(subject, queue) as refused:
            subscription = _NatsSubscription(self._subscriptions, client, sink, subject, queue)
            try:
                await subscription.subscribe()
                await self._confirm(refused, deadline)
            except TimeoutError as error:
                await subscription.unsubscribe()
                raise ConnectionFailed(f"the server did not confirm the subscription to {subject} in time") from error
            except BaseException:
                await subscription.unsubscribe()
                raise
        return subscription

    async def replay(
        self, subject: str, since: float | timedelta, sink: ReplaySink, timeout: float, stream: str = ""
    ) -> Replay:
        check_pattern(subject, "")
        if stream:
            check_stream(stream)
        if self._closing is not None:
            raise ConnectionFailed(f"no replay of {subject}: {self._connection.state}")
        replay = NatsReplay(self._connection, subject, since, sink, self._replays)
        await replay.start(stream, timeout)
        return replay

    def bucket(self, name: str) -> Bucket:
        check_bucket(name)
        return NatsBucket(self._connection, name)

    async def flush(self, timeout: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            await self._confirm(None, deadline)
        except TimeoutError as error:
            raise ConnectionFailed(f"no server answered within {timeout:g} s: {self._connection.state}") from error

    async def close(self) -> None:
        """Close within 5 seconds, even if the server is gone or no longer answers."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self._closing = asyncio.get_running_loop().create_future()
        self._connection.close()
        replays = list(self._replays)
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._drain(replays)
        except TimeoutError:
            logger.warning("the server did not respond while closing: messages in flight were lost")
        finally:
            try:
                await self._connection.client.shutdown()
            finally:
                for replay in replays:
                    await replay.stop()
                    replay.sink.closed()
                for subscription in list(self._subscriptions.values()):
                    subscription.sink.closed()
                self._subscriptions.clear()
                self._closing.set_result(None)

    async def _drain(self, replays: Iterable[NatsReplay]) -> None:
        client = self._connection.client
        if not client.is_connected or client.lost.done():
            return
        await client.stop_receiving()
        lost, deadline = client.lost, asyncio.get_running_loop().time() + _DRAIN_SECONDS
        try:
            await wait_flushed(client, None, lost, deadline)
            await wait_confirmed(client.ping(), None, lost, deadline)
            for replay in replays:
                await replay.stop()  # deletes its consumer
            await wait_flushed(client, None, lost, deadline)
        except ConnectionLostError as error:
            logger.debug("lost the connection while closing: %s", error)

    async def _connected(self, deadline: float) -> bool:
        return self._closing is None and await self._connection.connected(deadline)

    async def _wait_ready(self, messages: Sequence[Message], deadline: float) -> set[str]:
        """Wait for a connection, check that the server would accept all messages, and return their subjects."""
        subject = messages[0][0]
        if not await self._connected(deadline):
            raise DeliveryFailed(f"nothing was sent: {self._connection.state}", subject=subject, may_arrive=False)
        client = self._connection.client
        subjects = check_messages(messages, client.max_payload)
        if client.pending_data_size > _MAX_UNSENT_BYTES:
            reason = f"the server has stopped reading, {client.pending_data_size} bytes are waiting for it"
            raise DeliveryFailed(f"nothing was sent: {reason}", subject=subject, may_arrive=False)
        return subjects

    async def _confirm(self, refused: asyncio.Future[LifecycleError] | None, deadline: float) -> None:
        """Exchange a PING and a PONG, starting over on a new connection if the current one is lost.

        Raises:
            TimeoutError: no PONG arrived by the deadline.
            LifecycleError: the server refused; this is the result of `refused`.
        """
        while await self._connected(deadline):
            client = self._connection.client
            lost = client.lost
            try:
                await wait_flushed(client, refused, lost, deadline)
                await wait_confirmed(client.ping(), refused, lost, deadline)
            except ConnectionLostError:
                continue
            return
        raise TimeoutError

    def _count_gap(self, begin: float) -> None:
        for subscription in list(self._subscriptions.values()):
            subscription.sink.gap(begin)

    def _fail_refused(self, refused: RefusedSubscription) -> bool:
        """End subscriptions that the server refuses or revokes; return False if there are none."""
        if refused.subject.startswith(f"{self._connection.permissions.inbox}."):
            self._connection.client.forget_inbox()
        affected = [
            subscription
            for sid, subscription in self._subscriptions.items()
            if (sid == refused.sid if refused.sid is not None else subscription.matches(refused))
        ]
        for subscription in affected:
            subscription.fail(refused.error)
        return bool(affected)


class _NatsSubscription:
    """One subscription and its sink."""

    def __init__(
        self, siblings: dict[int, _NatsSubscription], client: Client, sink: Sink, subject: str, queue: str
    ) -> None:
        self.sink = sink
        self._subject = subject
        self._queue = queue
        self._siblings = siblings
        self._client = client
        self._sid = 0

    async def subscribe(self) -> None:
        """Subscribe without waiting for the server's confirmation."""
        self._sid = await self._client.listen(self._subject, self._queue, self._receive)
        self._siblings[self._sid] = self

    def _receive(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:  # noqa: ARG002
        self.sink.message(subject.decode(errors="replace"), data)

    def matches(self, refused: RefusedSubscription) -> bool:
        """Return True if the server refused this subscription: permissions cover a subject and a queue group."""
        return (self._subject, self._queue) == (refused.subject, refused.queue)

    def fail(self, error: NotAuthorised) -> None:
        """End a subscription that the server has already dropped."""
        del self._siblings[self._sid]
        self._client.forget(self._sid)
        self.sink.failed(error)

    async def unsubscribe(self) -> None:
        if self._siblings.pop(self._sid, None) is not None:
            await self._client.unlisten(self._sid)


def _check_acknowledged(subject: str, acknowledged: asyncio.Task[object]) -> None:
    error = acknowledged.exception()
    if isinstance(error, NoStreamResponseError):
        raise no_stream(subject) from error
    if isinstance(error, APIError):
        raise DeliveryFailed(
            f"the stream refused the event on {subject}: {safe(error.description or str(error), 200)}",
            subject=subject,
            may_arrive=True,
        ) from error
    if error is not None:
        raise error


def _unconfirmed(messages: Sequence[Message], reason: str) -> DeliveryFailed:
    subject = messages[0][0]
    what = f"the event on {subject}" if len(messages) == 1 else f"{len(messages)} events, the first on {subject},"
    return DeliveryFailed(f"{what} may or may not have arrived: {reason}", subject=subject, may_arrive=True)
