from __future__ import annotations

import json
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from tests.bed.paths import ROOT
from tests.bed.samples import ENVELOPE, STARTUP, compact, example

pytestmark = pytest.mark.usefixtures("day_of_the_events")


def found(document: Any) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in lifecycle.validate(compact(document))]


def test_all_errors_are_listed() -> None:
    document = {"protocol": STARTUP["protocol"], "identity": 5, "timestamp": 1.5, "version": None}
    assert sorted(found(document)) == [
        ("$.component", "schema-required"),
        ("$.id", "schema-required"),
        ("$.identity", "schema-type"),
        ("$.timestamp", "schema-type"),
        ("$.version", "schema-type"),
    ]
    broken = ENVELOPE | {"id": "", "time": "now", "source": "x", "subject": "y", "data": document | {"identity": "z"}}
    assert [code for _, code in found(broken)][:4] == [
        "envelope-empty",
        "envelope-time",
        "envelope-source",
        "envelope-subject-differs",
    ]
    assert len(found(broken)) == 8


def test_a_contradiction_is_reported_once() -> None:
    assert found(ENVELOPE | {"type": "io.choria.lifecycle.v1.alive"}) == [("$.type", "envelope-type-differs")]
    assert found(ENVELOPE | {"data": STARTUP | {"protocol": "com.example"}}) == [("$.type", "envelope-type-differs")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"identity": 5}, "identity must be of type string, not 5"),
        ({"protocol": "io.choria.lifecycle.v1.governor", "event_type": "x"}, "event_type must be one of"),
        ({"protocol": "io.choria.lifecycle.v1.governor", "sequence": -1}, "sequence must be at least 0, not -1"),
        ({"protocol": "io.choria.lifecycle.v1.governor", "governor": ""}, "governor must not be empty"),
        ({"timestamp": 2**63}, "timestamp must fit into 64 bits"),
    ],
)
def test_messages_name_the_value_and_the_remedy(changes: dict[str, Any], message: str) -> None:
    governor = {"governor": "G", "sequence": 0, "event_type": "enter"}
    findings = lifecycle.validate(compact(STARTUP | governor | changes))
    assert len(findings) == 1
    assert findings[0].message.startswith(message)
    assert str(findings[0]) == f"{findings[0].path}: {findings[0].message} [{findings[0].code}]"


def test_nested_values_have_a_path() -> None:
    state = {
        "protocol": "io.choria.machine.watcher.nagios.v1.state",
        "identity": "n1",
        "id": "afde5918-768b-4db1-8615-34f204b5f362",
        "version": "1",
        "timestamp": 1795336436,
        "type": "nagios",
        "machine": "m",
        "name": "n",
        "plugin": "p",
        "status": "OK",
        "status_code": 6,
        "output": "",
        "check_time": 0,
        "perfdata": [{"label": "a", "value": 1}, {"label": 5}],
        "runtime": 0.5,
        "annotations": {"a.b\n": 5},
    }
    assert sorted(found(state)) == [
        ("$.annotations.a.b\\n", "schema-type"),
        ("$.perfdata[1].label", "schema-type"),
        ("$.perfdata[1].value", "schema-required"),
        ("$.status_code", "schema-maximum"),
    ]
    huge = compact(state).replace(b'"runtime":0.5', b'"runtime":1e400')
    assert ("$.runtime", "number-range") in [(each.path, each.code) for each in lifecycle.validate(huge)]


def test_findings_are_in_the_order_of_the_contract() -> None:
    document = {"protocol": STARTUP["protocol"], "version": 5, "identity": 5}
    paths = [path for path, _ in found(document)]
    assert paths == ["$.id", "$.identity", "$.component", "$.version", "$.timestamp"]
    assert [path for path, _ in found(ENVELOPE | {"data": document, "subject": None})] == [
        path.replace("$", "$.data") for path in paths
    ]
    state = {"protocol": "io.choria.machine.watcher.nagios.v1.state", "annotations": dict.fromkeys("dbac", 1)}
    extra = [path for path, _ in found(state) if path.startswith("$.annotations.")]
    assert extra == [f"$.annotations.{key}" for key in "abcd"]


def test_the_number_of_findings_is_limited() -> None:
    state = {"protocol": "io.choria.machine.watcher.nagios.v1.state", "perfdata": [1] * 5000}
    findings = lifecycle.validate(compact(state))
    assert len(findings) == 101
    assert findings[-1].code == "errors-cut"


def test_long_integers_are_reported_as_out_of_range() -> None:
    for digits in (20, 41, 400, 5000):
        raw = compact(STARTUP).replace(b"1795336436", b"9" * digits)
        [finding] = lifecycle.validate(raw)
        assert finding.message.startswith("timestamp must fit into 64 bits, -9223372036854775808 to ")
        assert len(str(finding.value)) <= 41


def test_a_correction_is_named_only_if_it_caused_the_finding() -> None:
    state = json.loads((ROOT / "tests" / "examples" / "positive" / "nagios-state.json").read_bytes())
    for key in ("", "a.b", "a[0]"):
        [finding] = lifecycle.validate(json.dumps(state | {"annotations": {key: 5}}))
        assert "corrected" not in finding.message
    for name, value in (("annotations", 5), ("status_code", 6), ("perfdata", "")):  # upstream forbids these too
        [finding] = lifecycle.validate(json.dumps(state | {name: value}))
        assert "corrected" not in finding.message
    state = json.loads((ROOT / "tests" / "examples" / "positive" / "schedule-state.json").read_bytes())
    [finding] = lifecycle.validate(json.dumps(state | {"type": "file"}))
    assert "upstream's schema allows it and was corrected: Schedule watchers" in finding.message
    [finding] = lifecycle.validate(json.dumps(state | {"type": "exec"}))
    assert "corrected" not in finding.message


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"event_type": "evict"}, 'not "evict"; did you mean "eviction"?'),
        ({"event_type": "Enter"}, 'not "Enter"; did you mean "enter"?'),
        ({"event_type": "left"}, 'not "left"'),
        ({"timestamp": "2026-11-22T08:33:56Z"}, "; write 1795336436, its seconds since 1970"),
        ({"timestamp": "2026-11-22T09:33:56.5+01:00"}, "; write 1795336436, its seconds since 1970"),
        ({"timestamp": "2026-11-22 08:33:56"}, "; write 1795336436, its seconds since 1970"),
        ({"timestamp": "yesterday"}, 'not "yesterday"'),
        ({"identity": None, "hostname": "n1"}, 'string; rename "hostname" to identity'),
        ({"identity": None, "Identity": "n1"}, 'string; rename "Identity" to identity'),
        ({"identity": None, "x" * 100: "n1"}, "identity is missing; it must be of type string"),
        ({"protocol": None, "Protocol": "x"}, 'is missing; rename "Protocol" to protocol'),
        ({"protocol": None, "protocl": "x"}, 'is missing; rename "protocl" to protocol'),
        ({"timestamp": None, "time": 5}, 'integer; rename "time" to timestamp'),
        ({"component": None, "service": 5}, 'string; rename "service" to component'),
    ],
    ids=str,
)
def test_findings_name_what_was_probably_meant(changes: dict[str, Any], hint: str) -> None:
    event = example("io.choria.lifecycle.v1.governor") | changes
    event = {name: value for name, value in event.items() if value is not None}
    [message] = [each.message for each in lifecycle.validate(compact(event)) if each.severity == "error"]
    assert message.endswith(hint)
