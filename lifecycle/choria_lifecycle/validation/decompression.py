"""Decompression of files while they are read, recognised by their content."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from choria_lifecycle.validation.codecs import BLOCK, MAX_WINDOW_LOG, Codec
from choria_lifecycle.validation.formats import detect_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from choria_lifecycle.validation.codecs import Decoder
    from choria_lifecycle.validation.formats import FileFormat

__all__ = ["BLOCK", "UnreadableContent", "decompress", "is_plain", "sniff"]

T = TypeVar("T")


class UnreadableContent(OSError):
    """The content of a file is damaged or in another format; the message says what to do.

    Attributes:
        command: the command that converts FILE to standard output; empty if it cannot be converted.
    """

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command


def sniff(blocks: Iterator[bytes], detect: Callable[[bytes, bool], T | None]) -> tuple[T | None, Iterator[bytes]]:
    """Detect a property of a file from its beginning, reading no more than necessary.

    Args:
        blocks: the content of the file.
        detect: called with the beginning, and with True if that is the whole file; returns None to see more.

    Returns:
        What `detect` returned, and the whole content, which raises OSError where reading failed.
    """
    head = b""
    try:
        for block in blocks:
            head += block
            if (found := detect(head, False)) is not None:
                return found, chain([head], blocks)
    except OSError as error:
        blocks = iter(partial(_raise, error), b"")
    return detect(head, True), chain([head] if head else [], blocks)


def _raise(error: OSError) -> bytes:
    raise error


def decompress(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the content of a file, decompressed block by block.

    Raises:
        UnreadableContent: the file has another format, needs too much memory, or its compressed data is damaged or
            incomplete. Everything before damage in gzip data was returned, of other formats at most 1 KiB less.
        OSError: the file cannot be read.
    """
    form: FileFormat | None
    content: FileFormat | None
    form, blocks = sniff(blocks, detect_format)
    if not isinstance(form, Codec):
        if form:
            raise _unreadable(form.problem, form.command)
        return blocks
    content, blocks = sniff(_expand(blocks, form), detect_format)
    if content:
        raise _unreadable(f"decompressed with {form.name}, {content.problem}", f"{form.command} | {content.filter}")
    return blocks


def is_plain(head: bytes) -> bool:
    """Return True if a file that begins with these bytes is text in UTF-8; 262 bytes are enough."""
    return detect_format(head, True) is False


def _unreadable(problem: str, command: str) -> UnreadableContent:
    return UnreadableContent(f"{problem}, for example with `{command}`", command)


def _expand(blocks: Iterator[bytes], codec: Codec) -> Iterator[bytes]:
    """Return the decompressed content of a file in blocks."""
    try:
        members = _Members(codec)
    except ImportError:
        problem = f"it is compressed with {codec.name}, which this Python cannot read; decompress it first"
        raise _unreadable(problem, codec.command) from None
    for block in blocks:
        found = bytearray()
        try:
            for piece in members.expand(block):
                found += piece
                if len(found) + codec.step > BLOCK:
                    yield bytes(found)
                    found.clear()
        except members.damage as error:
            if found:
                yield bytes(found)
            raise _damaged(codec, str(error)) from None
        if found:
            yield bytes(found)
    if not members.complete:
        raise UnreadableContent(f"its {codec.name} data ends early; the file was not written or copied completely")


class _Members:
    """Decompresses the members of a file, one after the other.

    Attributes:
        damage: the error that `expand` raises.
    """

    def __init__(self, codec: Codec) -> None:
        self._open, self.damage = codec.load()
        self._codec = codec
        self._member: Decoder | None = self._open()

    @property
    def complete(self) -> bool:
        """True if the file may end here."""
        return self._member is None

    def expand(self, data: bytes) -> Iterator[bytes]:
        """Return what the next part of the file decompresses to, in small pieces."""
        while data or (self._member is not None and not self._member.needs_input):
            if self._member is None:
                data = data.lstrip(b"\0") if self._codec.padded else data
                if not data:
                    break
                self._member = self._open()
            yield self._member.decompress(data, self._codec.step)
            data = b""
            if self._member.eof:
                data, self._member = self._member.unused_data, None


def _damaged(codec: Codec, error: str) -> UnreadableContent:
    if codec.large and "memory" in error.lower():
        size = f"{1 << (MAX_WINDOW_LOG - 20)} MiB"
        return _unreadable(
            f"its {codec.name} data needs a window of more than {size}; decompress it first", codec.large
        )
    reason = error.rpartition(": ")[2]
    return UnreadableContent(f"its {codec.name} data is damaged or followed by other data ({reason})")
