from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.reports.lines import LineReport, github_error, line_formatter
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind, ReportFormat, StoredMessage
from choria_lifecycle.wire.finding import Finding, FindingValue, Severity
from tests.bed.reported import found

FOUND = [(2, found("schema-type"))]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (OriginKind.FILE, "::error file=f,line=12,title=schema-type::$.identity: message of schema-type"),
        (OriginKind.STREAM, "::error title=schema-type::f:12: $.identity: message of schema-type"),
        (OriginKind.SUBJECT, "::error title=schema-type::f:12: $.identity: message of schema-type"),
    ],
)
def test_an_annotation_names_the_line_even_without_a_file(kind: OriginKind, line: str) -> None:
    assert LineReport(ReportFormat.GITHUB).add(Origin("f", kind), FOUND, 10) == [line]


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (Origin("a,b"), "::error file=a%2Cb::a,b cannot be read: No such file or directory"),
        (Origin("./d/../a"), "::error file=a::a cannot be read: No such file or directory"),
        (
            Origin("standard input", OriginKind.STREAM),
            "::error::standard input cannot be read: No such file or directory",
        ),
    ],
)
def test_an_unreadable_file_is_annotated(origin: Origin, line: str) -> None:
    assert LineReport(ReportFormat.GITHUB).add_problem(origin, "cannot be read: No such file or directory") == [line]


def test_an_annotated_file_is_relative_to_the_repository() -> None:
    for name in ("./events.ndjson", f"{Path.cwd()}/events.ndjson"):
        [line] = LineReport(ReportFormat.GITHUB).add(Origin(name), FOUND, 0)
        assert line.startswith("::error file=events.ndjson,line=")
        [text] = LineReport(ReportFormat.TEXT).add(Origin(name), FOUND, 0)
        assert text.startswith(f"{name}:")


@pytest.mark.parametrize("output", [ReportFormat.TEXT, ReportFormat.JSON])
def test_text_and_json_have_findings_only(output: ReportFormat) -> None:
    report = LineReport(output)
    assert report.begin() + report.begin_origin(Origin("f")) + report.add_problem(Origin("f"), "x") == []
    assert len(report.add(Origin("f"), FOUND, 0)) == 1
    assert report.end(1) == []


# ---- lines

WRONG = Finding(
    code="schema-type", path="$.identity", rule="type", value=5, message="identity must be of type string, not 5"
)
ODD = Finding(
    severity=Severity.WARNING, code="id-uuid", path="$.id", rule="uuid", value="1", message="id should be a UUID"
)
NOTE = Finding(
    severity=Severity.INFORMATION,
    code="protocol-unknown",
    path="$.protocol",
    rule="protocol",
    message="100% unknown: a,b",
)
LINES = (ReportFormat.TEXT, ReportFormat.JSON, ReportFormat.GITHUB)
NASTY = st.text(st.sampled_from('a/.:,=%\r\n\x1b\x7f\x9b\u202e\u2028"\\é漢\U000e0041 \ud800\udcff[]#')) | st.text()


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (WRONG, "events.ndjson:17: $.identity: identity must be of type string, not 5 [schema-type]"),
        (ODD, "events.ndjson:17: $.id: warning: id should be a UUID [id-uuid]"),
        (NOTE, "events.ndjson:17: $.protocol: information: 100% unknown: a,b [protocol-unknown]"),
    ],
)
def test_text(finding: Finding, line: str) -> None:
    assert line_formatter(ReportFormat.TEXT, "events.ndjson")(17, finding) == line
    assert line_formatter(ReportFormat.TEXT, "a.b", live=True)(None, finding) == line.replace("events.ndjson:17", "a.b")


@pytest.mark.parametrize(("finding", "color"), [(WRONG, 31), (ODD, 33), (NOTE, 36)])
def test_text_in_colour(finding: Finding, color: int) -> None:
    plain = line_formatter(ReportFormat.TEXT, "f")(1, finding)
    line = line_formatter(ReportFormat.TEXT, "f", color=True)(1, finding)
    assert line.startswith("\x1b[1mf:1\x1b[0m: $")
    assert line.endswith(f" \x1b[{color}m[{finding.code}]\x1b[0m")
    assert re.sub(r"\x1b\[\d+m", "", line) == plain


def test_a_stored_message_has_its_sequence() -> None:
    stored = StoredMessage("CHORIA_EVENTS", 1234)
    formats = (ReportFormat.TEXT, ReportFormat.JSON, ReportFormat.GITHUB)
    made = {each: line_formatter(each, "a.b", live=True, stored=stored)(17, WRONG) for each in formats}
    assert made[ReportFormat.TEXT].startswith("a.b#1234: $.identity: ")
    assert made[ReportFormat.JSON].startswith(
        '{"subject":"a.b","number":17,"stream":"CHORIA_EVENTS","sequence":1234,"severity":"error",'
    )
    assert made[ReportFormat.GITHUB].startswith("::error title=schema-type::a.b#1234: $.identity: ")
    live = line_formatter(ReportFormat.JSON, "a.b", live=True)(17, WRONG)
    assert live.startswith('{"subject":"a.b","number":17,"stream":null,"sequence":null,"severity":"error",')


