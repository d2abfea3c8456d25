"""Decompression of gzip files while they are read, and errors for other formats."""

from __future__ import annotations

import zlib
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["BLOCK", "UnreadableContent", "decompress", "is_plain", "sniff"]

T = TypeVar("T")

BLOCK: Final = 65536
"""The maximum number of bytes read or decompressed at once."""


class UnreadableContent(OSError):
    """The content of a file is damaged or in another format; the message says what to do.

    Attributes:
        command: the command that converts FILE to standard output; empty if it cannot be converted.
    """

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command


_GZIP: Final = b"\x1f\x8b"
_FOREIGN: Final = {
    b"\x28\xb5\x2f\xfd": ("it is compressed with zstd; decompress it first", "zstd -dc FILE"),
    b"\xfd7zXZ\x00": ("it is compressed with xz; decompress it first", "xz -dc FILE"),
    **dict.fromkeys(
        [b"BZh%d" % level for level in range(1, 10)],
        ("it is compressed with bzip2; decompress it first", "bzip2 -dc FILE"),
    ),
    b"PK\x03\x04": ("it is a zip archive; extract it first", "unzip -p FILE"),
    **dict.fromkeys(
        [b"\xff\xfe", b"\xfe\xff"],
        ("it is encoded in UTF-16; convert it to UTF-8 first", "iconv -f UTF-16 -t UTF-8 FILE"),
    ),
}
_SIGNATURES: Final = (_GZIP, *_FOREIGN)


def sniff(blocks: Iterator[bytes], detect: Callable[[bytes, bool], T | None]) -> tuple[T | None, Iterator[bytes]]:
    """Detect a property of a file from its beginning, reading no more than necessary.

    Args:
        blocks: the content of the file.
        detect: called with the beginning, and with True if that is the whole file; returns None to see more.

    Returns:
        What `detect` returned, and the whole content.
    """
    head = b""
    for block in blocks:
        head += block
        if (found := detect(head, False)) is not None:
            return found, chain([head], blocks)
    return detect(head, True), iter([head] if head else [])


def decompress(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the content of a file; gzip is decompressed block by block.

    Raises:
        UnreadableContent: the file has another compressed format, or its gzip data is damaged or incomplete; everything
            before the damage was returned.
        OSError: the file cannot be read.
    """
    signature, blocks = sniff(blocks, _detect_signature)
    if signature == _GZIP:
        return _gunzip(blocks)
    if signature:
        problem, command = _FOREIGN[signature]
        raise UnreadableContent(f"{problem}, for example with `{command}`", command)
    return blocks


def is_plain(head: bytes) -> bool:
    """Return True if a file that begins with these bytes is not compressed; 6 bytes are enough."""
    return not _detect_signature(head, True)


def _detect_signature(head: bytes, ended: bool) -> bytes | None:
    """Return the signature with which a file begins; empty if it has none, None if more bytes are needed."""
    for signature in _SIGNATURES:
        if head.startswith(signature):
            return signature
    return None if not ended and any(signature.startswith(head) for signature in _SIGNATURES) else b""


def _gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    ended = False
    for block in blocks:
        rest, pending = block, False
        while rest or pending:
            if ended:  # zeros are padding
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member, ended = zlib.decompressobj(wbits=31), False
            before = member.copy()
            try:
                data = member.decompress(rest, BLOCK)
            except zlib.error as error:
                yield from _salvage(before.decompress, rest)
                reason = str(error).rpartition(": ")[2]
                raise UnreadableContent(f"its gzip data is damaged or followed by other data ({reason})") from None
            if data:
                yield data
            ended = member.eof
            pending = not ended and len(data) == BLOCK
            rest = member.unused_data if ended else member.unconsumed_tail
    if not ended:
        raise UnreadableContent("its gzip data ends early; the file was not written or copied completely")


def _salvage(decompress: Callable[[bytes], bytes], rest: bytes) -> Iterator[bytes]:
    """Return the data before the damage that a failed call did not return."""
    try:
        for at in range(len(rest)):
            if data := decompress(rest[at : at + 1]):
                yield data
    except zlib.error:
        pass
