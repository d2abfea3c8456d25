"""Parsing and encoding of events.

Parsing tries the quick reader first, inline for short ASCII documents, which nearly all are; then the thorough check,
which explains the error or accepts the document. Both give the same result.
"""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache
from typing import Any, Final

import msgspec

from choria_lifecycle import wire
from choria_lifecycle.errors import InvalidEvent, OptionError, UnknownProtocol
from choria_lifecycle.events.document import without_unset
from choria_lifecycle.events.event import EVENT_CONTRACTS, Event, from_unix
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import CONTENT_TYPE, Format, OutgoingEnvelope, source_of
from choria_lifecycle.wire.jsontext import MAX_SIZE, is_shallow, to_bytes
from choria_lifecycle.wire.quick import (
    LIFECYCLE_PROTOCOLS,
    PROTOCOLS,
    QUICK_DECODERS,
    SHALLOW_EVENT_SIZE,
    TYPE_OFFSET,
    read_event,
    respell,
)
from choria_lifecycle.wire.shapes import DECODE_ERRORS
from choria_schemas.registry import CONTRACTS

__all__ = ["decode", "encode", "parse"]


def parse(data: bytes | bytearray | memoryview | str, max_size: int = MAX_SIZE) -> Event:
    """Parse a lifecycle event in either format and either spelling of its protocol.

    The returned event has the current spelling. As in Go, the last of duplicate keys counts and extra fields are
    ignored; unlike in Go, missing fields are errors and are not filled in.

    Args:
        data: the document; a str is encoded as UTF-8.
        max_size: the maximum size in bytes.

    Raises:
        InvalidEvent: the document breaks its contract; `validate` lists all errors.
        UnknownProtocol: the document is not a lifecycle event, or no contract covers its protocol.
        TypeError: data is neither bytes nor str.
    """
    try:
        # Nearly every event is short ASCII in Go's layout. Data other than bytes raises here and takes the thorough
        # path, which is cheaper than an isinstance check.
        if len(data) <= SHALLOW_EVENT_SIZE <= max_size and data.isascii():  # type: ignore[union-attr]
            event: Event = QUICK_DECODERS[data[TYPE_OFFSET]](data)  # type: ignore[arg-type,index]
            if not event.timestamp >> 63:
                return event if event.protocol in LIFECYCLE_PROTOCOLS else respell(event)
    except (*DECODE_ERRORS, AttributeError):
        pass
    other = decode(data, max_size)
    if isinstance(other, Event):
        return other
    message = f"{quoted(other.protocol, 100)} is not a lifecycle event; use choria_lifecycle.codec.decode"
    raise UnknownProtocol(message, protocol=other.protocol)


def decode(data: bytes | bytearray | memoryview | str, max_size: int = MAX_SIZE) -> Event | wire.MachineEvent:
    """Parse an event of any protocol with a contract: lifecycle events, machine transitions and watcher states.

    Returns:
        An instance of the generated class.

    Raises:
        InvalidEvent: the document breaks its contract.
        UnknownProtocol: no contract covers the protocol.
        TypeError: data is neither bytes nor str.
    """
    try:
        # As in `parse`, but machine events are often longer.
        size = len(data)
        is_candidate = size <= max_size and (size <= SHALLOW_EVENT_SIZE or is_shallow(data))  # type: ignore[arg-type]
        if is_candidate and data.isascii():  # type: ignore[union-attr]
            event: Event | wire.MachineEvent = QUICK_DECODERS[data[TYPE_OFFSET]](data)  # type: ignore[arg-type,index]
            if not event.timestamp >> 63:
                return event if event.protocol in PROTOCOLS else respell(event)
    except (*DECODE_ERRORS, AttributeError):
        pass
    raw = to_bytes(data)
    if len(raw) <= max_size and is_shallow(raw):
        try:
            event = read_event(raw)
        except DECODE_ERRORS:
            pass
        else:
            return event
    return _decode_checked(raw, max_size)


# Accessing a member of an enumeration takes as long as the comparison itself.
_CHORIA: Final = Format.CHORIA
_CLOUDEVENTS: Final = Format.CLOUDEVENTS
_LIFECYCLE_SOURCE: Final = "io.choria.lifecycle"


