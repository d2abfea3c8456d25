"""Positions in JetStream streams, and the consumers that read from them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from choria_lifecycle.middleware.transport import start_time
from choria_lifecycle.nats.contents import intersect
from choria_lifecycle.nats.stream_choice import StreamInfo, choose_stream
from choria_lifecycle.support.clock import steady

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import ReplaySink
    from choria_lifecycle.nats.api import Api
    from choria_lifecycle.nats.stream_watch import StreamWatch

__all__ = ["ConsumerInfo", "MessageMetadata", "StreamCursor", "Streams", "parse_ack_subject"]

# A reply that took longer, in seconds, is too uncertain to measure the server's clock.
_MAX_ROUND_TRIP: Final = 10.0

# Two floats of today's seconds differ by so many nanoseconds: a message must not be missed because of rounding.
_RESOLUTION: Final = 256
# A stream that begins so much later than asked has all that was asked for, in nanoseconds: clocks and timers differ.
_MARGIN: Final = 60 * 10**9

# The server deletes a consumer that has not been used for this long, in nanoseconds.
_INACTIVE_THRESHOLD: Final = 60 * 10**9


class ConsumerInfo(msgspec.Struct):
    """A consumer: how many messages it has yet to deliver, and whether it is paused."""

    num_pending: int = 0
    paused: bool = False


class MessageMetadata(NamedTuple):
    """The metadata of a message that a consumer delivers.

    Attributes:
        consumer: the consumer's name.
        stream_sequence: the message's sequence in the stream.
        consumer_sequence: its sequence among the messages that the consumer has delivered, from 1.
        time: when it was stored, in nanoseconds since the epoch.
        pending: how many messages follow at present.
    """

    consumer: bytes
    stream_sequence: int
    consumer_sequence: int
    time: int
    pending: int


def parse_ack_subject(reply: bytes) -> MessageMetadata | None:
    """Parse the subject for acknowledging a message; return None for any other subject.

    It consists of `$JS.ACK`, in some versions a domain and an account hash, the stream, the consumer, the number of
    deliveries, and the other four fields above (nats-server, server/consumer.go).
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
    """The position of a reader in a stream.

    Attributes:
        subject: the subject to read.
        since: the start, as for `choria_lifecycle.middleware.transport.Transport.replay`.
        time: when the last message read was stored, in nanoseconds since the epoch; before the first, the time to start
            from.
        start: the time to start from, in nanoseconds since the epoch.
        stream: the stream's name.
        created: when the stream was created, as the server reports it; distinguishes a new stream of the same name.
        last_sequence: the sequence of the last message read; 0 before the first.
        last_at_start: the stream's last sequence when the reader started.
        first_at_start: its first sequence then.
        discarded: the time, in nanoseconds since the epoch, before which it may by then have discarded messages that
            were asked for; 0 if it has not.
        begin: the time from which the stream was then complete, in seconds since the epoch by the server's clock.
        target: the stream's last sequence when the present consumer was created.
        direct: whether the stream stores what is published on the subject, rather than copies of other streams.
    """

    subject: str
    since: float | timedelta
    time: int = 0
    start: int = 0
    stream: str = ""
    created: str = ""
    last_sequence: int = 0
    last_at_start: int = 0
    first_at_start: int = 0
    discarded: int = 0
    begin: float = 0.0
    target: int = 0
    direct: bool = True

    def advance(self, sequence: int, time: int) -> bool:
        """Move past a message; return True if it was stored before the reader started."""
        self.last_sequence, self.time = sequence, time
        return sequence <= self.last_at_start


