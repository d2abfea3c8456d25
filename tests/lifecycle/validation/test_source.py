from __future__ import annotations

import gzip
import io
import json
import os
import tracemalloc
import zlib
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choria_lifecycle.validation.decompression import BLOCK, UnreadableContent
from choria_lifecycle.validation.source import DocumentSource, is_divisible, segments
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.strategies import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BOM = b"\xef\xbb\xbf"


class Trickle:
    """A stream whose reads return at most the given sizes in turn, or the given pieces."""

    def __init__(self, data: bytes | Iterable[bytes], sizes: Iterable[int] = (BLOCK,)) -> None:
        pieces = iter([data]) if isinstance(data, bytes) else iter(data)
        self._pieces, self._sizes = pieces, cycle(sizes)
        self._rest = b""

    def read(self, size: int) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        size = min(size, next(self._sizes))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Content(NamedTuple):
    """The content of a file: documents and findings with their lines, and the bytes of oversized documents."""

    documents: list[tuple[int, bytes]]
    findings: list[tuple[int, str, str]]
    unterminated: bool
    oversized: bytes
    order: list[bytes]


def gather(source: Iterable[Any], oversized: list[bytes], offset: int = 0) -> Content:
    """Collect batches; the source adds oversized documents to `oversized`."""
    documents: list[tuple[int, bytes]] = []
    findings: list[tuple[int, str, str]] = []
    order: list[bytes] = []
    unterminated = False
    seen = 0
    for batch in source:
        assert not unterminated
        assert len(batch.line_numbers) == len(batch.documents)
        assert batch.documents or batch.findings
        order += [*oversized[seen:], *batch.documents]
        seen = len(oversized)
        documents += zip((number + offset for number in batch.line_numbers), batch.documents, strict=True)
        findings += [(number + offset, finding.code, finding.message) for number, finding in batch.findings]
        unterminated = batch.unterminated
    return Content(documents, findings, unterminated, b"".join(oversized), order)


def read(stream: Any, limit: int = MAX_SIZE) -> Content:
    oversized: list[bytes] = []
    stream = Trickle(stream) if isinstance(stream, bytes) else stream
    return gather(DocumentSource(stream, on_oversized=oversized.append, limit=limit), oversized)


def each(stream: Any) -> Iterator[bytes]:
    return (document for batch in DocumentSource(stream) for document in batch.documents)


def texts(content: Content) -> list[bytes]:
    for _, document in content.documents:
        assert document.endswith(b"\n")
    return [document[:-1] for _, document in content.documents]


def numbers(content: Content) -> list[int]:
    return [number for number, _ in content.documents]


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=5)
# Few significant bytes, so that short texts cover all cases.
SOUP = st.lists(st.sampled_from([bytes([byte]) for byte in b'\n\n\n\r \t\x0b{}[],:"\\a1\xef']), max_size=60).map(
    b"".join
)
OBJECTS = st.dictionaries(st.text(max_size=5), ANYTHING, min_size=1, max_size=3)


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
        (BOM + b'{"a":1}\n{}\n', [(1, BOM + b'{"a":1}\n'), (2, b"{}\n")], False),
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


def test_the_limit_is_exact() -> None:
    for line_end in (b"\n", b""):
        assert texts(read(b"{}\n" + b"x" * MAX_SIZE + line_end)) == [b"{}", b"x" * MAX_SIZE]
        assert read(b"{}\n" + b"x" * (MAX_SIZE + 1) + line_end).findings == [
            (2, "input-size", "the document has 65537 bytes, more than the 65536 allowed; an event has a few hundred")
        ]
    assert texts(read(b"[" + b"1" * MAX_SIZE + b"]")) == [b"1" * MAX_SIZE]
    assert read(b"[\n" + b"1" * (MAX_SIZE + 1) + b"]").findings[0][:2] == (2, "input-size")


# ---- values


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
        (BOM + b"\n[1,2]", [(2, BOM + b"1"), (2, b"2")], []),
        (BOM + b"[]", [(1, BOM)], []),
        (BOM + b'{\n"a":1}\n{}', [(1, BOM + b'{\n"a":1}'), (3, b"{}")], []),
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


# ---- compressed


