from __future__ import annotations

import gzip
import json
import os
import tracemalloc
import zlib
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.validation.decompression import BLOCK
from choria_lifecycle.validation.source import DocumentSource, is_divisible, segments
from choria_lifecycle.wire.jsontext import BOM, MAX_SIZE
from tests.bed.streams import (
    OBJECTS,
    SIZES,
    SOUP,
    Content,
    Trickle,
    each,
    gather,
    numbers,
    read,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


# ---- lines


def lines_of(data: bytes, limit: int) -> Content:
    """Return the expected content in the lines layout, computed in the simplest way."""
    documents, findings, order = [], [], []
    *lines, rest = data.split(b"\n")
    lines += [rest] if rest else []
    for number, line in enumerate(lines, 1):
        if len(line) > limit:
            findings.append(
                (
                    number,
                    "input-size",
                    f"the document has {len(line)} bytes, more than the {limit} allowed; an event has a few hundred",
                )
            )
        elif line.strip(b" \t\r\n"):
            documents.append((number, line + b"\n"))
        else:
            continue
        order.append(line + b"\n")
    unterminated = bool(rest.strip(b" \t\r\n")) and len(rest) <= limit
    oversized = b"".join(lines[number - 1] + b"\n" for number, _, _ in findings)
    return Content(documents, findings, unterminated, oversized, order)


@given(SOUP, SIZES, st.integers(1, 12))
def test_lines_are_returned_unchanged(soup: bytes, sizes: list[int], limit: int) -> None:
    data = b"x\n" + soup
    found = read(Trickle(data, sizes), limit)
    wanted = lines_of(data, limit)
    assert found._replace(order=[]) == wanted._replace(order=[])
    # Documents and oversized pieces keep the order of the file.
    assert b"".join(found.order) == b"".join(wanted.order)
    assert found == read(Trickle(data, [BLOCK]), limit)._replace(order=found.order)


@given(st.lists(OBJECTS), SIZES, st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n\t\n"]), st.booleans())
def test_one_document_per_line(documents: list[Any], sizes: list[int], line_end: bytes, ended: bool) -> None:
    lines = [json.dumps(document).encode() for document in documents]
    data = line_end.join(lines) + (line_end if ended and lines else b"")
    found = read(Trickle(data, sizes))
    assert [json.loads(text) for text in texts(found)] == documents
    assert numbers(found) == [1 + index * line_end.count(b"\n") for index in range(len(lines))]
    assert found.unterminated == (bool(lines) and not ended)
    assert not found.findings


@pytest.mark.parametrize(
    ("data", "wanted", "unterminated"),
    [
        (b"", [], False),
        (b"\n", [], False),
        (b" \r\n\t\n ", [], False),
        (b"{}", [(1, b"{}\n")], True),
        (b"{}\n", [(1, b"{}\n")], False),
        (b"{}\n  ", [(1, b"{}\n")], False),
        (b"\n\n {} \n\n{}\r\n", [(3, b" {} \n"), (5, b"{}\r\n")], False),
        (b'{}\n{"a":', [(1, b"{}\n"), (2, b'{"a":\n')], True),
        (b"\x0b\n\x00\n", [(1, b"\x0b\n"), (2, b"\x00\n")], False),
        # A truncated first line does not include the lines after it.
        (b'{"a":"b",\n{"c":1}\n', [(1, b'{"a":"b",\n'), (2, b'{"c":1}\n')], False),
        (b'{"a":[\n{"c":1}\n', [(1, b'{"a":[\n'), (2, b'{"c":1}\n')], False),
        (b'{"a":\n\n{"c":1}\n', [(1, b'{"a":\n'), (3, b'{"c":1}\n')], False),
        (b'{"a":"b\n{"c":1}\n', [(1, b'{"a":"b\n'), (2, b'{"c":1}\n')], False),
        (b"{\n", [(1, b"{\n")], False),
        (b"{\n\n \n", [(1, b"{\n")], False),
        (b'"x"\n[1]\n', [(1, b'"x"\n'), (2, b"[1]\n")], False),
        (b"\x80\xff\n[1]\n", [(1, b"\x80\xff\n"), (2, b"[1]\n")], False),
        (b" " * BLOCK + b"[1]", [(1, b" " * BLOCK + b"[1]\n")], True),
    ],
)
def test_the_lines_layout(data: bytes, wanted: list[tuple[int, bytes]], unterminated: bool) -> None:
    for sizes in ([BLOCK], [1] * 9 + [BLOCK]):
        found = read(Trickle(data, sizes), limit=2 * BLOCK)
        assert found == Content(wanted, [], unterminated, b"", [document for _, document in wanted])


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", []),
        (b"\n{}\n", [(2, b"{}\n")]),
        (b'{"a":1}\n{}\n', [(1, b'{"a":1}\n'), (2, b"{}\n")]),
        (b"{}", [(1, b"{}\n")]),
        (b"\n[1,2]", [(2, b"1\n"), (2, b"2\n")]),
        (b"[]", []),
        (b'{\n"a":1}\n{}', [(1, b'{\n"a":1}\n'), (3, b"{}\n")]),
        (BOM + b"{}\n", [(1, BOM + b"{}\n")]),
        (b"{}\n" + BOM + b"{}\n", [(1, b"{}\n"), (2, BOM + b"{}\n")]),
    ],
)
def test_a_byte_order_mark_is_skipped_with_a_finding(
    data: bytes, wanted: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    message = "the file begins with a byte order mark (EF BB BF); write UTF-8 without one"
    for sizes in ([BLOCK], [1]):
        found = read(Trickle(BOM + data, sizes))
        assert (found.documents, found.findings) == (wanted, [(1, "input-bom", message)])
        assert read(Trickle(gzip.compress(BOM + data), sizes)) == found
    (tmp_path / "file").write_bytes(BOM + data)
    if data and is_divisible(tmp_path / "file"):
        oversized: list[bytes] = []
        with (tmp_path / "file").open("rb") as file:
            parts = [DocumentSource(file, segment=each) for each in segments(tmp_path / "file", 1)]
            found_by_part = [gather(part, oversized) for part in parts]
        assert [each.findings for each in found_by_part] == [found.findings, *[[]] * (len(parts) - 1)]
        assert [text for each in found_by_part for _, text in each.documents] == [text for _, text in wanted]


def test_the_limit_is_exact() -> None:
    for line_end in (b"\n", b""):
        assert texts(read(b"{}\n" + b"x" * MAX_SIZE + line_end)) == [b"{}", b"x" * MAX_SIZE]
        assert read(b"{}\n" + b"x" * (MAX_SIZE + 1) + line_end).findings == [
            (2, "input-size", "the document has 65537 bytes, more than the 65536 allowed; an event has a few hundred")
        ]
    assert texts(read(b"[" + b"1" * MAX_SIZE + b"]")) == [b"1" * MAX_SIZE]
    assert read(b"[\n" + b"1" * (MAX_SIZE + 1) + b"]").findings[0][:2] == (2, "input-size")


# ---- any size


LONG = 50_000_000


def long_text() -> Iterator[bytes]:
    piece = b'x\\"[{,' * 10_000 + b"x" * 5536
    return islice(cycle([piece]), LONG // len(piece))


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (b'{"a":1}\n{"a":"', b'"}\n', 2),
        (b'{"a":1}\n{"a":"', b"", 2),
        (b'[{"a":1},\n"', b'"\n]', 2),
        (b'[{"a":1},\n{"a":["', b'"]}]', 2),
        (b'{\n"a":1}\n\n{"a":"', b'"}', 4),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_an_oversized_document_is_one_finding_and_uses_little_memory(
    before: bytes, after: bytes, line: int, compress: bool
) -> None:
    pieces: Iterable[bytes] = chain([before], long_text(), [after + b'\n{"b":1}\n'])
    if compress:
        compressor = zlib.compressobj(1, wbits=31)
        pieces = [b"".join([*map(compressor.compress, pieces), compressor.flush()])]
    length = 0

    def count(piece: bytes) -> None:
        nonlocal length
        length += len(piece)

    tracemalloc.start()
    try:
        batches = list(DocumentSource(Trickle(pieces), on_oversized=count))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    [(number, finding)] = [finding for batch in batches for finding in batch.findings]
    assert (number, finding.code) == (line, "input-size")
    assert length == int(finding.message.split()[3]) + 1 > LONG * 0.99
    documents = [document for batch in batches for document in batch.documents]
    assert len(documents) == 2
    assert documents[-1] == b'{"b":1}\n'


def test_an_oversized_document_is_passed_on_unchanged() -> None:
    long = b'{"a":"' + b'x\\\\\\"' * 30_000 + b'"}'
    for data in (b"1\n%b\n2\n", b"1\n%b", b"[1,%b,2]", b"[1,%b", b'{\n"a":1}%b'):
        for sizes in ([BLOCK], [7777], [1] * 50 + [BLOCK]):
            assert read(Trickle(data % long, sizes)).oversized == long + b"\n"


# ---- streaming


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [
        [(b'{"a":1}\n', [b'{"a":1}']), (b'{"a":2}\r\n', [b'{"a":2}\r']), (b"{", []), (b"}\n", [b"{}"])],
        [(b'[{"a":1}', [b'{"a":1}']), (b',\n"b"', [b'"b"']), (b"]\n{}", [b"{}"])],
        [(b'{\n"a":1}', [b'{\n"a":1}']), (b"\n", []), (b'{\n"b":[]}', [b'{\n"b":[]}'])],
        [(b"\n\n", []), (b"1\n2\n", [b"1", b"2"])],
    ],
)
def test_documents_are_returned_before_more_is_written(
    pieces: list[tuple[bytes, list[bytes]]], compressed: bool, buffering: int
) -> None:
    # Waiting for more input than necessary would deadlock, as nothing else is written.
    compressor = zlib.compressobj(wbits=31)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering) as stream, os.fdopen(writing, "wb", 0) as sink:
        source = DocumentSource(stream)
        batches = iter(source)
        for piece, wanted in pieces:
            sink.write(compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) if compressed else piece)
            if wanted:
                assert [document[:-1] for document in next(batches).documents] == wanted
        if compressed:
            sink.write(compressor.flush())
        sink.close()
        assert not list(batches)
        assert compressed or source.position == sum(len(piece) for piece, _ in pieces)


