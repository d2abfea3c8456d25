"""Streams of JetStream: which one stores a subject, and a consumer that reads it from a place on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from choria_lifecycle.errors import NoStream
from choria_lifecycle.middleware.transport import covers, nothing_stored
from choria_lifecycle.nats.api import JetStreamError, NoResponderError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.nats.api import Api

__all__ = ["NO_STREAM", "MessageMetadata", "StreamCursor", "Streams", "parse_ack_subject"]

NO_STREAM: Final = 10059
"""JetStream's number for a stream that is not there (nats-server, server/errors.json)."""

# Clocks that are this far apart are set wrong.
_MAX_SKEW_SECONDS: Final = 60.0

# The server forgets a consumer that nobody has asked anything for so long.
_INACTIVE_THRESHOLD: Final = 60 * 10**9


class _Names(msgspec.Struct):
    streams: list[str] | None = None


class _Config(msgspec.Struct):
    subjects: list[str] | None = None
    max_msgs_per_subject: int = -1


class _State(msgspec.Struct):
    messages: int = 0
    first_seq: int = 0
    first_ts: str = ""
    last_seq: int = 0


class _Info(msgspec.Struct):
    config: _Config
    state: _State
    created: str = ""
    ts: str = ""


class _Consumer(msgspec.Struct):
    num_pending: int = 0


class MessageMetadata(NamedTuple):
    """What a consumer says of a message.

    Attributes:
        consumer: its name.
        stream_sequence: the message's number in the stream.
        consumer_sequence: its number among those that the consumer has delivered, from 1.
        time: when it was stored, in nanoseconds since the epoch.
        pending: how many follow at the moment.
    """

    consumer: bytes
    stream_sequence: int
    consumer_sequence: int
    time: int
    pending: int


def parse_ack_subject(reply: bytes) -> MessageMetadata | None:
    """Read the subject on which a message could be acknowledged; None if it is none.

    It is `$JS.ACK`, in some versions a domain and an account, then the stream, the consumer, how often the message was
    delivered, and the other four as above (nats-server, server/consumer.go).
    """
    fields = reply.split(b".")
    if len(fields) > 9:
        del fields[2:4]
    try:
        return MessageMetadata(fields[3], int(fields[5]), int(fields[6]), int(fields[7]), int(fields[8]))
    except (ValueError, IndexError):
        return None


@dataclass(slots=True)
class StreamCursor:
    """Where a reader is in a stream.

    Attributes:
        subject: which messages it reads.
        time: when the last message it has read was stored, in nanoseconds since the epoch; before the first, from which
            time on it wants them.
        stream: the name of the stream.
        created: when the stream was made, as the server says; another one of the same name has another time.
        last_sequence: the number of the last message it has read; 0 before the first.
        last_at_start: the number of the last message that was there when it began.
        begin: from when on the stream had all messages then, in seconds since the epoch.
    """

    subject: str
    time: int
    stream: str = ""
    created: str = ""
    last_sequence: int = 0
    last_at_start: int = 0
    begin: float = 0.0

    def advance(self, sequence: int, time: int) -> bool:
        """Note that a message was read; returns whether it was there when the reader began."""
        self.last_sequence, self.time = sequence, time
        return sequence <= self.last_at_start


