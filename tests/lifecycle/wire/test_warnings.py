from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.warnings import EARLIEST, MAX_AHEAD, usual_values, warnings_for
from choria_schemas.registry import CONTRACTS
from tests.bed.samples import ENVELOPE, STARTUP, TRANSITION, UNKNOWN_PROTOCOL, compact

NOW = 1_800_000_000
UPGRADED = STARTUP | {"protocol": "io.choria.lifecycle.v1.upgraded", "new_version": "1"}
OLD = "choria:lifecycle:startup:1"


def warnings_about(document: Any, subject: str | None = None, now: float = NOW) -> list[Finding]:
    raw = document if isinstance(document, bytes) else compact(document)
    return warnings_for(raw, check_document(raw), subject, now)


def found(document: Any, subject: str | None = None, now: float = NOW) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in warnings_about(document, subject, now)]


@pytest.mark.parametrize(
    "document", [STARTUP, ENVELOPE, TRANSITION, {"protocol": UNKNOWN_PROTOCOL}, {}, [], 5, b"{", b"\xff"]
)
def test_most_documents_have_no_warnings(document: Any) -> None:
    assert not warnings_about(document)


def test_warnings_are_findings() -> None:
    for document in (STARTUP | {"id": "1"}, STARTUP | {"timestamp": 5}, STARTUP | {"component": "\x1b"}):
        [finding] = warnings_about(document)
        assert finding.severity is Severity.WARNING
        assert finding.message.isprintable()
        assert finding.value in {"1", 5, "\\x1b"}
    findings = lifecycle.validate(compact(STARTUP | {"id": "1", "identity": 5, "timestamp": 1}))
    assert [finding.severity for finding in findings] == ["error", "warning", "warning"]


# ---- timestamps


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        (EARLIEST, None),
        (EARLIEST - 1, "timestamp-range"),
        (0, "timestamp-range"),
        (-1, "timestamp-range"),
        (NOW, None),
        (NOW + MAX_AHEAD, None),
        (NOW + MAX_AHEAD + 1, "timestamp-range"),
        # The first and the last that are plausible in another unit.
        (EARLIEST * 1000 - 1, "timestamp-range"),
        (EARLIEST * 1000, "timestamp-unit"),
        ((NOW + MAX_AHEAD) * 1000 + 999, "timestamp-unit"),
        ((NOW + MAX_AHEAD + 1) * 1000, "timestamp-range"),
        (NOW * 10**6, "timestamp-unit"),
        (NOW * 10**9 + 123_456_789, "timestamp-unit"),
        (2**63 - 1, "timestamp-range"),
        (-(2**63) + 1, "timestamp-range"),
        # Errors, not warnings.
        (2**63, None),
        (-(2**63) - 1, None),
        (1.5, None),
        (True, None),
        (None, None),
        ("0", None),
    ],
)
def test_timestamps(timestamp: Any, code: str | None) -> None:
    for document in (STARTUP, TRANSITION):
        assert found(document | {"timestamp": timestamp}) == ([("$.timestamp", code)] if code else [])
    envelope = {name: value for name, value in ENVELOPE.items() if name != "time"}
    assert found(envelope | {"data": STARTUP | {"timestamp": timestamp}}) == (
        [("$.data.timestamp", code)] if code else []
    )


