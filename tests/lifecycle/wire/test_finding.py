from __future__ import annotations

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Finding
from choria_lifecycle.wire.codes import CODES, SCHEMA_TYPE
from choria_lifecycle.wire.finding import Severity, finding_value
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


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        ("text", "text"),
        ("a\nb\x1b", "a\\nb\\x1b"),
        ([1, "\n"], '[1, "\\n"]'),
        ({"a": None}, '{"a": null}'),
    ],
)
def test_numbers_booleans_and_null_keep_their_types(value: object, held: object) -> None:
    found = finding_value(value)
    assert (found, type(found)) == (held, type(held))


def test_long_values_are_held_as_truncated_text() -> None:
    for value, limit in ((10**400, 41), ("x" * 1000, 101), (["x"] * 1000, 101)):
        found = finding_value(value)
        assert isinstance(found, str)
        assert len(found) <= limit


def test_a_finding_is_shown_with_path_and_code_and_raised_with_its_value() -> None:
    finding = SCHEMA_TYPE.at("$.identity", "identity must be of type string, not 5", 5)
    assert finding.severity is Severity.ERROR is CODES[finding.code]
    assert str(finding) == "$.identity: identity must be of type string, not 5 [schema-type]"
    error = finding.error()
    assert (error.message, error.path, error.rule, error.value) == (finding.message, "$.identity", "type", 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (1.5, "1.5"),
        ("é\n", '"é\\\\n"'),
        ([1], '"[1]"'),
        (float("inf"), "null"),
    ],
)
def test_a_record_is_a_flat_dictionary_of_texts(value: object, text: str) -> None:
    finding = SCHEMA_TYPE.at("$.identity", "a message", value)
    assert finding.record() == {
        "severity": "error",
        "code": "schema-type",
        "path": "$.identity",
        "rule": "type",
        "value": text,
        "message": "a message",
    }
    assert all(type(column) is str for column in finding.record().values())
