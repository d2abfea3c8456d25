"""Bytes to events, and events to bytes.

Reading tries the likely first, Go's own layout; then what the header of the document says; then it looks at everything,
which either finds what is wrong or finds the document unusual and right. All three give the same answer.
"""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import msgspec

from choria_lifecycle.errors import InvalidEvent, OptionError, UnknownProtocol
from choria_lifecycle.events.event import Event, from_unix
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import Format, OutgoingEnvelope, source_of
from choria_lifecycle.wire.jsontext import MAX_SIZE, SHALLOW_SIZE, is_shallow, to_bytes
from choria_lifecycle.wire.quick import (
    CURRENT_PROTOCOLS,
    DECODE_ERRORS,
    QUICK_DECODERS,
    TYPE_OFFSET,
    decode_by_header,
    normalise_protocol,
)
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from choria_schemas.machine.v1 import Transition
    from choria_schemas.machine.watcher.exec.v1 import ExecState
    from choria_schemas.machine.watcher.file.v1 import FileState
    from choria_schemas.machine.watcher.nagios.v1 import NagiosState
    from choria_schemas.machine.watcher.schedule.v1 import ScheduleState

    MachineEvent: TypeAlias = Transition | ExecState | FileState | NagiosState | ScheduleState

__all__ = ["decode", "encode", "parse"]


def parse(data: bytes | bytearray | memoryview | str, max_size: int = MAX_SIZE) -> Event:
    """Read a lifecycle event in either format and either spelling of its protocol.

    The event that is returned has the current spelling. Of duplicate keys the last counts, and extra fields are
    ignored, as Go has it; unlike Go, nothing that the contract requires is made up.

    Args:
        data: the document; text stands for its UTF-8.
        max_size: the greatest size in bytes.

    Raises:
        InvalidEvent: the contract is broken; `validate` finds more to say.
        UnknownProtocol: it is no lifecycle event, or one of a version for which no contract is held.
        TypeError: data is neither bytes nor text.
    """
    try:
        # Go's layout, and nothing in it that asks for care: this is nearly every event there is. What is no bytes fails
        # here and goes the other way, which is cheaper than to ask first.
        if len(data) <= SHALLOW_SIZE <= max_size and data.isascii():  # type: ignore[union-attr]
            event = QUICK_DECODERS[data[TYPE_OFFSET]](data)  # type: ignore[arg-type,index]
            if event.protocol in CURRENT_PROTOCOLS and not event.timestamp >> 63:
                return event
    except (*DECODE_ERRORS, AttributeError):
        pass
    other = decode(data, max_size)
    if isinstance(other, Event):
        return other
    message = f"{quoted(other.protocol, 100)} is no lifecycle event; choria_lifecycle.wire.codec.decode reads it"
    raise UnknownProtocol(message, protocol=other.protocol)


def decode(data: bytes | bytearray | memoryview | str, max_size: int = MAX_SIZE) -> Event | MachineEvent:
    """Read an event of any protocol with a contract: lifecycle events, machine transitions, states of watchers.

    Returns:
        An instance of the generated class.

    Raises:
        InvalidEvent: the contract is broken.
        UnknownProtocol: no contract is held for the protocol.
        TypeError: data is neither bytes nor text.
    """
    raw = to_bytes(data)
    if len(raw) <= max_size and is_shallow(raw):
        try:
            event: Event | MachineEvent = decode_by_header(raw)
        except DECODE_ERRORS:
            pass
        else:
            return event
    return _decode_checked(raw, max_size)


# Looking up a member of an enumeration takes as long as the rest of the question.
_CHORIA: Final = Format.CHORIA
_CLOUDEVENTS: Final = Format.CLOUDEVENTS
_LIFECYCLE_SOURCE: Final = "io.choria.lifecycle"


