"""The parser of the server's byte stream, with nats-py's own as the oracle."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nats import errors
from nats.protocol.parser import AWAITING_MSG_PAYLOAD, MAX_CONTROL_LINE_SIZE, Parser

from choria_lifecycle.nats import tcp
from choria_lifecycle.nats.tcp import StrictParser
from tests.bed import strategies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

RESETTING = 9
LISTENERS = (1, 22)


class FakeClient:
    """Records what a parser calls; as nats-py's client does, it may reset the parser, or fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stats = {"in_msgs": 0, "in_bytes": 0}
        self.parser: Any = None

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        self.record(sid, subject, reply, data, headers)
        if sid == RESETTING:
            self.parser.reset()

    async def _process_err(self, message: str) -> None:
        self.calls.append(("-ERR", message))

    async def _process_ping(self) -> None:
        self.calls.append(("PING",))

    async def _process_pong(self) -> None:
        self.calls.append(("PONG",))

    async def _process_info(self, info: object) -> None:
        self.calls.append(("INFO", info))

    def record(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.calls.append((sid, subject, reply, data, headers))
        if data == b"fail":
            raise RuntimeError("the handler fails")

    def listener(self, sid: int) -> Callable[[bytes, bytes, bytes, bytes | None], None]:
        def receive(*message: Any) -> None:
            assert all(type(each) is bytes for each in message[:3])
            self.record(sid, *message)

        return receive


async def parsed(chunks: Iterable[bytes], *, strict: bool) -> tuple[Any, ...]:
    """Return all that a parser shows of a byte stream: its calls, the counts, whether it raised, and its state."""
    client = FakeClient()
    listeners = {sid: client.listener(sid) for sid in LISTENERS}
    parser = client.parser = StrictParser(client, listeners) if strict else Parser(client)
    failures = errors.ProtocolError if strict else Exception
    for chunk in chunks:
        try:
            await parser.parse(chunk)
        except failures:
            return client.calls, client.stats, "raised"
    needed = (parser.needed, parser.header_needed) if parser.state == AWAITING_MSG_PAYLOAD else None
    return client.calls, client.stats, bytes(parser.buf), parser.state, needed


TOKENS = st.sampled_from([b"a", b"long" * 150, b"choria.lifecycle.event.alive.server", b"\xff\x00", b"1", b"MSG"])
SIDS = st.sampled_from([b"1", b"1", b"22", b"01", b"3", b"9", b"x", b"-1", b"1_0", b"9" * 20])
PAYLOADS = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"", b"\r\n", b"PING\r\n", b"MSG a 1 1\r\nx", b"1\r\nx", b"fail"])
)
SPACES = st.sampled_from([b" ", b" ", b" ", b" ", b"  ", b"\t", b"\x0b", b"\r\n", b""])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Return a message, with or without reply and headers, rarely of another form or with a wrong size."""
    payload, space = draw(PAYLOADS), draw(SPACES)
    reply = draw(st.sampled_from([b"", b"", b"_INBOX.r" + space, b"5" + space]))
    size = len(payload) + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    sizes = b"%d" % max(size, 0)
    verb = b"MSG"
    if draw(st.integers(0, 4)) == 0:
        verb, sizes = b"HMSG", b"%d%b%b" % (draw(st.integers(0, len(payload))), space, sizes)
    ending = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"xx"]))
    start = b"%b%b%b%b%b%b%b%b" % (verb, space, draw(TOKENS), space, draw(SIDS), space, reply, sizes)
    return start + b"\r\n" + payload + ending


GOOD = st.builds(
    lambda subject, sid, reply, payload: b"MSG %b %b %b%d\r\n%b\r\n" % (subject, sid, reply, len(payload), payload),
    TOKENS,
    st.sampled_from([b"1", b"22", b"3"]),
    st.sampled_from([b"", b"_INBOX.r "]),
    PAYLOADS,
)
OTHERS = st.sampled_from(
    [
        b"PING\r\n",
        b"PONG\r\n",
        b"+OK\r\n",
        b"-ERR 'Permissions Violation'\r\n",
        b"-ERR \r\n",
        b'INFO {"max_payload": 1}\r\n',
        b"INFO nonsense\r\n",
        b"msg a 1 1\r\nx\r\n",
        b"MSG a 1 99999999999\r\n",
        b"HMSG a 1 0 4\r\n0\r\n",  # read as headers of 4 bytes in a message of 0
        b"x" * MAX_CONTROL_LINE_SIZE,
        b"y\r\n",
    ]
)
STREAMS = st.lists(st.one_of(GOOD, GOOD, GOOD, frames(), OTHERS, st.binary(max_size=12)), max_size=12).map(b"".join)


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    at = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[begin:end] for begin, end in pairwise(at)]


@settings(max_examples=strategies.EXAMPLES * 5, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=8))
async def test_any_byte_stream_causes_the_same_calls_as_with_the_parser_of_nats_py(
    stream: bytes, places: list[int]
) -> None:
    chunks = cut(stream, places)
    assert await parsed(chunks, strict=True) == await parsed(chunks, strict=False)


async def test_a_good_stream_causes_the_same_calls_wherever_it_is_cut() -> None:
    stream = b"MSG a 1 5\r\nhello\r\nMSG b 3 r 2\r\n\r\n\r\nHMSG c 22 3 4\r\nh\r\nx\r\nPING\r\nMSG d 22 0\r\n\r\n"
    whole = await parsed([stream], strict=True)
    assert whole[0] == [
        (1, b"a", b"", b"hello", None),
        (3, b"b", b"r", b"\r\n", None),
        (22, b"c", b"", b"x", b"h\r\n"),
        ("PING",),
        (22, b"d", b"", b"", None),
    ]
    assert whole[1] == {"in_msgs": 4, "in_bytes": 8}
    for at in range(len(stream)):
        assert await parsed([stream[:at], stream[at:]], strict=True) == whole
    assert await parsed([stream[at : at + 1] for at in range(len(stream))], strict=True) == whole


async def test_messages_of_a_listener_are_not_left_to_nats_py(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    parser = StrictParser(client, {1: client.listener(1)})
    monkeypatch.setattr(client, "_process_msg", None)
    message = b"MSG a 1 5\r\nhello\r\n"
    await parser.parse(message * 3 + message[:4])
    await parser.parse(message[4:] + message)
    assert client.calls == [(1, b"a", b"", b"hello", None)] * 5
    assert client.stats == {"in_msgs": 5, "in_bytes": 25}


async def test_the_rest_is_discarded_once_the_connection_is_lost() -> None:
    """As with nats-py, which resets its parser: a listener must not get messages of the lost connection."""
    reset = b"MSG a 9 2\r\nxx\r\n"
    for at in range(1, len(reset)):
        calls = (await parsed([reset[:at], reset[at:] + b"MSG a 1 1\r\nx\r\n"], strict=True))[0]
        assert calls == [(9, b"a", b"", b"xx", None)]


async def test_every_byte_from_the_server_counts_as_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = StrictParser(FakeClient(), {})
    monkeypatch.setattr(tcp, "steady", lambda: 5.0)
    await parser.parse(b"M")
    assert parser.heard == 5.0


async def test_few_announcements_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    parser = StrictParser(client, {1: client.listener(1)})
    monkeypatch.setattr(tcp, "_MAX_HEADS", 3)
    stream = b"".join(b"MSG %d 1 1\r\nx\r\nMSG a 1 r.%d 1\r\nx\r\n" % (number % 7, number) for number in range(50))
    await parser.parse(stream)
    assert client.calls == [
        call
        for number in range(50)
        for call in ((1, b"%d" % (number % 7), b"", b"x", None), (1, b"a", b"r.%d" % number, b"x", None))
    ]
    assert 0 < len(parser._heads) <= 3
