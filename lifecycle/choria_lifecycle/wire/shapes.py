"""The contracts as msgspec types: one struct for each contract, format and spelling of the protocol.

A document that decodes into its struct is valid, except for what `wire.quick` checks: UTF-8, depth, and the subject and
time of an envelope. A document that does not may still be valid.
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, Union

import msgspec

from choria_lifecycle.wire.cloudevents import CONTENT_TYPE, Format, read_header, source_of
from choria_lifecycle.wire.warnings import old_spelling, usual_values
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from choria_lifecycle.wire.finding import Finding
    from choria_lifecycle.wire.warnings import UsualTest
    from choria_schemas.registry import Contract

__all__ = ["DECODE_ERRORS", "SHAPES", "Shape", "Shapes", "envelope_union", "event_fields"]

DECODE_ERRORS: Final = (msgspec.MsgspecError, ValueError, RecursionError, LookupError, TypeError)
"""The exceptions about a document that is not recognised; TypeError comes from a header value that is not hashable."""

# Structs that are created at run time, which type checkers cannot follow.
_Decode: TypeAlias = "Callable[[bytes], Any]"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The documents of one contract in one format and one spelling.

    Attributes:
        contract: their contract.
        format: their format.
        quotes: the number of quotes in a document with each key once and no other keys; None if that varies.
        has_usual_values: the test of their values, see `usual_values`.
        warnings: the warnings about the spelling of the protocol.
    """

    contract: Contract
    format: Format
    quotes: int | None
    has_usual_values: UsualTest
    warnings: tuple[Finding, ...]


class Shapes:
    """The shapes of the documents seen so far, and their decoders.

    Making the structs of all contracts at once would take twice as long as a start.

    Attributes:
        decoders: the decoder of envelopes with all attributes that Go writes, and that of events without one.
        by_struct: the shape of each struct.
    """

    def __init__(self) -> None:
        self.decoders: Final[list[_Decode]] = [_decode_nothing, _decode_nothing]
        self.by_struct: Final[dict[type, Shape]] = {}
        self._seen: Final[set[object]] = set()
        self._lock: Final = RLock()

    def learn(self, raw: bytes) -> bool:
        """Make the decoder of documents like this one; return False if it exists, or types cannot express them."""
        with suppress(*DECODE_ERRORS), self._lock:
            header = read_header(raw)
            is_native = header.protocol is not None
            protocol: Any = header.protocol if is_native else header.type
            contract = CONTRACTS[protocol]
            if (protocol, is_native) not in self._seen:
                self._seen.add((protocol, is_native))
                self._add(protocol, contract, is_native)
                return True
        return False

    def _add(self, protocol: str, contract: Contract, is_native: bool) -> None:
        schema = contract.schema()
        fields, quotes = event_fields(schema, contract.fields), _quotes(schema)
        if is_native:
            format_, paths = Format.CHORIA, ["$.protocol"]
            struct = _struct("Event", fields, tag_field="protocol", tag=protocol)
        else:
            format_, paths = Format.CLOUDEVENTS, ["$.type", "$.data.protocol"]
            literal: Any = Literal
            data = _struct("Data", [("protocol", literal[protocol]), *fields])
            struct = _envelope(protocol, contract, data, as_written=True)
            quotes = quotes and quotes + 2 * 15  # an envelope has eight attributes, seven of them strings
        warnings = (old_spelling(contract, protocol, path) for path in paths if protocol != contract.protocol)
        usual = usual_values(schema["properties"])
        self.by_struct[struct] = Shape(contract, format_, quotes, usual, tuple(warnings))
        self.decoders[is_native] = _union([each for each, shape in self.by_struct.items() if shape.format is format_])


def _decode_nothing(raw: bytes) -> Any:
    raise LookupError(raw)


SHAPES: Final = Shapes()
"""The shapes that this process knows."""


def envelope_union(contracts: Iterable[Contract]) -> _Decode:
    """Return a decoder of envelopes whose data become instances of the contracts' classes."""
    return _union(
        [
            _envelope(protocol, contract, contract.cls, as_written=False)
            for contract in contracts
            for protocol in contract.protocols
        ]
    )


def _struct(name: str, fields: list[Any], **options: Any) -> type:
    return msgspec.defstruct(name, fields, kw_only=True, gc=False, **options)


def _union(structs: list[type]) -> _Decode:
    union: Any = Union
    decode: _Decode = msgspec.json.Decoder(union[tuple(structs)]).decode
    return decode


_NonEmpty: Any = Annotated[str, msgspec.Meta(min_length=1)]


