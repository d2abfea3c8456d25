from __future__ import annotations

from typing import Any

import pytest

import choria_lifecycle as lifecycle
from tests.bed.samples import ENVELOPE, STARTUP, TRANSITION, compact

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
        ({"protocol": "other"}, "x", [("$.protocol", "protocol-unknown")]),
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
