"""Findings: the errors, warnings and remarks about a document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted, safe

__all__ = ["Finding", "FindingValue", "Severity", "finding_value"]

FindingValue: TypeAlias = str | int | float | bool | None


class Severity(StrEnum):
    """The severity of a finding."""

    ERROR = "error"
    """The contract is broken, or there is none for what claims to be an event; `parse` raises."""

    WARNING = "warning"
    """The contract is kept, but this is usually a mistake."""

    INFORMATION = "information"
    """Not a problem, but worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An error, a warning or a remark about a document, safe to show.

    Attributes:
        severity: error, warning or information.
        code: the kind of finding, one of `codes.CODES`; stable between releases.
        path: the JSON path of the value concerned, `$` for the whole document.
        rule: the rule that applies: a JSON Schema keyword such as `required`, or one of this library's such as `size`.
        value: the value found: numbers, booleans and null as they are, anything else as text, escaped and truncated.
        message: the problem and its remedy.
    """

    severity: Severity = Severity.ERROR
    code: str
    path: str
    rule: str
    value: FindingValue = None
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.code}]"

    def record(self) -> dict[str, str]:
        """Return the attributes as texts, for tables with columns of one type; the value is JSON text."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "path": self.path,
            "rule": self.rule,
            "value": msgspec.json.encode(self.value).decode(),
            "message": self.message,
        }

    def error(self) -> InvalidEvent:
        """Return the finding as an exception."""
        return InvalidEvent(self.message, path=self.path, rule=self.rule, value=self.value)


def finding_value(value: object) -> FindingValue:
    """Return a JSON value as a finding holds it."""
    if isinstance(value, int) and value.bit_length() > 64:
        return quoted(value, 40)
    if value is None or isinstance(value, int | float):
        return value
    return safe(value, 100) if isinstance(value, str) else quoted(value, 100)
