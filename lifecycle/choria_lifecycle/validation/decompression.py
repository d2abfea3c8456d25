"""Packed files: gzip is unpacked while it is read, of anything else is said what it is."""

from __future__ import annotations

import zlib
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["BLOCK", "UnreadableContent", "decompress", "is_plain", "sniff"]

T = TypeVar("T")

BLOCK: Final = 65536
"""The most bytes that are read, or unpacked, at once."""


class UnreadableContent(OSError):
    """The bytes of a file are not what they should be; the message says what they are and what to do."""


_GZIP: Final = "gzip"
_SIGNATURES: Final = {
    b"\x1f\x8b": _GZIP,
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd; unpack it first: zstd -dc FILE | lifecycle validate -",
    b"\xfd7zXZ\x00": "it is compressed with xz; unpack it first: xz -dc FILE | lifecycle validate -",
    **dict.fromkeys(
        [b"BZh%d" % level for level in range(1, 10)],
        "it is compressed with bzip2; unpack it first: bzip2 -dc FILE | lifecycle validate -",
    ),
    b"PK\x03\x04": "it is a zip archive; unpack it first: unzip -p FILE | lifecycle validate -",
    **dict.fromkeys(
        [b"\xff\xfe", b"\xfe\xff"],
        "it is text in UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE | lifecycle validate -",
    ),
}


def sniff(blocks: Iterator[bytes], detect: Callable[[bytes, bool], T | None]) -> tuple[T | None, Iterator[bytes]]:
    """Find out something from the beginning of a file, reading no more than is needed.

    Args:
        blocks: the file.
        detect: is given the beginning, and whether it is all of the file; returns None to see more.

    Returns:
        What was found out, and the whole file.
    """
    head = b""
    for block in blocks:
        head += block
        if (found := detect(head, False)) is not None:
            return found, chain([head], blocks)
    return detect(head, True), iter([head] if head else [])


def decompress(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return what is in a file, which may be gzip; what it holds is unpacked a block at a time.

    Raises:
        UnreadableContent: it is packed in another way, or the gzip data ends early or is damaged; all that is before the
            damage was returned.
        OSError: it cannot be read.
    """
    kind, blocks = sniff(blocks, _detect_format)
    if kind == _GZIP:
        return _gunzip(blocks)
    if kind:
        raise UnreadableContent(kind)
    return blocks


def is_plain(head: bytes) -> bool:
    """Tell whether a file that begins like this is not packed; 6 bytes are enough to tell."""
    return not _detect_format(head, True)


def _detect_format(head: bytes, ended: bool) -> str | None:
    """Return how a file is packed, or what to say of it; empty if it is not, None if more of it is needed to tell."""
    for magic, kind in _SIGNATURES.items():
        if head.startswith(magic):
            return kind
    return None if not ended and any(magic.startswith(head) for magic in _SIGNATURES) else ""


def _gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    ended = False
    for block in blocks:
        rest, pending = block, False
        while rest or pending:
            if ended:  # zeros are padding, as on tapes
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
                raise UnreadableContent(f"its gzip data is damaged, or followed by something else ({reason})") from None
            if data:
                yield data
            ended = member.eof
            pending = not ended and len(data) == BLOCK
            rest = member.unused_data if ended else member.unconsumed_tail
    if not ended:
        raise UnreadableContent("its gzip data ends early; it was not written or copied completely")


def _salvage(decompress: Callable[[bytes], bytes], rest: bytes) -> Iterator[bytes]:
    """Return what a call that failed has not."""
    try:
        for at in range(len(rest)):
            if data := decompress(rest[at : at + 1]):
                yield data
    except zlib.error:
        pass
