from __future__ import annotations

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Finding
from tests.bed.samples import ENVELOPE, STARTUP, compact

pytestmark = pytest.mark.usefixtures("day_of_the_events")


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


def test_findings_compare_by_value() -> None:
    finding = Finding(code="x", path="$", rule="y", message="m")
    assert finding.severity == "error"
    assert finding == Finding(code="x", path="$", rule="y", message="m")
