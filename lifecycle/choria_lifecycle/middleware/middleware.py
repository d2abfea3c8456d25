"""Events over a transport: encoded, published, received, decoded, filtered and counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.subjects import subject as subject_of
from choria_lifecycle.middleware.selection import Selection, parse_since
from choria_lifecycle.middleware.subscription import LIMIT, LIMIT_BYTES, Counters, Deliveries, Delivery, Events
from choria_lifecycle.middleware.transport import check_pattern, check_stream
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.cloudevents import Format

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Self

    from choria_lifecycle.events.event import Event
    from choria_lifecycle.middleware.bucket import Bucket
    from choria_lifecycle.middleware.transport import Message, Transport

__all__ = ["Counters", "Deliveries", "Delivery", "Events", "Middleware"]


class Middleware:
    """Publishes and receives events over a transport.

    `choria_lifecycle.connect` makes one over NATS. For tests make one over a transport of your own, and use it as an
    asynchronous context manager: leaving it closes it, and the transport with it.

    It belongs to the event loop it is first used in; another one gets a RuntimeError.

    Args:
        transport: what carries the bytes; closed with the middleware.
        limit: how many messages may wait in each subscription before newer ones are dropped and counted.
        limit_bytes: how many bytes of them, subjects included.
    """

    def __init__(self, transport: Transport, *, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self._transport = transport
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def server(self) -> str:
        """The server it is connected to, without credentials; empty while it is not connected."""
        return self._transport.server

    @property
    def closed(self) -> bool:
        """Whether it has been closed, or is being closed."""
        return self._closed

    async def publish(
        self,
        event: Event,
        *,
        format: Format = Format.CHORIA,  # noqa: A002 - the name users know
        stored: bool = False,
        timeout: float = 5,
    ) -> None:
        """Publish an event, and return once the server has it.

        Nothing is sent again behind the caller's back. Whoever publishes an event again after a DeliveryFailed may be
        heard twice, with the same id.

        Args:
            event: what to publish; it must keep its contract.
            format: how to write it; by default Choria's own JSON.
            stored: wait until a JetStream stream has acknowledged it, which a server that is killed does not undo.
            timeout: seconds to wait, for a lost connection to come back included.

        Raises:
            InvalidEvent: the event breaks its contract, or has more than the 64 kB that are read by default. Nothing
                was sent.
            OptionError: its component cannot be part of a subject. Nothing was sent.
            DeliveryFailed: it was not confirmed in time, is larger than the server takes, or no stream stores it;
                `may_arrive` says whether it may have arrived all the same.
            NotAuthorised: the server refused the subject.
        """
        await self.publish_many((event,), format=format, stored=stored, timeout=timeout)

    async def publish_many(
        self,
        events: Iterable[Event],
        *,
        format: Format = Format.CHORIA,  # noqa: A002
        stored: bool = False,
        timeout: float = 5,
    ) -> None:
        """Publish events in order with a single confirmation, which is many times faster than one by one.

        All are encoded and checked before the first is sent, during which nothing else runs: a few thousand at a time
        are as fast as more. The timeout is for all of them together; after a DeliveryFailed whose `may_arrive` is True
        any number of them may have arrived.

        Args and raises: see `publish`.
        """
        self.check_loop()
        messages = [_message(event, format) for event in events]
        if not messages:
            return
        if stored:
            await self._transport.publish_stored(messages, timeout)
        else:
            await self._transport.publish(messages, timeout)

    def events(
        self,
        type: str | Iterable[str] | None = None,  # noqa: A002 - the name users know
        component: str | Iterable[str] | None = None,
        queue: str = "",
        *,
        since: datetime | timedelta | float | None = None,
        stream: str = "",
        timeout: float = 5,
    ) -> Events:
        """Receive lifecycle events: `async with middleware.events() as events`, then `async for event in events`.

        Messages that are no valid lifecycle event are counted as rejected; `deliveries` shows them.

        Args:
            type: one event type or several; by default all.
            component: one component or several; by default all.
            queue: members of one queue group share the events among them; by default each subscriber gets all.
            since: first replay what a JetStream stream has stored since then, then go on with what it stores: in order,
                each event once, none missed, not even while the connection is lost. A time with its time zone, a
                timedelta back from now, or seconds since the epoch. The default is what comes from now on, with no
                stream. Not together with queue.
            stream: which stream to replay; by default the one that stores these events, Choria's CHORIA_EVENTS.
            timeout: seconds that entering waits for the server's confirmation.

        Raises:
            OptionError: an unknown type, or a component, queue, time or stream that cannot be used.
        """
        self.check_loop()
        selection = _since(Selection.events(type, component), queue, since, stream)
        check_pattern(selection.subject, queue)
        return Events(
            self._transport, selection, queue, limit=self._limit, limit_bytes=self._limit_bytes, timeout=timeout
        )

    def deliveries(
        self,
        subject: str | None = None,
        type: str | Iterable[str] | None = None,  # noqa: A002
        component: str | Iterable[str] | None = None,
        queue: str = "",
        *,
        since: datetime | timedelta | float | None = None,
        stream: str = "",
        timeout: float = 5,
    ) -> Deliveries:
        """Receive messages with all that is known of them, invalid ones included, as `Delivery`.

        Args:
            subject: what to receive, wildcards allowed, for example `choria.machine.>`; by default lifecycle events.
                Not together with type or component.
            type: as for `events`.
            component: as for `events`.
            queue: as for `events`.
            since: as for `events`.
            stream: as for `events`.
            timeout: as for `events`.

        Raises:
            OptionError: the subject, or one of the others, cannot be used.
        """
        self.check_loop()
        if subject is None:
            selection = Selection.events(type, component)
        elif type is None and component is None:
            selection = Selection.on_subject(subject)
        else:
            raise OptionError("give either a subject, or types and components", invalid=("subject",))
        selection = _since(selection, queue, since, stream)
        check_pattern(selection.subject, queue)
        return Deliveries(
            self._transport, selection, queue, limit=self._limit, limit_bytes=self._limit_bytes, timeout=timeout
        )

    def bucket(self, name: str) -> Bucket:
        """Return a bucket of keys and values that JetStream keeps, for `choria_lifecycle.election.campaign`.

        Raises:
            OptionError: no bucket can have this name.
        """
        self.check_loop()
        return self._transport.bucket(name)

    async def flush(self, timeout: float = 5) -> None:
        """Return once the server has answered: what it had sent before is then in the subscriptions.

        Raises:
            ConnectionFailed: no server answered in time.
        """
        self.check_loop()
        await self._transport.flush(timeout)

    async def close(self) -> None:
        """Hand out what has arrived, then close the transport, within 5 seconds. Does nothing the second time."""
        self.check_loop()
        self._closed = True
        await self._transport.close()

    async def __aenter__(self) -> Self:
        self.check_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def check_loop(self) -> None:
        """Refuse to work in a second event loop, where nothing would ever wake up.

        Raises:
            RuntimeError: it was used in another one before.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this middleware belongs to another event loop: open it with connect() in the loop that uses it"
            )


def _since(selection: Selection, queue: str, since: datetime | timedelta | float | None, stream: str) -> Selection:
    if since is None:
        if stream:
            raise OptionError("a stream is replayed since some time: give since too", invalid=("stream",))
        return selection
    if queue:
        raise OptionError("a replay is not shared: give either since or queue", invalid=("queue",))
    if stream:
        check_stream(stream)
    return replace(selection, since=parse_since(since), stream=stream)


def _message(event: Event, format: Format) -> Message:  # noqa: A002
    """The subject and the bytes of an event that whoever receives them will read: by its contract, and by its size."""
    data = codec.encode(event, format=format)
    codec.parse(data)
    return subject_of(event), data
