"""The summary of a validation as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from choria_lifecycle.support.text import visible_json
from choria_lifecycle.validation.coverage import coverage_record
from choria_lifecycle.validation.policy import Verdict
from choria_lifecycle.validation.reports.places import as_text
from choria_lifecycle.wire.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.validation.coverage import Coverage
    from choria_lifecycle.validation.policy import DocumentCounts, Policy

__all__ = ["summary_line"]


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
