"""The ways to read a document in one pass, straight into its class.

Each either returns an event that keeps the whole contract, or raises one of `REFUSED`: then the document is wrong, or
only unusual, and the thorough way in `validation.rules` decides.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from choria_lifecycle.envelope import Envelope, Format, is_time, peek, source_of
from choria_lifecycle.event import EVENT_TYPES
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.event import Event
    from choria_schemas.registry import Contract


class Rules(NamedTuple):
    """What must hold of a decoded event: the least and the greatest that a value, or the length of a text, may be."""

    values: tuple[tuple[float, Callable[[Any], Any], float], ...]
    lengths: tuple[tuple[float, Callable[[Any], Any], float], ...]


_NO_RULES: Final = Rules((), ())

__all__ = ["BYTE", "BY_BYTE", "CURRENT", "REFUSED", "by_header", "current"]

REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError)
"""What reading raises where it does not succeed: a header that is no text cannot be looked up, hence the last two."""


def by_header(raw: bytes) -> Any:
    """Read an event of any protocol, by what the header of the document says."""
    raw.decode()  # msgspec does not look into fields that nobody reads
    header = peek(raw)
    if header.format is Format.CHORIA:
        contract = CONTRACTS[header.protocol]  # type: ignore[index]
        event = _native(contract.protocol)(raw)
    else:
        contract = CONTRACTS[header.type]  # type: ignore[index]
        event = _unwrapped(_wrapped(contract.protocol)(raw))
    if not _keeps(event, _rules(contract.protocol)):
        raise LookupError
    return current(event, contract)


def current(event: Any, contract: Contract) -> Any:
    """Return the event with the current spelling of its protocol."""
    if event.protocol == contract.protocol:
        return event
    return dataclasses.replace(event, protocol=contract.protocol)


@cache
def _native(protocol: str) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(CONTRACTS[protocol].cls).decode


@cache
def _wrapped(protocol: str) -> Callable[[bytes], Envelope[Any, Any, Any]]:
    contract = CONTRACTS[protocol]
    # Made of values that are known only now, which type checkers cannot follow.
    envelope: Any = Envelope
    literal: Any = Literal
    wanted = envelope[literal[source_of(protocol)], literal[contract.protocols], contract.cls]
    decode: Callable[[bytes], Envelope[Any, Any, Any]] = msgspec.json.Decoder(wanted).decode
    return decode


def _unwrapped(envelope: Envelope[Any, Any, Any]) -> Any:
    """Return the event in an envelope, if the two agree as far as the decoder could not tell."""
    event, subject, time = envelope.data, envelope.subject, envelope.time
    if (subject is not None and subject != event.identity) or (time is not None and not is_time(time)):
        raise LookupError
    return event


def _keeps(event: Any, rules: Rules) -> bool:
    for low, value_of, high in rules.values:
        if not low <= value_of(event) <= high:
            return False
    for low, text_of, high in rules.lengths:  # noqa: SIM110 - all() of a generator takes twice as long
        if not low <= len(text_of(event)) <= high:
            return False
    return True


@cache
def _rules(protocol: str, besides: str = "") -> Rules:
    """Return what the types leave open: integers have 64 bits, as in Go, and some values have the bounds of the schema.

    Args:
        protocol: any spelling.
        besides: a field that the caller sees to.

    Raises:
        LookupError: that is not all, and the validator has to see the document.
    """
    contract = CONTRACTS[protocol]
    if contract.bounds is None:
        raise LookupError
    values: list[tuple[float, Callable[[Any], Any], float]] = []
    lengths: list[tuple[float, Callable[[Any], Any], float]] = []
    for name, wanted in contract.schema()["properties"].items():
        if name == besides:
            continue
        bounds = {keyword: bound for field, keyword, bound in contract.bounds if field == name}
        if "integer" in wanted.get("type", ()):
            low, high = bounds.get("minimum", -(2**63)), bounds.get("maximum", 2**63 - 1)
            values.append((max(low, -(2**63)), attrgetter(name), min(high, 2**63 - 1)))
        elif bounds.keys() & {"minimum", "maximum"}:
            values.append((bounds.get("minimum", -inf), attrgetter(name), bounds.get("maximum", inf)))
        elif bounds:
            lengths.append((bounds.get("minLength", 0), attrgetter(name), bounds.get("maxLength", inf)))
    rules = Rules(tuple(values), tuple(lengths))
    return _NO_RULES if rules == _NO_RULES else rules


# ---------------------------------------------------------------------------------------------------------------------
# Go's layout. It writes the protocol first, and the second letter of the type tells all types apart: sTartup, sHutdown,
# pRovisioned, aLive, uPgraded, gOvernor. In an envelope that place is inside an id of 36 characters, and the byte
# is a hexadecimal digit, which none of those letters is. A wrong guess is refused by the decoder.

_LIFECYCLE: Final = "io.choria.lifecycle.v1."
_IN_ENVELOPE: Final = (
    '{"specversion":"1.0","id":"00000000-0000-4000-8000-000000000000","source":"io.choria.lifecycle","type":"'
)

BYTE: Final = len('{"protocol":"' + _LIFECYCLE) + 1
"""The place of the byte that tells how to read a document of Go's layout."""

CURRENT: Final = frozenset(_LIFECYCLE + name for name in EVENT_TYPES)
"""The protocols of lifecycle events as they are written today."""


def _quick(protocol: str) -> Callable[[bytes], Event]:
    decode, rules = _native(protocol), _rules(protocol, besides="timestamp")
    if rules is _NO_RULES:
        return decode

    def checked(raw: bytes) -> Event:
        event: Event = decode(raw)
        if not _keeps(event, rules):
            raise LookupError
        return event

    return checked


def _quick_envelope(raw: bytes) -> Event:
    decode, rules = _WRAPPED[raw[_WRAPPED_BYTE]]
    envelope = decode(raw)
    event: Event = envelope.data
    # Go leaves out neither of the two; an envelope without them takes the longer way.
    if envelope.subject != event.identity or not envelope.time or not is_time(envelope.time):
        raise LookupError
    if rules is not _NO_RULES and not _keeps(event, rules):
        raise LookupError
    return event


_WRAPPED_BYTE: Final = len(_IN_ENVELOPE + _LIFECYCLE) + 1
_WRAPPED: Final = {
    ord(name[1]): (_wrapped(_LIFECYCLE + name), _rules(_LIFECYCLE + name, besides="timestamp")) for name in EVENT_TYPES
}

BY_BYTE: Final[Mapping[int, Callable[[bytes], Event]]] = {
    **dict.fromkeys(b"0123456789abcdefABCDEF", _quick_envelope),
    **{ord(name[1]): _quick(_LIFECYCLE + name) for name in EVENT_TYPES},
}
"""The function that reads a document of Go's layout with that byte.

The caller sees to the document's UTF-8, its nesting, the spelling of its protocol and the range of its timestamp.
"""
