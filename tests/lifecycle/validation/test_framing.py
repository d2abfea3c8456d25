"""Documents in frames: JSON text sequences, server-sent events, and the output of `nats sub`."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.validation.framing import Framing, detect_framing
from choria_lifecycle.wire.jsontext import BOM
from tests.bed.streams import SIZES, Trickle, numbers, read, texts

ABOUT = b'[#1] Received on "choria.lifecycle.event.startup.server"\n'


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        # JSON text sequences
        (b"\x1e{}\n", [(1, b"{}")]),
        (b'\x1e{"a":1}\n\x1e{"b":2}\n', [(1, b'{"a":1}'), (2, b'{"b":2}')]),
        (b"\x1e{}\x1e{}\n\x1e{}", [(1, b"{}"), (1, b"{}"), (2, b"{}")]),
        (b'\n\x1e{\n "a": 1\n}\n\x1e\n{}\n', [(2, b'{\n "a": 1\n}'), (6, b"{}")]),
        (b'\x1e{"a":"b\n\x1e{}\n', [(1, b'{"a":"b'), (2, b"{}")]),  # cut: only this record is damaged
        (b"\x1e\n\x1e \x1e\x1e{}\n\n", [(2, b"{}")]),
        (b"\x1e{}\nlost\n\x1e{}\n", [(1, b"{}"), (2, b"lost"), (3, b"{}")]),
        # server-sent events
        (b"data: {}\n\n", [(1, b"{}")]),
        (b"data:{}\r\n\r\ndata:{}\r\n\r\n", [(1, b"{}"), (3, b"{}")]),
        (b"id: 1\nevent: startup\nretry: 5\ndata: {}\n\n", [(4, b"{}")]),
        (b': ping\n\ndata: {\ndata:  "a": 1\ndata: }\n\ndata: {}\n\n', [(3, b'{\n  "a": 1\n }'), (7, b"{}")]),
        (b"data: {}\ndata: {}\n", [(1, b"{}"), (2, b"{}")]),  # without the empty lines
        (b"data: ping\n\ndata:\n\ndata: {}", [(1, b"ping"), (5, b"{}")]),
        (b'data: {}\n{"a":1}\nlost\n\ndata: {}\n', [(1, b"{}"), (2, b'{"a":1}'), (3, b"lost"), (5, b"{}")]),
        # nats sub
        (ABOUT + b"{}\n\n" + ABOUT + b"{}\n\n", [(2, b"{}"), (5, b"{}")]),
        (ABOUT + b"Nats-Msg-Id: 17\nX: \nY:\n\n{}\n", [(6, b"{}")]),
        (ABOUT + b'{\n  "a": 1\n}\n\n' + ABOUT + b"{}", [(2, b'{\n  "a": 1\n}'), (7, b"{}")]),
        (ABOUT + b"\n\n" + ABOUT + b"{}\n\n" + ABOUT + b"X: 1\n\n\n", [(1, b""), (5, b"{}"), (7, b"")]),
        (ABOUT + b"up\n\n" + ABOUT + b"{}\n", [(2, b"up"), (5, b"{}")]),
        (ABOUT + b"{}\nlost\n" + ABOUT + b"{}\n", [(2, b"{}"), (3, b"lost"), (5, b"{}")]),
        (
            b'[#1] @ 08:33:56 Received on "a" with reply "b"\n{}\n\n[#2] Received JetStream message: stream: S\n{}\n',
            [(2, b"{}"), (5, b"{}")],
        ),
        (ABOUT.replace(b"\n", b"\r\n") + b"X: 1\r\n\r\n{}\r\n", [(4, b"{}")]),
        # something else
        (b"id: 17\n{}\n", [(1, b"id: 17"), (2, b"{}")]),
        (b"dat", [(1, b"dat")]),
        (b"[#", [(1, b"[#")]),
    ],
)
def test_the_documents_in_frames(data: bytes, wanted: list[tuple[int, bytes]]) -> None:
    for sizes in ([65536], [1], [2, 7], [13]):
        found = read(Trickle(data, sizes))
        assert (list(zip(numbers(found), texts(found), strict=True)), found.findings) == (wanted, [])


def test_a_byte_order_mark_before_a_frame() -> None:
    content = read(BOM + b"\x1e{}\n")
    assert content.documents == [(1, b"{}\n")]
    assert [(line, code) for line, code, _ in content.findings] == [(1, "input-bom")]


@pytest.mark.parametrize(
    ("text", "framing"),
    [
        (b"\x1e", Framing.SEQUENCE),
        (b"data:", Framing.SERVER_SENT),
        (b"da", Framing.UNDECIDED),
        (b"id", Framing.UNDECIDED),
        (b"id: 1\n", Framing.UNDECIDED),
        (b": ping\n\ndata:", Framing.SERVER_SENT),
        (b"[", Framing.UNDECIDED),
        (b"[#1]", Framing.NATS_SUB),
        (b"[ ", None),
        (b"{", None),
        (b"date:", None),
    ],
)
def test_the_framing_of_a_beginning(text: bytes, framing: Framing | None) -> None:
    assert detect_framing(text, ended=False) is framing
    assert detect_framing(text, ended=True) is (None if framing is Framing.UNDECIDED else framing)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\x1e{}\n\x1e%b\n\x1e{}\n", 2),
        (b"\x1e{}\n\x1e{\n%b\n\x1e{}\n", 2),
        (b"data: {}\ndata: %b\ndata: {}\n", 2),
        (b"data: {}\n%b\ndata: {}\n", 2),
        (b"data: {}\nid: %b\ndata: {}\n", 0),
        (b"data: {}\ndata: {\ndata:%b\n\ndata: {}\n", 2),
        (b"[#1] Received\n{}\n\n[#2] Received\nA: b\n\n%b\n[#3] Received\n{}\n", 7),
        (b"[#1] Received\n{}\n\n[#2] Received\nA: %b\n\n[#3] Received\n{}\n", 0),
    ],
)
def test_a_document_that_is_too_large_has_a_finding(data: bytes, wanted: int) -> None:
    for size, sizes in product((50, 10_000), ([65536], [300], [20, 1])):
        found = read(Trickle(data % (b"x" * size), sizes), limit=20)
        assert [(number, code) for number, code, _ in found.findings] == ([(wanted, "input-size")] if wanted else [])
        assert texts(found).count(b"{}") == 2
        assert found.oversized.count(b"x") == (size if wanted else 0)
    assert not read(Trickle(b"\x1e" + b"x" * 20 + b"\n"), limit=20).findings
    assert not read(Trickle(b"data: " + b"x" * 20 + b"\n"), limit=20).findings


def test_a_document_is_returned_as_soon_as_its_line_ends() -> None:
    for head, tail in ((b"\x1e{}\n", b"\x1e{}\n"), (b"data: {}\n", b"\n"), (ABOUT + b"{}\n", b"\n")):
        pieces = iter([head, tail])
        batches: list[Any] = []
        content = read(Trickle(_recorded(pieces, batches)))
        assert texts(content)[0] == b"{}"
        assert batches == [head, tail]


def _recorded(pieces: Any, seen: list[Any]) -> Any:
    for piece in pieces:
        seen.append(piece)
        yield piece


def test_the_last_document_may_be_cut() -> None:
    for data in (b'\x1e{"a":', b'data: {"a":', ABOUT + b'{"a":'):
        found = read(data)
        assert (texts(found), found.unterminated) == ([b'{"a":'], True)
        assert not read(data + b"1}\n").unterminated


_PIECES = [
    b"\x1e",
    b"data:",
    b"id:",
    b":",
    b"{",
    b"}",
    b"{}",
    b"\n",
    b"\n\n",
    b" ",
    b"x",
    ABOUT,
    b"A: b",
    b"\r\n",
    b'"',
]


@given(
    st.sampled_from([b"\x1e", b"data: 1\n", ABOUT]),
    st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join),
    SIZES,
    st.integers(1, 70),
)
def test_blocks_do_not_matter(head: bytes, soup: bytes, sizes: list[int], limit: int) -> None:
    data = head + soup
    found = read(Trickle(data, sizes), limit)
    whole = read(Trickle(data), limit)
    assert found._replace(order=[]) == whole._replace(order=[])
    assert numbers(found) == sorted(numbers(found))
