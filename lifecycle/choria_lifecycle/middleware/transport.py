"""The transport protocol, which carries subjects and bytes and knows nothing of events.

`Middleware` works over any transport, so a test may replace the real one with `InMemoryTransport` or its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, TypeAlias

from choria_lifecycle.errors import DeliveryFailed, LifecycleError, NoStream, OptionError
from choria_lifecycle.middleware.bucket import Bucket
from choria_lifecycle.support.text import quoted

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
    "start_time",
]

Message: TypeAlias = tuple[str, bytes]
"""A subject and the bytes published on it."""

_SUBJECT_PART = r"[^\s.*>\x00-\x20\x7f]+"
_SUBJECT = re.compile(rf"{_SUBJECT_PART}(?:\.{_SUBJECT_PART})*").fullmatch
_PATTERN = re.compile(rf"(?:(?:{_SUBJECT_PART}|\*)\.)*(?:{_SUBJECT_PART}|\*|>)").fullmatch
_QUEUE = re.compile(r"[^\s\x00-\x20\x7f]+").fullmatch
_STREAM = re.compile(r"[^\s.*>/\\\x00-\x20\x7f]+").fullmatch


class Sink(Protocol):
    """The receiver of a subscription's messages. Its methods are called on the event loop and must not block."""

    def message(self, subject: str, data: bytes) -> None:
        """Receive a message."""

    def gap(self, begin: float) -> None:
        """Note that the connection was lost and restored: what was published in between has not arrived.

        Args:
            begin: when the server was last heard before, by `choria_lifecycle.support.clock.steady`.
        """

    def failed(self, error: LifecycleError) -> None:
        """Note that the server has revoked the subscription; only `closed` follows."""

    def closed(self) -> None:
        """Note that the transport has closed; nothing follows."""


class ReplaySink(Protocol):
    """The receiver of a replay's messages; like `Sink`, but never sent more than its capacity."""

    def capacity(self) -> tuple[int, int]:
        """Return how many messages and bytes it accepts now. After zeros it calls `Replay.resume`."""
        ...

    def stored(self, subject: str, data: bytes, at: float, history: bool, sequence: int | None = None) -> None:
        """Receive a message.

        Args:
            subject: the subject.
            data: the payload.
            at: when the stream stored it, in seconds since the epoch by the server's clock.
            history: whether the stream had stored it before the replay began.
            sequence: its sequence in the stream; None if it has none.
        """

    def server_clock(self, offset: float) -> None:
        """Note the server's clock; called before the first message, and each time that it is measured again.

        A transport that cannot measure it never calls this.

        Args:
            offset: the server's time in seconds since the epoch, minus `choria_lifecycle.support.clock.steady` at the
                same moment.
        """

    def caught_up(self) -> None:
        """Note that everything has been delivered that the stream had stored at the start, or after an interruption."""

    def interrupted(self) -> None:
        """Note that the stream cannot be read at present, see `Replay.fault`; `caught_up` follows once it was read."""

    def checked(self, at: float) -> None:
        """Note that everything has been delivered that the stream stored before a time.

        Args:
            at: the time, here and below by `choria_lifecycle.support.clock.steady`.
        """

    def doubt(self, begin: float, end: float, reason: str) -> None:
        """Note that the stream may not have what was published in an interval; live subscribers may have received it.

        Args:
            begin: the begin.
            end: the end.
            reason: the reason, for people.
        """

    def failed(self, error: LifecycleError) -> None:
        """Note that the stream was deleted, or access to it revoked; only `closed` follows."""

    def closed(self) -> None:
        """Note that the transport has closed; nothing follows."""


class Interest(Protocol):
    """Interest in a subject, held until `unsubscribe`."""

    async def unsubscribe(self) -> None:
        """Stop receiving. Does nothing if called again, or once the transport has closed."""


class Replay(Interest, Protocol):
    """A subscription to a stream's stored and future messages.

    Attributes:
        begin: the time from which nothing is missing, in seconds since the epoch by the server's clock: the requested
            time, or later if the stream does not reach back that far.
        stream: the stream's name; empty if it has none.
    """

    @property
    def begin(self) -> float: ...

    @property
    def stream(self) -> str: ...

    @property
    def direct(self) -> bool:
        """Whether the stream stores what is published on the subject, rather than copies of other streams."""
        ...

    @property
    def fault(self) -> str:
        """The reason why the stream cannot be read or stores nothing at present, safe to show; empty if it is well."""
        ...

    def resume(self) -> None:
        """Continue, as the sink has capacity again."""

    async def check_history(self, timeout: float) -> None:
        """Find out whether stored messages were deleted before they were delivered: the sink has then been told.

        Args:
            timeout: how long to wait for the server; if it does not answer, the sink is told that.
        """


