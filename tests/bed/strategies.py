"""Hypothesis strategies for documents generated from the schemas, then damaged."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from hypothesis import strategies as st

import choria_schemas
from choria_schemas.registry import CONTRACTS

EXAMPLES = int(os.environ.get("LIFECYCLE_EXAMPLES", "200"))

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "n1.example.net", "<>&", "\u2028", "\x00\x1b[2J", "é", "😀", "\u202e", "0.30.2", '"', "\\"]
    ),
)
INTEGERS = st.one_of(
    st.integers(-(2**31), 2**33),
    st.sampled_from([0, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**25, 10**400]),
)
FLOATS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.0, -0.0, 1e300, 5e-324]))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def instances(schema: dict[str, Any], root: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Return instances of a schema that uses the supported keywords, including some that are almost valid."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        return instances(root["definitions"][name], root)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return st.one_of([_of_kind(kind, schema, root) for kind in kinds]) if kinds else ANYTHING


def _of_kind(kind: str, schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "string":
            return TEXTS
        case "integer":
            return INTEGERS
        case "number":
            return st.one_of(INTEGERS, FLOATS)
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(instances(schema.get("items", {}), root), max_size=3)
        case "object":
            if "properties" not in schema:
                return st.dictionaries(TEXTS, instances(schema.get("additionalProperties", {}), root), max_size=3)
            required = {name: instances(schema["properties"][name], root) for name in schema.get("required", [])}
            optional = {
                name: instances(sub, root) for name, sub in schema["properties"].items() if name not in required
            }
            return st.fixed_dictionaries(required, optional=optional)
        case _:
            raise AssertionError(kind)


def _changed(draw: st.DrawFn, document: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Damage a mapping in a way that foreign emitters do."""
    document = dict(document)
    name = draw(st.sampled_from(names))
    match draw(st.sampled_from(["drop", "set", "none", "text", "float", "swap", "extra", "case", "shuffle"])):
        case "drop":
            document.pop(name, None)
        case "set":
            document[name] = draw(ANYTHING)
        case "none":
            document[name] = None
        case "text":
            document[name] = str(document.get(name))
        case "float" if isinstance(document.get(name), int):
            document[name] = draw(st.sampled_from([1.0, 1.5, True, "1", 1e3]))
        case "swap":
            document[name] = document.get(draw(st.sampled_from(names)))
        case "extra":
            document[draw(TEXTS)] = draw(ANYTHING)
        case "case":
            document[name.upper()] = document.pop(name, None)
        case _:
            document = dict(draw(st.permutations(list(document.items()))))
    return document


@st.composite
def events(draw: st.DrawFn, protocol: str) -> dict[str, Any]:
    """Return an event of a protocol as a mapping, undamaged in two of three cases."""
    event: dict[str, Any] = draw(instances(choria_schemas.schema(protocol)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        event = _changed(draw, event, list(choria_schemas.schema(protocol)["properties"]))
    return event


@st.composite
def envelopes(draw: st.DrawFn, protocol: str) -> dict[str, Any]:
    """Return an event in an envelope, undamaged in half of the cases."""
    event = draw(events(protocol))
    contract = CONTRACTS[protocol]
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": draw(st.sampled_from(["x", event.get("id"), ""])),
        "source": draw(st.sampled_from(["io.choria.lifecycle", "io.choria.machine"])),
        "type": draw(st.sampled_from([event.get("protocol", protocol), protocol, "io.choria.lifecycle.v1.alive"])),
        "subject": draw(st.sampled_from([event.get("identity"), None, "other"])),
        "datacontenttype": "application/json",
        "time": draw(times()),
        "data": event,
    }
    if draw(st.sampled_from([True, True, False])):
        envelope |= {
            "id": "x",
            "source": ".".join(contract.protocol.split(".")[:3]),
            "type": event.get("protocol", protocol),
            "subject": event.get("identity") or None,
            "time": "2026-11-22T08:33:56Z",
        }
    if draw(st.sampled_from([True, False, False, False])):
        text = json.dumps(envelope.pop("data")).encode()
        envelope["data_base64"] = base64.b64encode(text).decode()
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        envelope = _changed(draw, envelope, [*envelope, "data", "data_base64", "dataschema", "protocol", "traceparent"])
    return envelope


def times() -> st.SearchStrategy[str]:
    """Return RFC 3339 times, and near misses."""
    good = st.datetimes().map(lambda time: time.isoformat() + "Z")
    offset = st.tuples(
        st.datetimes(), st.sampled_from(["+01:00", "-23:59", "+24:00", "+0100", "+00:60", "+01:99", "", "z", "Z "])
    ).map(lambda pair: pair[0].isoformat() + pair[1])
    bad = st.sampled_from(
        [
            "2026-11-22 08:33:56Z",
            "2026-11-22t08:33:56Z",
            "2026-W47-7T08:33:56Z",
            "20261122T083356.0Z",
            "2026-11-22T08:33:60Z",
            "0000-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "9999-12-31T23:59:59.9999999Z",
            "\uff12026-11-22T08:33:56Z",
            "2026-11-22T08:33:56Z\n",
        ]
    )
    return st.one_of(good, good, offset, bad)


@st.composite
def documents(draw: st.DrawFn, protocol: str) -> bytes:
    """Return a document as it may arrive: serialised in several ways, and sometimes with damaged bytes."""
    value = draw(st.one_of(events(protocol), envelopes(protocol)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    raw = json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators).encode()
    match draw(st.sampled_from(["whole"] * 7 + ["cut", "byte", "insert", "tail", "duplicate"])):
        case "cut":
            return raw[: draw(st.integers(0, len(raw)))]
        case "byte":
            place = draw(st.integers(0, len(raw) - 1))
            return raw[:place] + draw(st.binary(min_size=1, max_size=1)) + raw[place + 1 :]
        case "insert":
            place = draw(st.integers(0, len(raw)))
            piece = draw(
                st.sampled_from([b"\xef\xbb\xbf", b"NaN", b"\\ud800", b"\x00", b"\xff", b"1e400", b"[[", b"9" * 40])
            )
            return raw[:place] + piece + raw[place:]
        case "tail":
            return raw + draw(st.sampled_from([b" ", b"\n", b"x", b"{}", b"\x00"]))
        case "duplicate":
            name = draw(st.sampled_from(["protocol", "timestamp", "identity", "data", "type", "version"]))
            pair = json.dumps({name: draw(ANYTHING)}).encode()[1:-1]
            return raw[:-1] + b"," + pair + b"}"
        case _:
            return raw
