"""Bulk validation: the same findings as `validate`, faster for valid documents.

Nearly all documents of an archive are valid, and their fields are not needed. Each is decoded into a throwaway struct
whose types express as much of the contract as types can. Only documents that do not fit get the thorough check.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeAlias, Union, get_type_hints

import msgspec

from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import Format, is_time, source_of
from choria_lifecycle.wire.jsontext import MAX_SIZE, SHALLOW_SIZE, is_shallow
from choria_lifecycle.wire.quick import DECODE_ERRORS
from choria_lifecycle.wire.warnings import MAX_AHEAD, old_spelling, usual_values, warnings_for
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from choria_lifecycle.wire.check import Inspection
    from choria_lifecycle.wire.finding import Finding
    from choria_lifecycle.wire.warnings import UsualTest
    from choria_schemas.registry import Contract

__all__ = ["NO_PROTOCOL", "UNKNOWN", "UNREADABLE", "BatchCheck", "DocumentKind", "check_batch", "check_one"]

UNREADABLE: Final = "unreadable"
"""The type of a document that is not a JSON object."""

NO_PROTOCOL: Final = "no protocol"
"""The type of an object without a protocol."""

UNKNOWN: Final = "unknown protocol"
"""The type of a document whose protocol has no contract."""


class DocumentKind(NamedTuple):
    """The format and type of a document, as the summary counts them.

    Attributes:
        format: `choria`, `cloudevents`, or `-` for an unreadable document.
        type: an event type such as `startup`, `transition` or `exec state`; or `UNKNOWN`, `NO_PROTOCOL`, `UNREADABLE`.
    """

    format: str
    type: str


ReportedDocument: TypeAlias = "tuple[int, DocumentKind, list[Finding]]"


@dataclass(slots=True)
class BatchCheck:
    """The findings of a batch.

    Attributes:
        reported: index, kind and findings of each document that has findings, in order.
        clean: the number of documents without findings, by kind.
    """

    reported: list[ReportedDocument] = field(default_factory=list)
    clean: Counter[DocumentKind] = field(default_factory=Counter)


def check_one(
    raw: bytes, *, warnings: bool, now: float, subject: str | None = None, max_size: int = MAX_SIZE
) -> tuple[DocumentKind, list[Finding]]:
    """Return the kind of a document, and its findings as `validate` reports them.

    Args:
        raw: the document.
        warnings: look for warnings too, which is slower.
        now: the time, in seconds since 1970.
        subject: the subject on which it was received, if known.
        max_size: the maximum size in bytes.
    """
    inspection = check_document(raw, max_size)
    findings = inspection.findings
    if warnings:
        findings += warnings_for(raw, inspection, subject, now)
    return _kind(inspection), findings


def check_batch(documents: Sequence[bytes], *, warnings: bool, now: float, is_ascii: bool = False) -> BatchCheck:
    """Validate documents.

    Args:
        documents: documents of at most `MAX_SIZE` bytes, as `DocumentSource` ensures, with or without a line feed.
        warnings: look for warnings too, which is slower.
        now: the time, in seconds since 1970.
        is_ascii: all documents are known to be ASCII; checking each takes longer than checking a whole block.
    """
    decode_native, decode_wrapped, infos = _decoders()
    latest = now + MAX_AHEAD
    is_ascii = is_ascii or b"".join(documents).isascii()
    check = BatchCheck()
    decoded: list[type | None] = []
    for raw in documents:
        try:
            # As Go writes them, events begin with {"protocol" and envelopes with {"specversion"; others do not decode.
            if raw[2] == _INITIAL_P:
                event = header = decode_native(raw)
            else:
                header = decode_wrapped(raw)
                event = header.data
                if header.subject != event.identity:
                    raise LookupError
                if header.time not in _VALID_TIMES:
                    _remember_time(header.time)
            if len(raw) > SHALLOW_SIZE and not is_shallow(raw):
                raise LookupError
            if not is_ascii:
                raw.decode()  # msgspec skips the fields that it does not decode
            if warnings:
                info = infos[type(header)]
                # `Usual.KEYS`: keys and strings are quoted, so the number of quotes is right only if no key is repeated
                # or unknown. An escaped quote is a false alarm.
                if raw.count(b'"') != info.quotes or not info.has_usual_values(event, latest):
                    raise LookupError
                if info.warnings:
                    check.reported.append((len(decoded), info.kind, info.warnings))
                    decoded.append(None)
                    continue
            decoded.append(type(header))
        except DECODE_ERRORS:
            kind, findings = check_one(raw.removesuffix(b"\n"), warnings=warnings, now=now)
            if findings:
                check.reported.append((len(decoded), kind, findings))
            else:
                check.clean[kind] += 1
            decoded.append(None)
    for cls, number in Counter(decoded).items():
        if cls is not None:
            check.clean[infos[cls].kind] += number
    return check


# Valid times of envelopes. Consecutive events share their seconds, and a lookup takes a fifth of the time of parsing.
_VALID_TIMES: set[str] = set()
_MAX_TIMES: Final = 4096


def _remember_time(time: str) -> None:
    """Remember a valid time; raise LookupError for any other text."""
    if not is_time(time):
        raise LookupError
    if len(_VALID_TIMES) >= _MAX_TIMES:
        _VALID_TIMES.clear()
    _VALID_TIMES.add(time)


def _kind(inspection: Inspection) -> DocumentKind:
    parsed = inspection.parsed
    if parsed is None:
        return DocumentKind("-", UNREADABLE)
    if inspection.contract is not None:
        return DocumentKind(parsed.format.value, _type_name(inspection.contract))
    return DocumentKind(parsed.format.value, NO_PROTOCOL if inspection.protocol is None else UNKNOWN)


@cache
def _type_name(contract: Contract) -> str:
    """Return the name of an event type for a table.

    >>> _type_name(CONTRACTS["io.choria.machine.watcher.exec.v1.state"])
    'exec state'
    """
    words = contract.unversioned.split(".")
    return " ".join(words[-2:]) if "watcher" in words else contract.type_name


@dataclass(frozen=True, slots=True)
class _StructInfo:
    """Facts about the documents that decode into one of the structs.

    Attributes:
        kind: their kind.
        quotes: the number of quotes in a document with each key once and no other keys.
        has_usual_values: the test of their values, see `usual_values`.
        warnings: the warnings about the spelling of the protocol.
    """

    kind: DocumentKind
    quotes: int
    has_usual_values: UsualTest
    warnings: list[Finding]


@cache
def _decoders() -> tuple[Callable[[bytes], Any], Callable[[bytes], Any], dict[type, _StructInfo]]:
    """Return the decoders for events and for envelopes, and facts about the structs that they return.

    There is one struct for each spelling of each protocol, selected by the protocol. Contracts that types cannot
    express have none, nor do those with optional fields, whose absence would change the number of quotes.
    """
    infos: dict[type, _StructInfo] = {}
    natives: list[type] = []
    envelopes: list[type] = []
    for protocol, contract in CONTRACTS.items():
        fields = _event_fields(contract)
        if fields is None:
            continue
        is_old = protocol != contract.protocol
        has_usual_values = usual_values(fields)
        strings = sum(get_type_hints(contract.cls)[name] is not int for name in fields)
        quotes = 2 * (len(fields) + strings) + 4  # four for the key and the value of the protocol
        native = msgspec.defstruct("Event", fields.items(), tag_field="protocol", tag=protocol, gc=False)
        natives.append(native)
        infos[native] = _StructInfo(
            DocumentKind(Format.CHORIA.value, _type_name(contract)),
            quotes,
            has_usual_values,
            [old_spelling(contract, protocol, "$.protocol")] if is_old else [],
        )
        if is_old:  # too rare in envelopes to be worth a struct
            continue
        literal: Any = Literal
        data = msgspec.defstruct("Data", [("protocol", literal[protocol]), *fields.items()], gc=False)
        envelope = msgspec.defstruct(
            "Envelope", _envelope_fields(source_of(protocol), data), tag_field="type", tag=protocol, gc=False
        )
        envelopes.append(envelope)
        # The envelope has eight attributes, seven of them strings.
        infos[envelope] = _StructInfo(
            DocumentKind(Format.CLOUDEVENTS.value, _type_name(contract)), quotes + 2 * 15, has_usual_values, []
        )
    return _decoder(natives), _decoder(envelopes), infos


def _decoder(classes: list[type]) -> Callable[[bytes], Any]:
    union: Any = Union
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(union[tuple(classes)]).decode
    return decode


def _envelope_fields(source: str, data: type) -> list[Any]:
    """Return the attributes of an envelope as Go writes it."""
    literal: Any = Literal
    string = Annotated[str, msgspec.Meta(min_length=1)]
    return [
        ("specversion", Literal["1.0"]),
        ("id", string),
        ("source", literal[source]),
        ("subject", string),
        ("datacontenttype", string),
        ("time", string),
        ("data", data),
        ("dataschema", None, None),
        ("data_base64", None, None),
        ("protocol", None, None),
    ]


def _event_fields(contract: Contract) -> dict[str, Any] | None:
    """Return the fields of an event except its protocol, with types and bounds; None if types cannot express them."""
    if contract.bounds is None:
        return None
    fields: dict[str, Any] = {}
    for name, kind in get_type_hints(contract.cls).items():
        if name == "protocol":
            continue
        bounds = {_META_KEYWORDS[keyword]: bound for field_, keyword, bound in contract.bounds if field_ == name}
        if kind is int:
            # msgspec's bounds are signed integers; the few larger values take the thorough check.
            bounds = {"ge": max(bounds.get("ge", -(2**63)), -(2**63)), "le": min(bounds.get("le", 2**63), 2**63 - 1)}
        elif contract.schema()["properties"][name].get("type") != "string":
            return None
        meta: Any = msgspec.Meta
        fields[name] = Annotated[kind, meta(**bounds)] if bounds else kind
    return fields


_INITIAL_P: Final = ord("p")
_META_KEYWORDS: Final = {"minimum": "ge", "maximum": "le", "minLength": "min_length", "maxLength": "max_length"}