class Streams:
    """The streams of a JetStream server. The methods raise the same errors as those of `Api`.

    Args:
        api: the API to call.
        sink: is told the measurements of the server's clock.
        watch: judges each state of the stream.
    """

    def __init__(self, api: Api, sink: ReplaySink, watch: StreamWatch) -> None:
        self._api = api
        self._sink = sink
        self._watch = watch
        # The server's time minus ours. Servers before 2.10 do not send theirs: this machine's at the start stands in.
        self._offset = time.time() - steady()

    async def find(self, cursor: StreamCursor, name: str, deadline: float) -> None:
        """Find the stream to read and initialise the cursor from its state.

        Args:
            cursor: the reader's cursor, with subject and start.
            name: the stream's name, or empty; see `choose_stream`.
            deadline: when to stop waiting.

        Raises:
            NoStream: as for `choose_stream`.
        """
        cursor.stream = (await choose_stream(self._api, cursor.subject, name, deadline)).config.name
        info = await self._info(cursor.stream, deadline)  # its time is the present
        cursor.time = int(start_time(cursor.since, self._server_time()) * 1e9)
        if not isinstance(cursor.since, timedelta):
            cursor.time = max(0, cursor.time - _RESOLUTION)
        cursor.start = cursor.time
        cursor.created, cursor.last_at_start = info.created, info.state.last_seq
        cursor.direct = any(intersect(each, cursor.subject) is not None for each in info.config.subjects or ())
        cursor.begin = max(cursor.time / 1e9, _complete_since(info, self._server_time()))
        cursor.first_at_start = info.state.first_seq
        cursor.discarded = _discarded(info, cursor.time, int(self._server_time() * 1e9))

    async def create_consumer(self, cursor: StreamCursor, name: str, deadline: float) -> ConsumerInfo:
        """Create a consumer that continues at the cursor."""
        now = steady()
        info = await self._info(cursor.stream, deadline)
        other = info.created != cursor.created or info.state.last_seq < max(cursor.last_sequence, cursor.last_at_start)
        if other:
            self._sink.doubt(self.monotonic(cursor.time), now, f"the stream {cursor.stream} was replaced or emptied")
        elif 0 < cursor.last_sequence < info.state.first_seq - 1:
            self.report_discarded(cursor, cursor.time, now)
        cursor.target = info.state.last_seq
        if other:
            # In a new stream the sequences start over, so continue by time.
            cursor.created, cursor.last_sequence, cursor.last_at_start, cursor.time = (
                info.created,
                0,
                0,
                cursor.time + 1,
            )
        if cursor.time > self._server_time() * 1e9:
            # The server's clock was set back, so messages yet to come may have earlier times.
            cursor.last_sequence = cursor.last_sequence or cursor.last_at_start
            cursor.time = 0
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
        return await self._api.call(
            f"CONSUMER.CREATE.{cursor.stream}.{name}.{cursor.subject}",
            {"stream_name": cursor.stream, "config": config},
            ConsumerInfo,
            deadline,
        )

    async def has_dropped_after(self, cursor: StreamCursor, sequence: int, deadline: float) -> bool:
        """Return True if the stream has deleted messages that follow a sequence."""
        return (await self._info(cursor.stream, deadline)).state.first_seq > sequence + 1

    def report_discarded(self, cursor: StreamCursor, begin: int, end: float) -> None:
        """Report that the stream has deleted messages before they were read.

        Args:
            cursor: the reader's cursor.
            begin: when the last message before them was stored, in nanoseconds since the epoch.
            end: the time before which they were stored, by `choria_lifecycle.support.clock.steady`.
        """
        reason = f"the stream {cursor.stream} discarded messages before they were read"
        self._sink.doubt(self.monotonic(begin), end, reason)

    async def check_history(self, cursor: StreamCursor, deadline: float) -> None:
        """Report what the stream has discarded of its history: before the reader started, and before it was read.

        Messages that were deleted one by one leave no trace.
        """
        if cursor.discarded:
            reason = f"the stream {cursor.stream} no longer has them"
            self._sink.doubt(self.monotonic(cursor.start), self.monotonic(cursor.discarded), reason)
        info = await self._info(cursor.stream, deadline)
        oldest = int(_complete_since(info, self._server_time()) * 1e9)
        read = cursor.last_sequence or cursor.first_at_start - 1
        if min(info.state.first_seq - 1, cursor.last_at_start) > read and oldest > cursor.time:
            self.report_discarded(cursor, cursor.time, self.monotonic(oldest))

    async def check(self, cursor: StreamCursor, deadline: float) -> None:
        """Judge the present state of the stream, and measure the clock that times its messages.

        The messages of a mirror have its origin's times.
        """
        await self._info(cursor.stream, deadline)

    async def consumer(self, cursor: StreamCursor, name: str, deadline: float) -> ConsumerInfo:
        """Return the state of a consumer."""
        return await self._api.call(f"CONSUMER.INFO.{cursor.stream}.{name}", {}, ConsumerInfo, deadline)

    def monotonic(self, time: int) -> float:
        """Return a time of the server, in nanoseconds since the epoch, by `choria_lifecycle.support.clock.steady`."""
        return time / 1e9 - self._offset

    async def _info(self, stream: str, deadline: float) -> StreamInfo:
        before = steady()
        info = await self._api.call(f"STREAM.INFO.{stream}", {}, StreamInfo, deadline)
        after = steady()
        with suppress(ValueError):
            theirs = datetime.fromisoformat(info.ts).timestamp()
            if after - before < _MAX_ROUND_TRIP:
                self._offset = theirs - after
                self._sink.server_clock(self._offset)
        if info.config.name == stream:
            self._watch.seen(info, before, self._offset)
        return info

    def _server_time(self) -> float:
        """Return the server's present time, in seconds since the epoch."""
        return steady() + self._offset


def _complete_since(info: StreamInfo, now: float) -> float:
    """Return the time from which a stream has all its messages, in seconds since the epoch."""
    state = info.state
    oldest = info.created if state.first_seq <= 1 else state.first_ts if state.messages else ""
    try:
        return datetime.fromisoformat(oldest).timestamp()
    except ValueError:  # all messages were deleted
        return now


def _discarded(info: StreamInfo, start: int, now: int) -> int:
    """Return the time before which a stream may have discarded messages stored since `start`; 0 if it has not.

    All times are in nanoseconds since the epoch. A stream that only limits the age of messages has those that are
    younger.
    """
    config, state = info.config, info.state
    if state.first_seq <= 1:
        return 0
    complete = int(_complete_since(info, now / 1e9) * 1e9)
    if config.max_age > 0 and config.max_msgs <= 0 and config.max_bytes <= 0:
        complete = min(complete, now - config.max_age)
    return complete if complete - start > _MARGIN else 0


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
