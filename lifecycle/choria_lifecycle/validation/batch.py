"""Batches of documents read from a file, and what readers of any layout make them of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.wire import codes
from choria_lifecycle.wire.jsontext import too_large_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from choria_lifecycle.wire.finding import Finding

__all__ = ["Batch", "BatchBuilder", "PartialDocument"]


class Batch(NamedTuple):
    """Consecutive documents of a file, and findings about the file itself.

    Attributes:
        line_numbers: the line on which each document begins, from 1.
        documents: the bytes of each document, ending with a line feed, which is added if the file has none there. No
            document is blank. The list may be empty.
        unterminated: the last document ended with the file, not with a line end or its own closing bracket.
        findings: findings that belong to none of the documents, with their lines. A document that is too large is
            reported here and left out of `documents`.
        is_ascii: all documents are known to be ASCII.
    """

    line_numbers: Sequence[int]
    documents: list[bytes]
    unterminated: bool = False
    findings: Sequence[tuple[int, Finding]] = ()
    is_ascii: bool = False


class BatchBuilder:
    """The documents of the next batch, and findings about the file.

    Attributes:
        documents: the bytes of each document.
    """

    def __init__(self) -> None:
        self.documents: list[bytes] = []
        self._line_numbers: list[int] = []
        self._findings: list[tuple[int, Finding]] = []

    def add(self, line: int, found: bytes | Finding) -> bool:
        """Add the document that begins on a line, or a finding; return True for a document."""
        if isinstance(found, bytes):
            self._line_numbers.append(line)
            self.documents.append(found)
            return True
        self._findings.append((line, found))
        return False

    def flush(self, unterminated: bool = False) -> Iterator[Batch]:
        """Yield the batch, unless it is empty, and begin the next one."""
        if self.documents or self._findings:
            yield Batch(self._line_numbers, self.documents, unterminated, self._findings)
            self._line_numbers, self.documents, self._findings = [], [], []


class PartialDocument:
    """A document received in pieces. Once it exceeds the limit, its pieces are passed on instead of kept.

    Attributes:
        limit: the maximum size in bytes.
        size: the number of bytes received; 0 before a document begins.
    """

    def __init__(self, limit: int, on_oversized: Callable[[bytes], object]) -> None:
        self.limit = limit
        self.size: int = 0
        self._on_oversized = on_oversized
        self._pieces: list[bytes] = []

    @property
    def content(self) -> bytes:
        """What was received of the document; empty once it exceeds the limit."""
        return b"".join(self._pieces)

    def add(self, piece: bytes) -> None:
        """Append to the document."""
        self.size += len(piece)
        self._pieces.append(piece)
        if self.size > self.limit:
            for each in self._pieces:
                self._on_oversized(each)
            self._pieces.clear()

    def finish(self) -> bytes | Finding:
        """Return the document with a line feed, or a finding if it is too large, and begin the next one."""
        if self.size > self.limit:
            return self.reject()
        document = b"".join([*self._pieces, b"\n"])
        self._pieces.clear()
        self.size = 0
        return document

    def reject(self) -> Finding:
        """Finish a document that is too large."""
        self._on_oversized(b"\n")
        message = too_large_message(self.size, self.limit)
        self.size = 0
        return codes.INPUT_SIZE.at("$", message)