class Transport(Protocol):
    """A carrier of messages. Times are in seconds; the code that opens a transport closes it."""

    @property
    def server(self) -> str:
        """The connected server, safe to show; empty while disconnected."""
        ...

    async def publish(self, messages: Sequence[Message], timeout: float) -> None:
        """Send messages in order and return once the server has confirmed that it has read them all.

        Raises:
            DeliveryFailed: a message is too large, or the confirmation did not come in time or can no longer come.
            NotAuthorised: the server refused a subject.
            OptionError: a subject is invalid.
        """

    async def publish_stored(self, messages: Sequence[Message], timeout: float) -> None:
        """Send messages and return once a stream has acknowledged every one of them.

        Raises:
            DeliveryFailed: as for `publish`; also if no stream stores a subject, or a stream refused a message.
            NotAuthorised: the server refused a subject.
            OptionError: a subject is invalid.
        """

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        """Subscribe and return once the server has confirmed; messages published from then on arrive.

        Args:
            subject: the subject; `*` stands for one token, `>` at the end for one or more.
            queue: a queue group, whose members share the messages; empty to receive all.
            sink: the receiver.
            timeout: how long to wait for the confirmation.

        Raises:
            ConnectionFailed: no server confirmed in time.
            NotAuthorised: the server refused the subject.
            OptionError: the subject or the queue is invalid.
        """
        ...

    async def replay(
        self, subject: str, since: float | timedelta, sink: ReplaySink, timeout: float, stream: str = ""
    ) -> Replay:
        """Replay a stream's stored messages in order, each once, and continue with those that it stores.

        After a lost connection, the replay continues after the last message that it delivered.

        Args:
            subject: the subject, as for `subscribe`.
            since: the start by the server's clock: in seconds since the epoch, or back from its present time. A time in
                the future counts as the present.
            sink: the receiver.
            timeout: how long to wait for the replay to start.
            stream: the stream's name; by default CHORIA_EVENTS, else the only one that stores the subject.

        Raises:
            NoStream: no stream, or more than one, stores all that the subject matches; or the named stream does not.
            ConnectionFailed: no server answered in time.
            NotAuthorised: the server refused access to the stream.
            OptionError: the subject or the stream's name is invalid.
        """
        ...

    def bucket(self, name: str) -> Bucket:
        """Return a key-value bucket, without checking that it exists.

        Raises:
            OptionError: no bucket can have this name.
        """
        ...

    async def flush(self, timeout: float) -> None:
        """Wait for the server to answer; everything that it sent before has then reached the sinks.

        Raises:
            ConnectionFailed: no server answered in time.
        """

    async def close(self) -> None:
        """Hand out what has arrived, then release all resources. Closing again does nothing."""


def check_messages(messages: Sequence[Message], max_payload: int) -> set[str]:
    """Check that the server would accept all messages, before the first is sent, and return their subjects.

    Raises:
        DeliveryFailed: a message is larger than `max_payload`; the error gives both sizes in bytes.
        OptionError: a subject has a wildcard, a blank or an empty token. The server would drop the message silently,
            or read the rest of the subject as a command.
    """
    subjects = {subject for subject, _ in messages}
    for subject in subjects:
        if not _SUBJECT(subject):
            raise OptionError(f"cannot publish on {quoted(subject)}: not a valid subject", invalid=("subject",))
    for subject, data in messages:
        if len(data) > max_payload:
            raise DeliveryFailed(
                f"the event on {subject} has {len(data)} bytes, the server accepts at most {max_payload}",
                subject=subject,
                may_arrive=False,
            )
    return subjects


def check_pattern(subject: str, queue: str) -> None:
    """Check a subscription's subject and queue; the server would close the connection for invalid ones.

    Raises:
        OptionError: the subject has a blank, an empty token or a misplaced wildcard, or the queue has a blank.
    """
    if not _PATTERN(subject):
        raise OptionError(f"cannot subscribe to {quoted(subject)}: not a valid subject", invalid=("subject",))
    if queue and not _QUEUE(queue):
        raise OptionError(f"{quoted(queue)} is not a valid queue group: it must not contain blanks", invalid=("queue",))


def check_stream(name: str) -> None:
    """Check a stream's name before it becomes part of a subject.

    Raises:
        OptionError: the name is empty, or contains a blank, a slash, a backslash, or one of `.*>`.
    """
    if not _STREAM(name):
        raise OptionError(
            f"{quoted(name)} is not a valid stream name: it must not contain blanks, slashes, dots, * or >",
            invalid=("stream",),
        )


def no_stream(subject: str) -> DeliveryFailed:
    """Return the error for a stored publish that no stream acknowledged."""
    return DeliveryFailed(
        f"no JetStream stream stores {subject}; plain subscribers may have received the event",
        subject=subject,
        may_arrive=True,
    )


def nothing_stored(subject: str, detail: str = "", remedy: str = "") -> NoStream:
    """Return the error for a replay without a stream, with text to add to its two parts."""
    return NoStream(f"no JetStream stream stores {subject}{detail}: earlier messages cannot be replayed{remedy}")


def start_time(since: float | timedelta, now: float) -> float:
    """Return the start of a replay in seconds since the epoch.

    Args:
        since: the start, as for `Transport.replay`.
        now: the server's time.
    """
    return min(max(0.0, now - since.total_seconds()) if isinstance(since, timedelta) else since, now)


def covers(pattern: str, subject: str) -> bool:
    """Return True if `pattern` matches everything that `subject`, which may have wildcards, matches."""
    wide, narrow = pattern.split("."), subject.split(".")
    for index, part in enumerate(wide):
        if part == ">":
            return len(narrow) > index
        if len(narrow) <= index or narrow[index] == ">" or part not in ("*", narrow[index]):
            return False
    return len(wide) == len(narrow)