@pytest.mark.parametrize(
    ("time", "is_close"),
    [
        ("2026-11-22T08:33:56Z", True),
        ("2026-11-22T09:34:56+01:00", True),
        ("2026-11-22t08:32:56.000z", True),
        ("2026-11-22T08:34:57Z", False),
        ("2026-11-22T08:32:55.999Z", False),
        ("2026-11-22T09:33:56Z", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("2026-11-22", True),  # an error
        (None, True),
    ],
)
def test_the_time_of_the_envelope(time: str | None, is_close: bool) -> None:
    assert found(ENVELOPE | {"time": time}) == ([] if is_close else [("$.time", "envelope-time-differs")])


def test_the_time_is_not_compared_with_an_unlikely_timestamp() -> None:
    assert found(ENVELOPE | {"data": STARTUP | {"timestamp": 0}}) == [("$.data.timestamp", "timestamp-range")]
    [finding] = warnings_about(ENVELOPE | {"data": STARTUP | {"timestamp": STARTUP["timestamp"] + 3600}})
    assert "3,600 seconds later" in finding.message


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u2003", "\u00a0\x1f"])
def test_blank_identities_and_versions(text: str) -> None:
    assert found(STARTUP | {"identity": text}) == [("$.identity", "identity-blank")]
    assert found(TRANSITION | {"version": text}) == [("$.version", "version-blank")]
    assert found(UPGRADED | {"new_version": text}) == [("$.new_version", "version-blank")]
    assert found(STARTUP | {"identity": f"{text}n1", "version": f"1{text}"}) == []
    shutdown = STARTUP | {"protocol": "io.choria.lifecycle.v1.shutdown"}
    assert found(shutdown | {"version": text}) == []  # not one of its fields


def test_timestamps_are_compared_with_the_given_time() -> None:
    assert found(STARTUP, now=STARTUP["timestamp"] - MAX_AHEAD) == []
    assert found(STARTUP, now=STARTUP["timestamp"] - MAX_AHEAD - 1) == [("$.timestamp", "timestamp-range")]


@pytest.mark.parametrize(("factor", "unit"), [(10**3, "milli"), (10**6, "micro"), (10**9, "nano")])
def test_the_unit_is_named_with_the_right_value(factor: int, unit: str) -> None:
    [finding] = warnings_about(STARTUP | {"timestamp": 1_700_000_000 * factor})
    assert f"{unit}seconds" in finding.message
    assert "1700000000" in finding.message


# ---- ids and components


@pytest.mark.parametrize("id_", [STARTUP["id"], STARTUP["id"].upper(), "0" * 8 + "-0000" * 3 + "-" + "f" * 12])
def test_uuids(id_: str) -> None:
    assert found(STARTUP | {"id": id_}) == []


@pytest.mark.parametrize(
    "id_", ["", "1", STARTUP["id"] + "\n", STARTUP["id"] + " ", STARTUP["id"].replace("-", ""), "g" + STARTUP["id"][1:]]
)
def test_ids_that_are_not_uuids(id_: str) -> None:
    assert found(STARTUP | {"id": id_}) == [("$.id", "id-uuid")]
    assert found(TRANSITION | {"id": id_}) == [("$.id", "id-uuid")]
    assert found(ENVELOPE | {"id": id_ or "x"}) == []


@pytest.mark.parametrize(
    ("component", "is_token"),
    [("server", True), ("A-Z_0", True), ("x" * 128, True), ("x" * 129, False)]
    + [(text, False) for text in ("", " ", "a.b", "*", ">", "a b", "é", "a\n", "$SYS")],
)
def test_components(component: str, is_token: bool) -> None:
    assert found(STARTUP | {"component": component}) == ([] if is_token else [("$.component", "component-token")])
    assert found(TRANSITION | {"component": component}) == []  # not one of its fields


# ---- spelling


@pytest.mark.parametrize(
    "contract", {id(each): each for each in CONTRACTS.values()}.values(), ids=lambda each: each.protocol
)
def test_every_old_spelling_is_reported_with_the_current_one(contract: Any) -> None:
    for protocol in contract.protocols:
        findings = [each for each in warnings_about({"protocol": protocol}) if each.code == "protocol-old"]
        assert len(findings) == (protocol != contract.protocol)
        for finding in findings:
            assert finding.path == "$.protocol"
            assert finding.value == protocol
            assert contract.protocol in finding.message


def test_type_and_protocol_of_an_envelope_may_both_be_old() -> None:
    event = STARTUP | {"protocol": OLD}
    places = [("$.type", "protocol-old"), ("$.data.protocol", "protocol-old")]
    assert found(ENVELOPE | {"type": OLD, "data": event}) == places
    assert found(ENVELOPE | {"type": OLD}) == places[:1]
    assert found(ENVELOPE | {"data": event}) == places[1:]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("verison", "version"),
        ("VERSION", "version"),
        ("Identity", "identity"),
        ("newVersion", "new_version"),
        ("new-version", "new_version"),
        ("NewVersion", "new_version"),
        ("timestmp", "timestamp"),
        ("time_stamp", "timestamp"),
        ("componnent", "component"),
        ("_" * 33 + "version", "version"),  # of 40 characters
    ],
)
def test_misspelt_field_names(name: str, meant: str) -> None:
    [finding] = warnings_about(UPGRADED | {name: "x"})
    assert (finding.path, finding.code) == (f"$.{name}", "field-misspelt")
    assert f"{meant}, which is also present" in finding.message
    without = {key: value for key, value in UPGRADED.items() if key != meant}
    [finding] = [each for each in warnings_about(without | {name: "x"}) if each.code == "field-misspelt"]
    assert f"{meant}, which is missing" in finding.message


