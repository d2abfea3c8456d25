"""Compressed files."""

from __future__ import annotations

import gzip
import io
import shlex
import shutil
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.validation.codecs import MAX_WINDOW_LOG
from choria_lifecycle.validation.decompression import (
    BLOCK,
    UnreadableContent,
    decompress,
    is_plain,
    sniff,
)
from choria_lifecycle.validation.source import DocumentSource
from tests.bed.compressed import COMPRESS, large_window, skippable_frame
from tests.bed.streams import Trickle, each, read, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LINES = b"".join(b'{"number":%d}\n' % number for number in range(20_000))
COMPRESSED = {name: compress(LINES) for name, compress in COMPRESS.items()}
_compressor = zlib.compressobj(wbits=31)
FLUSHED = _compressor.compress(LINES) + _compressor.flush(zlib.Z_SYNC_FLUSH)
SIZES = pytest.mark.parametrize("size", [7, 1000, BLOCK])
FORMATS = pytest.mark.parametrize("name", COMPRESS)


def several_members(name: str) -> bytes:
    compress = COMPRESS[name]
    return compress(LINES[:1000]) + compress(b"") + compress(LINES[1000:])


@pytest.mark.parametrize(
    "data",
    [
        *COMPRESSED.values(),
        *map(several_members, COMPRESS),
        COMPRESSED["gzip"] + b"\0" * 1001,
        gzip.compress(LINES[:1000]) + b"\0\0" + gzip.compress(LINES[1000:]),
        COMPRESSED["xz"] + b"\0" * 1000,
        COMPRESS["xz"](LINES[:1000]) + b"\0" * 4 + COMPRESS["xz"](LINES[1000:]),
        skippable_frame(b"index") + COMPRESSED["zstd"] + skippable_frame(b""),
        large_window("zstd", LINES, MAX_WINDOW_LOG),
        large_window("xz", LINES, MAX_WINDOW_LOG),
    ],
    ids=[
        *COMPRESS,
        *(f"several members in {name}" for name in COMPRESS),
        "padded gzip", "padding between gzip members", "padded xz", "padding between xz streams",
        "skippable zstd frames", "large zstd window", "large xz dictionary",
    ],
)  # fmt: skip
@SIZES
def test_compressed_files_are_read(data: bytes, size: int) -> None:
    source = DocumentSource(Trickle(data, [size]))  # type: ignore[arg-type]
    assert b"".join(document for batch in source for document in batch.documents) == LINES
    assert source.position == len(data)


def unreadable(data: bytes, size: int) -> tuple[str, bytes]:
    """Read until the file cannot be read; return the reason and the documents."""
    documents: list[bytes] = []
    with pytest.raises(UnreadableContent) as caught:
        documents.extend(each(Trickle(data, [size])))
    text = b"".join(documents)
    assert LINES.startswith(text[:-1])  # an unterminated line gets a line feed
    return str(caught.value), text


@SIZES
@pytest.mark.parametrize(
    ("data", "says", "least"),
    [
        (COMPRESSED["gzip"][:-6] + b"\0\0" + COMPRESSED["gzip"][-4:], "incorrect data check", len(LINES)),
        (FLUSHED + b"\x07" * 100, "invalid block type", len(LINES)),
        (b"\x1f\x8b" + b"x" * 20, "unknown compression method", 0),
    ],
)
def test_damaged_gzip_is_read_up_to_the_damage(data: bytes, says: str, least: float, size: int) -> None:
    reason, text = unreadable(data, size)
    assert reason == f"its gzip data is damaged or followed by other data ({says})"
    assert len(text) >= least


def least_before(name: str, size: float) -> float:
    """Return the size of the text that is read before damage: the decoders of zstd and bzip2 return whole blocks."""
    blocks = {"gzip": 0, "xz": 1024, "zstd": 1024 + 128 * 1024, "bzip2": 900_000}
    return size - blocks[name]


@SIZES
@FORMATS
def test_damaged_data_is_read_up_to_the_damage(name: str, size: int) -> None:
    data = several_members(name)
    at = len(data) - (6 if name == "gzip" else 10)
    reason, text = unreadable(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :], size)
    assert reason.startswith(f"its {name} data is damaged or followed by other data (")
    assert len(text) >= least_before(name, len(LINES))


@SIZES
@FORMATS
@pytest.mark.parametrize("rest", [b"garbage", b"{}\n", b"\0\0\0", b"\0\0garbage"])
def test_data_after_the_end_is_an_error(name: str, rest: bytes, size: int) -> None:
    if name in ("gzip", "xz") and not rest.strip(b"\0"):
        pytest.skip("zeros are padding")
    reason, text = unreadable(COMPRESSED[name] + rest, size)
    assert text == LINES
    assert reason.startswith(f"its {name} data ")


