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
    """A stream that returns as many bytes a read as it is told, or the pieces that it is given."""

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
    """What came out of a file: documents and findings with their lines, and what was too long."""

    documents: list[tuple[int, bytes]]
    findings: list[tuple[int, str, str]]
    unfinished: bool
    rejected: bytes
    order: list[bytes]


def gather(source: Iterable[Any], rejected: list[bytes], offset: int = 0) -> Content:
    """Go through batches; `rejected` is where their source puts what is too long."""
    documents: list[tuple[int, bytes]] = []
    findings: list[tuple[int, str, str]] = []
    order: list[bytes] = []
    unfinished = False
    seen = 0
    for batch in source:
        assert not unfinished
        assert len(batch.line_numbers) == len(batch.documents)
        assert batch.documents or batch.findings
        order += [*rejected[seen:], *batch.documents]
        seen = len(rejected)
        documents += zip((number + offset for number in batch.line_numbers), batch.documents, strict=True)
        findings += [(number + offset, finding.code, finding.message) for number, finding in batch.findings]
        unfinished = batch.unterminated
    return Content(documents, findings, unfinished, b"".join(rejected), order)


def read(stream: Any, limit: int = MAX_SIZE) -> Content:
    rejected: list[bytes] = []
    stream = Trickle(stream) if isinstance(stream, bytes) else stream
    return gather(DocumentSource(stream, on_oversized=rejected.append, limit=limit), rejected)


def each(stream: Any) -> Iterator[bytes]:
    return (document for batch in DocumentSource(stream) for document in batch.documents)


def texts(content: Content) -> list[bytes]:
    for _, document in content.documents:
        assert document.endswith(b"\n")
    return [document[:-1] for _, document in content.documents]


def numbers(content: Content) -> list[int]:
    return [number for number, _ in content.documents]


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=5)
# A few bytes that matter, so that short texts have all that can happen in them.
SOUP = st.lists(st.sampled_from([bytes([byte]) for byte in b'\n\n\n\r \t\x0b{}[],:"\\a1\xef']), max_size=60).map(
    b"".join
)
OBJECTS = st.dictionaries(st.text(max_size=5), ANYTHING, min_size=1, max_size=3)


# ---- lines


def lines_of(data: bytes, limit: int) -> Content:
    """Say what should come out of lines, in the simplest way."""
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
    unfinished = bool(rest.strip(b" \t\r\n")) and len(rest) <= limit
    rejected = b"".join(lines[number - 1] + b"\n" for number, _, _ in findings)
    return Content(documents, findings, unfinished, rejected, order)


@given(SOUP, SIZES, st.integers(1, 12))
def test_lines_come_as_they_are(soup: bytes, sizes: list[int], limit: int) -> None:
    data = b"x\n" + soup
    found = read(Trickle(data, sizes), limit)
    wanted = lines_of(data, limit)
    assert found._replace(order=[]) == wanted._replace(order=[])
    # Nothing overtakes anything: what is written as it comes is in the order of the file.
    assert b"".join(found.order) == b"".join(wanted.order)
    assert found == read(Trickle(data, [BLOCK]), limit)._replace(order=found.order)