def _envelope(protocol: str, contract: Contract, data: type, *, as_written: bool) -> type:
    """Return the struct of an envelope whose type is the protocol.

    Args:
        protocol: the protocol, in one of its spellings.
        contract: its contract.
        data: the type of the data.
        as_written: require and allow the attributes that Go writes, not those of CloudEvents.
    """
    literal: Any = Literal
    fields: list[Any] = [("specversion", Literal["1.0"]), ("id", _NonEmpty)]
    fields += [("source", literal[source_of(contract.protocol)])]
    usual = {"subject": _NonEmpty, "datacontenttype": literal[CONTENT_TYPE], "time": _NonEmpty}
    fields += [(name, kind) if as_written else (name, _NonEmpty | None, None) for name, kind in usual.items()]
    fields += [("data", data), ("dataschema", None if as_written else _NonEmpty | None, None)]
    # A document with a protocol is an event, not an envelope.
    fields += [("data_base64", None, None), ("protocol", None, None)]
    return _struct("Envelope", fields, tag_field="type", tag=protocol)


def _quotes(schema: Mapping[str, Any]) -> int | None:
    """Return the number of quotes in an event with each field once, or None if that varies."""
    properties = schema["properties"]
    if len(schema["required"]) < len(properties):
        return None
    quotes = 0
    for wanted in properties.values():
        if wanted.get("type") not in {"string", "integer"}:
            return None
        quotes += 4 if wanted["type"] == "string" else 2
    return quotes


def event_fields(schema: Mapping[str, Any], names: Iterable[str]) -> list[Any]:
    """Return the fields of an event for defstruct, without the protocol.

    Decoding takes a sixth less time if they are in the order in which they are sent.

    Raises:
        LookupError: types cannot express the schema.
    """
    if schema.keys() - _ROOT_KEYWORDS:
        raise LookupError
    return [_field(name, schema, schema) for name in names if name != "protocol"]


def _field(name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    kind = _type(schema["properties"][name], root)
    return (name, kind) if name in schema["required"] else (name, kind | msgspec.UnsetType, msgspec.UNSET)


def _type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return a type that accepts only what the schema accepts."""
    if "$ref" in schema:
        return _type(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if schema.keys() - _KEYWORDS:
        raise LookupError
    if "enum" in schema:
        if schema.keys() - {"enum", "type"} or not all(isinstance(value, str) for value in schema["enum"]):
            raise LookupError
        literal: Any = Literal
        return literal[tuple(schema["enum"])]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    union: Any = Union
    return union[tuple(_single_type(kind, schema, root) for kind in kinds)]


def _single_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    meta = {name: schema[keyword] for keyword, name in _META.get(kind, {}).items() if keyword in schema}
    base: Any
    match kind:
        case "string":
            base = str
        case "integer":
            # msgspec's bounds are signed integers; the few larger values get the thorough check.
            base, meta = int, {"ge": max(meta.get("ge", _MIN), _MIN), "le": min(meta.get("le", _MAX), _MAX)}
        case "number":
            # msgspec rounds before it compares, so the last numbers that a double can hold get the thorough check.
            base, meta = float, {"ge": max(meta.get("ge", -1e308), -1e308), "le": min(meta.get("le", 1e308), 1e308)}
        case "array":
            base = list[_type(schema["items"], root)]  # type: ignore[misc]
        case "object" if "properties" in schema:
            # Numbers in other members must fit into a double.
            members = [_field(name, schema, root) for name in schema["properties"]]
            base = _struct("Object", members, forbid_unknown_fields=True)
        case "object":
            base = dict[str, _type(schema["additionalProperties"], root)]  # type: ignore[misc]
        case "boolean":
            return bool
        case "null":
            return None
        case _:
            raise LookupError
    return Annotated[base, msgspec.Meta(**meta)] if meta else base


_MIN: Final = -(2**63)
_MAX: Final = 2**63 - 1
_RANGE: Final = {"minimum": "ge", "maximum": "le"}
# The keywords that restrict the values of a type, and their names in msgspec.
_META: Final = {
    "integer": _RANGE,
    "number": _RANGE,
    "string": {"minLength": "min_length", "maxLength": "max_length"},
    "array": {"minItems": "min_length", "maxItems": "max_length"},
}
# format and additionalItems do not restrict an event.
_KEYWORDS: Final = {"type", "enum", "properties", "required", "items", "additionalProperties"}.union(
    ("format", "additionalItems"), *_META.values()
)
_ROOT_KEYWORDS: Final = {"$schema", "id", "title", "definitions", "type", "required", "properties"}
