from __future__ import annotations

import sys

import pytest

from choria_lifecycle import InvalidEvent
from choria_lifecycle.document import FLAT, MAX_DEPTH, is_shallow, octets, read


@pytest.mark.parametrize(
    ("raw", "rule", "says"),
    [
        (b"", "json", "Expecting value"),
        (b"  ", "json", "Expecting value"),
        (b'{"a":1', "json", "line 1 column 7"),
        (b"{} x", "json", "Extra data"),
        (b'{"a":NaN}', "json", "NaN"),
        (b'{"a":-Infinity}', "json", "Infinity"),
        (b'{"a":01}', "json", ""),
        (b'{"a":"\x01"}', "json", "control character"),
        (b"{'a':1}", "json", ""),
        (b"\xef\xbb\xbf{}", "json", "BOM"),
        (b'{"a":"\\ud800"}', "json", "surrogate"),
        (b'{"\\udc00":1}', "json", "surrogate"),
        (b'{"a":"\\ud800\\u0041"}', "json", "surrogate"),
        (b'{"a":"\xff"}', "utf-8", "byte 6 (0xff)"),
        (b'{"a":"\xed\xa0\x80"}', "utf-8", "byte 6"),
        (b'{"a":"' + b"x" * 10_000_000 + b'"}', "size", "10000008 bytes"),
        (b"[" * 100_000 + b"]" * 100_000, "size", ""),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_what_is_no_document_is_refused_with_the_reason(raw: bytes, rule: str, says: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read(raw)
    assert caught.value.rule == rule
    assert caught.value.path == "$"
    assert says in caught.value.message


def test_the_greatest_size_can_be_set() -> None:
    assert read(b"[1]", max_size=3) == [1]
    with pytest.raises(InvalidEvent, match="3 bytes are more than the 2"):
        read(b"[1]", max_size=2)
    assert len(read(b'"' + b"x" * 10_000_000 + b'"', max_size=20_000_000)) == 10_000_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_limited_exactly(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth: int) -> bytes:
        return opening * (depth - 1) + (b"[]" if opening == b"[" else b"{}") + closing * (depth - 1)

    read(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 2000, 5000):
        with pytest.raises(InvalidEvent) as caught:
            read(nested(depth))
        assert caught.value.rule == "depth"
    with pytest.raises(InvalidEvent) as caught:
        read(nested(100_000), max_size=10**7)
    assert caught.value.rule == "depth"


def test_brackets_in_strings_are_no_nesting() -> None:
    assert is_shallow(b'["' + b"[{" * 1000 + b'\\"[' * 300 + b'"]')
    assert not is_shallow(b'["\\\\",' + b"[" * 300 + b"]" * 300 + b"]")
    wide = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert is_shallow(wide)
    assert read(wide) == [[]] * 1000


def test_a_short_document_needs_no_look_at_its_depth() -> None:
    assert len(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == FLAT


def test_a_caller_near_the_limit_of_recursion_gets_an_error_too() -> None:
    raw = b"[" * 200 + b"]" * 200

    def deep(levels: int) -> str:
        if levels:
            return deep(levels - 1)
        try:
            read(raw)
        except InvalidEvent as error:
            return error.rule
        return "read"

    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    outcomes = {deep(sys.getrecursionlimit() - used - room) for room in (60, 120, 150, 190)}
    assert outcomes <= {"read", "depth"}


def test_long_integers_cost_nothing_and_are_no_crash() -> None:
    assert read(b"9" * 60_000) == float("inf")
    assert read(b"-" + b"9" * 60_000) == float("-inf")
    assert read(b"9" * 40) == int("9" * 40)
    assert read(b'{"a":1,"a":2}') == {"a": 2}


def test_octets() -> None:
    assert octets("é") == b"\xc3\xa9"
    assert octets(bytearray(b"a")) == octets(memoryview(b"a")) == octets(b"a") == b"a"
    assert octets(memoryview(b"abc")[::2]) == b"ac"
    with pytest.raises(InvalidEvent, match="lone surrogate at character 1") as caught:
        octets("a\ud800")
    assert caught.value.rule == "utf-8"
    with pytest.raises(TypeError, match="not from dict"):
        octets({})  # type: ignore[arg-type]
