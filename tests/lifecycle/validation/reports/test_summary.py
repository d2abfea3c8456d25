from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.validation.bulk import DocumentKind
from choria_lifecycle.validation.coverage import coverage_record, measure
from choria_lifecycle.validation.policy import DocumentCounts, Policy
from choria_lifecycle.validation.reports.summary import summary, summary_line
from choria_lifecycle.wire import codes as finding_codes
from choria_lifecycle.wire.finding import Severity
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


# ---- tables

CODES = {"schema-type": Severity.ERROR, "input-json": Severity.ERROR, "id-uuid": Severity.WARNING}


def counts(kinds: dict[tuple[str, str], list[int]], codes: dict[str, int]) -> DocumentCounts:
    made = DocumentCounts(codes=Counter(codes))
    for kind, numbers in kinds.items():
        made.kinds[DocumentKind(*kind)] = numbers
    return made


def test_summary() -> None:
    kinds = {
        ("cloudevents", "alive"): [1_998_000, 0, 0],
        ("choria", "startup"): [1000, 500, 0],
        ("choria", "exec state"): [0, 0, 0],
        ("choria", "foreign protocol"): [0, 0, 1200],
        ("-", "unreadable"): [0, 500, 0],
    }
    codes = {"id-uuid": 1_000_000, "input-json": 500, "schema-type": 501, "duplicate-key": 0}
    assert summary(counts(kinds, codes), CODES, 1.84) == [
        "FORMAT       TYPE                  VALID  REJECTED  NOT CHECKED",
        "choria       startup               1,000       500            0",
        "-            unreadable                0       500            0",
        "cloudevents  alive             1,998,000         0            0",
        "choria       foreign protocol          0         0        1,200",
        "",
        "CODE         SEVERITY   FINDINGS",
        "schema-type  error           501",
        "input-json   error           500",
        "id-uuid      warning   1,000,000",
        "",
        "checked 2,000,000 = 1,999,000 valid + 1,000 rejected, and 1,200 not checked, in 1.8 s",
    ]


def test_summary_without_findings() -> None:
    assert summary(counts({("choria", "alive"): [1, 0, 0]}, {}), CODES, 0.04) == [
        "FORMAT  TYPE   VALID  REJECTED  NOT CHECKED",
        "choria  alive      1         0            0",
        "",
        "checked 1 = 1 valid + 0 rejected, in 0.0 s",
    ]
    assert summary(counts({}, {}), CODES, 0) == ["checked 0 = 0 valid + 0 rejected, in 0.0 s"]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["choria", "-"]), st.sampled_from(["alive", "startup"])),
        st.lists(st.integers(0, 3), min_size=3, max_size=3),
    ),
    st.dictionaries(st.sampled_from(list(CODES)), st.integers(0, 2)),
)
def test_the_summary_does_not_depend_on_the_order_of_counting(kinds: dict[tuple[str, str], Any], codes: Any) -> None:
    reordered = counts(dict(reversed(kinds.items())), dict(reversed(codes.items())))
    assert summary(counts(kinds, codes), CODES, 1) == summary(reordered, CODES, 1)


def test_the_summary_fits_into_80_columns() -> None:
    codes = finding_codes.CODES
    made = counts({("cloudevents", "unknown protocol"): [10**8, 10**8, 10**8]}, dict.fromkeys(codes, 10**9))
    *tables, totals = summary(made, codes, 10**4)
    assert all(len(line) <= 80 for line in tables)
    assert len(totals) <= 120
