"""Which format a document has, and the CloudEvents 1.0 envelope, opened and made.

A lifecycle event travels in one of two formats: Choria's own, which is the event itself, and CloudEvents, where the
event is the `data` of an envelope in structured JSON mode. Machine events come in the second, and are read in both.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.finding import Finding, finding_value
from choria_lifecycle.wire.jsontext import read_json, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Envelope",
    "Format",
    "OutgoingEnvelope",
    "ParsedDocument",
    "detect_format",
    "is_time",
    "read_header",
    "source_of",
    "unwrap",
]


class Format(StrEnum):
    """How an event is written."""

    CHORIA = "choria"
    """The event itself, as one JSON object."""

    CLOUDEVENTS = "cloudevents"
    """The event as the data of a CloudEvents 1.0 envelope, in structured JSON mode."""


S = TypeVar("S")
P = TypeVar("P")
T = TypeVar("T")

_NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class Envelope(msgspec.Struct, Generic[S, P, T]):
    """The envelope as it is decoded in one go with its data: the formal schema of CloudEvents 1.0, in types.

    S is a Literal of the source, P one of the protocol's spellings, T the class of the data. That `subject` agrees with
    the data, and that `time` is one, is for the decoder's user to check.
    """

    specversion: Literal["1.0"]
    id: _NonEmpty
    source: S
    type: P
    data: T
    subject: _NonEmpty | None = None
    time: _NonEmpty | None = None
    datacontenttype: _NonEmpty | None = None
    dataschema: _NonEmpty | None = None
    data_base64: None = None
    # An event of its own protocol is no envelope, whatever else it has.
    protocol: None = None


class OutgoingEnvelope(msgspec.Struct):
    """The envelope as it is encoded, with its attributes in the order in which Choria writes them."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | msgspec.UnsetType
    datacontenttype: str
    time: str
    data: Any


class Header(msgspec.Struct):
    """The attributes that tell how to read a document, each of whatever type it came in."""

    protocol: object = None
    specversion: object = None
    source: object = None
    type: object = None

    @property
    def format(self) -> Format | None:
        """The format, None where it is neither of the two.

        Choria's own wins where a document looks like both, as it does in Go.
        """
        if isinstance(self.protocol, str) and self.protocol.startswith(("io.choria.", "choria:")):
            return Format.CHORIA
        if self.specversion == "1.0" and isinstance(self.source, str) and self.source.startswith("io.choria."):
            return Format.CLOUDEVENTS
        return None


read_header = msgspec.json.Decoder(Header).decode
"""Read the header of a document, ignoring all else; raises what msgspec raises."""


