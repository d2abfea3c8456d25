from __future__ import annotations

import json
from collections import Counter

import pytest

from choria_lifecycle.validation.bulk import DocumentKind
from choria_lifecycle.validation.coverage import coverage_record, measure
from choria_lifecycle.validation.policy import DocumentCounts, Policy
from choria_lifecycle.validation.reports.summary import summary_line
from tests.bed.validated import GOOD


def test_the_summary_has_everything_that_was_counted() -> None:
    counts = DocumentCounts(
        kinds={DocumentKind("choria", "startup"): [3, 1, 4], DocumentKind("-", "unreadable"): [0, 2, 0]},
        codes=Counter({"schema-type": 3, "id-uuid": 2}),
        errors=3,
        file_errors=1,
    )
    line = summary_line(counts, Policy(now=None), measure([GOOD]), ["a\udcff"], 1)
    assert line.isprintable()
    assert json.loads(line) == {
        "exit_code": 1,
        "documents": {"valid": 3, "rejected": 3, "not_checked": 4},
        "kinds": [
            {"format": "-", "type": "unreadable", "valid": 0, "rejected": 2, "not_checked": 0},
            {"format": "choria", "type": "startup", "valid": 3, "rejected": 1, "not_checked": 4},
        ],
        "severities": {"error": 3, "warning": 2, "information": 0},
        "codes": {
            "id-uuid": {"severity": "warning", "findings": 2},
            "schema-type": {"severity": "error", "findings": 3},
        },
        "file_errors": 1,
        "unreadable": ["a\\udcff"],
        "coverage": coverage_record(measure([GOOD])),
    }


@pytest.mark.parametrize("exit_code", [0, None])
def test_the_summary_of_nothing(exit_code: int | None) -> None:
    record = json.loads(summary_line(DocumentCounts(), Policy(now=None), Counter(), [], exit_code))
    assert record["exit_code"] == exit_code
    assert record["documents"] == {"valid": 0, "rejected": 0, "not_checked": 0}
    assert record["kinds"] == []


def test_warnings_that_are_errors_are_counted_as_such() -> None:
    counts = DocumentCounts(codes=Counter({"id-uuid": 2}))
    record = json.loads(summary_line(counts, Policy(now=None, warnings_as_errors=True), Counter(), [], 1))
    assert record["severities"] == {"error": 2, "warning": 0, "information": 0}
    assert record["codes"]["id-uuid"]["severity"] == "error"
