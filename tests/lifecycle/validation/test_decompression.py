"""Compressed files, and files in other formats."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.validation.decompression import BLOCK, UnreadableContent, decompress, is_plain, sniff
from choria_lifecycle.validation.source import DocumentSource, is_divisible
from tests.bed.streams import Trickle, each, read, texts

if TYPE_CHECKING:
    from pathlib import Path


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


def test_sniffing_reads_no_more_than_necessary() -> None:
    blocks = iter([b"a", b"b", b"c"])
    found, whole = sniff(blocks, lambda head, ended: head if len(head) > 1 else None)
    assert found == b"ab"
    assert next(blocks) == b"c"
    assert list(whole) == [b"ab"]


def test_sniffing_a_short_file_ends_with_its_whole_content() -> None:
    seen: list[tuple[bytes, bool]] = []
    found, whole = sniff(iter([b"a", b"b"]), lambda head, ended: seen.append((head, ended)))
    assert (found, list(whole)) == (None, [b"ab"])
    assert seen == [(b"a", False), (b"ab", False), (b"ab", True)]
    assert list(sniff(iter(()), lambda head, ended: ended)[1]) == []


@pytest.mark.parametrize(
    ("head", "plain"),
    [(b"", True), (b"{}", True), (b"\x1f", True), (b"\xfd7zXZ", True), (COMPRESSED, False), (b"\xfd7zXZ\0", False)],
)
def test_is_plain(head: bytes, plain: bool) -> None:
    assert is_plain(head) == plain


def test_text_is_passed_through_and_gzip_in_blocks_of_limited_size() -> None:
    assert list(decompress(iter([b"{}\n", b"{}"]))) == [b"{}\n", b"{}"]
    assert list(decompress(iter(()))) == []
    blocks = list(decompress(iter([COMPRESSED])))
    assert b"".join(blocks) == LINES
    assert len(blocks) > 1
    assert max(map(len, blocks)) <= BLOCK
