"""The codes of findings: which there are, and that each is declared and used in one way."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import choria_lifecycle
import choria_schemas
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.check import MAX_LISTED
from choria_lifecycle.wire.codes import CODES, FINDING_CODES, INPUT_CODES, SCHEMA_CODES, FindingCode
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.jsontext import MAX_DEPTH, MAX_SIZE
from choria_lifecycle.wire.warnings import EARLIEST
from tests.bed.sources import tree

# Users match on these names, so they are written out here: a change is a note in the changelog.
PROMISED = {
    Severity.ERROR: """
        input-depth input-json input-location input-size input-truncated input-type input-utf-8
        envelope-data envelope-empty envelope-nested envelope-required envelope-source envelope-subject-differs
        envelope-time envelope-type envelope-type-differs envelope-version
        protocol-unknown
        schema-enum schema-maximum schema-minLength schema-minimum schema-required schema-type
        number-range errors-cut
    """,
    Severity.WARNING: """
        component-token duplicate-key
        envelope-content-type envelope-extension envelope-time-differs
        field-misspelt id-uuid identity-blank protocol-old subject-differs
        timestamp-range timestamp-unit version-blank warnings-cut
    """,
    Severity.INFORMATION: "input-bom protocol-foreign",
}
DECLARED = {name: code for name, code in vars(codes).items() if isinstance(code, FindingCode)}
SOURCES = [path for path in Path(choria_lifecycle.__file__).parent.rglob("*.py") if path != Path(codes.__file__)]


def nodes(path: Path, kind: type[ast.AST]) -> list[Any]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, kind)]


def test_the_codes_are_those_that_users_match_on() -> None:
    assert list(CODES.items()) == [(name, severity) for severity, names in PROMISED.items() for name in names.split()]
    assert {name: code.severity for name, code in FINDING_CODES.items()} == CODES


def test_constants_are_named_like_their_codes() -> None:
    for name, code in DECLARED.items():
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", code.name)
        assert name == words.replace("-", "_").upper()


def test_every_declared_code_is_used() -> None:
    used = {node.attr for path in SOURCES for node in nodes(path, ast.Attribute)}
    used |= {alias.name for path in SOURCES for node in nodes(path, ast.ImportFrom) for alias in node.names}
    unused = {name for name, code in DECLARED.items() if code not in SCHEMA_CODES.values()} - used
    assert not unused, "delete these from wire/codes.py"


def test_findings_and_codes_come_from_the_declarations_only() -> None:
    for path in SOURCES:
        made = [node.lineno for node in nodes(path, ast.Call) if ast.unparse(node.func).endswith("Finding")]
        assert not made, f"{path.name}: use a code's at() to make a finding"
        written = [node.value for node in nodes(path, ast.Constant) if node.value in CODES]
        assert not written, f"{path.name}: use the constants of wire/codes.py"


def test_each_keyword_that_a_document_can_violate_has_a_code() -> None:
    validators = Path(choria_schemas.__file__).parent.joinpath("_validate").rglob("*.py")
    keywords = {keyword for path in validators for keyword in re.findall(r"rule='(\w+)'\)\)", path.read_text("utf-8"))}
    assert keywords - SCHEMA_CODES.keys() == set(), "declare a code for these keywords in wire/codes.py"
    assert SCHEMA_CODES.keys() - keywords == set(), "no contract uses these keywords: delete their codes"


def test_a_code_is_found_by_its_rule() -> None:
    for group, by_rule in (("input", INPUT_CODES), ("schema", SCHEMA_CODES)):
        errors = {name for name, severity in CODES.items() if severity is Severity.ERROR}
        assert {code.name for code in by_rule.values()} == {name for name in errors if name.startswith(f"{group}-")}
        assert all(code.name == f"{group}-{rule}" for rule, code in by_rule.items())


@pytest.mark.parametrize("code", FINDING_CODES.values(), ids=list(FINDING_CODES))
def test_a_summary_fits_into_a_cell_of_a_table(code: FindingCode) -> None:
    assert re.fullmatch(r"[A-Z][^|\n]+\.", code.summary)


def test_summaries_name_the_limits_that_are_enforced() -> None:
    assert f" {MAX_DEPTH} levels" in codes.INPUT_DEPTH.summary
    assert f" {MAX_SIZE:,} bytes" in codes.INPUT_SIZE.summary
    for code in (codes.ERRORS_CUT, codes.WARNINGS_CUT):
        assert f"ore than {MAX_LISTED} " in code.summary
    assert f"before {datetime.fromtimestamp(EARLIEST, UTC):%Y-%m-%d}," in codes.TIMESTAMP_RANGE.summary


def test_a_finding_has_the_severity_and_the_rule_of_its_code() -> None:
    assert codes.ID_UUID.at("$.id", "m", ["\n"]) == Finding(
        severity=Severity.WARNING, code="id-uuid", path="$.id", rule="uuid", value='["\\n"]', message="m"
    )
    assert codes.ENVELOPE_DATA.at("$.data", "m", rule="type").rule == "type"
    error = codes.INPUT_SIZE.error("m")
    assert (error.message, error.path, error.rule, error.value) == ("m", "$", "size", None)
