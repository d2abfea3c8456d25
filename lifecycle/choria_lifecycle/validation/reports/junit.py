"""The JUnit report, which Jenkins, GitLab and others show as tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.text import safe
from choria_lifecycle.validation.reports.lines import line_formatter
from choria_lifecycle.validation.reports.protocol import Report, ReportFormat, numbered
from choria_lifecycle.wire.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.validation.reports.protocol import Origin

__all__ = ["MAX_LISTED", "READABLE", "JUnitReport"]

MAX_LISTED: Final = 100
"""The maximum number of findings listed for a test."""

READABLE: Final = "readable"
"""The test that every input has."""


@dataclass(slots=True)
class _Test:
    """The findings of one code in one input."""

    severity: Severity
    lines: list[str] = field(default_factory=list)
    findings: int = 0

    def element(self, attributes: str) -> str:
        more = self.findings - len(self.lines)
        lines = [*self.lines, f"and {more:,} more"] if more else self.lines
        text = "\n".join(map(escape, lines))
        if self.severity is not Severity.ERROR:
            return f"<testcase {attributes}><system-out>{text}</system-out></testcase>"
        message = f"{self.findings:,} findings" if self.findings > 1 else "1 finding"
        return f'<testcase {attributes}><failure message="{message}" type="error">{text}</failure></testcase>'


class JUnitReport(Report):
    """A test suite for each input, with a test for each code that was found.

    A test fails if its findings are errors. Tests are not documents, because GitLab shows only the first of several
    tests with the same name, and Jenkins follows a test by its name from build to build. Every input has a test that
    says if it could be read, so that an input without findings passes.
    """

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._tests: dict[str, _Test] = {}
        self._problems: list[str] = []

    def begin(self) -> list[str]:
        return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="lifecycle">']

    def begin_origin(self, origin: Origin) -> list[str]:
        lines = self._suite()
        self._origin = origin
        return lines

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        # All messages are one input, whatever their subjects are.
        lines = self.begin_origin(origin) if self._origin is None else []
        line = line_formatter(ReportFormat.TEXT, origin.name, stored=origin.stored)
        for number, _, each in numbered(documents, line_offset):
            test = self._tests.setdefault(each.code, _Test(each.severity))
            test.findings += 1
            if len(test.lines) < MAX_LISTED:
                test.lines.append(line(number, each))
        return lines

    def add_problem(self, origin: Origin, problem: str) -> list[str]:
        lines = self.begin_origin(origin) if self._origin is None else []
        self._problems.append(problem)
        return lines

    def end(self, exit_code: int | None) -> list[str]:  # noqa: ARG002 - the protocol's signature
        return [*self._suite(), "</testsuites>"]

    def _suite(self) -> list[str]:
        """Return the suite of the current input, and forget it."""
        if self._origin is None:
            return []
        name = escape(safe(self._origin.name))
        failures = sum(test.severity is Severity.ERROR for test in self._tests.values())
        head = (
            f'<testsuite name="{name}" tests="{len(self._tests) + 1}" failures="{failures}" '
            f'errors="{int(bool(self._problems))}" skipped="0">'
        )
        error = f'<error message="not read completely" type="error">{escape(chr(10).join(self._problems))}</error>'
        lines = [
            head,
            f'<testcase classname="{name}" name="{READABLE}">{error if self._problems else ""}</testcase>',
            *(test.element(f'classname="{name}" name="{code}"') for code, test in sorted(self._tests.items())),
            "</testsuite>",
        ]
        self._origin = None
        self._problems.clear()
        self._tests.clear()
        return lines
