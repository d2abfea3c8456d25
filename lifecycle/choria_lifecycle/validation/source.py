"""Files and streams of JSON documents, read block by block in constant memory.

The beginning of a file selects one of three layouts:

- lines: each line is a document. This is also the default for malformed input, as it limits damage to a line.
- values: any number of JSON arrays, whose elements are documents, and of documents that span several lines.
- frames: JSON text sequences, server-sent events, and the output of `nats sub`; see `framing`.
"""

from __future__ import annotations

import os
import stat
from enum import Enum, auto
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias

from choria_lifecycle.validation.batch import Batch, BatchBuilder, PartialDocument
from choria_lifecycle.validation.decompression import BLOCK, decompress, is_plain, sniff
from choria_lifecycle.validation.framing import FrameReader, Framing, detect_framing
from choria_lifecycle.validation.sequence import ValueSplitter
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.finding import Finding
from choria_lifecycle.wire.jsontext import BOM, MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DocumentSource", "Segment", "is_divisible", "segments"]

Segment: TypeAlias = tuple[int, int]
"""The beginning and end of a part of a file, in bytes."""

_BLANK: Final = b" \t\r\n"
_BOM_FOUND: Final = codes.INPUT_BOM.at(
    "$", "the file begins with a byte order mark (EF BB BF); write UTF-8 without one"
)
_MAX_LINES: Final = 2000


def _ignore(piece: bytes) -> None:
    pass


class DocumentSource:
    """The documents in a file or stream from its current position; iterable once.

    Each document is returned as soon as it can be read, even while others are still being written. Lines are returned
    unchanged, except that blank lines and a byte order mark at the beginning of the file are skipped, and a missing
    line feed at its end is added.

    Attributes:
        position: the number of bytes read from the stream.
        lines: in the lines layout, the number of lines read.

    Args:
        stream: a binary file whose reads block only until some data is available.
        on_oversized: called with each document that exceeds the limit, in pieces, followed by a line feed. The batches
            before that document have been returned by then, and its finding is in the next one.
        limit: the maximum size of a document in bytes.
        segment: read only this part of the file, as lines counted from 1.
    """

    def __init__(
        self,
        stream: IO[bytes],
        *,
        on_oversized: Callable[[bytes], object] = _ignore,
        limit: int = MAX_SIZE,
        segment: Segment | None = None,
    ) -> None:
        self.position: int = 0
        self.lines: int = 0
        self._stream = stream
        self._segment = segment
        self._partial = PartialDocument(limit, on_oversized)
        self._failure: OSError | None = None

    def __iter__(self) -> Iterator[Batch]:
        """Return the documents in batches.

        Raises:
            OSError: the stream cannot be read; `UnreadableContent` if it is damaged or in another format. All documents
                before the error have been returned; the last one may be unterminated.
        """
        blocks = self._blocks()
        layout: _Layout | Framing | None = _Layout.LINES
        if self._segment is None:
            layout, blocks = sniff(blocks, _detect_layout)
        if self._segment is None or self._segment[0] == 0:
            head = next(blocks, b"")
            if head.startswith(BOM):
                yield Batch([], [], findings=[(1, _BOM_FOUND)])
                head = head.removeprefix(BOM)
            blocks = chain([head] if head else [], blocks)
        if isinstance(layout, Framing):
            yield from FrameReader(layout, self._partial).batches(blocks)
        elif layout is _Layout.LINES:
            yield from self._lines(blocks)
        else:
            yield from ValueSplitter(self._partial).batches(blocks)
        if self._failure is not None:
            raise self._failure

    def _blocks(self) -> Iterator[bytes]:
        """Return the content of the file, up to a read error."""
        try:
            yield from self._read() if self._segment is not None else decompress(self._read())
        except OSError as failure:
            self._failure = failure

    def _read(self) -> Iterator[bytes]:
        # On a buffered stream, read() would wait for a full block.
        read = getattr(self._stream, "read1", self._stream.read)
        if self._segment is None:
            rest = None
        else:
            begin, end = self._segment
            self._stream.seek(begin)
            rest = end - begin
        while block := read(BLOCK if rest is None else min(BLOCK, rest)):
            self.position += len(block)
            if rest is not None:
                rest -= len(block)
            yield block

    def _lines(self, blocks: Iterator[bytes]) -> Iterator[Batch]:
        partial, limit = self._partial, self._partial.limit
        for block in blocks:
            lines = BytesIO(block).readlines()  # a few times faster than bytes.split
            rest = b"" if block.endswith(b"\n") else lines.pop()
            is_ascii = block.isascii()
            if lines and partial.size:
                partial.add(lines[0][:-1])
                document = partial.finish()
                if isinstance(document, Finding):
                    yield self._oversized_batch(document)
                    del lines[0]
                else:
                    lines[0] = document
                    is_ascii = is_ascii and document.isascii()
            # Checking each line is slow; first find out whether that is necessary.
            longest = max(map(len, lines), default=0) - 1 if len(block) > limit else 0
            if longest > limit or any(map(bytes.isspace, lines)):
                yield from self._select(lines)
            elif lines:
                # A block of very short lines can have more findings than fit into memory.
                for at in range(0, len(lines), _MAX_LINES):
                    documents = lines[at : at + _MAX_LINES]
                    first = self.lines + 1
                    self.lines += len(documents)
                    yield Batch(range(first, first + len(documents)), documents, is_ascii=is_ascii)
            if rest:
                partial.add(rest)
        if partial.size:
            document = partial.finish()
            number = self.lines + 1
            if isinstance(document, Finding):
                yield self._oversized_batch(document)
            elif document.strip(_BLANK):
                yield Batch(range(number, number + 1), [document], unterminated=True)

    def _select(self, lines: list[bytes]) -> Iterator[Batch]:
        """Return the lines that are neither blank nor oversized, and findings for the oversized ones."""
        batch = BatchBuilder()
        for line in lines:
            self.lines += 1
            if len(line) - 1 > self._partial.limit:
                yield from batch.flush()
                self._partial.add(line[:-1])
                batch.add(self.lines, self._partial.reject())
            elif line.strip(_BLANK):
                batch.add(self.lines, line)
        yield from batch.flush()

    def _oversized_batch(self, finding: Finding) -> Batch:
        self.lines += 1
        return Batch([], [], findings=[(self.lines, finding)])


