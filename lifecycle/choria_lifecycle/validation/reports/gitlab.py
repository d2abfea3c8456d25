"""The code quality report of GitLab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from choria_lifecycle.support.text import visible_json
from choria_lifecycle.validation.reports.places import Fingerprints, place_of
from choria_lifecycle.validation.reports.protocol import Report, numbered
from choria_lifecycle.wire.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.validation.reports.protocol import Origin

__all__ = ["INPUT_CHECK", "GitLabReport"]

INPUT_CHECK: Final = "input"
"""The name of the check that an input fails which was not read, or not completely."""

_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFORMATION: "info"}


class GitLabReport(Report):
    """A JSON array with an object for each finding, on a line of its own."""

    def __init__(self) -> None:
        self._folder = str(Path.cwd())
        self._fingerprints = Fingerprints()
        self._separator = ""

    def begin(self) -> list[str]:
        return ["["]

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        path, lines = place_of(origin, self._folder), []
        for number, index, each in numbered(documents, line_offset):
            fingerprint = self._fingerprints.add(path, number, index, each)
            text = f"{each.path}: {each.message}"
            line = number if origin.stored is None else origin.stored.sequence
            lines.append(self._line(path, line, each.code, _SEVERITIES[each.severity], text, fingerprint))
        return lines

    def add_problem(self, origin: Origin, problem: str) -> list[str]:
        path = place_of(origin, self._folder)
        fingerprint = self._fingerprints.of(path, INPUT_CHECK)
        return [self._line(path, 1, INPUT_CHECK, "critical", problem, fingerprint)]

    def end(self, exit_code: int | None) -> list[str]:  # noqa: ARG002 - the protocol's signature
        return ["]"]

    def _line(self, path: str, line: int, check: str, severity: str, text: str, fingerprint: str) -> str:
        record: dict[str, Any] = {
            "description": text,
            "check_name": check,
            "fingerprint": fingerprint,
            "severity": severity,
            "location": {"path": path, "lines": {"begin": line}},
        }
        separator, self._separator = self._separator, ","
        return separator + visible_json(msgspec.json.encode(record).decode())
