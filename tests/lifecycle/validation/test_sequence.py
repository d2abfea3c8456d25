"""Arrays, and documents over several lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choria_lifecycle.validation.batch import Batch, PartialDocument
from choria_lifecycle.validation.decompression import BLOCK
from choria_lifecycle.validation.sequence import ValueSplitter
from tests.bed.strategies import ANYTHING
from tests.bed.streams import OBJECTS, SIZES, SOUP, Trickle, numbers, read, texts


def written(documents: list[str], before: str, between: str, after: str) -> tuple[bytes, list[int]]:
    """Join documents with text; return the file, and the line on which each document begins."""
    text, lines = before, []
    for index, document in enumerate(documents):
        text += between if index else ""
        lines.append(1 + text.count("\n"))
        text += document
    return (text + after).encode(), lines


@given(
    st.lists(ANYTHING),
    st.sampled_from([None, 0, 2]),
    st.sampled_from(["[", "[\n", "\n \n[ "]),
    st.sampled_from([",", ",\n", "\r\n , \t"]),
    st.sampled_from(["]", "]\n", "\n] \n\n"]),
    SIZES,
)
def test_elements_of_an_array(
    documents: list[Any], indent: int | None, before: str, between: str, after: str, sizes: list[int]
) -> None:
    elements = [json.dumps(document, indent=indent, ensure_ascii=False) for document in documents]
    data, lines = written(elements, before, between, after)
    found = read(Trickle(data, sizes))
    assert [text.decode() for text in texts(found)] == elements
    assert numbers(found) == lines
    assert not found.findings
    assert not found.unterminated


@given(
    st.lists(OBJECTS, min_size=1),
    st.sampled_from(["", "\n", "\n\n", "\n[]\n"]),
    st.sampled_from(["", "\n"]),
    st.sampled_from([0, 4, "\t"]),
    SIZES,
)
def test_documents_spanning_several_lines(
    documents: list[Any], between: str, after: str, indent: int | str, sizes: list[int]
) -> None:
    written_out = [json.dumps(document, indent=indent) for document in documents]
    data, lines = written(written_out, "", between, after)
    found = read(Trickle(data, sizes))
    assert [text.decode() for text in texts(found)] == written_out
    assert numbers(found) == lines
    assert not found.findings
    assert not found.unterminated


@given(SOUP, SIZES, st.integers(1, 12))
@example(b'"\\', [1], 3)
@example(b'{"\\\n"}', [1], 3)
def test_values_are_complete_however_they_are_read(soup: bytes, sizes: list[int], limit: int) -> None:
    data = b"[" + soup
    found = read(Trickle(data, sizes), limit)
    assert found == read(Trickle(data, [BLOCK]), limit)._replace(order=found.order)
    unlimited = read(data)
    assert b"".join(found.order) == b"".join(unlimited.order)
    between = b" \t\r\n[],}"
    assert b"".join(texts(unlimited)).translate(None, between) == data.translate(None, between)


MISSING = "a comma is missing before this element of the array"


@pytest.mark.parametrize(
    ("data", "wanted", "findings"),
    [
        (b"[]", [], []),
        (b"[]\n[1]", [(2, b"1")], []),
        (b"[1][2]\n3 {}", [(1, b"1"), (1, b"2"), (2, b"3"), (2, b"{}")], []),
        (b'[[1,[2]],"a]\\",",null]', [(1, b"[1,[2]]"), (1, b'"a]\\","'), (1, b"null")], []),
        (b"[1\n2]", [(1, b"1"), (2, b"2")], [(2, MISSING)]),
        (b"[{}\nERROR: lost,{}]", [(1, b"{}"), (2, b"ERROR:"), (2, b"lost"), (2, b"{}")], [(2, MISSING)] * 2),
        (b"[1,\n,2]", [(1, b"1"), (2, b"2")], [(2, "unexpected ',' between documents")]),
        (b"[,1]", [(1, b"1")], [(1, "unexpected ',' between documents")]),
        (b"[1,]", [(1, b"1")], [(1, "unexpected ']' between documents")]),
        (b"[{}},{}]", [(1, b"{}"), (1, b"{}")], [(1, "unexpected '}' between documents")]),
        (b"[1]\n]", [(1, b"1")], [(2, "unexpected ']' between documents")]),
        (b"[1],[2]", [(1, b"1"), (1, b"2")], [(1, "unexpected ',' between documents")]),
        # An unclosed string ends with its line.
        (
            b'[\n{"a":"b,\n"c":1},\n{"a":"\\\n"},\n{}]',
            [(2, b'{"a":"b,\n"c":1}'), (4, b'{"a":"\\\n"},\n{}]')],
            [],
        ),
        (b'["a\n,"b\\\n,1]', [(1, b'"a'), (2, b'"b\\'), (3, b"1")], []),
        (b'{"a": [\n  {"b": 1}\n]}\n', [(1, b'{"a": [\n  {"b": 1}\n]}')], []),
        (b'{"a":\n1,\n"b":2}{\n}', [(1, b'{"a":\n1,\n"b":2}'), (3, b"{\n}")], []),
    ],
)
def test_the_values_layout(data: bytes, wanted: list[tuple[int, bytes]], findings: list[tuple[int, str]]) -> None:
    for sizes in ([BLOCK], [1]):
        found = read(Trickle(data, sizes))
        assert [(number, document[:-1]) for number, document in found.documents] == wanted
        assert [(number, message) for number, code, message in found.findings if code == "input-json"] == findings


@pytest.mark.parametrize(
    ("data", "last", "lines"),
    [
        (b"[", None, [1]),
        (b"\n[\n", None, [3]),
        (b"[1,\n2,\n", None, [3]),
        (b"[1,\n2", b"2", [2]),
        (b"[{}\n", None, [2]),
        # Reported once: the last document is truncated itself.
        (b'[{"a":', b'{"a":', []),
        (b'[{"a":1}, "b', b'"b', []),
        (b'{\n"a":1', b'{\n"a":1', []),
        (b"{\n", b"{", None),
    ],
)
def test_truncated_arrays_and_documents(data: bytes, last: bytes | None, lines: list[int] | None) -> None:
    for sizes in ([BLOCK], [1]):
        found = read(Trickle(data, sizes))
        if lines is None:  # the lines layout
            assert not found.unterminated
            continue
        assert found.unterminated == (last is not None)
        assert last is None or texts(found)[-1] == last
        assert [(number, code) for number, code, _ in found.findings] == [(line, "input-truncated") for line in lines]


def test_an_unclosed_array_is_reported_with_its_first_line() -> None:
    assert read(b"\n[1,\n").findings == [
        (
            3,
            "input-truncated",
            "the array that begins on line 2 is not closed: the file was truncated, or a ] is missing",
        )
    ]


def split(*blocks: bytes, limit: int = 100) -> list[Batch]:
    return list(ValueSplitter(PartialDocument(limit, on_oversized=lambda _: None)).batches(blocks))


def test_values_are_returned_at_the_end_of_the_block_that_ends_them() -> None:
    batches = split(b'[{"a":', b'1}, "b",', b"\n3", b"]")
    assert [(batch.line_numbers, batch.documents) for batch in batches] == [
        ([1, 1], [b'{"a":1}\n', b'"b"\n']),
        ([2], [b"3\n"]),
    ]


def test_a_value_beyond_the_limit_is_a_finding_in_its_place() -> None:
    batches = split(b"[\n1,\n", b"9" * 6, b"9" * 5, b",2]", limit=10)
    assert [batch.documents for batch in batches] == [[b"1\n"], [b"2\n"]]
    assert [(line, finding.code) for batch in batches for line, finding in batch.findings] == [(3, "input-size")]