def detect_format(data: bytes | bytearray | memoryview | str) -> Format | None:
    """Return the format in which a document is written, None if that is neither of the two.

    The document is not validated: what has a format may still break the contract.

    Raises:
        TypeError: it is neither bytes nor text.
    """
    try:
        return read_header(to_bytes(data)).format
    except (InvalidEvent, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def source_of(protocol: str) -> str:
    """Return the source that an envelope around data of this protocol must have.

    >>> source_of("io.choria.machine.watcher.exec.v1.state")
    'io.choria.machine'
    """
    return ".".join(protocol.split(".", 3)[:3])


_CLOCK_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_match_time = re.compile(
    rf"\d{{4}}-\d\d-\d\d[Tt]{_CLOCK_TIME}:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-]{_CLOCK_TIME})", re.ASCII
).fullmatch


def is_time(text: str) -> bool:
    """Tell whether text is a time of RFC 3339, leap seconds excepted, which neither Go nor Python can hold."""
    # First the form that Go writes, which takes a third of the time (`make bench`). fromisoformat would take 24 for an
    # hour from Python 3.14 on, and does not look behind a zero byte.
    is_usual = len(text) == 20 and text[4::3] == "--T::Z" and text[11:13] != "24"
    if not is_usual and _match_time(text) is None:
        return False
    try:
        datetime.fromisoformat(text.upper())  # the calendar
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class ParsedDocument:
    """A document, opened.

    Attributes:
        format: how it is written.
        data: the event, of whatever JSON type it is.
        path: the JSON path of the event.
        header: what an envelope says of its data: type, source and subject, as far as they are text.
        findings: what is wrong with the envelope.
    """

    format: Format
    data: Any
    path: str = "$"
    header: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def unwrap(document: dict[str, Any]) -> ParsedDocument:
    """Take the event out of its envelope, if it is in one, and say everything that is wrong with the envelope."""
    header = Header(*(document.get(name) for name in Header.__struct_fields__))
    looks_wrapped = "specversion" in document or ("protocol" not in document and "data" in document)
    if header.format is Format.CHORIA or not looks_wrapped:
        return ParsedDocument(Format.CHORIA, document)
    findings = list(_attribute_findings(document))
    data, path = _read_data(document, findings)
    texts = {name: document[name] for name in ("type", "source", "subject") if isinstance(document.get(name), str)}
    if isinstance(data, dict) and "specversion" in data and "protocol" not in data:
        message = "the data is another envelope; an event travels in one, whose data is the event"
        findings.append(Finding(code="envelope-nested", path=path, rule="envelope", message=message))
        data = None
    return ParsedDocument(Format.CLOUDEVENTS, data, path, texts, findings)


_REQUIRED: Final = ("specversion", "id", "source", "type")
_OPTIONAL: Final = ("subject", "time", "datacontenttype", "dataschema")


def _attribute_findings(document: dict[str, Any]) -> Iterator[Finding]:
    for name in (*_REQUIRED, *_OPTIONAL):
        value = document.get(name)
        if value is None and (name in _OPTIONAL or name not in document):
            if name in _REQUIRED:
                message = f"the envelope has no {name}, which CloudEvents 1.0 requires"
                yield Finding(code="envelope-required", path=f"$.{name}", rule="required", message=message)
        elif not isinstance(value, str):
            wanted = '"1.0", as text,' if name == "specversion" else "text,"
            message = f"{name} must be {wanted} not {quoted(value)}"
            yield Finding(
                code="envelope-type", path=f"$.{name}", rule="type", value=finding_value(value), message=message
            )
        elif not value:
            message = f"{name} must not be empty" + ("; leave it out" if name in _OPTIONAL else "")
            yield Finding(code="envelope-empty", path=f"$.{name}", rule="minLength", value=value, message=message)
        elif name == "specversion" and value != "1.0":
            message = f'specversion must be "1.0", not {quoted(value)}'
            yield Finding(
                code="envelope-version", path="$.specversion", rule="enum", value=finding_value(value), message=message
            )
        elif name == "time" and not is_time(value):
            message = f"time must be a time of RFC 3339 such as 2026-11-22T08:33:56Z, not {quoted(value)}"
            yield Finding(
                code="envelope-time", path="$.time", rule="format", value=finding_value(value), message=message
            )


def _read_data(document: dict[str, Any], findings: list[Finding]) -> tuple[Any, str]:
    """Return the data and its path; None, with a finding, where there is none that could be read."""
    plain, encoded = document.get("data"), document.get("data_base64")

    def wrong(message: str, *, path: str = "$.data_base64", rule: str = "envelope", value: object = None) -> None:
        findings.append(
            Finding(code="envelope-data", path=path, rule=rule, value=finding_value(value), message=message)
        )

    if encoded is None:
        if plain is None:
            wrong("the envelope has no data; put the event there", path="$.data", rule="required")
        elif not isinstance(plain, dict):
            hint = "; put the event itself there, not its JSON as text" if isinstance(plain, str) else ""
            wrong(f"data must be an object, not {quoted(plain)}{hint}", path="$.data", rule="type", value=plain)
            plain = None
        return plain, "$.data"
    if plain is not None:
        wrong("the envelope has both data and data_base64; leave one out")
    elif not isinstance(encoded, str):
        wrong(f"data_base64 must be text, not {quoted(encoded)}", rule="type", value=encoded)
    else:
        try:
            raw = b64decode(encoded, validate=True)
            inner = read_json(raw, max_size=len(raw))
        except ValueError as cause:
            wrong(
                f"data_base64 is no base64 of RFC 4648, with padding and without line ends: {cause}",
                rule="base64",
                value=encoded,
            )
        except InvalidEvent as cause:
            wrong(f"data_base64 does not decode to a document: {cause.message}", rule=cause.rule, value=encoded)
        else:
            if isinstance(inner, dict):
                return inner, "$.data_base64"
            wrong(f"data_base64 must decode to an object, not {quoted(inner)}", rule="type", value=encoded)
    return None, "$.data_base64"
