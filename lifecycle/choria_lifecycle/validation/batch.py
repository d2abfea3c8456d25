"""Documents as they come out of a file, many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.wire.finding import Finding
from choria_lifecycle.wire.jsontext import too_large_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Batch", "PartialDocument"]


class Batch(NamedTuple):
    """Documents that follow each other in a file, and what is wrong with the file itself.

    Attributes:
        line_numbers: the line on which each document begins, from 1.
        documents: the bytes of each with one line feed after them, which ends its line or was put there; never blank,
            and there may be none.
        unterminated: the last of the documents was ended by the end of the file, not by a line end or its own closing.
        findings: what is wrong that belongs to none of the documents, with the line. A document that is too long
            stands here and not in `documents`.
        is_ascii: the documents are known to have nothing but ASCII.
    """

    line_numbers: Sequence[int]
    documents: list[bytes]
    unterminated: bool = False
    findings: Sequence[tuple[int, Finding]] = ()
    is_ascii: bool = False


class PartialDocument:
    """A document of which there may be more to come; what goes beyond the limit is passed on and not kept.

    Attributes:
        limit: the greatest size in bytes.
        size: how many bytes have come; 0 where no document has begun.
    """

    def __init__(self, limit: int, on_oversized: Callable[[bytes], object]) -> None:
        self.limit = limit
        self.size = 0
        self._on_oversized = on_oversized
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Append to the document."""
        self.size += len(piece)
        self._pieces.append(piece)
        if self.size > self.limit:
            for each in self._pieces:
                self._on_oversized(each)
            self._pieces.clear()

    def finish(self) -> bytes | Finding:
        """End the document; return it with a line feed, or what is to say if it is too long. The next can begin."""
        if self.size > self.limit:
            return self.reject()
        document = b"".join([*self._pieces, b"\n"])
        self._pieces.clear()
        self.size = 0
        return document

    def reject(self) -> Finding:
        """End a document that is too long."""
        self._on_oversized(b"\n")
        message = too_large_message(self.size, self.limit)
        self.size = 0
        return Finding(code="input-size", path="$", rule="size", message=message)