def encode(event: Event | MachineEvent, format: Format = _CHORIA) -> bytes:  # noqa: A002 - named for users
    """Write an event as compact JSON, with the values and the order of keys that Go sends; optional fields come last.

    The values are written as they are: constructors check nothing, and neither does this. `publish` does.

    Args:
        event: a lifecycle event, or another instance of a class of `choria_schemas`.
        format: how to write it. Machine events travel in CloudEvents only.

    Raises:
        InvalidEvent: a value cannot be written as JSON, or the envelope cannot state the event's time.
        OptionError: there is no such format.
        TypeError: it is no event.
    """
    wrapped = format is not _CHORIA
    if wrapped and format is not _CLOUDEVENTS:
        wrapped = _to_format(format) is _CLOUDEVENTS
    cls: Any = type(event)
    has_optional = cls not in _LIFECYCLE_CLASSES and _has_optional(cls)
    try:
        data = _without_unset(event) if has_optional else event
        return _encode(_to_envelope(event, data) if wrapped else data)
    except _ENCODE_ERRORS as cause:
        raise InvalidEvent(f"the event cannot be written as JSON: {cause}", rule="json") from None


def _decode_checked(raw: bytes, max_size: int) -> Event | MachineEvent:
    inspection = check_document(raw, max_size)
    for finding in inspection.errors:
        raise finding.error()
    contract = inspection.contract
    if contract is None:
        protocol = inspection.protocol or ""
        raise UnknownProtocol(f"no contract is held for the protocol {quoted(protocol, 100)}", protocol=protocol)
    try:
        event: Event | MachineEvent = normalise_protocol(msgspec.convert(inspection.event, contract.cls), contract)
    except msgspec.ValidationError as cause:  # the types are stricter than the schema: a fault of the generator
        raise InvalidEvent(str(cause), rule="type") from None
    return event


def _to_format(name: Any) -> Format:
    """Return the format of this name, for callers that have it from a file or a command line."""
    try:
        return Format(name)
    except ValueError:
        raise OptionError(f"{quoted(name)} is no format; there are {', '.join(Format)}", invalid=("format",)) from None


def _to_builtin(value: object) -> object:
    """Write what is text or a number by inheritance as what it inherits from; called for such values only."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


_encode = msgspec.json.Encoder(enc_hook=_to_builtin).encode

# What the engine and the making of an envelope raise where a constructor was given anything at all.
_ENCODE_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError, AttributeError)

# The classes of lifecycle events, whose fields are all required.
_LIFECYCLE_CLASSES: Final = frozenset(get_args(Event))


@cache
def _has_optional(cls: Any) -> bool:
    """Tell whether any field of a class of events may be absent; raises TypeError for any other class."""
    if cls not in {contract.cls for contract in CONTRACTS.values()}:
        raise TypeError(f"{cls.__name__} is no event")
    return any(field.default is not dataclasses.MISSING for field in dataclasses.fields(cls))


def _to_envelope(event: Any, data: Any) -> OutgoingEnvelope:
    if type(event) in _LIFECYCLE_CLASSES:
        source, id_ = _LIFECYCLE_SOURCE, event.id
    else:
        # The id of a machine event is that of the machine, and the same every time.
        source, id_ = source_of(event.protocol), uuid4()
    # As Go has it: blanks around the identity are no part of the subject, and CloudEvents forbids an empty one.
    subject = event.identity.strip() or msgspec.UNSET
    # By position: naming them takes three times as long (`make bench`).
    return OutgoingEnvelope(
        "1.0", id_, source, event.protocol, subject, "application/json", _format_time(event.timestamp), data
    )


# Events are made and sent at once, so that many share their second; a hit costs a tenth (`make bench`).
@lru_cache(maxsize=64)
def _format_time(timestamp: int) -> str:
    return from_unix(timestamp).isoformat().replace("+00:00", "Z")


def _without_unset(event: Any) -> dict[str, Any]:
    """Return the event as a mapping without the optional fields that are None; a required one may be null."""
    return {
        field.name: _plain(value)
        for field in dataclasses.fields(event)
        if (value := getattr(event, field.name)) is not None or field.default is dataclasses.MISSING
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")  # the engine would write null
    return _without_unset(value) if dataclasses.is_dataclass(value) else value
