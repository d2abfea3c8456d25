"""Streams that return documents in pieces, and what is read from them."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from choria_lifecycle.validation.decompression import BLOCK
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.strategies import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
    """Read a stream, or bytes, with `DocumentSource`."""
    oversized: list[bytes] = []
    stream = Trickle(stream) if isinstance(stream, bytes) else stream
    return gather(DocumentSource(stream, on_oversized=oversized.append, limit=limit), oversized)


def each(stream: Any) -> Iterator[bytes]:
    """Yield the documents of a stream."""
    return (document for batch in DocumentSource(stream) for document in batch.documents)


def texts(content: Content) -> list[bytes]:
    """Return the documents without their line feeds."""
    for _, document in content.documents:
        assert document.endswith(b"\n")
    return [document[:-1] for _, document in content.documents]


def numbers(content: Content) -> list[int]:
    """Return the line on which each document begins."""
    return [number for number, _ in content.documents]


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=5)
# Few significant bytes, so that short texts cover all cases.
SOUP = st.lists(st.sampled_from([bytes([byte]) for byte in b'\n\n\n\r \t\x0b{}[],:"\\a1\xef']), max_size=60).map(
    b"".join
)
OBJECTS = st.dictionaries(st.text(max_size=5), ANYTHING, min_size=1, max_size=3)