LINES = b"".join(b'{"number":%d}\n' % number for number in range(20_000))
COMPRESSED = gzip.compress(LINES, 1)
_compressor = zlib.compressobj(wbits=31)
FLUSHED = _compressor.compress(LINES) + _compressor.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    "data",
    [
        COMPRESSED,
        COMPRESSED + b"\0" * 1000,
        gzip.compress(LINES[:1000]) + gzip.compress(b"") + b"\0\0" + gzip.compress(LINES[1000:]),
    ],
    ids=["gzip", "padded", "several members"],
)
@pytest.mark.parametrize("size", [7, 1000, BLOCK])
def test_gzip_is_decompressed(data: bytes, size: int) -> None:
    source = DocumentSource(Trickle(data, [size]))  # type: ignore[arg-type]
    assert b"".join(document for batch in source for document in batch.documents) == LINES
    assert source.position == len(data)


@pytest.mark.parametrize("size", [7, 1000, BLOCK])
@pytest.mark.parametrize(
    ("data", "says", "least"),
    [
        (COMPRESSED[:2], "ends early", 0),
        (COMPRESSED[:-1], "ends early", len(LINES)),
        (COMPRESSED[: len(COMPRESSED) // 2], "ends early", len(LINES) * 0.4),
        (COMPRESSED + COMPRESSED[:10], "ends early", len(LINES)),
        (COMPRESSED + b"garbage", "followed by other data", len(LINES)),
        (COMPRESSED[:-6] + b"\0\0" + COMPRESSED[-4:], "damaged.*incorrect data check", len(LINES)),
        (FLUSHED + b"\x07" * 100, "damaged.*invalid block type", len(LINES)),
        (b"\x1f\x8b" + b"x" * 20, "damaged", 0),
    ],
)
def test_damaged_gzip_is_read_up_to_the_damage(data: bytes, says: str, least: float, size: int) -> None:
    documents: list[bytes] = []
    with pytest.raises(UnreadableContent, match=says):
        documents.extend(each(Trickle(data, [size])))
    text = b"".join(documents)
    assert len(text) >= least
    assert LINES.startswith(text[:-1])  # an unterminated line gets a line feed


def test_a_decompression_bomb_uses_little_memory() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(compressor.compress(b" " * 1_000_000) for _ in range(100)), compressor.flush()])
    tracemalloc.start()
    try:
        [batch] = DocumentSource(io.BytesIO(bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert batch.findings[0][1].message.startswith("the document has 100000000 bytes, more than the 65536 allowed; ")


@pytest.mark.parametrize(
    ("signature", "problem", "command"),
    [
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; decompress it first", "zstd -dc FILE"),
        (b"\xfd7zXZ\x00", "it is compressed with xz; decompress it first", "xz -dc FILE"),
        (b"BZh9", "it is compressed with bzip2; decompress it first", "bzip2 -dc FILE"),
        (b"PK\x03\x04", "it is a zip archive; extract it first", "unzip -p FILE"),
        (b"\xff\xfe{\0", "it is encoded in UTF-16; convert it to UTF-8 first", "iconv -f UTF-16 -t UTF-8 FILE"),
        (b"\xfe\xff\0{", "it is encoded in UTF-16; convert it to UTF-8 first", "iconv -f UTF-16 -t UTF-8 FILE"),
    ],
)
def test_other_formats_are_named(signature: bytes, problem: str, command: str, tmp_path: Path) -> None:
    for size in (1, BLOCK):
        with pytest.raises(UnreadableContent) as caught:
            list(DocumentSource(Trickle(signature + b"x" * 100, [size])))  # type: ignore[arg-type]
        assert str(caught.value) == f"{problem}, for example with `{command}`"
        assert caught.value.command == command
    (tmp_path / "file").write_bytes(signature + b"x" * 100)
    assert not is_divisible(tmp_path / "file")


@pytest.mark.parametrize("data", [b"BZh", b"\x1f", b"\xfd7zXZ", b"PK\x03", b"BZhello\n", b"\xff"])
def test_a_partial_signature_is_read_as_a_line(data: bytes) -> None:
    for size in (1, BLOCK):
        assert texts(read(Trickle(data, [size]))) == [data.rstrip(b"\n")]


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
        (COMPRESSED, False),
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