@given(st.lists(OBJECTS), SIZES, st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n\t\n"]), st.booleans())
def test_one_document_a_line(documents: list[Any], sizes: list[int], line_end: bytes, ended: bool) -> None:
    lines = [json.dumps(document).encode() for document in documents]
    data = line_end.join(lines) + (line_end if ended and lines else b"")
    found = read(Trickle(data, sizes))
    assert [json.loads(text) for text in texts(found)] == documents
    assert numbers(found) == [1 + index * line_end.count(b"\n") for index in range(len(lines))]
    assert found.unfinished == (bool(lines) and not ended)
    assert not found.findings


@pytest.mark.parametrize(
    ("data", "wanted", "unfinished"),
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
        # A first line that is cut off is no reason to take the rest for a part of it.
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
def test_what_is_taken_for_lines(data: bytes, wanted: list[tuple[int, bytes]], unfinished: bool) -> None:
    for sizes in ([BLOCK], [1] * 9 + [BLOCK]):
        found = read(Trickle(data, sizes), limit=2 * BLOCK)
        assert found == Content(wanted, [], unfinished, b"", [document for _, document in wanted])


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
    """Write documents in between texts; return the file, and the line on which each document begins."""
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
    assert not found.unfinished


@given(
    st.lists(OBJECTS, min_size=1),
    st.sampled_from(["", "\n", "\n\n", "\n[]\n"]),
    st.sampled_from(["", "\n"]),
    st.sampled_from([0, 4, "\t"]),
    SIZES,
)
def test_documents_over_several_lines(
    documents: list[Any], between: str, after: str, indent: int | str, sizes: list[int]
) -> None:
    written_out = [json.dumps(document, indent=indent) for document in documents]
    data, lines = written(written_out, "", between, after)
    found = read(Trickle(data, sizes))
    assert [text.decode() for text in texts(found)] == written_out
    assert numbers(found) == lines
    assert not found.findings
    assert not found.unfinished


@given(SOUP, SIZES, st.integers(1, 12))
@example(b'"\\', [1], 3)
@example(b'{"\\\n"}', [1], 3)
def test_of_values_nothing_is_lost_and_reads_make_no_difference(soup: bytes, sizes: list[int], limit: int) -> None:
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
        (b"[1,\n,2]", [(1, b"1"), (2, b"2")], [(2, "there is a , here that belongs to no element")]),
        (b"[,1]", [(1, b"1")], [(1, "there is a , here that belongs to no element")]),
        (b"[1,]", [(1, b"1")], [(1, "there is a ] here that belongs to no element")]),
        (b"[{}},{}]", [(1, b"{}"), (1, b"{}")], [(1, "there is a } here that belongs to no element")]),
        (b"[1]\n]", [(1, b"1")], [(2, "there is a ] here that belongs to no element")]),
        (b"[1],[2]", [(1, b"1"), (1, b"2")], [(1, "there is a , here that belongs to no element")]),
        # A string that is not closed takes what is on its line, and no more.
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
def test_what_is_taken_for_values(
    data: bytes, wanted: list[tuple[int, bytes]], findings: list[tuple[int, str]]
) -> None:
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
        # It is said once: of the last document it can be seen.
        (b'[{"a":', b'{"a":', []),
        (b'[{"a":1}, "b', b'"b', []),
        (b'{\n"a":1', b'{\n"a":1', []),
        (b"{\n", b"{", None),
    ],
)
def test_what_ends_early(data: bytes, last: bytes | None, lines: list[int] | None) -> None:
    for sizes in ([BLOCK], [1]):
        found = read(Trickle(data, sizes))
        if lines is None:  # a line like any other
            assert not found.unfinished
            continue
        assert found.unfinished == (last is not None)
        assert last is None or texts(found)[-1] == last
        assert [(number, code) for number, code, _ in found.findings] == [(line, "input-truncated") for line in lines]


