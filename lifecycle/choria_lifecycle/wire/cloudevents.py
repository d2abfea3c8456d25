"""The two wire formats, and the CloudEvents 1.0 envelope.

A lifecycle event is written in one of two formats: Choria's own, the bare event, or CloudEvents, where the event is the
`data` of an envelope in structured JSON mode. Choria sends machine events in envelopes only; both formats are read.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.jsontext import read_json, to_bytes
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.wire.finding import Finding

__all__ = [
    "ATTRIBUTES",
    "CONTENT_TYPE",
    "CONTEXT_ATTRIBUTES",
    "Format",
    "OutgoingEnvelope",
    "ParsedDocument",
    "detect_format",
    "read_header",
    "source_of",
    "unix_time",
    "unwrap",
]


class Format(StrEnum):
    """The wire format of an event."""

    CHORIA = "choria"
    """The bare event as one JSON object."""

    CLOUDEVENTS = "cloudevents"
    """The event as the data of a CloudEvents 1.0 envelope, in structured JSON mode."""


CONTENT_TYPE: Final = "application/json"
"""The content type of the data that Choria sends."""


class OutgoingEnvelope(msgspec.Struct, gc=False):
    """The envelope as encoded, with its attributes in Choria's order."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | msgspec.UnsetType
    datacontenttype: str
    time: str
    data: Any


class Header(msgspec.Struct):
    """The attributes that identify a document's format and contract; their types are not checked."""

    protocol: object = None
    specversion: object = None
    source: object = None
    type: object = None

    @property
    def format(self) -> Format | None:
        """The format, or None if the document has neither.

        Choria's own takes precedence in a document that looks like both, as in Go.
        """
        if isinstance(self.protocol, str) and self.protocol.startswith(("io.choria.", "choria:")):
            return Format.CHORIA
        if self.specversion == "1.0" and isinstance(self.source, str) and self.source.startswith("io.choria."):
            return Format.CLOUDEVENTS
        return None


read_header: Final = msgspec.json.Decoder(Header).decode
"""Decode the header of a document and ignore the rest; raises the errors of msgspec."""


