"""Everything there is to say about one document."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.wire.check import check_document, unreadable_document
from choria_lifecycle.wire.jsontext import MAX_SIZE, to_bytes
from choria_lifecycle.wire.warnings import warnings_for

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import Finding

__all__ = ["validate"]


def validate(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, max_size: int = MAX_SIZE
) -> list[Finding]:
    """Return everything there is to say about a document; an empty list means that nothing is.

    Covers lifecycle events, machine transitions and the states of watchers, in either format. There is an error in the
    list exactly if `codec.decode` raises InvalidEvent; warnings come last. Of more than 100 places that break the
    contract 100 are listed, likewise of warnings, each with one more finding that says so.

    Args:
        data: a document as it was received.
        subject: the subject it was received on, if it is known.
        max_size: the greatest size in bytes.

    Raises:
        TypeError: data is neither bytes nor text, or the subject is no text.
    """
    if not isinstance(subject, str | None):
        raise TypeError(f"a subject is text, not {type(subject).__name__}")
    try:
        raw = to_bytes(data)
    except InvalidEvent as cause:
        return [unreadable_document(cause)]
    inspection = check_document(raw, max_size)
    return inspection.findings + warnings_for(raw, inspection, subject, time.time())
