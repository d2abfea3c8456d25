"""Single-pass decoders from JSON bytes to the generated dataclasses.

Each returns an event that satisfies its whole contract, or raises one of `DECODE_ERRORS`. Then the document is invalid,
or valid but unusual; the thorough check in `wire.check` decides.
"""

from __future__ import annotations

import dataclasses
import sys
from datetime import datetime
from functools import cache
from math import inf
from operator import attrgetter
from string import hexdigits
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from choria_lifecycle.events.event import EVENT_CONTRACTS
from choria_lifecycle.wire.cloudevents import Envelope, Format, is_time, read_header, source_of
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.events.event import Event
    from choria_schemas.registry import Contract

    T = TypeVar("T")
    # The lower bound, the getter of the value, and the upper bound. Integers are exact, as doubles have only 53 bits.
    _Range: TypeAlias = tuple[int | float, Callable[[Any], Any], int | float]

__all__ = [
    "CURRENT_PROTOCOLS",
    "DECODE_ERRORS",
    "HEX_DIGIT",
    "QUICK_DECODERS",
    "TYPE_OFFSET",
    "decode_by_header",
    "normalise_protocol",
    "select_by_byte",
]

DECODE_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError, LookupError, TypeError)
"""The exceptions of an unsuccessful attempt; TypeError comes from looking up a header value that is not hashable."""


def decode_by_header(raw: bytes) -> Any:
    """Decode an event of any protocol with the decoder that the document's header selects."""
    raw.decode()  # msgspec does not check UTF-8 in fields that it skips
    header = read_header(raw)
    if header.format is Format.CHORIA:
        contract = CONTRACTS[header.protocol]  # type: ignore[index]
        event = _event_decoder(contract.protocol)(raw)
    else:
        contract = CONTRACTS[header.type]  # type: ignore[index]
        event = _event_in(_envelope_decoder(contract.protocol)(raw))
    within_bounds = _bounds_check(contract.protocol)
    if within_bounds is not None and not within_bounds(event):
        raise LookupError
    return normalise_protocol(event, contract)


def normalise_protocol(event: Any, contract: Contract) -> Any:
    """Return the event with the current spelling of its protocol."""
    if event.protocol == contract.protocol:
        return event
    return dataclasses.replace(event, protocol=contract.protocol)


@cache
def _event_decoder(protocol: str) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(CONTRACTS[protocol].cls).decode


@cache
def _envelope_decoder(protocol: str) -> Callable[[bytes], Envelope[Any, Any, Any]]:
    contract = CONTRACTS[protocol]
    # A type that is only known at run time, which type checkers cannot follow.
    envelope: Any = Envelope
    literal: Any = Literal
    wanted = envelope[literal[source_of(protocol)], literal[contract.protocols], contract.cls]
    decode: Callable[[bytes], Envelope[Any, Any, Any]] = msgspec.json.Decoder(wanted).decode
    return decode


def _event_in(envelope: Envelope[Any, Any, Any]) -> Any:
    """Return the event in an envelope, after the checks that the decoder cannot make."""
    event, subject, time = envelope.data, envelope.subject, envelope.time
    if (subject is not None and subject != event.identity) or (time is not None and not is_time(time)):
        raise LookupError
    return event


@cache
def _bounds_check(protocol: str, skip: str = "") -> Callable[[Any], bool] | None:
    """Return a check of the bounds that the types do not enforce, or None for a contract without them.

    Some values and lengths are bounded by the schema; integers are signed and have 64 bits where it sets no bound.

    Args:
        protocol: the protocol, in any spelling.
        skip: a field that the caller checks.

    Raises:
        LookupError: the contract has other rules, which only the validator checks.
    """
    contract = CONTRACTS[protocol]
    if contract.bounds is None:
        raise LookupError
    values: list[_Range] = []
    lengths: list[_Range] = []
    for name, wanted in contract.schema()["properties"].items():
        if name == skip:
            continue
        bounds = {keyword: bound for field, keyword, bound in contract.bounds if field == name}
        if "integer" in wanted.get("type", ()):
            limits: dict[str, int | float] = {"minimum": -(2**63), "maximum": 2**63 - 1, **bounds}
            values.append((limits["minimum"], attrgetter(name), limits["maximum"]))
        elif bounds.keys() & {"minimum", "maximum"}:
            values.append((bounds.get("minimum", -inf), attrgetter(name), bounds.get("maximum", inf)))
        elif bounds:
            lengths.append((bounds.get("minLength", 0), attrgetter(name), bounds.get("maxLength", inf)))
    return _within(values, lengths) if values or lengths else None


