"""The summary of a validation: tables for readers, and one JSON object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from choria_lifecycle.support.text import safe, visible_json
from choria_lifecycle.validation.coverage import coverage_record
from choria_lifecycle.validation.policy import Verdict
from choria_lifecycle.validation.reports.protocol import as_text
from choria_lifecycle.wire.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from choria_lifecycle.validation.coverage import Coverage
    from choria_lifecycle.validation.policy import DocumentCounts, Policy

__all__ = ["summary", "summary_line"]


_SEVERITY_ORDER: Final = list(Severity)


def summary(counts: DocumentCounts, severities: Mapping[str, Severity], seconds: float) -> list[str]:
    """Return the lines of the summary: a table of documents, a table of findings, and the totals.

    The kinds with the most rejected documents come first, and errors before warnings, each with the most frequent
    first. Empty tables are omitted.

    Args:
        counts: the numbers of documents and findings.
        severities: the severity of each code that was found.
        seconds: the time taken.
    """
    documents = sorted(
        ((kind, numbers) for kind, numbers in counts.kinds.items() if any(numbers)),
        key=lambda row: (-row[1][Verdict.REJECTED], -row[1][Verdict.VALID], row[0]),
    )
    findings = sorted(
        ((code, severities[code], count) for code, count in counts.codes.items() if count),
        key=lambda row: (_SEVERITY_ORDER.index(row[1]), -row[2], row[0]),
    )
    valid, rejected, not_checked, between = counts.valid, counts.rejected, counts.not_checked, counts.file_errors
    return [
        *_table(
            ("FORMAT", "TYPE", "VALID", "REJECTED", "NOT CHECKED"), [(*kind, *numbers) for kind, numbers in documents]
        ),
        *_table(("CODE", "SEVERITY", "FINDINGS"), findings),
        f"checked {valid + rejected:,} = {valid:,} valid + {rejected:,} rejected"
        + (f", and {not_checked:,} not checked" if not_checked else "")
        + f", in {seconds:,.1f} s"
        + (f"; and {between:,} error{'s' * (between > 1)} between documents" if between else ""),
    ]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str | int, ...]]) -> list[str]:
    """Return an aligned table and an empty line, with numbers right-aligned; an empty list without rows."""
    if not rows:
        return []
    cells = [head, *(tuple(f"{each:,}" if isinstance(each, int) else safe(each) for each in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [isinstance(each, int) for each in rows[0]]
    lines = (
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        )
        for row in cells
    )
    return [*lines, ""]


def summary_line(
    counts: DocumentCounts, policy: Policy, coverage: Coverage, unreadable: Sequence[str], exit_code: int | None
) -> str:
    """Return the summary as one line of JSON.

    Args:
        counts: the numbers of documents and findings.
        policy: the severities of the findings.
        coverage: the coverage of the contracts.
        unreadable: the names of the inputs that could not be read.
        exit_code: the exit code of the command, or None if it failed without one.
    """
    kinds = [
        {"format": form, "type": kind, **{verdict.name.lower(): numbers[verdict] for verdict in Verdict}}
        for (form, kind), numbers in sorted(counts.kinds.items())
    ]
    codes = {
        code: {"severity": policy.severity(code).value, "findings": number}
        for code, number in sorted(counts.codes.items())
    }
    severities = {
        severity.value: sum(number for code, number in counts.codes.items() if policy.severity(code) is severity)
        for severity in Severity
    }
    record: dict[str, Any] = {
        "exit_code": exit_code,
        "documents": {"valid": counts.valid, "rejected": counts.rejected, "not_checked": counts.not_checked},
        "kinds": kinds,
        "severities": severities,
        "codes": codes,
        "file_errors": counts.file_errors,
        "unreadable": [as_text(name) for name in unreadable],
        "coverage": coverage_record(coverage),
    }
    return visible_json(msgspec.json.encode(record).decode())
