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

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = ("alive", "governor", "provisioned", "shutdown", "startup", "upgraded")
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
        types: the types to try it with.
    """

    name: str
    text: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)
    wrapped: dict[str, str] = field(default_factory=dict)
    types: tuple[str, ...] = TYPES


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


def lifecycle() -> Iterator[Exchange]:
    """Yield every type in both formats with every awkward value, then cases for single types."""
    for kind in _KINDS:
        for event in kind.types:
            for form in FORMATS:
                known = _plain(event)
                names = _TEXTS - ({"component", "governor"} if kind.text == "" else {"component"})
                texts = {} if kind.text is None else {name: kind.text for name in known if name in names}
                yield Exchange(
                    name=kind.name,
                    family="lifecycle",
                    type=event,
                    format=form,
                    values=known | texts | kind.values,
                    differs=kind.differs | (kind.wrapped if form == "cloudevents" else {}),
                )
    yield from _singles()


def _singles() -> Iterator[Exchange]:
    def one(name: str, type: str, format: str, values: dict[str, Any], **differs: str) -> Exchange:
        known = _plain(type) | values
        return Exchange(name=name, family="lifecycle", type=type, format=format, values=known, differs=differs)

    for stage in ("exit", "timeouts", "eviction"):
        yield one(f"the stage {stage}", "governor", "choria", {"event_type": stage, "sequence": 0})
        yield one(f"the stage {stage} of a slot", "governor", "choria", {"event_type": stage, "sequence": 7})
    yield one("enter without a slot", "governor", "choria", {"sequence": 0})
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


_TEXTS = {"id", "identity", "component", "version", "new_version", "governor"}


def _plain(type: str) -> dict[str, Any]:
    known = {"id": ID, "identity": "n1.example.net", "component": "server", "timestamp": TIME}
    match type:
        case "startup" | "alive":
            known |= {"version": "0.30.2"}
        case "upgraded":
            known |= {"version": "0.30.1", "new_version": "0.30.2"}
        case "governor":
            known |= {"governor": "PUPPET", "sequence": 10, "event_type": "enter"}
    return known


_AGENT = {"identity": "n1.example.net", "id": "e1", "version": "1.0.0", "timestamp": TIME, "machine": "check_mailq"}
_STATES: dict[str, dict[str, Any]] = {
    "transition": {"transition": "ok_event", "from_state": "CRITICAL", "to_state": "OK"},
    "exec": {"command": "./monitor.rb", "previous_outcome": "success", "previous_run_time": 1387005527},
    "file": {"path": "/etc/motd", "previous_outcome": "changed"},
    "nagios": {
        "plugin": "check_mailq -w 5",
        "status": "WARNING",
        "status_code": 1,
        "output": "7 unsent",
        "check_time": TIME - 60,
        "perfdata": [{"unit": "", "label": "unsent", "value": 7.5}, {"unit": "ms", "label": "took", "value": 0.25}],
        "runtime": 0.012345,
        "history": [
            {"execute": "2023-11-14T22:12:20.123456789Z", "status": 0},
            {
                "execute": "2023-11-14T22:11:20Z",
                "status": 1,
                "perfdata": [{"unit": "%", "label": "unsent", "value": 8.5}],
            },
        ],
        "annotations": {"team": "mail"},
    },
    "schedule": {"state": "on"},
    "archive": {
        "source": "https://example.net/a.tgz",
        "creates": "a",
        "previous_outcome": "downloaded",
        "previous_run_time": 1387005527,
    },
    "ccm_manifest": {"previous_outcome": "changes", "previous_run_time": 1387005527},
    "expression": {"previous_outcome": "success_when"},
    "gossip": {"previous_subject": "gossip", "previous_payload": "hello", "previous_gossip": TIME - 60},
    "httpswitch": {"status": "on", "is_on": True, "annotations": {"room": "lab"}},
    "kv": {"state": "changed", "bucket": "CFG", "key": "web", "mode": "poll"},
    "machines": {"machines": ["mail", "web"], "previous_outcome": "updated", "previous_run_time": 1387005527},
    "metric": {
        "metrics": {
            "labels": {"format": "choria"},
            "metrics": {"choria_runtime_seconds": 0.25, "unsent": 7.5},
            "time": TIME - 60,
        }
    },
    "plugins": {"plugins": ["mail"], "previous_outcome": "unchanged", "previous_run_time": 1387005527},
    "timer": {"state": "running", "timer": 3_600_000_000_000},
}

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


def machine() -> Iterator[Exchange]:
    """Yield transitions and the states of watchers, with awkward texts; and the initial states of watchers."""

    def one(name: str, type: str, values: dict[str, Any], *, fresh: bool = False, **differs: str) -> Exchange:
        base = dict(_AGENT)
        if type == "nagios" or "key" in values or "key" in values.get("properties", {}):
            differs = {"body": "order"} | differs
        if fresh:
            base["name"] = "watch"
        else:
            base |= {"protocol": protocol(type)} | ({} if type == "transition" else {"type": type, "name": "watch"})
        return Exchange(
            name=name,
            family="machine",
            type=type,
            format="cloudevents",
            values=base | values,
            fresh=fresh,
            differs=differs,
        )

    for kind, values in _STATES.items():
        yield one("plain", kind, values)
        for about, text, differs in (
            ("empty texts", "", {}),
            ("beyond ASCII and control characters", _UNICODE + _CONTROLS, {"body": "short-escapes"}),
            ("<>&, U+2028 and U+2029", "<b>&\u2028\u2029", {"body": "escapes"}),
        ):
            texts = {name: text for name in (*_AGENT, *values) if name in _AGENT_TEXTS}
            yield one(about, kind, values | texts, fresh=False, **differs)
    nagios = _STATES["nagios"]
    yield one("a negative timestamp", "transition", _STATES["transition"] | {"timestamp": -1})
    yield one("a negative timestamp", "exec", _STATES["exec"] | {"timestamp": -1})
    yield one("whole numbers among floats", "nagios", nagios | {"runtime": 2.0}, body="order-and-floats")
    yield one("nothing measured", "nagios", nagios | {"perfdata": None, "history": [], "annotations": None})
    yield one("a huge number of nanoseconds", "exec", _STATES["exec"] | {"previous_run_time": 2**63 - 1})
    metrics: dict[str, Any] = {"labels": {_UNICODE: _UNICODE}, "metrics": {_UNICODE: 7.5}, "time": TIME}
    yield one("names beyond ASCII", "metric", {"metrics": metrics})
    yield one(
        "whole numbers among floats", "metric", {"metrics": metrics | {"metrics": {"unsent": 7.0}}}, body="floats"
    )
    yield one("no labels", "metric", {"metrics": metrics | {"labels": None}})
    yield one("names beyond ASCII", "machines", _STATES["machines"] | {"machines": [_UNICODE, ""]})
    yield one("no key", "kv", {name: value for name, value in _STATES["kv"].items() if name != "key"})
    for kind, wanted in _PROPERTIES.items():
        differs = {"nagios": {"body": "order-and-floats"}, "metric": {"body": "floats"}}.get(kind, {})
        yield one("a watcher that has just started", kind, {"properties": wanted}, fresh=True, **differs)


_AGENT_TEXTS = {
    *("identity", "id", "version", "machine", "transition", "from_state", "to_state"),
    *("command", "path", "plugin", "output", "source", "creates", "previous_subject", "previous_payload", "bucket"),
}


def protocol(type: str) -> str:
    """Return the protocol of a machine event."""
    return "io.choria.machine.v1.transition" if type == "transition" else f"io.choria.machine.watcher.{type}.v1.state"
