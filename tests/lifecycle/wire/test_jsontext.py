from __future__ import annotations

import contextlib
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import InvalidEvent
from choria_lifecycle.wire.jsontext import MAX_DEPTH, SHALLOW_SIZE, is_shallow, read_json, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("raw", "rule", "says"),
    [
        (b"", "json", "the document is empty"),
        (b"  ", "json", "the document is empty"),
        (b'{"a":1', "json", "at column 7"),
        (b'{"a":1,\n}', "json", "at "),
        (b"{} x", "json", "Extra data"),
        (b'{"a":NaN}', "json", "NaN"),
        (b'{"a":-Infinity}', "json", "Infinity"),
        (b'{"a":01}', "json", ""),
        (b'{"a":"\x01"}', "json", "control character"),
        (b"{'a':1}", "json", ""),
        (b"\xef\xbb\xbf{}", "json", "byte order mark"),
        ("{}".encode("utf-16"), "utf-8", "UTF-16"),
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
        read_json(raw)
    assert caught.value.rule == rule
    assert caught.value.path == "$"
    assert says in caught.value.message


def test_the_greatest_size_can_be_set() -> None:
    assert read_json(b"[1]", max_size=3) == [1]
    with pytest.raises(InvalidEvent, match="3 bytes are more than the 2"):
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


def test_brackets_in_strings_are_no_nesting() -> None:
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
def test_time_grows_with_the_size_and_no_faster(make: Callable[[int], bytes]) -> None:
    # No clock: of these sizes, what grows with the square of the size runs into the timeout of the test, by far.
    slow_by_nature = make is HOSTILE["perfdata"]  # a finding for every two bytes
    findings = lifecycle.validate(make(60_000 if slow_by_nature else 2_000_000), max_size=10**7)
    assert findings
    assert len(findings) < 110
    assert max(len(str(finding)) for finding in findings) < 1000


def test_a_short_document_needs_no_look_at_its_depth() -> None:
    assert len(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == SHALLOW_SIZE


def test_a_caller_near_the_limit_of_recursion_gets_an_error_too() -> None:
    nested = b"[" * 250 + b"]" * 250
    event = b'{"protocol":"io.choria.lifecycle.v1.startup","version":%s}' % nested
    lifecycle.validate(event)  # what is imported on first use needs room of its own

    def deep(levels: int) -> None:
        if levels:
            return deep(levels - 1)
        for ask in (read_json, lifecycle.parse, lifecycle.validate):
            with contextlib.suppress(InvalidEvent):
                ask(event)
        return None

    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    for room in range(60, 400, 10):
        deep(sys.getrecursionlimit() - used - room)


def test_long_integers_cost_nothing_and_are_no_crash() -> None:
    assert read_json(b"9" * 60_000) == 10**400
    assert read_json(b"-" + b"9" * 60_000) == -(10**400)
    assert read_json(b"9" * 400) == int("9" * 400)
    assert read_json(b'{"a":1,"a":2}') == {"a": 2}


def test_octets() -> None:
    assert to_bytes("é") == b"\xc3\xa9"
    assert to_bytes(bytearray(b"a")) == to_bytes(memoryview(b"a")) == to_bytes(b"a") == b"a"
    assert to_bytes(memoryview(b"abc")[::2]) == b"ac"
    with pytest.raises(InvalidEvent, match="lone surrogate at character 1") as caught:
        to_bytes("a\ud800")
    assert caught.value.rule == "utf-8"
    with pytest.raises(TypeError, match="not from dict"):
        to_bytes({})  # type: ignore[arg-type]
