from __future__ import annotations

import pytest

from choria_lifecycle.validation.report import ReportFormat
from choria_lifecycle.validation.reports.lines import LineReport
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind
from tests.bed.reported import found

DOCUMENTS = [(2, found("schema-type"))]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (OriginKind.FILE, "::error file=f,line=12,title=schema-type::$.identity: message of schema-type"),
        (OriginKind.STREAM, "::error title=schema-type::f:12: $.identity: message of schema-type"),
        (OriginKind.SUBJECT, "::error title=schema-type::f:12: $.identity: message of schema-type"),
    ],
)
def test_an_annotation_names_the_line_even_without_a_file(kind: OriginKind, line: str) -> None:
    assert LineReport(ReportFormat.GITHUB).add(Origin("f", kind), DOCUMENTS, 10) == [line]


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (Origin("a,b"), "::error file=a%2Cb::a,b cannot be read: No such file or directory"),
        (
            Origin("standard input", OriginKind.STREAM),
            "::error::standard input cannot be read: No such file or directory",
        ),
    ],
)
def test_an_unreadable_file_is_annotated(origin: Origin, line: str) -> None:
    assert LineReport(ReportFormat.GITHUB).add_unreadable(origin, "No such file or directory") == [line]


@pytest.mark.parametrize("output", [ReportFormat.TEXT, ReportFormat.JSON])
def test_text_and_json_have_findings_only(output: ReportFormat) -> None:
    report = LineReport(output)
    assert report.begin() + report.begin_origin(Origin("f")) + report.add_unreadable(Origin("f"), "x") == []
    assert len(report.add(Origin("f"), DOCUMENTS, 0)) == 1
    assert report.end(1) == []
