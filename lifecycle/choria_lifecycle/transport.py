"""The seam between events and the network: a narrow protocol in bytes, and its in-memory form.

A transport knows subjects and bytes, nothing of events. `Middleware` stands on it and is the same for all of them, so a
test may put `InMemoryTransport`, or a transport of its own, in the place of the real one.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias

from choria_lifecycle.errors import ConnectionFailed, DeliveryFailed, NotAuthorised, OptionError
from choria_lifecycle.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["InMemoryTransport", "Message", "Sink", "Subscription", "Transport"]

Message: TypeAlias = tuple[str, bytes]
"""A subject and the bytes published on it."""

_PART = r"[^\s.*>\x00-\x20\x7f]+"
_SUBJECT = re.compile(rf"{_PART}(?:\.{_PART})*").fullmatch
_PATTERN = re.compile(rf"(?:(?:{_PART}|\*)\.)*(?:{_PART}|\*|>)").fullmatch
_QUEUE = re.compile(r"[^\s\x00-\x20\x7f]+").fullmatch


class Sink(Protocol):
    """What a subscription reports to. Called on the event loop, so none of these may block."""

    def message(self, subject: str, data: bytes) -> None:
        """A message has arrived."""

    def gap(self) -> None:
        """The connection was lost and is back: messages in between were missed."""

    def failed(self, error: NotAuthorised) -> None:
        """The server no longer allows the subscription; nothing follows but `closed`."""

    def closed(self) -> None:
        """The transport has closed; nothing follows."""


class Subscription(Protocol):
    """Interest in a subject, held until `unsubscribe`."""

    async def unsubscribe(self) -> None:
        """Stop receiving. Does nothing the second time, or once the transport has closed."""


class Transport(Protocol):
    """How bytes travel. Times are in seconds; whoever made a transport closes it."""

    @property
    def server(self) -> str:
        """Where this is connected to, safe to show; empty while it is not connected."""
        ...

    async def publish(self, messages: Sequence[Message], within: float) -> None:
        """Send messages in order and return once the server has confirmed that it has read them all.

        Raises:
            DeliveryFailed: a message is too large, or the confirmation did not come in time or can no longer come.
            NotAuthorised: the server refused a subject.
            OptionError: a subject is none that NATS takes.
        """

    async def publish_stored(self, messages: Sequence[Message], within: float) -> None:
        """Send messages and return once a stream has acknowledged every one of them.

        Raises:
            DeliveryFailed: as for `publish`; also where no stream listens on a subject, or a stream refused.
            NotAuthorised: the server refused a subject.
        """

    async def subscribe(self, subject: str, queue: str, sink: Sink, within: float) -> Subscription:
        """Subscribe and return once the server has confirmed it: what is published from then on arrives.

        Args:
            subject: what to receive; `*` stands for one token, `>` at the end for one or more.
            queue: members of one queue group share the messages among them; empty for everything.
            sink: what is told of messages, losses and gaps.
            within: how long to wait for the confirmation.

        Raises:
            ConnectionFailed: no server confirmed in time.
            NotAuthorised: the server refused the subject.
            OptionError: the subject or the queue is none that NATS takes.
        """
        ...

    async def flush(self, within: float) -> None:
        """Return once the server has answered: whatever it had sent before has then reached the sinks.

        Raises:
            ConnectionFailed: no server answered in time.
        """

    async def close(self) -> None:
        """Hand out what has arrived, then let go of everything. Does nothing the second time."""


class InMemoryTransport:
    """A transport within one process, for tests: no server, no network, messages arrive as they are published.

    Each publish lets other tasks run once, as waiting for a server would.

    Args:
        streams: subjects, wildcards allowed, that a stream stores; by default those of Choria's own streams.
        max_payload: the largest message in bytes; by default the 1 MiB of a nats-server.

    Attributes:
        published: every message published so far, oldest first.
        stored: those of them that a stream has stored.
    """

    def __init__(
        self,
        streams: Sequence[str] = ("choria.lifecycle.>", "choria.machine.>"),
        max_payload: int = 1024 * 1024,
    ) -> None:
        self.published: list[Message] = []
        self.stored: list[Message] = []
        self._streams = [_pattern(subject) for subject in streams]
        self._max_payload = max_payload
        self._subscriptions: list[_MemorySubscription] = []
        self._turns: defaultdict[str, count[int]] = defaultdict(count)
        self._refused: set[str] = set()
        self._open = True

    @property
    def server(self) -> str:
        """`memory` until it is closed."""
        return "memory" if self._open else ""

    async def publish(self, messages: Sequence[Message], within: float) -> None:  # noqa: ARG002 - nothing to wait for
        """See `Transport.publish`."""
        self._check(messages)
        for message in messages:
            self._deliver(message)
        await asyncio.sleep(0)

    async def publish_stored(self, messages: Sequence[Message], within: float) -> None:  # noqa: ARG002
        """See `Transport.publish_stored`."""
        self._check(messages)
        for message in messages:
            self._deliver(message)
        await asyncio.sleep(0)
        for subject, _ in messages:
            if not self._is_stored(subject):
                raise no_stream(subject)

    async def subscribe(self, subject: str, queue: str, sink: Sink, within: float) -> Subscription:  # noqa: ARG002
        """See `Transport.subscribe`."""
        check_pattern(subject, queue)
        if not self._open:
            raise ConnectionFailed("the transport is closed")
        if subject in self._refused:
            raise _refused(subject)
        subscription = _MemorySubscription(self._subscriptions, subject, queue, sink)
        self._subscriptions.append(subscription)
        return subscription

    async def flush(self, within: float) -> None:  # noqa: ARG002
        """See `Transport.flush`: everything published has arrived already."""
        if not self._open:
            raise ConnectionFailed("the transport is closed")

    async def close(self) -> None:
        """End every subscription. Does nothing the second time."""
        self._open = False
        subscriptions, self._subscriptions[:] = list(self._subscriptions), []
        for subscription in subscriptions:
            subscription.sink.closed()

    def interrupt(self) -> None:
        """Pretend that the connection was lost and came back: every open subscription counts a gap."""
        for subscription in list(self._subscriptions):
            subscription.sink.gap()

    def refuse(self, subject: str) -> None:
        """Pretend that the server no longer allows to subscribe to a subject: subscriptions to it fail from now on."""
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
        return any(pattern.fullmatch(subject) for pattern in self._streams)

    def _deliver(self, message: Message) -> None:
        subject, data = message
        self.published.append(message)
        if self._is_stored(subject):
            self.stored.append(message)
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


def check_messages(messages: Sequence[Message], max_payload: int) -> None:
    """Refuse what the server would not take, before the first message is sent.

    Raises:
        DeliveryFailed: a message is larger than `max_payload`; it names both in bytes.
        OptionError: a subject holds a wildcard, a blank or an empty token. The server would drop the message without a
            word, or read the rest of the subject as a command.
    """
    for subject in {subject for subject, _ in messages}:
        if not _SUBJECT(subject):
            raise OptionError(f"{quoted(subject)} is no subject to publish on", invalid=("subject",))
    for subject, data in messages:
        if len(data) > max_payload:
            raise DeliveryFailed(
                f"the event on {subject} has {len(data)} bytes, the server takes at most {max_payload}",
                subject=subject,
                may_arrive=False,
            )


def check_pattern(subject: str, queue: str) -> None:
    """Refuse what cannot be subscribed to, before the server closes the connection for it.

    Raises:
        OptionError: the subject has a blank, an empty token or a wildcard in the wrong place, or the queue a blank.
    """
    if not _PATTERN(subject):
        raise OptionError(f"{quoted(subject)} is no subject to subscribe to", invalid=("subject",))
    if queue and not _QUEUE(queue):
        raise OptionError(f"{quoted(queue)} is no name for a queue group", invalid=("queue",))


def no_stream(subject: str) -> DeliveryFailed:
    """The error for a stored publish that no stream acknowledged."""
    return DeliveryFailed(
        f"no JetStream stream stores {subject}; plain subscribers may have received the event",
        subject=subject,
        may_arrive=True,
    )


def _refused(subject: str) -> NotAuthorised:
    return NotAuthorised(f"the server does not allow this user to subscribe to {subject}")


def _pattern(subject: str) -> re.Pattern[str]:
    """A subject with NATS wildcards as a regular expression."""
    tokens = {"*": r"[^.]+", ">": r".+"}
    return re.compile(r"\.".join(tokens.get(token) or re.escape(token) for token in subject.split(".")))