@pytest.mark.parametrize(
    "name", ["", "x", "region", "build", "é", "event", "ident", "_" * 34 + "version", "version" * 10, "\x1b"]
)
def test_names_that_are_not_misspelt(name: str) -> None:
    assert found(STARTUP | {name: "x"}) == []


def test_names_in_an_envelope() -> None:
    assert found(ENVELOPE | {"datacontentype": "x"}) == [("$.datacontentype", "field-misspelt")]
    assert found(ENVELOPE | {"data": STARTUP | {"verison": "x"}}) == [("$.data.verison", "field-misspelt")]
    assert found(ENVELOPE | {"verison": "x"}) == []


@pytest.mark.parametrize("name", ["trace_id", "trace-id", "", "a b", "é", "a.b", "x" * 500 + "_", "\x1b[2J"])
def test_attributes_that_choria_rejects(name: str) -> None:
    [finding] = warnings_about(ENVELOPE | {name: "x"})
    assert finding.code == "envelope-extension"
    assert finding.path.isprintable()
    assert len(finding.path) < 250
    assert found(STARTUP | {name: "x"}) == []


def test_attributes_that_choria_accepts() -> None:
    assert found(ENVELOPE | {"traceparent": "x", "TRACEPARENT": "x", "5": "x", "dataschema": "x:y"}) == []


# ---- duplicate keys


@pytest.mark.parametrize(
    ("more", "paths"),
    [
        ('"version":"1"', ["$.version"]),
        ('"version":"1","version":"2"', ["$.version"]),
        ('"versio\\u006e":"1"', ["$.version"]),
        (f'"version":"1","id":"{STARTUP["id"]}"', ["$.id", "$.version"]),
        ('"x":1,"x":1', ["$.x"]),
        ('"x":{"a":[0,{"b":1,"b":1}]}', ["$.x.a[1].b"]),
        ('"x":"\\"version\\":"', []),
        ('"x":{"version":1},"y":{"version":1}', []),
    ],
)
def test_duplicate_keys(more: str, paths: list[str]) -> None:
    raw = compact(STARTUP)[:-1] + f",{more}}}".encode()
    assert found(raw) == [(path, "duplicate-key") for path in paths]


def test_duplicate_keys_in_and_around_an_event() -> None:
    inner = compact(STARTUP)[:-1] + b',"version":"1"}'
    raw = (
        compact(ENVELOPE | {"data": 0}).replace(b'"data":0', b'"data":' + inner)[:-1]
        + b',"time":"2026-11-22T08:33:56Z"}'
    )
    assert found(raw) == [("$.time", "duplicate-key"), ("$.data.version", "duplicate-key")]
    assert found(b'{"protocol":"%b","a":1,"a":1}' % UNKNOWN_PROTOCOL.encode()) == [("$.a", "duplicate-key")]


# ---- subjects


@pytest.mark.parametrize("type_", lifecycle.EVENT_TYPES)
def test_the_subject_of_lifecycle_events(type_: str) -> None:
    event = {"protocol": f"io.choria.lifecycle.v1.{type_}", "component": "billing"}
    right = f"choria.lifecycle.event.{type_}.billing"
    assert found(event, right) == []
    for subject in ("", right + ".x", right.upper(), "choria.lifecycle.event.x.billing", f"prefix.{right}"):
        [finding] = warnings_about(event, subject)
        assert (finding.path, finding.code, finding.value) == ("$", "subject-differs", subject)
        assert right in finding.message


