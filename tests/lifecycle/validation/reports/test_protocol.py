"""The promises of all reports: complete in any case, safe to show, in constant memory."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.reports.factory import open_report
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind, ReportFormat, numbered
from tests.bed.reported import NAMES, RANDOM_FINDINGS, found

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import Finding


def test_an_origin_is_a_file_unless_stated_otherwise() -> None:
    assert Origin("events.ndjson").kind is OriginKind.FILE


def test_findings_are_numbered_by_document_and_line() -> None:
    [one, two] = found("schema-type", "id-uuid")
    assert list(numbered([(1, [one, two]), (7, [two])], 10)) == [(11, 0, one), (11, 1, two), (17, 0, two)]


ORIGINS = st.builds(Origin, NAMES, st.sampled_from(OriginKind))
CALLS = st.lists(
    st.tuples(st.just("begin_origin"), ORIGINS)
    | st.tuples(st.just("add"), ORIGINS, RANDOM_FINDINGS)
    | st.tuples(st.just("add_problem"), ORIGINS, st.just("no such file")),
    max_size=8,
)


def parsed(output: ReportFormat, lines: list[str]) -> object:
    """Parse a report with a parser of the standard library."""
    text = "".join(f"{line}\n" for line in lines)
    if output is ReportFormat.JUNIT:
        return ET.fromstring(text.encode("utf-8"))
    if output in (ReportFormat.SARIF, ReportFormat.GITLAB):
        return json.loads(text)
    if output is ReportFormat.JSON:
        return [json.loads(line) for line in lines]
    return lines


@given(CALLS, st.none() | st.integers(0, 255), st.integers(0, 10**9))
def test_a_report_is_complete_wherever_the_input_ends(calls: list, exit_code: int | None, offset: int) -> None:
    for output in ReportFormat:
        report = open_report(output, "0.1.0")
        lines = report.begin()
        for name, origin, *rest in calls:
            if name == "add":
                lines += report.add(origin, [(number + 1, each) for number, each in enumerate(rest[0])], offset)
            else:
                lines += getattr(report, name)(origin, *rest)
        lines += report.end(exit_code)
        parsed(output, lines)
        assert all(part.isprintable() for line in lines for part in line.split("\n"))


@pytest.mark.parametrize("output", ReportFormat)
def test_a_report_needs_constant_memory(output: ReportFormat) -> None:
    report = open_report(output, "0.1.0")
    origin = Origin("events.ndjson")
    findings: list[Finding] = lifecycle.validate(b'{"protocol":"io.choria.lifecycle.v1.startup"}')

    def size_after(documents: int) -> int:
        for number in range(documents):
            report.add(origin, [(number + 1, findings)], 0)
        return len(pickle.dumps(report))

    report.begin()
    before = size_after(200)
    assert abs(size_after(2000) - before) < 100  # the numbers have more digits


def test_findings_of_one_call_and_of_several_are_the_same() -> None:
    for output in ReportFormat:
        once, often = open_report(output, "0.1.0"), open_report(output, "0.1.0")
        documents = [(1, found("schema-type")), (2, found("id-uuid", "schema-type"))]
        origin = Origin("f")
        for report in (once, often):
            report.begin()
            report.begin_origin(origin)
        lines = [line for each in documents for line in often.add(origin, [each], 5)]
        assert once.add(origin, documents, 5) + once.end(1) == lines + often.end(1)
