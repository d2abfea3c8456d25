"""Bulk validation: the same findings as `validate`, with the kinds of the documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import compress, count
from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.validation.records import read_record
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_lifecycle.wire.locations import below
from choria_lifecycle.wire.quick import recognise
from choria_lifecycle.wire.shapes import SHAPES, Shape
from choria_lifecycle.wire.verdict import check
from choria_lifecycle.wire.warnings import MAX_AHEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.wire.check import Inspection
    from choria_lifecycle.wire.finding import Finding
    from choria_schemas.registry import Contract

__all__ = ["UNREADABLE", "BatchCheck", "DocumentKind", "check_batch", "check_one"]

_NO_PROTOCOL: Final = "no protocol"
_UNKNOWN: Final = "unknown protocol"
_FOREIGN: Final = "foreign protocol"


class DocumentKind(NamedTuple):
    """The format and type of a document, as the summary counts them.

    Attributes:
        format: `choria`, `cloudevents`, or `-` for an unreadable document.
        type: an event type such as `startup`, `transition` or `exec state`, or why there is no contract.
    """

    format: str
    type: str

    @property
    def has_contract(self) -> bool:
        """True if a contract covers the document, which it may break."""
        return self.type not in _WITHOUT_CONTRACT


UNREADABLE: Final = DocumentKind("-", "unreadable")
"""The kind of a document that is not a JSON object."""

_WITHOUT_CONTRACT: Final = frozenset({UNREADABLE.type, _NO_PROTOCOL, _UNKNOWN, _FOREIGN})


@dataclass(slots=True)
class BatchCheck:
    """The findings of a batch.

    Attributes:
        reported: index, kind and findings of each document that has findings, in order.
        clean: the number of documents without findings, by kind.
    """

    reported: list[tuple[int, DocumentKind, list[Finding]]] = field(default_factory=list)
    clean: Counter[DocumentKind] = field(default_factory=Counter)


def check_one(
    raw: bytes, *, warnings: bool, now: float, subject: str | None = None
) -> tuple[DocumentKind, list[Finding]]:
    """Return the kind of a document, and its findings as `validate` reports them.

    Args:
        raw: the document.
        warnings: look for warnings too, which is slower.
        now: the time, in seconds since 1970.
        subject: the subject on which it was received, if known.
    """
    seen, findings = check(raw, subject, MAX_SIZE, now, warnings=warnings)
    return _kind(seen), findings


def check_batch(documents: Sequence[bytes], *, warnings: bool, now: float, is_ascii: bool = False) -> BatchCheck:
    """Validate documents.

    Args:
        documents: documents of at most `MAX_SIZE` bytes, as `DocumentSource` ensures, with or without a line feed.
        warnings: look for warnings too, which is slower.
        now: the time, in seconds since 1970.
        is_ascii: all documents are known to be ASCII; checking each takes longer than checking a whole block.
    """
    is_ascii = is_ascii or b"".join(documents).isascii()
    structs = recognise(documents, now + MAX_AHEAD if warnings else None, is_ascii=is_ascii)
    shapes = SHAPES.by_struct
    result = BatchCheck()
    others: set[type | None] = set()
    for struct, number in Counter(structs).items():
        if struct is None or (warnings and shapes[struct].warnings):
            others.add(struct)
        else:
            result.clean[_shape_kind(shapes[struct])] += number
    for index in compress(count(), map(others.__contains__, structs)) if others else ():
        struct = structs[index]
        if struct is None:
            kind, findings = _check_other(documents[index].removesuffix(b"\n"), warnings=warnings, now=now)
        else:
            kind, findings = _shape_kind(shapes[struct]), list(shapes[struct].warnings)
        if findings:
            result.reported.append((index, kind, findings))
        else:
            result.clean[kind] += 1
    return result


def _check_other(raw: bytes, *, warnings: bool, now: float) -> tuple[DocumentKind, list[Finding]]:
    """Check a document, or the event in it if it is a record of `view`."""
    record = read_record(raw)
    if record is None:
        seen, findings = check(raw, None, MAX_SIZE, now, warnings=warnings, thorough=True)
        return _kind(seen), findings
    subject = record.subject or None
    kind, findings = check_one(bytes(record.event), warnings=warnings, now=now, subject=subject)
    return kind, below("$.event", findings)


@cache
def _shape_kind(shape: Shape) -> DocumentKind:
    return DocumentKind(shape.format.value, _type_name(shape.contract))


def _kind(seen: Shape | Inspection) -> DocumentKind:
    if isinstance(seen, Shape):
        return _shape_kind(seen)
    parsed = seen.parsed
    if parsed is None:
        return UNREADABLE
    if seen.contract is not None:
        return DocumentKind(parsed.format.value, _type_name(seen.contract))
    if seen.is_foreign:
        return DocumentKind(parsed.format.value, _FOREIGN)
    return DocumentKind(parsed.format.value, _NO_PROTOCOL if seen.protocol is None else _UNKNOWN)


@cache
def _type_name(contract: Contract) -> str:
    """Return the name of an event type for a table.

    >>> _type_name(CONTRACTS["io.choria.machine.watcher.exec.v1.state"])
    'exec state'
    """
    words = contract.unversioned.split(".")
    return " ".join(words[-2:]) if "watcher" in words else contract.type_name
