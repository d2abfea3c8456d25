"""The quick reader: recognises well-formed documents in one pass.

It only ever says yes: every document that it does not recognise gets the thorough check in `wire.check`. It reads a
document as an event, or only tells that the document is valid.
"""

from __future__ import annotations

from functools import cache
from string import hexdigits
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from choria_lifecycle.events.event import EVENT_CONTRACTS
from choria_lifecycle.events.quick import compile_test
from choria_lifecycle.wire.cloudevents import Format, read_header, source_of, unix_time
from choria_lifecycle.wire.jsontext import SHALLOW_SIZE, is_shallow
from choria_lifecycle.wire.shapes import DECODE_ERRORS, SHAPES, envelope_union
from choria_lifecycle.wire.warnings import MAX_TIME_GAP, expected_subject
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from choria_schemas.registry import Contract

    # A test of an event, read from these bytes, for what its contract says beyond its class.
    _Check: TypeAlias = Callable[[Any, bytes], bool]
    _Decoder: TypeAlias = Callable[[bytes], Any]

__all__ = [
    "HEX_DIGIT",
    "LIFECYCLE_PROTOCOLS",
    "PROTOCOLS",
    "QUICK_DECODERS",
    "SHALLOW_EVENT_SIZE",
    "TYPE_OFFSET",
    "read_event",
    "recognise",
    "respell",
    "select_by_byte",
]

SHALLOW_EVENT_SIZE: Final = SHALLOW_SIZE + 88
"""The size in bytes up to which no event is nested too deeply: its required fields take that much without a bracket."""

LIFECYCLE_PROTOCOLS: Final = frozenset(contract.protocol for contract in EVENT_CONTRACTS.values())
"""The protocols of lifecycle events in their current spelling."""

PROTOCOLS: Final = frozenset(contract.protocol for contract in CONTRACTS.values())
"""All protocols in their current spelling."""

_OLD_SPELLINGS: Final = {old: new.protocol for old, new in CONTRACTS.items() if old != new.protocol}


def recognise(
    documents: Iterable[bytes], latest: float | None = None, subject: str | None = None, *, is_ascii: bool = False
) -> list[type | None]:
    """Return the struct of each document that is valid, as in `Shapes.by_struct`, or None: it needs the thorough check.

    Args:
        documents: the documents, with or without a line feed; the caller checks their sizes.
        latest: the latest plausible timestamp; if given, a recognised document has no warnings but those of its shape.
        subject: the subject on which the documents were received, if known; only warnings depend on it.
        is_ascii: all documents are known to be ASCII; checking each takes longer than checking a whole block.
    """
    (decode_envelope, decode_native), shapes = SHAPES.decoders, SHAPES.by_struct
    known_time = _VALID_TIMES.get
    found: list[type | None] = []
    for raw in documents:
        try:
            # As Go writes them, events begin with {"protocol" and envelopes with {"specversion"; others do not decode.
            if raw[2] == _INITIAL_P:
                event = document = decode_native(raw)
            else:
                document = decode_envelope(raw)
                event = document.data
                if document.subject != event.identity:
                    raise LookupError
                seconds = known_time(document.time) or _remember_time(document.time)
                if seconds != event.timestamp and latest is not None and abs(seconds - event.timestamp) > MAX_TIME_GAP:
                    raise LookupError
            if len(raw) > SHALLOW_EVENT_SIZE and not is_shallow(raw):
                raise LookupError
            if not is_ascii:
                raw.decode()  # msgspec skips the fields that it does not decode
            if latest is not None:
                shape = shapes[type(document)]
                # Keys and strings are quoted, so the number of quotes is right only if no key is repeated
                # or unknown. An escaped quote is a false alarm.
                if raw.count(b'"') != shape.quotes or not shape.has_usual_values(event, latest):
                    raise LookupError
                if subject is not None:
                    component = getattr(event, "component", None)
                    if subject != expected_subject(shape.contract, component):
                        raise LookupError
            found.append(type(document))
        except DECODE_ERRORS:
            if SHAPES.learn(raw):
                found += recognise((raw,), latest, subject, is_ascii=is_ascii)
                decode_envelope, decode_native = SHAPES.decoders
            else:
                found.append(None)
    return found


