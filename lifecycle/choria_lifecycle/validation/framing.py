"""Documents in frames: JSON text sequences (RFC 7464), server-sent events, and the output of `nats sub`.

    <RS>{"protocol":"io.choria.lifecycle.v1.alive",...}

    id: 17
    data: {"protocol":"io.choria.lifecycle.v1.alive",...}

    [#1] Received on "choria.lifecycle.event.alive.server"
    Nats-Msg-Id: 17

    {"protocol":"io.choria.lifecycle.v1.alive",...}

The frames are removed. A line that is not part of a frame is a document, so that nothing is skipped unseen.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from io import BytesIO
from typing import TYPE_CHECKING, Final

from choria_lifecycle.validation.batch import BatchBuilder
from choria_lifecycle.wire.jsontext import is_truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from choria_lifecycle.validation.batch import Batch, PartialDocument

__all__ = ["FrameReader", "Framing", "detect_framing"]


class Framing(Enum):
    """The way in which documents are framed."""

    SEQUENCE = auto()
    """RFC 7464: each document begins with a record separator, 0x1E."""

    SERVER_SENT = auto()
    """Server-sent events: each document is in one or more `data:` lines."""

    NATS_SUB = auto()
    """The output of `nats sub`: a line about each message, its headers, and its payload."""

    UNDECIDED = auto()
    """More of the file is needed."""


_MAX_DOCUMENTS: Final = 2000
_MAX_FRAME: Final = 4096  # the bytes that a line may have beside its part of the document
_BLANK: Final = b" \t\r\n"
_SEPARATOR: Final = b"\x1e"
_DATA: Final = b"data:"
_OTHER_FIELDS: Final = (b":", b"event:", b"id:", b"retry:")
_NATS_SUB: Final = b"[#"
_match_received = re.compile(rb"\[#\d+\] .*\bReceived\b").match
_match_header = re.compile(rb"[A-Za-z0-9][\w.-]*:(?: |$)").match


def detect_framing(text: bytes, *, ended: bool) -> Framing | None:
    """Return the framing of a file that begins with this text, without blanks before it; None if it has none."""
    if text.startswith(_SEPARATOR):
        return Framing.SEQUENCE
    if text.startswith(_NATS_SUB):
        return Framing.NATS_SUB
    if text.startswith(_DATA):
        return Framing.SERVER_SENT
    if text.startswith(_OTHER_FIELDS):
        if b"\ndata:" in text:
            return Framing.SERVER_SENT
        return None if ended else Framing.UNDECIDED
    begins_field = any(field.startswith(text) for field in (_NATS_SUB, _DATA, *_OTHER_FIELDS))
    return Framing.UNDECIDED if begins_field and not ended else None


class FrameReader:
    """Reads the documents in the frames of a file.

    Args:
        framing: the way in which they are framed.
        partial: the buffer for the document that is being read.
    """

    def __init__(self, framing: Framing, partial: PartialDocument) -> None:
        self._partial = partial
        self._read: Callable[[bytes, bool], None] = {
            Framing.SEQUENCE: self._read_sequence,
            Framing.SERVER_SENT: self._read_server_sent,
            Framing.NATS_SUB: self._read_nats_sub,
        }[framing]
        self._line = 0
        self._begin = 0  # the line of the open document; 0 if none is open
        self._message = 0  # the line about a message whose payload has not begun
        self._in_headers = self._in_data = self._ends_with_line = self._line_ended = False
        self._batch = BatchBuilder()

    def batches(self, blocks: Iterable[bytes]) -> Iterator[Batch]:
        """Return the documents in the blocks of a file, as batches."""
        ended = True
        for line in _lines(blocks, self._partial.limit + _MAX_FRAME):
            if not line:  # the end of a block
                yield from self._batch.flush()
                continue
            if self._partial.size + len(line) > self._partial.limit or len(self._batch.documents) == _MAX_DOCUMENTS:
                # Preceding documents go first, because an oversized document is passed on while it is read.
                yield from self._batch.flush()
            self._line += ended
            self._read(line, ended)
            ended = line.endswith(b"\n")
            if ended and self._ends_with_line:
                self._finish()
        unterminated = self._begin > 0 and not ended
        self._finish_message()
        yield from self._batch.flush(unterminated)

    def _read_sequence(self, line: bytes, begins: bool) -> None:  # noqa: ARG002 - a separator may be anywhere
        first, *others = line.split(_SEPARATOR)
        self._add(first)
        for each in others:
            self._finish()
            self._add(each)
        self._finish_line(line)

    def _read_server_sent(self, line: bytes, begins: bool) -> None:
        if not begins:
            if self._in_data:
                self._add(line)
                self._finish_line(line)
            return
        self._in_data = line.startswith(_DATA)
        if self._in_data:
            self._add(line.removeprefix(_DATA))
            self._finish_line(line)
        elif not line.startswith(_OTHER_FIELDS):
            self._finish()
            self._add(line)
            self._in_data = self._ends_with_line = True

    def _read_nats_sub(self, line: bytes, begins: bool) -> None:
        if begins:
            text = line.rstrip(_BLANK)
            if _match_received(text):
                self._finish_message()
                self._message, self._in_headers = self._line, True
                return
            if self._in_headers and (not text or _match_header(text)):
                self._in_headers = bool(text)
                return
        elif self._in_headers:
            return
        self._in_headers = False
        self._add(line)
        self._finish_line(line)

    def _add(self, piece: bytes) -> None:
        if not self._begin:
            piece = piece.lstrip(_BLANK)
            if not piece:
                return
            self._begin, self._message = self._line, 0
        elif self._line_ended:
            self._partial.add(b"\n")
        self._line_ended = piece.endswith(b"\n")
        self._partial.add(piece.removesuffix(b"\n"))

    def _finish_line(self, line: bytes) -> None:
        """Finish a document on a single line at once; one that spans lines ends where the next one begins."""
        if self._begin == self._line and line.endswith(b"\n"):
            content = self._partial.content
            is_complete = content.rstrip(_BLANK).endswith(b"}") and not is_truncated(content)
            if is_complete or self._partial.size > self._partial.limit:
                self._finish()

    def _finish_message(self) -> None:
        self._finish()
        if self._message:  # it is empty
            self._batch.add(self._message, b"\n")
            self._message = 0

    def _finish(self) -> None:
        if self._begin:
            found = self._partial.finish()
            self._batch.add(self._begin, found.strip(_BLANK) + b"\n" if isinstance(found, bytes) else found)
        self._begin = 0
        self._ends_with_line = False


def _lines(blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the lines of a file, long ones in pieces, and an empty one after those of each block."""
    rest = b""
    for block in blocks:
        lines = BytesIO(rest + block).readlines()
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
        if len(rest) > limit:
            yield rest
            rest = b""
        yield b""
    if rest:
        yield rest
