"""Findings: the errors, warnings and remarks about a document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "Finding", "FindingValue", "Severity", "error_finding", "finding_value"]

FindingValue: TypeAlias = str | int | float | bool | None


class Severity(StrEnum):
    """The severity of a finding."""

    ERROR = "error"
    """The contract is broken; `parse` raises InvalidEvent exactly when a document has an error."""

    WARNING = "warning"
    """The contract is kept, but this is usually a mistake."""

    INFORMATION = "information"
    """Not a problem, but worth knowing."""


_CODES_BY_SEVERITY: Final[Mapping[Severity, tuple[str, ...]]] = {
    Severity.ERROR: (
        "input-depth",
        "input-json",
        "input-size",
        "input-truncated",
        "input-type",
        "input-utf-8",
        "envelope-data",
        "envelope-empty",
        "envelope-nested",
        "envelope-required",
        "envelope-source",
        "envelope-subject-differs",
        "envelope-time",
        "envelope-type",
        "envelope-type-differs",
        "envelope-version",
        "schema-enum",
        "schema-maximum",
        "schema-minLength",
        "schema-minimum",
        "schema-required",
        "schema-type",
        "number-range",
        "errors-cut",
    ),
    Severity.WARNING: (
        "component-token",
        "duplicate-key",
        "envelope-extension",
        "field-misspelt",
        "id-uuid",
        "protocol-old",
        "subject-differs",
        "timestamp-range",
        "timestamp-unit",
        "warnings-cut",
    ),
    Severity.INFORMATION: ("protocol-unknown",),
}

CODES: Final[Mapping[str, Severity]] = MappingProxyType(
    {code: severity for severity, codes in _CODES_BY_SEVERITY.items() for code in codes}
)
"""All codes with their severities; docs/validation.md has an example of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An error, a warning or a remark about a document, safe to show.

    Attributes:
        severity: error, warning or information.
        code: the kind of finding, one of `CODES`; stable between releases.
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

    def error(self) -> InvalidEvent:
        """Return the finding as an exception."""
        return InvalidEvent(self.message, path=self.path, rule=self.rule, value=self.value)


def error_finding(code: str, path: str, rule: str, message: str, value: object = None) -> Finding:
    """Return an error about a JSON value."""
    return Finding(code=code, path=path, rule=rule, value=finding_value(value), message=message)


def finding_value(value: object) -> FindingValue:
    """Return a JSON value as a finding holds it."""
    if isinstance(value, int) and value.bit_length() > 64:
        return quoted(value, 40)
    if value is None or isinstance(value, int | float):
        return value
    return safe(value, 100) if isinstance(value, str) else quoted(value, 100)
