from __future__ import annotations

import json
from typing import Any

import pytest

from choria_lifecycle.validation.reports.gitlab import GitLabReport
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind
from tests.bed.reported import found

DOCUMENTS = [(2, found("schema-type", "id-uuid")), (3, found("protocol-foreign")), (4, found("schema-type"))]


def report(origin: Origin, unreadable: Origin | None = None) -> list[dict[str, Any]]:
    writer = GitLabReport()
    lines = writer.begin() + writer.begin_origin(origin) + writer.add(origin, DOCUMENTS, 10)
    if unreadable is not None:
        lines += writer.add_problem(unreadable, "cannot be read: No such file or directory")
    issues: list[dict[str, Any]] = json.loads("\n".join(lines + writer.end(1)))
    return issues


def test_each_issue_has_the_fields_that_gitlab_requires() -> None:
    issues = report(Origin("./testdata/events.ndjson"))
    for issue in issues:
        assert list(issue) == ["description", "check_name", "fingerprint", "severity", "location"]
        assert issue["location"]["path"] == "testdata/events.ndjson"  # relative to the repository, without "./"
        assert issue["location"]["lines"]["begin"] > 10
    assert issues[0]["description"] == "$.identity: message of schema-type"
    assert [issue["check_name"] for issue in issues] == ["schema-type", "id-uuid", "protocol-foreign", "schema-type"]
    assert [issue["severity"] for issue in issues] == ["major", "minor", "info", "major"]
    assert [issue["location"]["lines"]["begin"] for issue in issues] == [12, 12, 13, 14]
    assert len({issue["fingerprint"] for issue in issues}) == 4


def test_an_unreadable_file_is_an_issue() -> None:
    issue = report(Origin("f"), Origin("g"))[-1]
    assert issue["description"] == "cannot be read: No such file or directory"
    assert (issue["check_name"], issue["severity"]) == ("input", "critical")
    assert issue["location"] == {"path": "g", "lines": {"begin": 1}}


@pytest.mark.parametrize("origin", [Origin("standard input", OriginKind.STREAM), Origin("a.b", OriginKind.SUBJECT)])
def test_other_origins_have_their_name(origin: Origin) -> None:
    assert {issue["location"]["path"] for issue in report(origin)} == {origin.name}


def test_a_report_without_findings_is_an_empty_array() -> None:
    writer = GitLabReport()
    assert json.loads("\n".join(writer.begin() + writer.end(0))) == []
