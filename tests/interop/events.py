"""The events that Go and this library make for each other, and the permitted differences.

A difference concerns an aspect of an event:

    made     Go set other fields than requested
    codes    this library refuses Go's event
    subject  the subjects differ, or one is missing
    text     the viewers' lines differ
    body     the bytes differ, with equal meaning
    content  the bytes and their meaning differ
    answer   Go reads other fields than this library wrote, or refuses the event
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from choria_schemas.registry import CONTRACTS
from tests.bed.samples import LIFECYCLE, example, example_path, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_schemas.registry import Contract

    from .facts import Facts

FORMATS = ("choria", "cloudevents")

ID = "8f14e45f-ceea-467f-a0e6-9d2b4a5c3e21"
TIME = 1_700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An event that each side makes and the other side reads.

    Attributes:
        name: its notable property, without its type and format.
        family: lifecycle or machine.
        type: the event type, the watcher's type, or transition.
        format: choria or cloudevents.
        values: the fields requested from Go; for a fresh watcher its constructor's.
        fresh: it is the state of a watcher that Go has just made.
        differs: the aspects in which the two sides differ, and the names of the reasons in reasons.py.
    """

    name: str
    family: str
    type: str
    format: str
    values: dict[str, Any]
    fresh: bool = False
    differs: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.type}, {self.format}: {self.name}"


