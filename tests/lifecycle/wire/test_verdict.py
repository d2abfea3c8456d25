from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.wire import verdict
from tests.bed.samples import ENVELOPE, STARTUP, TRANSITION, UNKNOWN_PROTOCOL, compact

pytestmark = pytest.mark.usefixtures("day_of_the_events")


def found(document: Any, subject: str | None = None) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in lifecycle.validate(compact(document), subject)]


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
        ({"protocol": UNKNOWN_PROTOCOL}, "x", [("$.protocol", "protocol-unknown")]),
    ],
)
def test_a_subject_that_does_not_match_is_a_warning(document: Any, subject: str | None, expected: list[Any]) -> None:
    assert found(document, subject) == expected
    for finding in lifecycle.validate(compact(document), subject):
        assert finding.severity != "error"
    assert lifecycle.validate("\ud800")[0].rule == "utf-8"


def test_validate_has_the_same_size_limit_as_parse() -> None:
    large = compact(STARTUP | {"x": "x" * 100_000})
    assert [finding.rule for finding in lifecycle.validate(large)] == ["size"]
    assert lifecycle.validate(large, max_size=200_000) == []


@pytest.mark.parametrize("subject", [5, b"choria.lifecycle.event.startup.server", ["x"]])
def test_a_subject_other_than_text_raises_a_type_error(subject: Any) -> None:
    with pytest.raises(TypeError, match=f"subject must be str, not {type(subject).__name__}"):
        lifecycle.validate(compact(STARTUP), subject)


def test_errors_come_before_warnings_and_each_are_limited() -> None:
    members = "".join(f',"verison":{number}' for number in range(300))
    state = f'{{"protocol":"io.choria.machine.watcher.nagios.v1.state","perfdata":{[1] * 300}{members}}}'
    findings = lifecycle.validate(state)
    assert [finding.severity for finding in findings] == ["error"] * 101 + ["warning"] * (len(findings) - 101)
    assert findings[100].code == "errors-cut"
    assert 0 < len(findings) - 101 <= 101


def test_the_current_time_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    document = STARTUP | {"timestamp": 1700000000}
    assert found(document) == []
    monkeypatch.setattr(verdict, "time", SimpleNamespace(time=lambda: 1600000000.0))
    assert found(document) == [("$.timestamp", "timestamp-range")]