def read_event(raw: bytes) -> Any:
    """Read an event of any protocol, in any layout; raises one of `DECODE_ERRORS` if it is not recognised.

    The caller checks the size and the depth.
    """
    raw.decode()  # msgspec does not check UTF-8 in fields that it skips
    try:
        event = QUICK_DECODERS[raw[TYPE_OFFSET]](raw)
    except DECODE_ERRORS:
        header = read_header(raw)
        if header.format is Format.CHORIA:
            event = _native_decoder(CONTRACTS[header.protocol].protocol)(raw)  # type: ignore[index]
        else:
            event = _read_envelope(raw, _envelope_decoder(header.source))
    if not -(2**63) <= event.timestamp < 2**63:
        raise LookupError
    return event if event.protocol in PROTOCOLS else respell(event)


def respell(event: Any) -> Any:
    """Give an event just read the current spelling of its protocol; raises LookupError if it has that already."""
    # The descriptor of the slot: dataclasses.replace would take three times as long as reading the event.
    type(event).protocol.__set__(event, _OLD_SPELLINGS[event.protocol])
    return event


@cache
def _native_decoder(protocol: str) -> _Decoder:
    decode = msgspec.json.Decoder(CONTRACTS[protocol].cls).decode
    check = _make_check(CONTRACTS[protocol])
    if check is None:
        return decode

    def checked(raw: bytes) -> Any:
        event = decode(raw)
        if check(event, raw):
            return event
        raise LookupError

    return checked


@cache
def _envelope_decoder(source: str) -> _Decoder:
    contracts = [CONTRACTS[protocol] for protocol in sorted(PROTOCOLS) if source_of(protocol) == source]
    if not contracts:
        raise LookupError
    _CHECKS.update({protocol: _make_check(contract) for contract in contracts for protocol in contract.protocols})
    return envelope_union(contracts)


def _read_envelope(raw: bytes, decode: _Decoder | None = None) -> Any:
    """Return the event in an envelope, after the checks that the decoder cannot make."""
    envelope = (decode or _ENVELOPE_DECODERS[raw[_SOURCE_OFFSET]])(raw)
    event = envelope.data
    if envelope.subject != event.identity and envelope.subject is not None:
        raise LookupError
    if envelope.time not in _VALID_TIMES and envelope.time is not None:
        _remember_time(envelope.time)
    check = _CHECKS[event.protocol]
    if check is not None and not check(event, raw):
        raise LookupError
    return event


# Valid times of envelopes, in seconds since 1970. Consecutive events share their seconds, and a lookup takes a fifth of
# the time of parsing.
_VALID_TIMES: Final[dict[str, float]] = {}  # whole seconds are integers, which are compared faster
_MAX_TIMES: Final = 4096
_MAX_TIME: Final = 40


def _remember_time(text: str) -> float:
    """Remember a valid time and return it in seconds since 1970; raise LookupError for any other text."""
    seconds = unix_time(text)
    if seconds is None:
        raise LookupError
    if len(_VALID_TIMES) >= _MAX_TIMES:
        _VALID_TIMES.clear()
    if len(text) <= _MAX_TIME:
        _VALID_TIMES[text] = int(seconds) if seconds.is_integer() else seconds
    return seconds


# The checks of the events of each protocol whose decoder was made; None if the class expresses the whole contract. The
# caller checks that the timestamp has 64 bits.
_CHECKS: Final[dict[str, _Check | None]] = {}


def _make_check(contract: Contract) -> _Check | None:
    if contract.bounds is None:
        return _fits_shape
    conditions: list[str] = []
    for name, wanted in contract.schema()["properties"].items():
        bounds: dict[str, Any] = {keyword: bound for field, keyword, bound in contract.bounds if field == name}
        if "integer" in wanted.get("type", ()) and (bounds or name != "timestamp"):
            # Without a bound, integers are signed and have 64 bits.
            bounds = {"minimum": -(2**63), "maximum": 2**63 - 1} | bounds
        conditions += [_CONDITIONS[keyword].format(f"event.{name}", bound) for keyword, bound in bounds.items()]
    return compile_test("event, raw", conditions) if conditions else None