_UNICODE = "é日\U0001f600\u202e"
_CONTROLS = "\0\b\t\n\f\r\x85\x1b\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """An awkward value.

    Attributes:
        name: its name.
        text: the value of every text field, with exceptions: Go does not publish without a component, nor read without
            a governor. None leaves the texts alone.
        values: further values.
        differs: the differences in both formats.
        wrapped: additional differences in envelopes.
        types: the types to try it with; all if empty.
    """

    name: str
    text: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)
    wrapped: dict[str, str] = field(default_factory=dict)
    types: tuple[str, ...] = ()


_HTML = "<b>&\"'\\/\u2028\u2029."
_ONE = ("startup",)
_KINDS = (
    _Kind(name="plain"),
    _Kind(name="empty texts", text="", wrapped={"codes": "empty"}),
    _Kind(
        name="beyond ASCII",
        text=_UNICODE,
        values={"component": _UNICODE},
        differs={"subject": "token", "text": "shown"},
    ),
    _Kind(name="<>&, U+2028 and U+2029", text=_HTML, differs={"body": "escapes", "text": "shown"}),
    _Kind(name="a negative timestamp", values={"timestamp": -1}),
    _Kind(
        name="control characters",
        text=_CONTROLS,
        differs={"text": "shown"},
        wrapped={"body": "short-escapes"},
        types=("startup", "governor"),
    ),
    _Kind(name="blanks around texts", text=" n1 ", wrapped={"content": "trimmed"}, types=_ONE),
    _Kind(
        name="a component of many tokens", values={"component": "my app.v2"}, differs={"subject": "token"}, types=_ONE
    ),
    _Kind(
        name="a component that is a wildcard",
        values={"component": ">"},
        differs={"subject": "token", "body": "escapes"},
        types=_ONE,
    ),
    _Kind(name="the timestamp 0", values={"timestamp": 0}, types=_ONE),
    _Kind(
        name="the first second of the year 1",
        values={"timestamp": -62_135_596_800},
        wrapped={"content": "year-1"},
        types=_ONE,
    ),
    _Kind(name="the last second of the year 9999", values={"timestamp": 253_402_300_799}, types=_ONE),
)


def lifecycle(facts: Facts) -> Iterator[Exchange]:
    """Yield every type in both formats with every awkward value, then cases for single types."""
    for kind in _KINDS:
        for event in kind.types or (name for name in facts["types"] if name in LIFECYCLE):
            for form in FORMATS:
                known = _plain(event)
                names = _texts(LIFECYCLE[event]) - ({"component", "governor"} if kind.text == "" else {"component"})
                texts = {} if kind.text is None else dict.fromkeys(names, kind.text)
                yield Exchange(
                    name=kind.name,
                    family="lifecycle",
                    type=event,
                    format=form,
                    values=known | texts | kind.values,
                    differs=kind.differs | (kind.wrapped if form == "cloudevents" else {}),
                )
    yield from _singles(facts)


def _singles(facts: Facts) -> Iterator[Exchange]:
    def one(name: str, type: str, format: str, values: dict[str, Any], **differs: str) -> Exchange:
        known = _plain(type) | values
        return Exchange(name=name, family="lifecycle", type=type, format=format, values=known, differs=differs)

    for stage in facts["stages"]:
        yield one(f"the stage {stage}", "governor", "choria", {"event_type": stage, "sequence": 0})
        yield one(f"the stage {stage} of a slot", "governor", "choria", {"event_type": stage, "sequence": 7})
    for form in FORMATS:
        yield one("a sequence of 63 bits", "governor", form, {"sequence": 2**63 - 1})
        yield one("a sequence of 64 bits", "governor", form, {"sequence": 2**64 - 1})
        yield one("an unknown stage", "governor", form, {"event_type": "paused"}, made="stage-dropped", codes="stage")
        yield one("no governor", "governor", form, {"governor": ""}, codes="no-governor", answer="no-governor")
        yield one("no component", "startup", form, {"component": ""})
    yield one("the largest timestamp", "startup", "choria", {"timestamp": 2**63 - 1})
    yield one("the smallest timestamp", "startup", "choria", {"timestamp": -(2**63)})
    yield one(
        "the year 10000",
        "startup",
        "cloudevents",
        {"timestamp": 253_402_300_800},
        codes="year-10000",
        content="year-10000",
    )
    yield one("the year 0", "startup", "cloudevents", {"timestamp": -62_167_219_200}, codes="year-0", content="year-0")


def _plain(type: str) -> dict[str, Any]:
    event = example(LIFECYCLE[type].protocol) | {"id": ID, "timestamp": TIME}
    return {name: value for name, value in event.items() if name != "protocol"}


_AGENT = {"identity": "n1.example.net", "id": "e1", "version": "1.0.0", "timestamp": TIME, "machine": "check_mailq"}

# The properties of a watcher that has just started.
_PROPERTIES: dict[str, dict[str, Any]] = {
    "exec": {"command": "./monitor.rb"},
    "file": {"path": "/etc/motd"},
    "nagios": {"plugin": "check_mailq"},
    "schedule": {"schedules": ["0 8 * * *"]},
    "archive": {"source": "https://example.net/a.tgz", "creates": "a", "target": "/opt", "checksum": "0" * 64},
    "ccm_manifest": {"manifest_file": "/etc/manifest.yaml"},
    "expression": {"success_when": "true"},
    "gossip": {"subject": "gossip", "payload": "hello"},
    "httpswitch": {},
    "kv": {"bucket": "CFG", "key": "web"},
    "machines": {"data_item": "machines"},
    "metric": {"command": "./metric.sh"},
    "plugins": {"data_item": "plugins"},
    "timer": {"timer": "1h"},
}

_FRESH_BODIES = {"kv": "order", "metric": "floats", "nagios": "order-and-floats"}


def machine(facts: Facts) -> Iterator[Exchange]:
    """Yield transitions and the states of watchers, with awkward texts; and the initial states of watchers."""

    def one(name: str, type: str, values: dict[str, Any], *, fresh: bool = False, **differs: str) -> Exchange:
        base = _AGENT | ({} if type == "transition" else {"name": "watch"})
        if not fresh:
            base |= {"protocol": protocol(type)} | ({} if type == "transition" else {"type": type})
        return Exchange(
            name=name,
            family="machine",
            type=type,
            format="cloudevents",
            values=base | values,
            fresh=fresh,
            differs=differs,
        )

    watchers = [name for name, protocol in facts["watchers"].items() if protocol in CONTRACTS]
    for kind in ("transition", *watchers):
        contract = CONTRACTS[protocol(kind)]
        for path in examples(contract):
            values = _own(json.loads(path.read_bytes()))
            name = path.stem.removeprefix(example_path(contract).stem).strip("-").replace("-", " ") or "plain"
            yield one(name, kind, values, fresh=False, **_body(contract, values))
        values = _own(example(contract.protocol))
        for about, text, differs in (
            ("empty texts", "", {}),
            ("beyond ASCII and control characters", _UNICODE + _CONTROLS, {"body": "short-escapes"}),
            ("<>&, U+2028 and U+2029", "<b>&\u2028\u2029", {"body": "escapes"}),
        ):
            texts = dict.fromkeys(_texts(contract), text)
            yield one(about, kind, values | texts, fresh=False, **(_body(contract, values) | differs))
    yield from (one("a negative timestamp", kind, _state(kind, timestamp=-1)) for kind in ("transition", "exec"))
    yield one("a huge number of nanoseconds", "exec", _state("exec", previous_run_time=2**63 - 1))
    metrics: dict[str, Any] = {"labels": {_UNICODE: _UNICODE}, "metrics": {_UNICODE: 7.5}, "time": TIME}
    yield one("names beyond ASCII", "metric", _state("metric", metrics=metrics))
    metrics = metrics | {"labels": None, "metrics": {"unsent": 7.0}}
    yield one("whole numbers among floats, and no labels", "metric", _state("metric", metrics=metrics), body="floats")
    yield one("whole numbers among floats", "nagios", _state("nagios", runtime=2.0), body="order-and-floats")
    yield one("names beyond ASCII", "machines", _state("machines", machines=[_UNICODE, ""]))
    yield one("no key", "kv", {name: value for name, value in _state("kv").items() if name != "key"})
    for kind in watchers:
        differs = {"kv": {"body": "order"}, "nagios": {"body": "order-and-floats"}, "metric": {"body": "floats"}}.get(
            kind, {}
        )
        properties = _PROPERTIES.get(kind, {})
        yield one("a watcher that has just started", kind, {"properties": properties}, fresh=True, **differs)


def _state(type: str, **changes: Any) -> dict[str, Any]:
    return _own(example(protocol(type))) | changes


def _own(event: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event that others of its family do not have."""
    return {name: value for name, value in event.items() if name not in {"protocol", "type", "name", *_AGENT}}