def test_json() -> None:
    assert line_formatter(ReportFormat.JSON, "events.ndjson")(17, WRONG) == (
        '{"file":"events.ndjson","line":17,"severity":"error","code":"schema-type","path":"$.identity","rule":"type",'
        '"value":5,"message":"identity must be of type string, not 5"}'
    )
    live = json.loads(line_formatter(ReportFormat.JSON, "a.b", live=True)(None, NOTE))
    assert list(live) == [
        "subject",
        "number",
        "stream",
        "sequence",
        "severity",
        "code",
        "path",
        "rule",
        "value",
        "message",
    ]
    assert (live["subject"], live["number"], live["value"]) == ("a.b", None, None)


@pytest.mark.parametrize("value", [True, False, 1, 1.5, -(2**64) + 1, 2**64 - 1, "1", None])
def test_values_keep_their_types_in_json(value: FindingValue) -> None:
    finding = Finding(code="schema-type", path="$", rule="type", value=value, message="m")
    found = json.loads(line_formatter(ReportFormat.JSON, "f")(1, finding))["value"]
    assert (found, type(found)) == (value, type(value))


@given(NASTY)
def test_names_survive_json(name: str) -> None:
    found = json.loads(line_formatter(ReportFormat.JSON, name)(1, WRONG))["file"]
    assert found == "".join(f"\\u{ord(char):x}" if "\ud800" <= char <= "\udfff" else char for char in name)


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (
            WRONG,
            "::error file=events.ndjson,line=17,title=schema-type::$.identity: identity must be of type string, not 5",
        ),
        (ODD, "::warning file=events.ndjson,line=17,title=id-uuid::$.id: id should be a UUID"),
        (NOTE, "::notice file=events.ndjson,line=17,title=protocol-unknown::$.protocol: 100%25 unknown: a,b"),
    ],
)
def test_annotations(finding: Finding, line: str) -> None:
    assert line_formatter(ReportFormat.GITHUB, "events.ndjson")(17, finding) == line


def test_annotations_without_a_line_or_a_file() -> None:
    assert (
        line_formatter(ReportFormat.GITHUB, "f")(None, ODD)
        == "::warning file=f,title=id-uuid::$.id: id should be a UUID"
    )
    live = line_formatter(ReportFormat.GITHUB, "a.b", live=True)(17, ODD)
    assert live == "::warning title=id-uuid::a.b:17: $.id: id should be a UUID"
    assert line_formatter(ReportFormat.GITHUB, "a.b", live=True)(None, ODD) == live.replace(":17", "")


def test_other_reports_have_no_lines() -> None:
    for output in set(ReportFormat) - set(LINES):
        with pytest.raises(ValueError, match=f"a report in the format {output} has no lines"):
            line_formatter(output, "f")


@given(NASTY)
def test_an_annotation_of_a_whole_file_is_one_line(name: str) -> None:
    line = github_error(name, "cannot be read", is_file=True)
    assert line.isprintable()
    assert list(command(line)[1]) == ["file"]
    assert command(github_error(name, "cannot be read", is_file=False))[1] == {}


def command(line: str) -> tuple[str, dict[str, str], str]:
    """Parse a workflow command as ActionCommand.TryParseV2 of actions/runner does."""
    assert line.startswith("::")
    head, data = line[2:].split("::", 1)
    name, _, properties = head.partition(" ")
    found = dict(each.split("=", 1) for each in properties.strip().split(",") if each)
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        found = {key: value.replace(escape, char) for key, value in found.items()}
        if escape not in ("%3A", "%2C"):
            data = data.replace(escape, char)
    return name, found, data


@given(st.text(st.sampled_from("a:,=%\r\n/.é"), min_size=1).filter(lambda name: name == name.strip()))
def test_the_runner_parses_the_original_values(name: str) -> None:
    found = command(line_formatter(ReportFormat.GITHUB, name)(17, NOTE))
    assert found == (
        "notice",
        {"file": name, "line": "17", "title": NOTE.code},
        f"{NOTE.path}: {NOTE.message}",
    )


DOCUMENTS = st.dictionaries(
    st.sampled_from(["protocol", "id", "identity", "component", "timestamp", "version", "specversion", "data"]) | NASTY,
    NASTY | st.integers() | st.floats() | st.none() | st.lists(NASTY, max_size=2),
    max_size=6,
).map(json.dumps)


@given(DOCUMENTS | st.text(), NASTY, st.none() | st.integers(1, 10**9))
def test_lines_are_printable(document: str, origin: str, number: int | None) -> None:
    findings = lifecycle.validate(document)
    for output, live in product(LINES, (False, True)):
        line = line_formatter(output, origin, live=live)
        assert all(line(number, finding).isprintable() for finding in findings)
