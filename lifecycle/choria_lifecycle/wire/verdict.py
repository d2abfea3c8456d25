"""The validation of documents, with errors and warnings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.wire.check import Inspection, check_document, unreadable_document
from choria_lifecycle.wire.finding import Finding
from choria_lifecycle.wire.jsontext import MAX_SIZE, SupportsBuffer, to_bytes
from choria_lifecycle.wire.quick import recognise
from choria_lifecycle.wire.shapes import SHAPES, Shape
from choria_lifecycle.wire.warnings import MAX_AHEAD, warnings_for

__all__ = ["check", "validate", "validate_many"]

_Document: TypeAlias = bytes | bytearray | memoryview | str | SupportsBuffer


def validate(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, max_size: int = MAX_SIZE
) -> list[Finding]:
    """Return all findings about a document; the list is empty if there are none.

    Covers lifecycle events, machine transitions and watcher states, in both formats. `codec.decode` returns the event
    exactly when the list has neither an error nor `protocol-foreign`, the finding about a document that is not checked.
    Warnings come last. The list holds at most 100 errors and 100 warnings; an extra finding reports that there are
    more.

    Args:
        data: the document as received.
        subject: the subject it was received on, if known. On a subject of lifecycle or machine events, a foreign
            protocol is an error.
        max_size: the maximum size in bytes.

    Raises:
        TypeError: data is neither bytes nor str, or the subject is not a str.
    """
    if not isinstance(subject, str | None):
        raise TypeError(f"subject must be str, not {type(subject).__name__}")
    return _findings(data, subject, max_size, time.time(), warnings=True)


def validate_many(
    documents: Iterable[_Document],
    *,
    warnings: bool = True,
    now: float | None = None,
) -> Iterator[tuple[int, list[Finding]]]:
    """Yield the index and the findings of each document that has findings, in order.

    The findings are those of `validate`. Documents are taken one by one, so their number does not matter.

    Args:
        documents: the documents as received: bytes, str, or anything else that has the buffer protocol.
        warnings: look for warnings too, which is slower.
        now: the time to compare timestamps with, in seconds since 1970; None for the current time.

    Raises:
        TypeError: a document is neither bytes nor str.
    """
    now = time.time() if now is None else now
    for index, document in enumerate(documents):
        findings = _findings(document, None, MAX_SIZE, now, warnings=warnings)
        if findings:
            yield index, findings


def _findings(document: _Document, subject: str | None, max_size: int, now: float, *, warnings: bool) -> list[Finding]:
    try:
        raw = to_bytes(document)
    except InvalidEvent as cause:
        return [unreadable_document(cause)]
    return check(raw, subject, max_size, now, warnings=warnings)[1]


def check(
    raw: bytes, subject: str | None, max_size: int, now: float, *, warnings: bool, thorough: bool = False
) -> tuple[Shape | Inspection, list[Finding]]:
    """Return the findings about a document, and its shape if the quick reader recognised it, else its inspection.

    Args:
        raw: the document.
        subject: the subject it was received on, if known.
        max_size: the maximum size in bytes.
        now: the time, in seconds since 1970.
        warnings: look for warnings too, which is slower.
        thorough: leave the quick reader out, as it has not recognised the document.
    """
    if not thorough and len(raw) <= max_size:
        [struct] = recognise((raw,), now + MAX_AHEAD if warnings else None, subject)
        if struct is not None:
            shape = SHAPES.by_struct[struct]
            return shape, list(shape.warnings) if warnings else []
    inspection = check_document(raw, max_size, subject)
    return inspection, inspection.findings + (warnings_for(raw, inspection, subject, now) if warnings else [])