class Streams:
    """What JetStream says of its streams. Its methods raise as those of `Api` do.

    Args:
        api: where to ask.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def find(self, cursor: StreamCursor, name: str, deadline: float) -> None:
        """Fill in which stream to read, and how far it goes at the moment.

        Args:
            cursor: where a reader begins.
            name: the stream's name; empty for the one that stores the subject.
            deadline: until when to wait.

        Raises:
            NoStream: there is none, or more than one, or it does not keep all of it.
        """
        try:
            cursor.stream = name or await self._name(cursor.subject, deadline)
            info = await self._info(cursor.stream, deadline)
        except NoResponderError as error:
            raise nothing_stored(cursor.subject, ", as JetStream is not enabled") from error
        except JetStreamError as error:
            if not error.enabled:
                raise nothing_stored(cursor.subject, ", as JetStream is not enabled") from error
            if error.code == NO_STREAM:
                raise NoStream(f"there is no JetStream stream {cursor.stream}") from error
            raise
        # A copy of another stream has none of its own.
        stored = info.config.subjects
        if stored and not any(covers(each, cursor.subject) for each in stored):
            raise NoStream(
                f"the stream {cursor.stream} does not store all of {cursor.subject}, but {safe(', '.join(stored), 200)}"
            )
        kept = info.config.max_msgs_per_subject
        if kept > 0:
            raise NoStream(
                f"the stream {cursor.stream} keeps the last {kept} of each subject, and all alive events of a "
                "component have the same: set its max_msgs_per_subject to -1"
            )
        _warn_of_clock_skew(info.ts)
        cursor.created, cursor.last_at_start = info.created, info.state.last_seq
        cursor.begin = max(cursor.time / 1e9, _complete_since(info))

    async def create_consumer(self, cursor: StreamCursor, name: str, deadline: float) -> tuple[bool, int]:
        """Make a consumer that goes on where the reader is.

        Returns:
            Whether messages in between are missed for good, and how many there are to read.
        """
        info = await self._info(cursor.stream, deadline)
        other = info.created != cursor.created or info.state.last_seq < max(cursor.last_sequence, cursor.last_at_start)
        missed = other or 0 < cursor.last_sequence < info.state.first_seq - 1
        if other:
            # Numbers begin anew; what matters is what was stored since.
            cursor.created, cursor.last_sequence, cursor.last_at_start, cursor.time = (
                info.created,
                0,
                0,
                cursor.time + 1,
            )
        start: dict[str, object] = (
            {"deliver_policy": "by_start_sequence", "opt_start_seq": cursor.last_sequence + 1}
            if cursor.last_sequence
            else {"deliver_policy": "by_start_time", "opt_start_time": _rfc3339(cursor.time)}
        )
        config = start | {
            "name": name,
            "filter_subject": cursor.subject,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _INACTIVE_THRESHOLD,
        }
        made = await self._api.call(
            f"CONSUMER.CREATE.{cursor.stream}.{name}.{cursor.subject}",
            {"stream_name": cursor.stream, "config": config},
            _Consumer,
            deadline,
        )
        return missed, made.num_pending

    async def has_dropped_after(self, cursor: StreamCursor, sequence: int, deadline: float) -> bool:
        """Whether the stream has let go of messages after one that was read."""
        return (await self._info(cursor.stream, deadline)).state.first_seq > sequence + 1

    async def _name(self, subject: str, deadline: float) -> str:
        names = (await self._api.call("STREAM.NAMES", {"subject": subject}, _Names, deadline)).streams or []
        if not names:
            raise nothing_stored(subject)
        if len(names) > 1:
            raise NoStream(f"several streams store some of {subject}, name one: {safe(', '.join(names), 200)}")
        return names[0]

    async def _info(self, stream: str, deadline: float) -> _Info:
        return await self._api.call(f"STREAM.INFO.{stream}", {}, _Info, deadline)


def _complete_since(info: _Info) -> float:
    """From when on a stream has all messages that it was to store, in seconds since the epoch."""
    state = info.state
    oldest = info.created if state.first_seq <= 1 else state.first_ts if state.messages else ""
    try:
        return datetime.fromisoformat(oldest).timestamp()
    except ValueError:  # it has let go of all of them
        return time.time()


def _warn_of_clock_skew(theirs: str) -> None:
    """Warn where the server has another time, by which it says when it has stored what."""
    try:
        ahead = datetime.fromisoformat(theirs).timestamp() - time.time()
    except ValueError:  # servers before 2.10 do not say it
        return
    if abs(ahead) > _MAX_SKEW_SECONDS:
        logger.warning(
            "the clock of the server is %.0f s %s this one: what its streams stored will seem too %s; set the clocks",
            abs(ahead),
            "ahead of" if ahead > 0 else "behind",
            "young" if ahead > 0 else "old",
        )


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