def _within(values: list[_Range], lengths: list[_Range]) -> Callable[[Any], bool]:
    def within(event: Any) -> bool:
        return all(low <= get(event) <= high for low, get, high in values) and all(
            low <= len(get(event)) <= high for low, get, high in lengths
        )

    if len(values) != 1 or len(lengths) != 1:
        return within
    # For governor events: the loops would take longer than everything else.
    [(low, value_of, high)], [(least, text_of, most)] = values, lengths
    return lambda event: low <= value_of(event) <= high and least <= len(text_of(event)) <= most


# From Python 3.14 on, fromisoformat accepts the hour 24, which RFC 3339 does not.
_ACCEPTS_HOUR_24: Final = sys.version_info >= (3, 14)


def _with_bounds(decode: Callable[[bytes], T], protocol: str, attribute: str = "") -> Callable[[bytes], T]:
    """Return a decoder that also checks the bounds, except those of the timestamp.

    Args:
        decode: the decoder.
        protocol: the protocol of its events.
        attribute: the attribute of a document that has the event; empty if it is the event.
    """
    within_bounds = _bounds_check(protocol, skip="timestamp")
    if within_bounds is None:
        return decode
    event_in: Callable[[T], Any] = attrgetter(attribute) if attribute else lambda event: event

    def checked(raw: bytes) -> T:
        document = decode(raw)
        if within_bounds(event_in(document)):
            return document
        raise LookupError

    return checked


def _decode_envelope(raw: bytes) -> Event:
    envelope = _ENVELOPE_DECODERS[raw[_ENVELOPE_TYPE_OFFSET]](raw)
    event: Event = envelope.data
    time = envelope.time
    # Go always writes subject and time, and times in one form: one slice compares all separators, and fromisoformat
    # checks the digits, raising ValueError. Everything else takes the slower path.
    if envelope.subject != event.identity or time is None or len(time) != 20 or time[4::3] != "--T::Z":
        raise LookupError
    datetime.fromisoformat(time)
    if _ACCEPTS_HOUR_24 and time[11:13] == "24":
        raise LookupError
    return event


HEX_DIGIT: Final = "?"
"""Any hexadecimal digit, in the beginning of a document."""


def select_by_byte(
    decoders: Mapping[str, Callable[[bytes], T]],
) -> tuple[int, Mapping[int, Callable[[bytes], T]]]:
    """Find the byte that best tells documents apart by their beginnings.

    Beginnings with the same byte there get a function that looks at another one: a collision costs time, and never
    leads to a wrong decoder.

    Args:
        decoders: the decoders by the beginnings of their documents, in ASCII; none may begin with another.

    Returns:
        The offset of the byte, and the decoders by its value.
    """

    def groups(offset: int) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for start in decoders:
            for char in hexdigits if start[offset] == HEX_DIGIT else start[offset]:
                found.setdefault(char, []).append(start)
        return found

    def collisions(offset: int) -> int:
        return sum(len(group) - 1 for group in groups(offset).values())

    offsets = range(min(map(len, decoders)))
    best = min((at for at in offsets if len({start[at] for start in decoders}) > 1), key=collisions)
    return best, {
        ord(char): decoders[group[0]] if len(group) == 1 else _dispatch({start: decoders[start] for start in group})
        for char, group in groups(best).items()
    }


def _dispatch(decoders: Mapping[str, Callable[[bytes], T]]) -> Callable[[bytes], T]:
    offset, table = select_by_byte(decoders)
    return lambda raw: table[raw[offset]](raw)


CURRENT_PROTOCOLS: Final = frozenset(contract.protocol for contract in EVENT_CONTRACTS.values())
"""The protocols of lifecycle events in their current spelling."""

# The beginnings of documents as Go writes them; an envelope has a random UUID before its type.
_EVENT_START: Final = '{"protocol":"'
_ENVELOPE_START: Final = (
    '{"specversion":"1.0","id":"????????-????-4???-????-????????????","source":"io.choria.lifecycle","type":"'
)

# Without the contracts that only their validators check.
_QUICK: Final = [contract.protocol for contract in EVENT_CONTRACTS.values() if contract.bounds is not None]

_ENVELOPE_TYPE_OFFSET, _ENVELOPE_DECODERS = select_by_byte(
    {
        f'{_ENVELOPE_START}{protocol}"': _with_bounds(_envelope_decoder(protocol), protocol, "data")
        for protocol in _QUICK
    }
)

TYPE_OFFSET, QUICK_DECODERS = select_by_byte(
    {f'{_EVENT_START}{protocol}"': _with_bounds(_event_decoder(protocol), protocol) for protocol in _QUICK}
    | {_ENVELOPE_START: _decode_envelope}
)
"""The decoder of a document in Go's layout, by its byte at `TYPE_OFFSET`.

The caller checks the document's UTF-8 and depth, the spelling of its protocol, and the range of its timestamp.
"""