def _fits_shape(event: Any, raw: bytes) -> bool:
    try:
        SHAPES.decoders[raw[2] == _INITIAL_P](raw)
    except DECODE_ERRORS:
        return SHAPES.learn(raw) and _fits_shape(event, raw)
    return True


_CONDITIONS: Final = {
    "minimum": "{0} >= {1}",
    "maximum": "{0} <= {1}",
    "minLength": "len({0}) >= {1}",
    "maxLength": "len({0}) <= {1}",
}


HEX_DIGIT: Final = "?"
"""Any hexadecimal digit, in the beginning of a document."""


def select_by_byte(decoders: Mapping[str, _Decoder], common: Collection[str] = ()) -> tuple[int, Sequence[_Decoder]]:
    """Find the byte that best tells documents apart by their beginnings.

    Beginnings with the same byte there get a function that looks at another one: a collision costs time, and never
    leads to a wrong decoder.

    Args:
        decoders: the decoders by the beginnings of their documents, in ASCII; none may begin with another.
        common: the beginnings that should not share their byte.

    Returns:
        The offset of the byte, and the decoders by its value.
    """

    def groups(offset: int) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for start in decoders:
            for char in hexdigits if start[offset] == HEX_DIGIT else start[offset]:
                found.setdefault(char, []).append(start)
        return found

    def collisions(offset: int) -> tuple[int, int]:
        shared = [group for group in groups(offset).values() if len(group) > 1]
        return sum(start in common for group in shared for start in group), sum(len(group) - 1 for group in shared)

    offsets = range(min(map(len, decoders)))
    best = min((at for at in offsets if len({start[at] for start in decoders}) > 1), key=collisions)
    table: list[_Decoder] = [_unknown] * 256
    for char, group in groups(best).items():
        table[ord(char)] = (
            decoders[group[0]] if len(group) == 1 else _dispatch({start: decoders[start] for start in group})
        )
    return best, table


def _dispatch(decoders: Mapping[str, _Decoder]) -> _Decoder:
    first, *others = decoders.values()
    if all(other is first for other in others):
        return first
    offset, table = select_by_byte(decoders)
    return lambda raw: table[raw[offset]](raw)


def _unknown(raw: bytes) -> Any:
    raise LookupError(raw)


def _deferred(load: Callable[[str], _Decoder], name: str) -> _Decoder:
    """Return a decoder that is made on first use, as it imports the classes of machine events."""
    decode: _Decoder | None = None

    def deferred(raw: bytes) -> Any:
        nonlocal decode
        if decode is None:
            decode = load(name)
        return decode(raw)

    return deferred


# The beginnings of documents as Go writes them; an envelope has a random UUID before its source.
_INITIAL_P: Final = ord("p")
_ENVELOPE_START: Final = '{"specversion":"1.0","id":"????????-????-4???-????-????????????","source":"'

_SOURCE_OFFSET, _ENVELOPE_DECODERS = select_by_byte(
    {
        f'{_ENVELOPE_START}{source}"': (
            _envelope_decoder(source) if source == "io.choria.lifecycle" else _deferred(_envelope_decoder, source)
        )
        for source in sorted(set(map(source_of, PROTOCOLS)))
    }
)

_NATIVE: Final = {
    protocol: (
        _native_decoder(contract.protocol)
        if contract.protocol in LIFECYCLE_PROTOCOLS
        else _deferred(_native_decoder, contract.protocol)
    )
    for protocol, contract in CONTRACTS.items()
}
TYPE_OFFSET, QUICK_DECODERS = select_by_byte(
    {f'{{"protocol":"{protocol}",': decode for protocol, decode in _NATIVE.items()} | {_ENVELOPE_START: _read_envelope},
    common=[f'{{"protocol":"{protocol}",' for protocol in LIFECYCLE_PROTOCOLS],
)
"""The decoder of a document in Go's layout, by its byte at `TYPE_OFFSET`.

The caller checks the document's UTF-8 and depth, the spelling of its protocol, and that its timestamp has 64 bits.
"""
