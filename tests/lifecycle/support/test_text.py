from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.support.text import quoted, safe, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text é 漢 😀", "plain text é 漢 😀"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\u2028\u2029\u200b\ufeff", "\\u2028\\u2029\\u200b\\ufeff"),
        ("\xa0", "\\xa0"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_non_printable_characters_are_escaped(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_truncation_is_marked() -> None:
    assert safe("abcdef", 3) == "abc…"
    assert safe("abc", 3) == "abc"
    assert safe("\n" * 5, 2) == "\\n\\n…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", '"a"'),
        ("\n", '"\\n"'),
        (1.5, "1.5"),
        (None, "null"),
        (True, "true"),
        ({"a": ["é"]}, '{"a": ["é"]}'),
        ("x" * 100, '"' + "x" * 60 + '…"'),
        (b"x", "\"b'x'\""),
        ({(): 1}, "a value of type dict"),
    ],
)
def test_values_are_shown_as_json(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_an_integer_of_thousands_of_digits_is_shown() -> None:
    assert quoted([10**5000]) == "a value of type list"


@given(st.text())
def test_output_is_always_printable(text: str) -> None:
    assert safe(text).isprintable()
    assert quoted(text).isprintable()
    assert quoted([text, {text: 1}]).isprintable()


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x7f\x80\x9f\u202e\u2028\U000e0001é")))
def test_visible_json_is_equivalent(text: str) -> None:
    line = visible_json(json.dumps([text], ensure_ascii=False))
    assert line.isprintable()
    assert json.loads(line) == [text]
    assert all(char in line for char in text if char.isprintable() and char not in '"\\')