@pytest.mark.parametrize(
    ("protocol", "subject"),
    [
        ("io.choria.machine.v1.transition", "choria.machine.transition"),
        ("io.choria.machine.watcher.exec.v1.state", "choria.machine.watcher.exec.state"),
        ("io.choria.machine.watcher.nagios.v1.state", "choria.machine.watcher.nagios.state"),
    ],
)
def test_the_subject_of_machine_events(protocol: str, subject: str) -> None:
    assert found({"protocol": protocol}, subject) == []
    assert found({"protocol": protocol}, f"{subject}.x") == [("$", "subject-differs")]


def test_an_unknown_subject_is_not_compared() -> None:
    assert found({"protocol": UNKNOWN_PROTOCOL}, "x") == []
    assert warnings_about(b'{"protocol":"com.example","a":1,"a":2}', "x") == []
    assert found({"protocol": STARTUP["protocol"]}, "x") == []
    assert found(STARTUP | {"component": "a.b"}, "x") == [("$.component", "component-token")]
    assert found(STARTUP | {"protocol": OLD}, "choria.lifecycle.event.startup.server") == [
        ("$.protocol", "protocol-old")
    ]


# ---- hostile documents


@pytest.mark.parametrize(
    "raw",
    [
        compact(STARTUP | {f"version{number}": 1 for number in range(3000)}),
        compact(ENVELOPE | {f"x_{number}": 1 for number in range(3000)}),
        b'{"protocol":"io.choria.lifecycle.v1.startup",%s}' % b",".join(b'"%d":0,"%d":0' % (n, n) for n in range(2000)),
        b'{"protocol":"io.choria.lifecycle.x","a":%s}' % (b'{"a":0,"a":' * 200 + b"0" + b"}" * 200),
    ],
    ids=["names", "attributes", "keys", "depth"],
)
def test_the_number_of_warnings_is_limited(raw: bytes) -> None:
    findings = warnings_about(raw)
    assert 20 <= len(findings) <= 101
    assert findings == warnings_about(raw)
    assert all(len(str(finding)) < 1500 for finding in findings)


def test_warnings_do_not_depend_on_the_order_of_keys() -> None:
    document = ENVELOPE | {
        "a_b": 1,
        "subjct": 1,
        "data": STARTUP | {"id": "", "component": "", "verison": 1, "identty": 1},
    }
    turned = dict(reversed(document.items())) | {"data": dict(reversed(document["data"].items()))}  # type: ignore[attr-defined]
    assert found(document) == found(json.dumps(turned).encode())
    assert [code for _, code in found(document)] == [
        "field-misspelt",
        "envelope-extension",
        "id-uuid",
        "component-token",
        "field-misspelt",
        "field-misspelt",
    ]


# ---- the fast test of values


def is_usual(event: dict[str, Any]) -> bool:
    return bool(usual_values(event)(SimpleNamespace(**event), NOW + MAX_AHEAD))


@pytest.mark.parametrize(
    "event",
    [STARTUP, UPGRADED, TRANSITION, {"id": STARTUP["id"]}, {}],
    ids=["startup", "upgraded", "transition", "id", "no fields"],
)
def test_usual_values_have_no_warnings(event: dict[str, Any]) -> None:
    assert is_usual(event)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id", ["", "1", str(STARTUP["id"])[1:], f"{STARTUP['id']}0", "g" + str(STARTUP["id"])[1:], "x" * 36]),
        ("component", ["", "a.b", "a b", "x" * 129, "\u00e9"]),
        ("identity", ["", " ", "\n", "\u2003"]),
        ("version", ["", " ", "\n", "\u2003"]),
        ("new_version", ["", " ", "\n", "\u2003"]),
        ("timestamp", [EARLIEST - 1, 0, -1, NOW + MAX_AHEAD + 1, NOW * 1000]),
    ],
)
def test_unusual_values_have_warnings(field: str, values: list[Any]) -> None:
    for value in values:
        assert not is_usual(UPGRADED | {field: value}), value
        assert not is_usual({field: value}), value
        assert [path for path, _ in found(UPGRADED | {field: value})] == [f"$.{field}"], value
