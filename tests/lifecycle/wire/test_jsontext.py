from __future__ import annotations

import contextlib
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import InvalidEvent
from choria_lifecycle.wire.jsontext import MAX_DEPTH, SHALLOW_SIZE, error_line, is_shallow, read_json, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("raw", "rule", "says"),
    [
        (b"", "json", "the document is empty"),
        (b"  ", "json", "the document is empty"),
        (b"\xef\xbb\xbf{}", "json", "byte order mark"),
        ("{}".encode("utf-16"), "utf-8", "UTF-16"),
        (b'{"a":"\xff"}', "utf-8", "byte 6 (0xff)"),
        (b'{"a":"\xed\xa0\x80"}', "utf-8", "byte 6"),
        (b'{"a":"' + b"x" * 10_000_000 + b'"}', "size", "10000008 bytes"),
        (b"[" * 100_000 + b"]" * 100_000, "size", ""),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_invalid_documents_are_rejected_with_the_reason(raw: bytes, rule: str, says: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read_json(raw)
    assert caught.value.rule == rule
    assert caught.value.path == "$"
    assert says in caught.value.message


def test_the_line_of_a_syntax_error() -> None:
    assert error_line(b'{\n"a":1,\n"b":\n\nx}') == 4
    assert error_line(b'{\n"a":1,\n\n}') == 1
    assert [error_line(raw) for raw in (b"{\n}", b"\n" + b"[" * 100_000, b"\n[\xff")] == [0, 0, 1]


def test_the_maximum_size_can_be_set() -> None:
    assert read_json(b"[1]", max_size=3) == [1]
    with pytest.raises(InvalidEvent, match="the document has 3 bytes, more than the 2 allowed"):
        read_json(b"[1]", max_size=2)
    assert len(read_json(b'"' + b"x" * 10_000_000 + b'"', max_size=20_000_000)) == 10_000_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_limited_exactly(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth: int) -> bytes:
        return opening * (depth - 1) + (b"[]" if opening == b"[" else b"{}") + closing * (depth - 1)

    read_json(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 2000, 5000):
        with pytest.raises(InvalidEvent) as caught:
            read_json(nested(depth))
        assert caught.value.rule == "depth"
    with pytest.raises(InvalidEvent) as caught:
        read_json(nested(100_000), max_size=10**7)
    assert caught.value.rule == "depth"


def test_brackets_in_strings_are_not_nesting() -> None:
    assert is_shallow(b'["' + b"[{" * 1000 + b'\\"[' * 300 + b'"]')
    assert not is_shallow(b'["\\\\",' + b"[" * 300 + b"]" * 300 + b"]")
    wide = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert is_shallow(wide)
    assert read_json(wide) == [[]] * 1000


HOSTILE = {
    "open string": lambda size: b"[" * 300 + b'"' + b'\\"' * (size // 2),
    "open string with brackets": lambda size: b'{"x":"' + b"[" * 300 + b'","y":"' + b'\\"' * (size // 2),
    "escapes": lambda size: b"[" * 300 + b'"' + b"\\" * size + b'"',
    "quotes": lambda size: b"[" * 300 + b'"' * size,
    "closed strings": lambda size: b"[" * 300 + b'"\\"",' * (size // 5),
    "brackets": lambda size: b"[" * size,
    "digits": lambda size: b"9" * size,
    "keys": lambda size: (
        b'{"protocol":"io.choria.lifecycle.v1.startup","version":{"%s":[%s]}}'
        % (b"k" * (size // 2), b",".join([b"1e999"] * (size // 12)))
    ),
    "annotations": lambda size: (
        b'{"protocol":"io.choria.machine.watcher.nagios.v1.state","annotations":{"%s":1}}' % (b"k" * size)
    ),
    "perfdata": lambda size: (
        b'{"protocol":"io.choria.machine.watcher.nagios.v1.state","perfdata":[%s]}' % b",".join([b"1"] * (size // 2))
    ),
    "base64": lambda size: (
        b'{"specversion":"1.0","data_base64":"%s"}' % b64encode(b"[" * 300 + b'"' + b'\\"' * (size * 3 // 8))
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear_in_the_size(make: Callable[[int], bytes]) -> None:
    # No clock is needed: at these sizes, quadratic time exceeds the test's timeout by far.
    slow_by_nature = make is HOSTILE["perfdata"]  # one finding per two bytes
    findings = lifecycle.validate(make(60_000 if slow_by_nature else 2_000_000), max_size=10**7)
    assert findings
    assert len(findings) < 110
    assert max(len(str(finding)) for finding in findings) < 1000


def test_shallow_size_is_the_shortest_document_of_maximum_depth() -> None:
    assert len(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == SHALLOW_SIZE


def test_a_caller_near_the_recursion_limit_gets_an_error() -> None:
    nested = b"[" * 250 + b"]" * 250
    event = b'{"protocol":"io.choria.lifecycle.v1.startup","version":%s}' % nested
    lifecycle.validate(event)  # imports on first use need stack, too

    def deep(levels: int) -> None:
        if levels:
            return deep(levels - 1)
        for function in (read_json, lifecycle.parse, lifecycle.validate):
            with contextlib.suppress(InvalidEvent):
                function(event)
        return None

    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    for room in range(60, 400, 10):
        deep(sys.getrecursionlimit() - used - room)


def test_long_integers_are_parsed_quickly() -> None:
    assert read_json(b"9" * 60_000) == 10**400
    assert read_json(b"-" + b"9" * 60_000) == -(10**400)
    assert read_json(b"9" * 400) == int("9" * 400)
    assert read_json(b'{"a":1,"a":2}') == {"a": 2}


def test_to_bytes() -> None:
    assert to_bytes("é") == b"\xc3\xa9"
    assert to_bytes(bytearray(b"a")) == to_bytes(memoryview(b"a")) == to_bytes(b"a") == b"a"
    assert to_bytes(memoryview(b"abc")[::2]) == b"ac"
    with pytest.raises(InvalidEvent, match="lone surrogate at character 1") as caught:
        to_bytes("a\ud800")
    assert caught.value.rule == "utf-8"
    with pytest.raises(TypeError, match="not dict"):
        to_bytes({})  # type: ignore[arg-type]