class Failing(Trickle):
    def read(self, size: int) -> bytes:
        piece = super().read(size)
        if not piece:
            raise OSError(5, "Input/output error")
        return piece


@pytest.mark.parametrize(("data", "wanted"), [(b"1\n2", [b"1", b"2"]), (b"[1,[2", [b"1", b"[2"]), (b"", [])])
def test_documents_before_a_read_error_are_returned(data: bytes, wanted: list[bytes]) -> None:
    documents: list[bytes] = []
    with pytest.raises(OSError, match="Input/output error"):
        documents.extend(each(Failing(data)))
    assert [document[:-1] for document in documents] == wanted


# ---- segments


@given(soup=SOUP, size=st.integers(1, 40), sizes=SIZES, limit=st.integers(1, 12))
def test_segments_have_the_documents_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, soup: bytes, size: int, sizes: list[int], limit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "segments"
    data = b"x\n" + soup
    path.write_bytes(data)
    assert is_divisible(path)
    parts = list(segments(path, size))
    assert [begin for begin, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == len(data)
    lines = 0
    found: list[Content] = []
    for begin, end in parts:
        assert data[end - 1 : end] == b"\n" or end == len(data)
        assert size <= end - begin or end == len(data)
        oversized: list[bytes] = []
        stream = Seekable(data, sizes)
        source = DocumentSource(stream, on_oversized=oversized.append, limit=limit, segment=(begin, end))  # type: ignore[arg-type]
        found.append(gather(source, oversized, lines))
        assert source.position == end - begin
        lines += source.lines
    whole = read(data, limit)
    assert [each for content in found for each in content.documents] == whole.documents
    assert [each for content in found for each in content.findings] == whole.findings
    assert b"".join(each for content in found for each in content.order) == b"".join(whole.order)
    assert [content.unterminated for content in found] == [False] * (len(found) - 1) + [whole.unterminated]


class Seekable(Trickle):
    def __init__(self, data: bytes, sizes: Iterable[int]) -> None:
        super().__init__(data, sizes)
        self._data = data

    def seek(self, at: int) -> None:
        self._rest, self._pieces = self._data[at:], iter([])


def test_segments_of_a_file_with_longer_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1\n" + b"x" * 10 * BLOCK + b"\n2\n3")
    long = 2 + 10 * BLOCK + 1
    assert list(segments(path, 1)) == [(0, 2), (2, long), (long, long + 2), (long + 2, long + 3)]
    assert list(segments(path, BLOCK)) == [(0, long), (long, long + 3)]
    (tmp_path / "empty").touch()
    assert not list(segments(tmp_path / "empty", BLOCK))


@pytest.mark.parametrize(
    ("data", "divisible"),
    [
        (b"", True),
        (b"{}\n{}\n", True),
        (b'{"a":1,\n{}\n', True),
        (BOM + b"{}\n", True),
        (b"[1]\n", False),
        (BOM + b" [1]\n", False),
        (b'{\n"a":1}\n', False),
        (b" " * (BLOCK - 1) + b"[]", False),
        (gzip.compress(b"{}\n", mtime=0), False),
    ],
)
def test_only_the_lines_layout_is_divisible(data: bytes, divisible: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert is_divisible(path) == divisible
    assert is_divisible(str(path)) == divisible


def test_only_regular_files_are_divisible(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # without a writer, opening it would block
    assert not is_divisible(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        is_divisible(tmp_path / "none")