class _Layout(Enum):
    LINES = auto()
    VALUES = auto()


def _detect_layout(head: bytes, ended: bool) -> _Layout | Framing | None:
    """Return the layout of a file that begins with these bytes; None if more bytes are needed."""
    ended = ended or len(head) >= BLOCK
    if not ended and BOM.startswith(head):
        return None
    text = head[:BLOCK].removeprefix(BOM).lstrip(_BLANK)
    if text and (framing := detect_framing(text, ended=ended)) is not None:
        return None if framing is Framing.UNDECIDED else framing
    if text.startswith(b"["):
        return _Layout.VALUES
    if not text.startswith(b"{"):
        return _Layout.LINES if text or ended else None
    line, line_end, following = text.partition(b"\n")
    if line_end and line.rstrip(_BLANK)[-1:] not in _ENDS_OPEN:
        return _Layout.LINES
    next_line = following.lstrip(_BLANK)
    if not next_line:
        return _Layout.LINES if ended else None
    # After a truncated line, the next document begins with a brace; within a document, a brace would be indented.
    indented = following[-len(next_line) - 1 : -len(next_line)] in (b" ", b"\t")
    return (
        _Layout.VALUES
        if next_line[0] in _CONTINUATION_BYTES or (indented and next_line[0] == _BRACE)
        else _Layout.LINES
    )


_ENDS_OPEN: Final = (b"{", b"[", b",", b":")
_CONTINUATION_BYTES: Final = b'"}[]-0123456789tfn'
_BRACE: Final = ord("{")


def is_divisible(path: str | os.PathLike[str]) -> bool:
    """Return True if a file can be read in segments: an uncompressed regular file with one document per line.

    Raises:
        OSError: the file cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - before opening, which could wait for a writer
        return False
    with Path(path).open("rb") as file:
        blocks = iter(partial(file.read, BLOCK), b"")
        head = next(blocks, b"")
        layout, _ = sniff(chain([head], blocks), _detect_layout)
        return is_plain(head) and layout is _Layout.LINES


def segments(path: str | os.PathLike[str], size: int) -> Iterator[Segment]:
    """Split a divisible file into segments at line ends.

    Reading all of them with `DocumentSource(file, segment=...)`, in any order, returns the same documents as reading
    the file. Line numbers count from the beginning of a segment: add the `lines` of all segments before it.

    Args:
        path: the file; data appended while it is read is ignored.
        size: the approximate size of a segment in bytes; a line longer than that makes it larger.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        end_of_file = file.seek(0, os.SEEK_END)
        begin = 0
        while begin < end_of_file:
            end = min(begin + size, end_of_file)
            if end < end_of_file:
                end = _line_end(file, end - 1, end_of_file)
            yield begin, end
            begin = end


def _line_end(file: IO[bytes], at: int, end_of_file: int) -> int:
    """Return the end of the line that contains a byte."""
    file.seek(at)
    while at < end_of_file and (block := file.read(BLOCK)):
        if found := block.find(b"\n") + 1:
            return min(at + found, end_of_file)
        at += len(block)
    return end_of_file