def test_an_array_that_is_not_closed_says_where_it_begins() -> None:
    assert read(b"\n[1,\n").findings == [
        (3, "input-truncated", "the array that begins on line 2 is not closed: the file was cut off, or a ] is missing")
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
@pytest.mark.parametrize("pack", [False, True])
def test_a_document_of_any_length_is_one_finding_and_takes_no_memory(
    before: bytes, after: bytes, line: int, pack: bool
) -> None:
    pieces: Iterable[bytes] = chain([before], long_text(), [after + b'\n{"b":1}\n'])
    if pack:
        packer = zlib.compressobj(1, wbits=31)
        pieces = [b"".join([*map(packer.compress, pieces), packer.flush()])]
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


def test_a_long_document_comes_out_unchanged() -> None:
    long = b'{"a":"' + b'x\\\\\\"' * 30_000 + b'"}'
    for data in (b"1\n%b\n2\n", b"1\n%b", b"[1,%b,2]", b"[1,%b", b'{\n"a":1}%b'):
        for sizes in ([BLOCK], [7777], [1] * 50 + [BLOCK]):
            assert read(Trickle(data % long, sizes)).rejected == long + b"\n"


# ---- as it comes


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [
        [(b'{"a":1}\n', [b'{"a":1}']), (b'{"a":2}\r\n', [b'{"a":2}\r']), (b"{", []), (b"}\n", [b"{}"])],
        [(b'[{"a":1}', [b'{"a":1}']), (b',\n"b"', [b'"b"']), (b"]\n{}", [b"{}"])],
        [(b'{\n"a":1}', [b'{\n"a":1}']), (b"\n", []), (b'{\n"b":[]}', [b'{\n"b":[]}'])],
        [(b"\n\n", []), (b"1\n2\n", [b"1", b"2"])],
    ],
)
def test_what_is_there_comes_out_before_more_is_written(
    pieces: list[tuple[bytes, list[bytes]]], packed: bool, buffering: int
) -> None:
    # If something waited for more than is needed, it would wait for ever, as nothing is written meanwhile.
    packer = zlib.compressobj(wbits=31)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering) as stream, os.fdopen(writing, "wb", 0) as sink:
        source = DocumentSource(stream)
        batches = iter(source)
        for piece, wanted in pieces:
            sink.write(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else piece)
            if wanted:
                assert [document[:-1] for document in next(batches).documents] == wanted
        if packed:
            sink.write(packer.flush())
        sink.close()
        assert not list(batches)
        assert packed or source.position == sum(len(piece) for piece, _ in pieces)


class Failing(Trickle):
    def read(self, size: int) -> bytes:
        piece = super().read(size)
        if not piece:
            raise OSError(5, "Input/output error")
        return piece


@pytest.mark.parametrize(("data", "wanted"), [(b"1\n2", [b"1", b"2"]), (b"[1,[2", [b"1", b"[2"]), (b"", [])])
def test_what_was_read_before_reading_fails_comes_out(data: bytes, wanted: list[bytes]) -> None:
    documents: list[bytes] = []
    with pytest.raises(OSError, match="Input/output error"):
        documents.extend(each(Failing(data)))
    assert [document[:-1] for document in documents] == wanted


# ---- packed


LINES = b"".join(b'{"number":%d}\n' % number for number in range(20_000))
PACKED = gzip.compress(LINES, 1)
_packer = zlib.compressobj(wbits=31)
FLUSHED = _packer.compress(LINES) + _packer.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    "data",
    [
        PACKED,
        PACKED + b"\0" * 1000,
        gzip.compress(LINES[:1000]) + gzip.compress(b"") + b"\0\0" + gzip.compress(LINES[1000:]),
    ],
    ids=["gzip", "padded", "several members"],
)
@pytest.mark.parametrize("size", [7, 1000, BLOCK])
def test_gzip_is_unpacked(data: bytes, size: int) -> None:
    source = DocumentSource(Trickle(data, [size]))  # type: ignore[arg-type]
    assert b"".join(document for batch in source for document in batch.documents) == LINES
    assert source.position == len(data)


