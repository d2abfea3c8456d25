"""The validation of one document, with errors and warnings."""

from __future__ import annotations

import time

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.wire.check import check_document, unreadable_document
from choria_lifecycle.wire.finding import Finding
from choria_lifecycle.wire.jsontext import MAX_SIZE, to_bytes
from choria_lifecycle.wire.warnings import warnings_for

__all__ = ["validate"]


def validate(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, max_size: int = MAX_SIZE
) -> list[Finding]:
    """Return all findings about a document; the list is empty if there are none.

    Covers lifecycle events, machine transitions and watcher states, in both formats. The list contains an error exactly
    when `codec.decode` raises InvalidEvent; warnings come last. It holds at most 100 errors and 100 warnings; an extra
    finding reports that there are more.

    Args:
        data: the document as received.
        subject: the subject it was received on, if known.
        max_size: the maximum size in bytes.

    Raises:
        TypeError: data is neither bytes nor str, or the subject is not a str.
    """
    if not isinstance(subject, str | None):
        raise TypeError(f"subject must be str, not {type(subject).__name__}")
    try:
        raw = to_bytes(data)
    except InvalidEvent as cause:
        return [unreadable_document(cause)]
    inspection = check_document(raw, max_size)
    return inspection.findings + warnings_for(raw, inspection, subject, time.time())
