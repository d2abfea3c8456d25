"""The seam between events and the network: a narrow protocol in bytes.

A transport knows subjects and bytes, nothing of events. `Middleware` stands on it and is the same for all of them, so a
test may put `InMemoryTransport`, or a transport of its own, in the place of the real one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeAlias

from choria_lifecycle.errors import DeliveryFailed, NoStream, OptionError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.middleware.bucket import Bucket

__all__ = [
    "Interest",
    "Message",
    "Replay",
    "ReplaySink",
    "Sink",
    "Transport",
    "check_messages",
    "check_pattern",
    "check_stream",
    "covers",
    "no_stream",
    "nothing_stored",
]

Message: TypeAlias = tuple[str, bytes]
"""A subject and the bytes published on it."""

_SUBJECT_PART = r"[^\s.*>\x00-\x20\x7f]+"
_SUBJECT = re.compile(rf"{_SUBJECT_PART}(?:\.{_SUBJECT_PART})*").fullmatch
_PATTERN = re.compile(rf"(?:(?:{_SUBJECT_PART}|\*)\.)*(?:{_SUBJECT_PART}|\*|>)").fullmatch
_QUEUE = re.compile(r"[^\s\x00-\x20\x7f]+").fullmatch
_STREAM = re.compile(r"[^\s.*>/\\\x00-\x20\x7f]+").fullmatch


class Sink(Protocol):
    """What a subscription reports to. Called on the event loop, so none of these may block."""

    def message(self, subject: str, data: bytes) -> None:
        """A message has arrived."""

    def gap(self) -> None:
        """The connection was lost and is back: messages in between were missed."""

    def failed(self, error: LifecycleError) -> None:
        """The server no longer allows the subscription; nothing follows but `closed`."""

    def closed(self) -> None:
        """The transport has closed; nothing follows."""


class ReplaySink(Protocol):
    """What a replay reports to; like `Sink`, and nothing is handed over that it has no room for."""

    def capacity(self) -> tuple[int, int]:
        """How many messages, and how many bytes of them, may come now. After zeros `Replay.resume` is called."""
        ...

    def stored(self, subject: str, data: bytes, at: float, history: bool) -> None:
        """A message has arrived.

        Args:
            subject: its subject.
            data: its bytes.
            at: when the stream has stored it, in seconds since the epoch.
            history: whether it was in the stream before the replay began.
        """

    def caught_up(self) -> None:
        """All of the history has been handed over; said once."""

    def gap(self) -> None:
        """Messages in between were missed: the stream is another than before, or has let go of what was not read."""

    def failed(self, error: LifecycleError) -> None:
        """The stream is gone, or the server no longer allows to read it; nothing follows but `closed`."""

    def closed(self) -> None:
        """The transport has closed; nothing follows."""


class Interest(Protocol):
    """Interest in a subject, held until `unsubscribe`."""

    async def unsubscribe(self) -> None:
        """Stop receiving. Does nothing the second time, or once the transport has closed."""


class Replay(Interest, Protocol):
    """A subscription to what a stream has stored, and stores from now on.

    Attributes:
        begin: from when on nothing is missing, in seconds since the epoch: the time asked for, or later where the
            stream does not reach so far back.
    """

    @property
    def begin(self) -> float: ...

    def resume(self) -> None:
        """Go on: the sink has room again."""


class Transport(Protocol):
    """How bytes travel. Times are in seconds; whoever made a transport closes it."""

    @property
    def server(self) -> str:
        """Where this is connected to, safe to show; empty while it is not connected."""
        ...

    async def publish(self, messages: Sequence[Message], timeout: float) -> None:
        """Send messages in order and return once the server has confirmed that it has read them all.

        Raises:
            DeliveryFailed: a message is too large, or the confirmation did not come in time or can no longer come.
            NotAuthorised: the server refused a subject.
            OptionError: a subject is none that NATS takes.
        """

    async def publish_stored(self, messages: Sequence[Message], timeout: float) -> None:
        """Send messages and return once a stream has acknowledged every one of them.

        Raises:
            DeliveryFailed: as for `publish`; also where no stream listens on a subject, or a stream refused.
            NotAuthorised: the server refused a subject.
        """

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        """Subscribe and return once the server has confirmed it: what is published from then on arrives.

        Args:
            subject: what to receive; `*` stands for one token, `>` at the end for one or more.
            queue: members of one queue group share the messages among them; empty for everything.
            sink: what is told of messages, losses and gaps.
            timeout: how long to wait for the confirmation.

        Raises:
            ConnectionFailed: no server confirmed in time.
            NotAuthorised: the server refused the subject.
            OptionError: the subject or the queue is none that NATS takes.
        """
        ...

    async def replay(self, subject: str, since: float, sink: ReplaySink, timeout: float, stream: str = "") -> Replay:
        """Hand over what a stream has stored, in order, each message once, and go on with what it stores then.

        While the connection is lost nothing is missed: the replay goes on after the last message it has handed over.

        Args:
            subject: what to receive, as for `subscribe`.
            since: from which time on, in seconds since the epoch, by the time of the stream.
            sink: what is told of messages, and for how many it has room.
            timeout: how long entering may take.
            stream: the stream's name; by default the one that stores the subject.

        Raises:
            NoStream: none stores all that the subject matches, or several do; or not the one named.
            ConnectionFailed: no server answered in time.
            NotAuthorised: the server does not allow to read streams.
            OptionError: the subject is none that NATS takes.
        """
        ...

    def bucket(self, name: str) -> Bucket:
        """Return a bucket of keys and values, without looking whether it is there.

        Raises:
            OptionError: no bucket can have this name.
        """
        ...

    async def flush(self, timeout: float) -> None:
        """Return once the server has answered: whatever it had sent before has then reached the sinks.

        Raises:
            ConnectionFailed: no server answered in time.
        """

    async def close(self) -> None:
        """Hand out what has arrived, then let go of everything. Does nothing the second time."""


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


def check_stream(name: str) -> None:
    """Refuse what cannot be the name of a stream, before it becomes part of a subject.

    Raises:
        OptionError: it is empty, or has a blank, a slash of either kind, or one of `.*>` in it.
    """
    if not _STREAM(name):
        raise OptionError(f"{quoted(name)} is no name for a stream", invalid=("stream",))


def no_stream(subject: str) -> DeliveryFailed:
    """The error for a stored publish that no stream acknowledged."""
    return DeliveryFailed(
        f"no JetStream stream stores {subject}; plain subscribers may have received the event",
        subject=subject,
        may_arrive=True,
    )


def nothing_stored(subject: str, detail: str = "") -> NoStream:
    """The error for a replay without a stream to replay."""
    return NoStream(f"no JetStream stream stores {subject}{detail}: what was published there before cannot be had")


def covers(pattern: str, subject: str) -> bool:
    """Whether all that a subject with wildcards matches, another one matches too."""
    wide, narrow = pattern.split("."), subject.split(".")
    for index, part in enumerate(wide):
        if part == ">":
            return len(narrow) > index
        if len(narrow) <= index or narrow[index] == ">" or part not in ("*", narrow[index]):
            return False
    return len(wide) == len(narrow)