def _texts(contract: Contract) -> set[str]:
    """Return the fields that may have any text; Go leaves out optional ones that are empty."""
    schema = contract.schema()
    fields = {name: schema["properties"][name] for name in schema["required"] if name != "name"}
    return {name for name, field in fields.items() if field.get("type") == "string" and "enum" not in field}


def _body(contract: Contract, values: dict[str, Any]) -> dict[str, str]:
    """Return the expected difference in the bytes: optional fields are written last here, and floats as floats."""
    schema = contract.schema()
    is_ordered = list(values) == sorted(values, key=lambda name: name not in schema["required"])
    reasons = ["order"] * (not is_ordered) + ["floats"] * _has_whole_number(schema, values)
    return {"body": "-and-".join(reasons)} if reasons else {}


def _has_whole_number(schema: dict[str, Any], value: object) -> bool:
    """Return True if a value has a whole number where the schema asks for any number."""
    if isinstance(value, dict):
        members = schema.get("properties", {})
        default = schema.get("additionalProperties", {})
        return any(_has_whole_number(members.get(name, default), inner) for name, inner in value.items())
    return schema.get("type") == "number" and isinstance(value, float | int) and value == int(value)


def protocol(type: str) -> str:
    """Return the protocol of a machine event."""
    return "io.choria.machine.v1.transition" if type == "transition" else f"io.choria.machine.watcher.{type}.v1.state"
