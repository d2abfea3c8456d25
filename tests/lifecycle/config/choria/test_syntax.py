"""The syntax of configuration files; tests/interop compares it with Go's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from choria_lifecycle.config.choria.syntax import KINDS, ConfigLine, IgnoredLine, ValueKind, convert, read_lines


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", []),
        ("a = 1", [("a", "1")]),
        ("a=1\nb =2\nc= 3\n", [("a", "1"), ("b", "2"), ("c", "3")]),
        ("  a \t = \t b c  \r\n", [("a", "b c")]),
        ("# a = 1\n#a = 1\n   # a = 1\n\n \t \n", []),
        ("a = 1 # one", [("a", "1 # one")]),
        ("a = b = c==", [("a", "b = c==")]),
        ("= a = b", [("= a", "b")]),
        ("== b", [("=", "b")]),
        ('a = "b"', [("a", '"b"')]),
        ("a = b\\\nc = d", [("a", "b\\"), ("c", "d")]),
        ("a = 1\ra = 2", [("a", "1\ra = 2")]),
        ("\xa0a\xa0=\xa0b\xa0", [("a\xa0", "\xa0b")]),
        ("\x1ca = b\x1c", [("\x1ca", "b\x1c")]),
        ("a\x0b = b", [("a\x0b", "b")]),
        ("a = b\u2028c", [("a", "b\u2028c")]),
        ("a = 1\na = 2", [("a", "1"), ("a", "2")]),
    ],
)
def test_lines(text: str, settings: list[tuple[str, str]]) -> None:
    lines, ignored = read_lines(text)
    assert [(line.key, line.value) for line in lines] == settings
    assert ignored == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3cret", 'not a setting, without "="'),
        ("s3cret more", 'not a setting, without "="'),
        ("s3cret: more", 'not a setting, without "="'),
        ("=", 'not a setting, without "="'),
        ("= s3cret", 'not a setting, without "="'),
        ("s3cret =", "no value"),
        ("s3cret=   ", "no value"),
        ("s3cret = \xa0\u3000", "no value"),
    ],
)
def test_ignored_lines(text: str, reason: str) -> None:
    lines, [ignored] = read_lines(f"\n{text}\n")
    assert lines == []
    assert ignored.number == 2
    assert ignored.reason.startswith(reason)
    assert "s3cret" not in ignored.reason


def test_a_byte_order_mark_belongs_to_the_first_line() -> None:
    lines, [ignored] = read_lines("\ufeffa = b\nc = d")
    assert lines == [ConfigLine(1, "\ufeffa", "b"), ConfigLine(2, "c", "d")]
    assert ignored.number == 1
    assert "byte order mark" in ignored.reason


@pytest.mark.parametrize("char", ["x", "\u00e4", "\U0001f600"])
def test_reading_ends_at_a_line_that_is_too_long(char: str) -> None:
    most = (65_535 - 4) // len(char.encode())
    fits = "b = " + char * most
    assert read_lines(f"a = 1\n{fits}\nc = 1") == (
        [ConfigLine(1, "a", "1"), ConfigLine(2, "b", char * most), ConfigLine(3, "c", "1")],
        [],
    )
    lines, [ignored] = read_lines(f"a = 1\n{fits}{char}\nc = 1")
    assert lines == [ConfigLine(1, "a", "1")]
    assert ignored == IgnoredLine(2, ignored.reason)
    assert "65535 bytes" in ignored.reason


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " a b ", " a b "),
        ("int", "-7", -7),
        ("int", "+007", 7),
        ("int", "9223372036854775807", 2**63 - 1),
        *(("bool", text, True) for text in ("1", "yes", "true", "y", "t", "YES", "tRuE", " T ")),
        *(("bool", text, False) for text in ("0", "no", "false", "n", "f", "No", "\xa0F")),
        ("comma_split", "a, b ,c d", ("a", "b", "c d")),
        ("comma_split", ",a,", ("", "a", "")),
        ("comma_split", "a:1", ("a:1",)),
        ("colon_split", "a : b,c", ("a", "b,c")),
        ("path_split", "/a:/b", ("/a", "/b")),
        ("strings", " a,b ", ("a,b",)),
        ("path_string", " /a b ", "/a b"),
        ("path_string", "~", "/home/me"),
        ("path_string", "~/a~", "/home/me/a~"),
        ("path_string", "~root/a", "/home/meroot/a"),
        ("path_string", "a/../b", "a/../b"),
        ("title_string", "action_policy", "Action_policy"),
        ("title_string", "\u00e4b", "\u00c4b"),
        ("duration", "0", 0.0),
        ("duration", "120", 120.0),
        ("duration", "2s", 2.0),
        ("duration", " 2s ", 2.0),
        ("duration", "500ms", 0.5),
        ("duration", "1h30m", 5400.0),
        ("duration", "1.5h", 5400.0),
        ("duration", ".5s", 0.5),
        ("duration", "5.s", 5.0),
        ("duration", "-1m1s", -61.0),
        ("duration", "1\u03bcs", 0.000001),
        ("duration", "1\xb5s1ns", 0.000001001),
        ("duration", "0.0000000001s", 0.0),
        ("duration", "1d", 86_400.0),
        ("duration", "0.1d", 7200.0),
        ("duration", "1w", 604_800.0),
        ("duration", "1M", 2_592_000.0),
        ("duration", "0.7M", 503 * 3600.0),
        ("duration", "1Y", 31_536_000.0),
        ("duration", "1e1d", 864_000.0),
    ],
)
def test_values(kind: ValueKind, text: str, value: Any) -> None:
    found = convert(kind, text, home="/home/me")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        *(("int", text, "is not an integer") for text in ("", "x", " 1", "1.0", "1_0", "\u0661", "0x1", str(2**63))),
        *(("bool", text, "is neither true nor false") for text in ("", "maybe", "on", "2", "yes no")),
        *(
            ("duration", text, "is not a duration")
            for text in ("x", "5x", "5S", "5H", "-5", "1 s", "1d12h", "s", "1h-1m")
        ),
        *(("duration", text, "is not a duration") for text in (".", "+", "d", "nand", "infw", "1_0d", "\u0661s", " 5")),
        *(("duration", text, "292 years") for text in ("9223372037", "293y", "1e300y", "1e39d", "9" * 1000)),
        ("path_string", "~/a", "HOME is not set"),
    ],
)
def test_values_that_cannot_be_parsed(kind: ValueKind, text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        convert(kind, text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_parses_any_text_quickly(kind: ValueKind) -> None:
    begin = time.perf_counter()
    for piece in ("1", " ", ",", "~", "1h", "1.", ".", "e1", "\u00e4", "1 ", "=", "\0"):
        for end in ("", "d", "s", "x"):
            try:
                convert(kind, piece * 60_000 + end)
            except ValueError as error:
                assert len(str(error)) < 200
    assert time.perf_counter() - begin < 5


def test_odd_lines_are_read_quickly() -> None:
    begin = time.perf_counter()
    for line in ("a" + " " * 60_000, " =" * 30_000, "=" * 60_000, "\xa0 " * 20_000 + "x"):
        read_lines(f"{line}\n" * 16)
    assert time.perf_counter() - begin < 5
