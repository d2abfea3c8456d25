from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Finding
from choria_lifecycle.wire import verdict
from choria_lifecycle.wire.cloudevents import is_time, source_of
from tests.bed.samples import ENVELOPE, STARTUP, TRANSITION, compact


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to the day of the events, so that their timestamps are not in the future."""
    monkeypatch.setattr(verdict, "time", SimpleNamespace(time=lambda: 1795336436.0))


def found(document: Any, subject: str | None = None) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in lifecycle.validate(compact(document), subject)]


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


def test_values_are_escaped_and_truncated() -> None:
    [finding] = lifecycle.validate(compact(ENVELOPE | {"time": "\x1b[2J" + "x" * 10_000}))
    assert isinstance(finding.value, str)
    assert finding.value.startswith("\\x1b[2Jx")
    assert len(finding.value) < 120
    assert len(str(finding)) < 300
    [finding] = lifecycle.validate(compact(STARTUP | {"identity": {"a": ["\n"] * 1000}}))
    assert len(str(finding)) < 300
    error = finding.error()
    assert (error.path, error.rule, error.value) == (finding.path, finding.rule, finding.value)


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


@pytest.mark.parametrize(
    ("document", "subject", "expected"),
    [
        (STARTUP, None, []),
        (STARTUP, "choria.lifecycle.event.startup.server", []),
        (STARTUP, "choria.lifecycle.event.alive.server", [("$", "subject-differs")]),
        (ENVELOPE, "choria.lifecycle.event.startup.other", [("$", "subject-differs")]),
        (STARTUP | {"component": "a.b"}, "x", [("$.component", "component-token")]),
        (TRANSITION, "choria.machine.transition", []),
        (TRANSITION, "choria.machine.watcher.exec.state", [("$", "subject-differs")]),
        ({"protocol": "other"}, "x", [("$.protocol", "protocol-unknown")]),
    ],
)
def test_a_subject_that_does_not_match_is_a_warning(document: Any, subject: str | None, expected: list[Any]) -> None:
    assert found(document, subject) == expected
    for finding in lifecycle.validate(compact(document), subject):
        assert finding.severity != "error"
    assert lifecycle.validate("\ud800")[0].rule == "utf-8"


def test_findings_compare_by_value() -> None:
    finding = Finding(code="x", path="$", rule="y", message="m")
    assert finding.severity == "error"
    assert finding == Finding(code="x", path="$", rule="y", message="m")


def test_sources() -> None:
    assert source_of("io.choria.lifecycle.v1.startup") == "io.choria.lifecycle"
    assert source_of("io.choria.machine.watcher.exec.v1.state") == "io.choria.machine"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T08:33:56Z",
        "2026-11-22t08:33:56z",
        "2026-11-22T08:33:56.5Z",
        "2026-11-22T08:33:56.123456789Z",
        "2026-11-22T08:33:56+23:59",
        "2026-11-22T08:33:56-00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
    ],
)
def test_times(text: str) -> None:
    assert is_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2026-11-22",
        "2026-11-22T08:33:56",
        "2026-11-22 08:33:56Z",
        "2026-11-22T08:33:56+0100",
        "2026-11-22T08:33:56+25:00",
        "2026-W47-7T08:33:56Z",
        "20261122T083356.0Z",
        "2026-11-22T08:33:60Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T24:00:00.0Z",
        "2026-11-22T08:33:56+00:60",
        "2026-11-22T08:33:56+24:00",
        "2026-11-22T08:60:56Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-22T08:33:56ZZ",
        "2026-11-22T08:33:56Z+1",
        "2026-11-22T08:33:56Z\n",
        "\uff12026-11-22T08:33:56Z",
        "2026-11-22T08:33:5aZ",
        "2026-11-22T08:33:56,5Z",
    ],
)
def test_invalid_times(text: str) -> None:
    assert not is_time(text)


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
