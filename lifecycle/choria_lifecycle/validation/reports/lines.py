"""The reports with a line for each finding: text, JSON, and GitHub annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choria_lifecycle.validation.report import ReportFormat, github_error, line_formatter
from choria_lifecycle.validation.reports.protocol import OriginKind, Report, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.validation.reports.protocol import Origin

__all__ = ["LineReport"]


class LineReport(Report):
    """A report with a line for each finding.

    Args:
        output: text, JSON or GitHub annotations.
        color: show text in colours.
    """

    def __init__(self, output: ReportFormat, *, color: bool = False) -> None:
        self._output = output
        self._color = color

    def begin(self) -> list[str]:
        return []

    def begin_origin(self, origin: Origin) -> list[str]:  # noqa: ARG002 - the protocol's signature
        return []

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        # GitHub would look for a file of that name.
        is_file = origin.kind is OriginKind.FILE or (
            origin.kind is OriginKind.STREAM and self._output is not ReportFormat.GITHUB
        )
        line = line_formatter(self._output, origin.name, live=not is_file, stored=origin.stored, color=self._color)
        return [line(number, each) for number, _, each in numbered(documents, line_offset)]

    def add_unreadable(self, origin: Origin, reason: str) -> list[str]:
        if self._output is not ReportFormat.GITHUB:
            return []
        return [github_error(origin.name, f"cannot be read: {reason}", is_file=origin.kind is OriginKind.FILE)]

    def end(self, exit_code: int | None) -> list[str]:  # noqa: ARG002 - the protocol's signature
        return []