@SIZES
@FORMATS
def test_incomplete_data_is_read_to_its_end(name: str, size: int) -> None:
    data = COMPRESSED[name]
    reason = f"its {name} data ends early; the file was not written or copied completely"
    assert unreadable(data[:6], size) == (reason, b"")
    for at, least in ((len(data) // 2, 0.4), (len(data) - 1, 1)):
        found, text = unreadable(data[:at], size)
        assert found == reason
        assert len(text) >= least_before(name, len(LINES) * least)
    assert unreadable(data + data[:8], size) == (reason, LINES)


def test_what_precedes_damage_at_the_beginning_is_read() -> None:
    assert unreadable(gzip.compress(LINES[:5])[:-8], BLOCK)[1] == LINES[:5] + b"\n"
    documents: list[bytes] = []
    with pytest.raises(UnreadableContent):
        documents.extend(each(Trickle(gzip.compress(b"no object")[:-8])))
    assert documents == [b"no object\n"]


MEASURE = """
import resource, sys
from pathlib import Path
from choria_lifecycle.validation.source import DocumentSource
def read(name):
    return [finding.message for batch in DocumentSource(Path(name).open("rb")) for _, finding in batch.findings]
read(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
[message] = read(sys.argv[1])
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // (1 if sys.platform == "linux" else 1024)
print(grown, message)
"""


@FORMATS
def test_a_decompression_bomb_uses_little_memory(name: str, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(COMPRESS[name](b" " * 100_000_000))
    (tmp_path / "small").write_bytes(COMPRESSED[name])
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "bomb"), str(tmp_path / "small")]
    grown, message = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(" ", 1)
    assert message.startswith("the document has 100000000 bytes, more than the 65536 allowed; ")
    assert int(grown) < 30_000, "KiB"


@pytest.mark.parametrize(("name", "command"), [("xz", "xz -dc FILE"), ("zstd", "zstd -dc --long=31 FILE")])
def test_a_file_that_demands_too_much_memory_is_an_error(name: str, command: str, tmp_path: Path) -> None:
    data = large_window(name, LINES, MAX_WINDOW_LOG + 1)
    with pytest.raises(UnreadableContent) as caught:
        list(DocumentSource(io.BytesIO(data)))
    problem = f"its {name} data needs a window of more than 128 MiB; decompress it first"
    assert str(caught.value) == f"{problem}, for example with `{command}`"
    assert caught.value.command == command
    if shutil.which(name):
        (tmp_path / "file").write_bytes(data)
        words = [str(tmp_path / "file") if word == "FILE" else word for word in command.split()]
        assert subprocess.run(words, capture_output=True, check=True).stdout == LINES


@pytest.mark.parametrize("name", ["zstd", "xz", "bzip2"])
def test_without_the_module_the_command_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bz2", "lzma", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    for package in ("backports", "compression"):
        if package in sys.modules:
            monkeypatch.delattr(sys.modules[package], "zstd", raising=False)
    with pytest.raises(UnreadableContent) as caught:
        list(DocumentSource(io.BytesIO(COMPRESSED[name])))
    assert str(caught.value) == (
        f"it is compressed with {name}, which this Python cannot read; decompress it first, for example with "
        f"`{name} -dc FILE`"
    )


@pytest.mark.parametrize(
    ("inner", "problem", "command"),
    [
        (COMPRESSED["xz"], "it is compressed with xz; decompress it first", "xz -dc"),
        (
            LINES.decode().encode("utf-16-le"),
            "it is encoded in UTF-16LE; convert it to UTF-8 first",
            "iconv -f UTF-16LE -t UTF-8",
        ),
    ],
)
@FORMATS
def test_other_formats_within_compressed_data_are_named(
    name: str, inner: bytes, problem: str, command: str, tmp_path: Path
) -> None:
    data = COMPRESS[name](inner)
    with pytest.raises(UnreadableContent) as caught:
        list(DocumentSource(io.BytesIO(data)))
    programs, command = {name, command.split()[0]}, f"{name} -dc FILE | {command}"
    assert str(caught.value) == f"decompressed with {name}, {problem}, for example with `{command}`"
    assert caught.value.command == command
    if all(map(shutil.which, programs)):
        (tmp_path / "file").write_bytes(data)
        command = command.replace("FILE", shlex.quote(str(tmp_path / "file")))
        assert subprocess.run(command, shell=True, capture_output=True, check=True).stdout == LINES


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
    [
        (b"", True),
        (b"{}", True),
        (b"\x1f", True),
        (b"\xfd7zXZ", True),
        *((data, False) for data in COMPRESSED.values()),
        (b"\xfd7zXZ\0", False),
        (b"PK\x03\x04", False),
    ],
)
def test_is_plain(head: bytes, plain: bool) -> None:
    assert is_plain(head) == plain


def test_sniffing_keeps_what_precedes_an_error() -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise OSError(5, "Input/output error")

    found, whole = sniff(failing(), lambda head, ended: head if ended else None)
    assert found == b"a"
    assert next(whole) == b"a"
    with pytest.raises(OSError, match="Input/output error"):
        next(whole)


def test_text_is_passed_through() -> None:
    assert list(decompress(iter([b"{}\n", b"{}"]))) == [b"{}\n", b"{}"]
    assert list(decompress(iter(()))) == []


@FORMATS
def test_content_comes_in_blocks_of_limited_size(name: str) -> None:
    blocks = list(decompress(iter([COMPRESSED[name]])))
    assert b"".join(blocks) == LINES
    assert len(blocks) > 1
    assert max(map(len, blocks)) <= BLOCK