def encode(event: Event | wire.MachineEvent, format: Format = _CHORIA) -> bytes:  # noqa: A002 - named for users
    """Encode an event as compact JSON, with values and key order as Go sends them; optional fields come last.

    Does not validate the event, and neither do constructors; `publish` does.

    Args:
        event: a lifecycle event, or an instance of another event class of `choria_schemas`.
        format: the format. Choria reads machine events only as CloudEvents.

    Raises:
        InvalidEvent: a value cannot be encoded as JSON, or the timestamp as the time of an envelope.
        OptionError: the format is unknown.
        TypeError: event is not an event.
    """
    wrapped = format is not _CHORIA
    if wrapped and format is not _CLOUDEVENTS:
        wrapped = _to_format(format) is _CLOUDEVENTS
    cls: Any = type(event)
    has_optional = cls not in _ALL_REQUIRED and _has_optional(cls)
    try:
        data = without_unset(event) if has_optional else event
        return _encode(_to_envelope(event, data) if wrapped else data)
    except _ENCODE_ERRORS as cause:
        raise InvalidEvent(f"the event cannot be encoded as JSON: {cause}", rule="json") from None


def _decode_checked(raw: bytes, max_size: int) -> Event | wire.MachineEvent:
    inspection = check_document(raw, max_size)
    for finding in inspection.errors or inspection.findings:
        if finding.code in _WITHOUT_CONTRACT:
            raise UnknownProtocol(finding.message, protocol=inspection.protocol or "")
        raise finding.error()
    contract: Any = inspection.contract  # there is one, as there are no findings
    parsed: Any = inspection.parsed
    try:
        event: Event | wire.MachineEvent = msgspec.convert(parsed.event, contract.cls)
    except msgspec.ValidationError as cause:  # the types are stricter than the schema: a bug in the generator
        raise InvalidEvent(str(cause), rule="type") from None
    return event if event.protocol in PROTOCOLS else respell(event)


def _to_format(name: Any) -> Format:
    """Return the format with a name, such as one from a file or the command line."""
    try:
        return Format(name)
    except ValueError:
        message = f"format must be one of {', '.join(Format)}, not {quoted(name)}"
        raise OptionError(message, invalid=("format",)) from None


def _to_builtin(value: object) -> object:
    """Convert an instance of a subclass of str or int; the encoder calls this only for types that it does not know."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"JSON has no equivalent of {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_to_builtin).encode

_WITHOUT_CONTRACT: Final = {codes.PROTOCOL_UNKNOWN.name, codes.PROTOCOL_FOREIGN.name}

# The exceptions for values of the wrong type, which constructors do not check.
_ENCODE_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError, AttributeError)


@cache
def _has_optional(cls: Any) -> bool:
    """Return True if an event class has optional fields; raises TypeError for other classes."""
    if cls not in {contract.cls for contract in CONTRACTS.values()}:
        raise TypeError(f"{cls.__name__} is not an event")
    return not _all_required(cls)


def _all_required(cls: Any) -> bool:
    return all(field.default is dataclasses.MISSING for field in dataclasses.fields(cls))


# Looking a class up takes less time than a cached call.
_ALL_REQUIRED: Final = frozenset(filter(_all_required, EVENT_CONTRACTS))


def _to_envelope(event: Any, data: Any) -> OutgoingEnvelope:
    if type(event) in EVENT_CONTRACTS:
        source, id_ = _LIFECYCLE_SOURCE, event.id
    else:
        # A machine event has the id of its machine, which is not unique to the event.
        source, id_ = source_of(event.protocol), uuid4()
    # Go strips whitespace from the identity, and CloudEvents forbids an empty subject.
    subject = event.identity.strip() or msgspec.UNSET
    # Keyword arguments would take three times as long.
    return OutgoingEnvelope(
        "1.0", id_, source, event.protocol, subject, CONTENT_TYPE, _format_time(event.timestamp), data
    )


# Events are sent when they are created, so many share a second; a hit takes a tenth of the time.
@lru_cache(maxsize=64)
def _format_time(timestamp: int) -> str:
    return from_unix(timestamp).isoformat().replace("+00:00", "Z")