def detect_format(data: bytes | bytearray | memoryview | str) -> Format | None:
    """Return the format of a document, or None if it has neither.

    Does not validate: a document with a format may still break its contract.

    Raises:
        TypeError: data is neither bytes nor str.
    """
    try:
        return read_header(to_bytes(data)).format
    except (InvalidEvent, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def source_of(protocol: str) -> str:
    """Return the source of an envelope whose data has this protocol.

    >>> source_of("io.choria.machine.watcher.exec.v1.state")
    'io.choria.machine'
    """
    return ".".join(protocol.split(".", 3)[:3])


_CLOCK_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_match_time = re.compile(
    rf"\d{{4}}-\d\d-\d\d[Tt]{_CLOCK_TIME}:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-]{_CLOCK_TIME})", re.ASCII
).fullmatch


def unix_time(text: str) -> float | None:
    """Return an RFC 3339 time in seconds since 1970, or None for any other text.

    Leap seconds are not accepted, as neither Go nor Python can represent them.
    """
    # The form that Go writes comes first: it takes a third of the time. From Python 3.14 on, fromisoformat accepts the
    # hour 24, and it ignores what follows a zero byte.
    is_usual = len(text) == 20 and text[4::3] == "--T::Z" and text[11:13] != "24"
    if not is_usual and _match_time(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()  # checks the calendar
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class ParsedDocument:
    """A document, split into envelope and event.

    Attributes:
        format: the format.
        document: the whole document.
        data: the event, not yet checked, or None if the envelope holds none.
        path: the JSON path of the event.
        findings: the errors in the envelope.
    """

    format: Format
    document: dict[str, Any]
    data: Any
    path: str = "$"
    findings: list[Finding] = field(default_factory=list)

    @property
    def event(self) -> dict[str, Any]:
        """The data if they are an object, else an empty one."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def protocol(self) -> str:
        """The protocol that selects the contract: the event's own if it has a contract, else the envelope's type."""
        # If the two disagree, the event is checked against its own protocol, which finds fewer consequential errors.
        own, claimed = self.event.get("protocol"), self.attribute("type")
        return own if isinstance(own, str) and (own in CONTRACTS or claimed is None) else claimed or ""

    def attribute(self, name: str) -> str | None:
        """Return an attribute of the envelope; None if there is no envelope, or the attribute is not a string."""
        value = self.document.get(name) if self.format is Format.CLOUDEVENTS else None
        return value if isinstance(value, str) else None


def unwrap(document: dict[str, Any]) -> ParsedDocument:
    """Return the event without its envelope, if it has one, and the errors in the envelope."""
    header = Header(*(document.get(name) for name in Header.__struct_fields__))
    looks_wrapped = "specversion" in document or ("protocol" not in document and "data" in document)
    if header.format is Format.CHORIA or not looks_wrapped:
        return ParsedDocument(Format.CHORIA, document, document)
    findings = list(_attribute_findings(document))
    data, path = _read_data(document, findings)
    if isinstance(data, dict) and "specversion" in data and "protocol" not in data:
        message = "the data is another envelope; wrap the event only once"
        findings.append(codes.ENVELOPE_NESTED.at(path, message))
        data = None
    return ParsedDocument(Format.CLOUDEVENTS, document, data, path, findings)


_REQUIRED: Final = ("specversion", "id", "source", "type")
_OPTIONAL: Final = ("subject", "time", "datacontenttype", "dataschema")

CONTEXT_ATTRIBUTES: Final = frozenset({*_REQUIRED, *_OPTIONAL})
"""The attributes that CloudEvents defines."""

ATTRIBUTES: Final = CONTEXT_ATTRIBUTES | {"data", "data_base64", "protocol"}
"""The attributes that the library looks at; a document with a protocol is an event, not an envelope."""


def _attribute_findings(document: dict[str, Any]) -> Iterator[Finding]:
    for name in (*_REQUIRED, *_OPTIONAL):
        value = document.get(name)
        if value is None and (name in _OPTIONAL or name not in document):
            if name in _REQUIRED:
                message = f"{name} is missing; CloudEvents 1.0 requires it"
                yield codes.ENVELOPE_REQUIRED.at(f"$.{name}", message)
        elif not isinstance(value, str):
            wanted = 'the string "1.0"' if name == "specversion" else "of type string"
            message = f"{name} must be {wanted}, not {quoted(value)}"
            yield codes.ENVELOPE_TYPE.at(f"$.{name}", message, value)
        elif not value:
            message = f"{name} must not be empty" + ("; omit it" if name in _OPTIONAL else "")
            yield codes.ENVELOPE_EMPTY.at(f"$.{name}", message, value)
        elif name == "specversion" and value != "1.0":
            message = f'specversion must be "1.0", not {quoted(value)}'
            yield codes.ENVELOPE_VERSION.at("$.specversion", message, value)
        elif name == "time" and unix_time(value) is None:
            message = f"time must be in RFC 3339 format, for example 2026-11-22T08:33:56Z, not {quoted(value)}"
            yield codes.ENVELOPE_TIME.at("$.time", message, value)


def _read_data(document: dict[str, Any], findings: list[Finding]) -> tuple[Any, str]:
    """Return the data and its path; data is None, with a finding, if it cannot be read."""
    plain, encoded = document.get("data"), document.get("data_base64")

    def report(message: str, *, path: str = "$.data_base64", rule: str | None = None, value: object = None) -> None:
        findings.append(codes.ENVELOPE_DATA.at(path, message, value, rule=rule))

    if encoded is None:
        if plain is None:
            report("the envelope has no data; put the event there", path="$.data", rule="required")
        elif not isinstance(plain, dict):
            hint = "; put the event itself there, not a string that contains it" if isinstance(plain, str) else ""
            report(f"data must be an object, not {quoted(plain)}{hint}", path="$.data", rule="type", value=plain)
            plain = None
        return plain, "$.data"
    if plain is not None:
        report("the envelope has both data and data_base64; remove one")
    elif not isinstance(encoded, str):
        report(f"data_base64 must be of type string, not {quoted(encoded)}", rule="type", value=encoded)
    else:
        try:
            raw = b64decode(encoded, validate=True)
            inner = read_json(raw, max_size=len(raw))
        except ValueError as cause:
            message = f"data_base64 must be RFC 4648 base64 with padding and without line breaks: {cause}"
            report(message, rule="base64", value=encoded)
        except InvalidEvent as cause:
            report(f"data_base64 does not decode to a JSON document: {cause.message}", rule=cause.rule, value=encoded)
        else:
            if isinstance(inner, dict):
                return inner, "$.data_base64"
            report(f"data_base64 must decode to an object, not {quoted(inner)}", rule="type", value=encoded)
    return None, "$.data_base64"