@pytest.mark.parametrize("size", [7, 1000, BLOCK])
@pytest.mark.parametrize(
    ("data", "says", "least"),
    [
        (PACKED[:2], "ends early", 0),
        (PACKED[:-1], "ends early", len(LINES)),
        (PACKED[: len(PACKED) // 2], "ends early", len(LINES) * 0.4),
        (PACKED + PACKED[:10], "ends early", len(LINES)),
        (PACKED + b"garbage", "followed by something else", len(LINES)),
        (PACKED[:-6] + b"\0\0" + PACKED[-4:], "damaged.*incorrect data check", len(LINES)),
        (FLUSHED + b"\x07" * 100, "damaged.*invalid block type", len(LINES)),
        (b"\x1f\x8b" + b"x" * 20, "damaged", 0),
    ],
)
def test_gzip_that_is_damaged_is_read_up_to_the_damage(data: bytes, says: str, least: float, size: int) -> None:
    documents: list[bytes] = []
    with pytest.raises(UnreadableContent, match=says):
        documents.extend(each(Trickle(data, [size])))
    text = b"".join(documents)
    assert len(text) >= least
    assert LINES.startswith(text[:-1])  # what is unfinished gets a line feed


def test_a_bomb_takes_no_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(b" " * 1_000_000) for _ in range(100)), packer.flush()])
    tracemalloc.start()
    try:
        [batch] = DocumentSource(io.BytesIO(bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert batch.findings[0][1].message.startswith("the document has 100000000 bytes, more than the 65536 allowed; ")


@pytest.mark.parametrize(
    ("magic", "says"),
    [
        (b"\x28\xb5\x2f\xfd", "zstd; unpack it first: zstd -dc FILE | lifecycle validate -"),
        (b"\xfd7zXZ\x00", "xz; unpack it first: xz -dc FILE | lifecycle validate -"),
        (b"BZh9", "bzip2; unpack it first: bzip2 -dc FILE | lifecycle validate -"),
        (b"PK\x03\x04", "zip archive; unpack it first: unzip -p FILE | lifecycle validate -"),
        (b"\xff\xfe{\0", "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE | lifecycle validate -"),
        (b"\xfe\xff\0{", "UTF-16"),
    ],
)
def test_what_cannot_be_read_is_named(magic: bytes, says: str, tmp_path: Path) -> None:
    for size in (1, BLOCK):
        with pytest.raises(UnreadableContent, match=says.replace("|", r"\|")):
            list(DocumentSource(Trickle(magic + b"x" * 100, [size])))  # type: ignore[arg-type]
    (tmp_path / "file").write_bytes(magic + b"x" * 100)
    assert not is_divisible(tmp_path / "file")


@pytest.mark.parametrize("data", [b"BZh", b"\x1f", b"\xfd7zXZ", b"PK\x03", b"BZhello\n", b"\xff"])
def test_what_only_begins_like_a_packed_file_is_a_line(data: bytes) -> None:
    for size in (1, BLOCK):
        assert texts(read(Trickle(data, [size]))) == [data.rstrip(b"\n")]


# ---- segments


@given(soup=SOUP, size=st.integers(1, 40), sizes=SIZES, limit=st.integers(1, 12))
def test_segments_hold_what_the_file_holds(
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
        rejected: list[bytes] = []
        stream = Seekable(data, sizes)
        source = DocumentSource(stream, on_oversized=rejected.append, limit=limit, segment=(begin, end))  # type: ignore[arg-type]
        found.append(gather(source, rejected, lines))
        assert source.position == end - begin
        lines += source.lines
    whole = read(data, limit)
    assert [each for content in found for each in content.documents] == whole.documents
    assert [each for content in found for each in content.findings] == whole.findings
    assert b"".join(each for content in found for each in content.order) == b"".join(whole.order)
    assert [content.unfinished for content in found] == [False] * (len(found) - 1) + [whole.unfinished]


class Seekable(Trickle):
    def __init__(self, data: bytes, sizes: Iterable[int]) -> None:
        super().__init__(data, sizes)
        self._data = data

    def seek(self, at: int) -> None:
        self._rest, self._pieces = self._data[at:], iter([])


def test_segments_of_a_file_whose_lines_are_longer(tmp_path: Path) -> None:
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
        (PACKED, False),
    ],
)
def test_only_lines_can_be_read_in_segments(data: bytes, divisible: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert is_divisible(path) == divisible
    assert is_divisible(str(path)) == divisible


def test_what_is_no_plain_file_cannot_be_read_in_segments(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes: opening it would wait for ever
    assert not is_divisible(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        is_divisible(tmp_path / "none")
