"""The choice of the report for a format; the others are not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choria_lifecycle.validation.reports.protocol import ReportFormat

if TYPE_CHECKING:
    from choria_lifecycle.validation.reports.protocol import Report

__all__ = ["open_report"]


def open_report(output: ReportFormat, version: str, *, color: bool = False) -> Report:
    """Return a report in the given format.

    Args:
        output: the format.
        version: the version of this package.
        color: show the text format in colours.
    """
    match output:
        case ReportFormat.SARIF:
            from choria_lifecycle.validation.reports.sarif import SarifReport

            return SarifReport(version)
        case ReportFormat.JUNIT:
            from choria_lifecycle.validation.reports.junit import JUnitReport

            return JUnitReport()
        case ReportFormat.GITLAB:
            from choria_lifecycle.validation.reports.gitlab import GitLabReport

            return GitLabReport()
        case _:
            from choria_lifecycle.validation.reports.lines import LineReport

            return LineReport(output, color=color)
