"""The middleware, which publishes and receives events over a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import Event, EventType
from choria_lifecycle.events.quick import is_plain_event
from choria_lifecycle.events.subjects import subject as subject_of
from choria_lifecycle.middleware.bucket import Bucket
from choria_lifecycle.middleware.selection import Selection, check_interval, parse_since
from choria_lifecycle.middleware.subscription import LIMIT, LIMIT_BYTES, Deliveries, Events
from choria_lifecycle.middleware.transport import Message, Transport, check_pattern, check_stream
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.cloudevents import Format
from choria_lifecycle.wire.jsontext import MAX_SIZE

__all__ = ["Middleware"]


class Middleware:
    """A connection that publishes and receives events.

    `choria_lifecycle.connect` returns one over NATS. For tests, create one over another transport and use it as an
    asynchronous context manager; leaving the block closes the middleware and its transport.

    A middleware belongs to the event loop that first uses it; using it in another raises RuntimeError.

    Args:
        transport: the transport, closed with the middleware.
        limit: how many messages each subscription queues before it drops and counts newer ones.
        limit_bytes: the same limit in bytes, subjects included.
    """

    def __init__(self, transport: Transport, *, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self._transport = transport
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def server(self) -> str:
        """The connected server's URL without credentials; empty while disconnected."""
        return self._transport.server

    @property
    def closed(self) -> bool:
        """True once `close` has been called."""
        return self._closed

    async def publish(
        self,
        event: Event,
        *,
        format: Format = Format.CHORIA,  # noqa: A002 - the name users know
        stored: bool = False,
        timeout: float = 5,
    ) -> None:
        """Publish an event and return once the server has confirmed it.

        Publishing is never retried. If the caller publishes an event again after DeliveryFailed, subscribers may
        receive it twice, with the same id.

        Args:
            event: the event, which must be valid.
            format: the wire format; by default Choria's own JSON.
            stored: wait until a JetStream stream has acknowledged the event, so that it survives a killed server.
            timeout: seconds to wait, including for a lost connection to be restored.

        Raises:
            InvalidEvent: the event breaks its contract, or is larger than the 64 kB that readers accept by default.
                Nothing was sent.
            OptionError: the component cannot be part of a subject. Nothing was sent.
            DeliveryFailed: the event was not confirmed in time, exceeds the server's size limit, or no stream stores
                it; `may_arrive` tells whether it may still have arrived.
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
        """Publish events in order with a single confirmation, many times faster than one by one.

        All events are encoded and checked before the first is sent, which blocks the event loop; batches of a few
        thousand are as fast as larger ones. The timeout covers the whole batch. After a DeliveryFailed whose
        `may_arrive` is True, any number of the events may have arrived.

        For the arguments and errors see `publish`.
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
        type: EventType | Iterable[EventType] | None = None,  # noqa: A002 - the name users know
        component: str | Iterable[str] | None = None,
        queue: str = "",
        *,
        since: datetime | timedelta | float | None = None,
        until: datetime | timedelta | float | None = None,
        stream: str = "",
        timeout: float = 5,
    ) -> Events:
        """Receive lifecycle events: `async with middleware.events() as events`, then `async for event in events`.

        Messages that are not valid lifecycle events are counted as rejected; `deliveries` hands them out.

        Args:
            type: one event type or several; by default all.
            component: one component or several; by default all.
            queue: a queue group, whose members share the events; by default each subscriber receives all.
            since: replay what a JetStream stream has stored since this time, then continue with new events, each once.
                An event is missed only if it neither arrived live nor was stored, or was dropped; `gaps` lists the
                intervals in which one may have been, see `Subscription`. A time with its time zone, a timedelta back
                from now, or seconds since the epoch, by the server's clock. By default only new events are received,
                without a stream. Cannot be combined with queue.
            until: end once everything was received that the stream had stored before this time, without subscribing
                live. In the same forms as since, which must be earlier; timedelta(0) stands for all that is stored now,
                and so does a time in the future. By default the subscription continues with new events.
            stream: the stream to replay; by default Choria's CHORIA_EVENTS, else the only one that stores these events.
            timeout: seconds that entering waits for the server's confirmation.

        Raises:
            OptionError: the type is unknown, or the component, queue, since, until or stream cannot be used.
        """
        self.check_loop()
        selection = _since(Selection.events(type, component), queue, since, until, stream)
        check_pattern(selection.subject, queue)
        return Events(
            self._transport, selection, queue, limit=self._limit, limit_bytes=self._limit_bytes, timeout=timeout
        )

    def deliveries(
        self,
        subject: str | None = None,
        type: EventType | Iterable[EventType] | None = None,  # noqa: A002
        component: str | Iterable[str] | None = None,
        queue: str = "",
        *,
        since: datetime | timedelta | float | None = None,
        until: datetime | timedelta | float | None = None,
        stream: str = "",
        timeout: float = 5,
    ) -> Deliveries:
        """Receive every message as a `Delivery`, invalid ones included.

        Args:
            subject: the subject, wildcards allowed, for example `choria.machine.>`; by default lifecycle events.
                Cannot be combined with type or component.
            type: as for `events`.
            component: as for `events`.
            queue: as for `events`.
            since: as for `events`.
            until: as for `events`.
            stream: as for `events`.
            timeout: as for `events`.

        Raises:
            OptionError: the subject or another argument cannot be used.
        """
        self.check_loop()
        if subject is None:
            selection = Selection.events(type, component)
        elif type is None and component is None:
            selection = Selection.on_subject(subject)
        else:
            raise OptionError("subject cannot be combined with type or component", invalid=("subject",))
        selection = _since(selection, queue, since, until, stream)
        check_pattern(selection.subject, queue)
        return Deliveries(
            self._transport, selection, queue, limit=self._limit, limit_bytes=self._limit_bytes, timeout=timeout
        )

    def bucket(self, name: str) -> Bucket:
        """Return a JetStream key-value bucket, for `choria_lifecycle.election.campaign.Campaign`.

        Raises:
            OptionError: no bucket can have this name.
        """
        self.check_loop()
        return self._transport.bucket(name)

    async def flush(self, timeout: float = 5) -> None:
        """Wait for the server to answer; everything that it sent before is then in the subscriptions.

        Raises:
            ConnectionFailed: no server answered in time.
        """
        self.check_loop()
        await self._transport.flush(timeout)

    async def close(self) -> None:
        """Hand out what has arrived, then close the transport, within 5 seconds. Closing again does nothing."""
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
        """Check that this is the middleware's event loop; in another, waiting tasks would never wake up.

        Raises:
            RuntimeError: another event loop used the middleware before.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this middleware belongs to another event loop: open it with connect() in the loop that uses it"
            )


def _since(
    selection: Selection,
    queue: str,
    since: datetime | timedelta | float | None,
    until: datetime | timedelta | float | None,
    stream: str,
) -> Selection:
    if since is None:
        if stream:
            raise OptionError("stream needs since, the time from which to replay", invalid=("stream",))
        if until is not None:
            raise OptionError("until= needs since=, the time from which to replay", invalid=("until",))
        return selection
    if queue:
        raise OptionError("queue cannot be combined with since: a replay cannot be shared", invalid=("queue",))
    if stream:
        check_stream(stream)
    begin, end = parse_since(since), None if until is None else parse_since(until, "until")
    if end is not None:
        check_interval(begin, end)
    return replace(selection, since=begin, until=end, stream=stream)


def _message(event: Event, format: Format) -> Message:  # noqa: A002
    data = codec.encode(event, format)
    if len(data) > MAX_SIZE or not is_plain_event(event):
        codec.parse(data)  # raises for an event that receivers would reject
    return subject_of(event), data
