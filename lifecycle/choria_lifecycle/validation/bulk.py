"""Many documents validated in one go: the findings of `validate`, sooner for documents about which there are none.

Nearly all documents of an archive are right, and nobody wants their fields. They are read into structures that are
thrown away at once, which hold the whole contract as far as types can; only what does not fit takes the thorough way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeAlias, Union, get_type_hints

import msgspec

from choria_lifecycle.events.options import is_token
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import Format, is_time, source_of
from choria_lifecycle.wire.jsontext import MAX_SIZE, SHALLOW_SIZE, is_shallow
from choria_lifecycle.wire.quick import DECODE_ERRORS
from choria_lifecycle.wire.warnings import EARLIEST, MAX_AHEAD, old_spelling, warnings_for
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from choria_lifecycle.wire.check import Inspection
    from choria_lifecycle.wire.finding import Finding
    from choria_schemas.registry import Contract

__all__ = ["NO_PROTOCOL", "UNKNOWN", "UNREADABLE", "BatchCheck", "DocumentKind", "check_batch", "check_one"]

UNREADABLE: Final = "unreadable"
"""The type of what is no JSON object."""

NO_PROTOCOL: Final = "no protocol"
"""The type of an object that names none."""

UNKNOWN: Final = "unknown protocol"
"""The type of a document for whose protocol no contract is held."""


class DocumentKind(NamedTuple):
    """What a document is.

    Attributes:
        format: `choria`, `cloudevents`, or `-` where that cannot be told.
        type: `startup` and the like, `transition`, `exec state` and the like, `UNKNOWN`, `NO_PROTOCOL` or `UNREADABLE`.
    """

    format: str
    type: str


ReportedDocument: TypeAlias = "tuple[int, DocumentKind, list[Finding]]"


@dataclass(slots=True)
class BatchCheck:
    """What there is to say about some documents.

    Attributes:
        reported: the documents about which there is something to say, by their index and in order.
        clean: how many others there are, by kind.
    """

    reported: list[ReportedDocument] = field(default_factory=list)
    clean: Counter[DocumentKind] = field(default_factory=Counter)


def check_one(
    raw: bytes, *, warnings: bool, now: float, subject: str | None = None, max_size: int = MAX_SIZE
) -> tuple[DocumentKind, list[Finding]]:
    """Return what a document is and what there is to say about it, as `validate` does.

    Args:
        raw: the document.
        warnings: whether to look for warnings; without, it goes faster.
        now: the time, in seconds since 1970.
        subject: the subject it was received on, if it is known.
        max_size: the greatest size in bytes.
    """
    inspection = check_document(raw, max_size)
    findings = inspection.findings
    if warnings:
        findings += warnings_for(raw, inspection, subject, now)
    return _kind(inspection), findings


def check_batch(documents: Sequence[bytes], *, warnings: bool, now: float, is_ascii: bool = False) -> BatchCheck:
    """Validate documents.

    Args:
        documents: each as it was received, with or without a line feed after it, of no more than `MAX_SIZE` bytes, as
            `files.Source` sees to.
        warnings: whether to look for warnings; without, it goes faster.
        now: the time, in seconds since 1970.
        is_ascii: whether they are known to be ASCII; looking at each takes longer than at a whole block.
    """
    native, wrapped, traits = _decoders()
    latest = now + MAX_AHEAD
    is_ascii = is_ascii or b"".join(documents).isascii()
    checked = BatchCheck()
    passed: list[type | None] = []
    for raw in documents:
        try:
            # {"protocol" begins an event of Go's layout, {"specversion" an envelope; what differs is refused.
            if raw[2] == _INITIAL_P:
                event = header = native(raw)
            else:
                header = wrapped(raw)
                event = header.data
                if header.subject != event.identity:
                    raise LookupError
                if header.time not in _VALID_TIMES:
                    _remember_time(header.time)
            if len(raw) > SHALLOW_SIZE and not is_shallow(raw):
                raise LookupError
            if not is_ascii:
                raw.decode()  # msgspec does not look into fields that nobody reads
            if warnings:
                trait = traits[type(header)]
                # Each key and each text adds quotes, so that their number says that no key is there twice, and no
                # other. An escaped quote is a false alarm.
                if (
                    raw.count(b'"') != trait.quotes
                    or event.id.encode().translate(_MASK_HEX) != _MASKED_UUID
                    or not EARLIEST <= event.timestamp <= latest
                    or (trait.has_component and not is_token(event.component))
                ):
                    raise LookupError
                if trait.warnings:
                    checked.reported.append((len(passed), trait.kind, trait.warnings))
                    passed.append(None)
                    continue
            passed.append(type(header))
        except DECODE_ERRORS:
            kind, findings = check_one(raw.removesuffix(b"\n"), warnings=warnings, now=now)
            if findings:
                checked.reported.append((len(passed), kind, findings))
            else:
                checked.clean[kind] += 1
            passed.append(None)
    for cls, number in Counter(passed).items():
        if cls is not None:
            checked.clean[traits[cls].kind] += number
    return checked


# Times of envelopes that were seen to be right: events that follow each other share their seconds, and looking one up
# takes a fifth of reading it (`make bench`).
_VALID_TIMES: set[str] = set()
_MAX_TIMES: Final = 4096


def _remember_time(time: str) -> None:
    """Remember a time; raises LookupError if it is none."""
    if not is_time(time):
        raise LookupError
    if len(_VALID_TIMES) >= _MAX_TIMES:
        _VALID_TIMES.clear()
    _VALID_TIMES.add(time)


def _kind(inspection: Inspection) -> DocumentKind:
    opened = inspection.parsed
    if opened is None:
        return DocumentKind("-", UNREADABLE)
    if inspection.contract is not None:
        return DocumentKind(opened.format.value, _type_name(inspection.contract))
    return DocumentKind(opened.format.value, NO_PROTOCOL if inspection.protocol is None else UNKNOWN)


@cache
def _type_name(contract: Contract) -> str:
    """Return what people call the events of a contract: `startup`, `transition`, `exec state`.

    >>> _type(CONTRACTS["io.choria.machine.watcher.exec.v1.state"])
    'exec state'
    """
    family, _, name = contract.protocol.rpartition(".v1.")
    return f"{family.rpartition('.')[2]} {name}" if ".watcher." in family else name


@dataclass(frozen=True, slots=True)
class _StructInfo:
    """What is known of a document that was read into one of the structures.

    Attributes:
        kind: what it is.
        quotes: how many quotes it has if each key is there once, and no other.
        has_component: whether it has one.
        warnings: the warnings about the spelling of its protocol.
    """

    kind: DocumentKind
    quotes: int
    has_component: bool
    warnings: list[Finding]


@cache
def _decoders() -> tuple[Callable[[bytes], Any], Callable[[bytes], Any], dict[type, _StructInfo]]:
    """Return what reads events, what reads envelopes, and the traits of what they return.

    A structure for each spelling of each protocol, told apart by the protocol itself. What a structure cannot hold is
    not read here, nor are optional fields, whose absence would change the number of quotes.
    """
    traits: dict[type, _StructInfo] = {}
    natives: list[type] = []
    wrapped: list[type] = []
    for protocol, contract in CONTRACTS.items():
        members = _event_fields(contract)
        if members is None:
            continue
        old = protocol != contract.protocol
        component = "component" in members
        texts = sum(get_type_hints(contract.cls)[name] is not int for name in members)
        quotes = 2 * (len(members) + texts) + 4  # and those of the protocol, which is one more of both
        native = msgspec.defstruct("Event", members.items(), tag_field="protocol", tag=protocol, gc=False)
        natives.append(native)
        traits[native] = _StructInfo(
            DocumentKind(Format.CHORIA.value, _type_name(contract)),
            quotes,
            component,
            [old_spelling(contract, protocol, "$.protocol")] if old else [],
        )
        if old:  # in an envelope it is too rare to be worth the room
            continue
        literal: Any = Literal
        data = msgspec.defstruct("Data", [("protocol", literal[protocol]), *members.items()], gc=False)
        envelope = msgspec.defstruct(
            "Envelope", _envelope_fields(source_of(protocol), data), tag_field="type", tag=protocol, gc=False
        )
        wrapped.append(envelope)
        # Eight attributes, seven of which are text, are around it.
        traits[envelope] = _StructInfo(
            DocumentKind(Format.CLOUDEVENTS.value, _type_name(contract)), quotes + 2 * 15, component, []
        )
    return _decoder(natives), _decoder(wrapped), traits


def _decoder(classes: list[type]) -> Callable[[bytes], Any]:
    union: Any = Union
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(union[tuple(classes)]).decode
    return decode


def _envelope_fields(source: str, data: type) -> list[Any]:
    """The attributes of an envelope as Go writes it; one that differs is not read here."""
    literal: Any = Literal
    text = Annotated[str, msgspec.Meta(min_length=1)]
    return [
        ("specversion", Literal["1.0"]),
        ("id", text),
        ("source", literal[source]),
        ("subject", text),
        ("datacontenttype", text),
        ("time", text),
        ("data", data),
        ("dataschema", None, None),
        ("data_base64", None, None),
        ("protocol", None, None),
    ]


def _event_fields(contract: Contract) -> dict[str, Any] | None:
    """Return the fields of an event but for its protocol, with their types and bounds; None if types cannot hold it."""
    if contract.bounds is None:
        return None
    members: dict[str, Any] = {}
    for name, kind in get_type_hints(contract.cls).items():
        if name == "protocol":
            continue
        bounds = {_META_KEYWORDS[keyword]: bound for field_, keyword, bound in contract.bounds if field_ == name}
        if kind is int:
            bounds = {"ge": -(2**63), "le": 2**63 - 1} | bounds
        elif contract.schema()["properties"][name].get("type") != "string":
            return None
        meta: Any = msgspec.Meta
        members[name] = Annotated[kind, meta(**bounds)] if bounds else kind
    return members


_INITIAL_P: Final = ord("p")
# Every hexadecimal digit becomes an x, and an x something else: half the time of a regular expression (`make bench`).
_MASK_HEX: Final = bytes.maketrans(b"0123456789abcdefABCDEFx", b"x" * 22 + b"?")
_MASKED_UUID: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
_META_KEYWORDS: Final = {"minimum": "ge", "maximum": "le", "minLength": "min_length", "maxLength": "max_length"}
