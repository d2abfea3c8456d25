"""Documents as Go writes them, near misses, and the findings of the thorough check about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import source_of
from choria_lifecycle.wire.warnings import warnings_for
from choria_schemas.registry import CONTRACTS
from tests.bed import strategies
from tests.bed.samples import UNKNOWN_PROTOCOL

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import Finding

NOON = 1795348800  # 2026-11-22T12:00:00Z
UUID = "3b0e2a4e-6a5c-4d58-9d3f-0f8ee1a3a111"
BOUNDED = settings(
    max_examples=strategies.EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
_VALUES = {"string": "x", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
_OTHERS: dict[str, Any] = {
    "protocol": None,
    "id": UUID,
    "identity": "n1.example.net",
    "component": "server",
    "timestamp": NOON,
}


def event(protocol: str) -> dict[str, Any]:
    """Return an event without findings, with its protocol first."""
    properties = CONTRACTS[protocol].schema()["properties"]
    made = {name: _OTHERS.get(name, _value(properties[name])) for name in CONTRACTS[protocol].schema()["required"]}
    return {**made, "protocol": protocol}


def _value(schema: dict[str, Any]) -> object:
    kind = schema.get("type")
    if "properties" in schema:
        return {name: _value(schema["properties"][name]) for name in schema["required"]}
    return schema["enum"][0] if "enum" in schema else _VALUES[kind] if isinstance(kind, str) else None


def envelope(protocol: str, **attributes: object) -> dict[str, Any]:
    """Return an event in an envelope as Go writes it."""
    return {
        "specversion": "1.0",
        "id": UUID,
        "source": source_of(CONTRACTS[protocol].protocol),
        "type": protocol,
        "subject": "n1.example.net",
        "datacontenttype": "application/json",
        "time": "2026-11-22T12:00:00Z",
        "data": event(protocol),
        **attributes,
    }


def written(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


CURRENT = sorted({contract.protocol for contract in CONTRACTS.values()})
STARTUP = "io.choria.lifecycle.v1.startup"
OLD = "choria:lifecycle:startup:1"
GOOD = [written(make(protocol)) for protocol in CONTRACTS for make in (event, envelope)]
NATIVE, WRAPPED = written(event(STARTUP)), written(envelope(STARTUP))


# Members that a decoder may miss if it does not look at the whole document.
MEMBERS = [
    b'"protocol":"io.choria.lifecycle.v1.alive"',
    b'"protocol":"io.choria.lifecycle.v1.startup"',
    b'"protocol":"choria:lifecycle:startup:1"',
    f'"protocol":"{UNKNOWN_PROTOCOL}"'.encode(),
    b'"protocol":"other"',
    b'"protocol":null',
    b'"specversion":"1.0"',
    b'"specversion":"0.3"',
    b'"specversion":null',
    b'"source":"io.choria.lifecycle"',
    b'"source":"io.choria.machine"',
    b'"type":"io.choria.lifecycle.v1.alive"',
    b'"data":{}',
    b'"data":null',
    b'"data_base64":null',
    b'"data_base64":"e30="',
    b'"dataschema":null',
    b'"dataschema":"x"',
    b'"dataschema":""',
    b'"subject":null',
    b'"time":null',
    b'"identity":"n1.example.net"',
    b'"identity":"n2.example.net"',
    b'"\\u0069dentity":"n3.example.net"',
    b'"id":""',
    b'"id":"\\u0022"',
    b'"timestamp":1',
    b'"timestamp":1.0',
    b'"timestamp":1795348800.0',
    b'"timestamp":1.7953488e9',
    b'"timestamp":true',
    b'"timestamp":9223372036854775807',
    b'"timestamp":9223372036854775808',
    b'"sequence":-1',
    b'"sequence":18446744073709551615',
    b'"sequence":18446744073709551616',
    b'"component":"a.b"',
    b'"Version":"1"',
    b'"Subject":"x"',
    b'"trace-id":"x"',
    b'"trace":{}',
    b'"x":"\xff"',
    b'"x":"\\ud800"',
    b'"x":"\\x"',
    b'"x":"\x00"',
    b'"x":"a\\"b"',
    b'"x":01',
    b'"x":-0',
    b'"x":1e999',
    b'"x":NaN',
    b'"x":' + b"9" * 500,
    b'"x":' + b"[" * 254 + b"]" * 254,
    b'"x":' + b"[" * 257 + b"]" * 257,
    b'"":1',
]
BYTES = [b'"', b"\\", b"{", b"}", b",", b":", b" ", b"\n", b"\t", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"1", b"e"]
BYTES += ["é".encode(), b'\\"', b"\\u0022", b"-", b".", b"null", b"T", b"Z", b"+01:00", b"24", b"60", b"x"]
ODD: list[Any] = [
    None,
    "",
    "é",
    1,
    1.0,
    -1,
    True,
    [],
    {},
    2**63,
    -(2**63),
    2**64 - 1,
    2**64,
    UUID.upper(),
    "x" * 36,
    "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "a.b",
    " ",
    "\u2003",
    "text/plain",
    "application/json; charset=utf-8",
    "server\n",
    " n1.example.net",
    946_684_799,
    946_684_800,
    NOON + 86_400,
    NOON + 86_401,
    NOON * 1000,
    OLD,
    STARTUP,
    "io.choria.lifecycle.v1.alive",
    "2026-11-22T12:01:00Z",
    "2026-11-22T12:01:01Z",
    "2026-11-22T12:33:56+01:00",
    "2026-11-22t08:33:56z",
    "2026-11-22T08:33:56.5Z",
    "2026-11-22T08:33:56Z0",
    "2026-11-22T08:33:56Z ",
    "2026-11-22T24:00:00Z",
    "2026-11-22T08:33:60Z",
    "2026-02-30T08:33:56Z",
    "0000-01-01T00:00:00Z",
    "20 6-11-22T08:33:56Z",
]


@st.composite
def near_misses(draw: st.DrawFn) -> bytes:
    """Return a document as Go writes it, with up to three small changes."""
    raw = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        match draw(st.sampled_from(["member", "member", "byte", "drop", "value", "value", "order"])):
            case "member":
                places = [at + 1 for at, byte in enumerate(raw) if byte in b"{,"]
                at = draw(st.sampled_from(places or [0]))
                raw = raw[:at] + draw(st.sampled_from(MEMBERS)) + b"," + raw[at:]
            case "byte":
                at, more = draw(st.integers(0, len(raw))), draw(st.integers(0, 1))
                raw = raw[:at] + draw(st.sampled_from(BYTES)) + raw[at + more :]
            case "drop":
                at = draw(st.integers(0, len(raw)))
                raw = raw[:at] + raw[at + 1 :]
            case change:
                raw = _changed(draw, raw, change)
    return raw


def _changed(draw: st.DrawFn, raw: bytes, change: str) -> bytes:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(document, dict) or not document:
        return raw
    inner = document.get("data")
    target = inner if isinstance(inner, dict) and inner and draw(st.booleans()) else document
    if change == "order":
        members = draw(st.permutations(list(target.items())))
        target.clear()
        target.update(members)
    else:
        target[draw(st.sampled_from(list(target)))] = draw(st.sampled_from(ODD))
    return json.dumps(document, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))).encode()


DOCUMENTS = st.one_of(
    near_misses(),
    near_misses(),
    st.sampled_from(GOOD),
    st.sampled_from(CURRENT).flatmap(strategies.documents),
    st.binary(min_size=1, max_size=20),
).filter(bytes.strip)


# No subject, those of the events above, and one that belongs to none.
SUBJECTS = st.sampled_from(
    [None, "x"]
    + [
        f"choria.lifecycle.event.{protocol.rpartition('.')[2]}.server"
        for protocol in CURRENT
        if ".lifecycle." in protocol
    ]
    + [CONTRACTS[protocol].unversioned.removeprefix("io.") for protocol in CURRENT if ".machine." in protocol]
)


def findings_in(raw: bytes, subject: str | None = None, *, warnings: bool = True) -> list[Finding]:
    """Return the findings of the thorough check at noon."""
    inspection = check_document(raw, subject=subject)
    return inspection.findings + (warnings_for(raw, inspection, subject, NOON) if warnings else [])
