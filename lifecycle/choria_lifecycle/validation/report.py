"""Findings and their sum as lines: for people, for programs, and for GitHub.

Pure: findings in, lines out. Every line is safe to show on a terminal.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import msgspec

from choria_lifecycle.support.text import safe, visible_json
from choria_lifecycle.wire.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LineFormatter", "ReportFormat", "line_formatter", "summary"]

_K = TypeVar("_K", bound=tuple[str, str])

LineFormatter: TypeAlias = "Callable[[int | None, Finding], str]"
"""Makes a line of the number of a document, None where it has none, and a finding in it."""


class ReportFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    """A line to read: `events.ndjson:17: $.identity: identity must be of type string, not 5 [schema-type]`."""

    JSON = "json"
    """One object a line."""

    GITHUB = "github"
    """Commands to GitHub's runner, which shows them as annotations of the files."""


def line_formatter(output: ReportFormat, origin: str, *, live: bool = False, color: bool = False) -> LineFormatter:
    """Return what makes the lines for the findings in one file, or in one message.

    Text is `PLACE:NUMBER: PATH: MESSAGE [CODE]`. An error has no word before its message, just as a finding has none as
    text; the others have `warning: ` or `information: `, to look for or to leave out with grep.

    JSON has the fields file (of a live message: subject), line (number), severity, code, path, rule, value and message.
    What is no UTF-8 in the name of a file is in it as `safe` shows it, the rest as it is.

    Annotations have the file and the line, and the code as title; those of live messages begin with the subject.

    Args:
        output: how to write them.
        origin: the name of the file, or the subject; it is foreign.
        live: the place is a subject.
        color: the place is bold and the code has the colour of the severity; text only.
    """
    match output:
        case ReportFormat.TEXT:
            return _text(safe(origin), color)
        case ReportFormat.JSON:
            return _json(origin, live)
        case ReportFormat.GITHUB:
            return _github(origin, live)


_BOLD: Final = "\x1b[1m"
_END: Final = "\x1b[0m"
_COLORS: Final = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFORMATION: "\x1b[36m"}
_LABELS: Final = {Severity.ERROR: "", Severity.WARNING: "warning: ", Severity.INFORMATION: "information: "}


def _text(origin: str, color: bool) -> LineFormatter:
    bold, end = (_BOLD, _END) if color else ("", "")
    colors = _COLORS if color else dict.fromkeys(Severity, "")

    def line(number: int | None, finding: Finding) -> str:
        severity = finding.severity
        where = origin if number is None else f"{origin}:{number}"
        return (
            f"{bold}{where}{end}: {finding.path}: {_LABELS[severity]}{finding.message} "
            f"{colors[severity]}[{finding.code}]{end}"
        )

    return line


_encode = msgspec.json.Encoder().encode


def _json(origin: str, live: bool) -> LineFormatter:
    # What is no UTF-8 in the name of a file, Python has as lone surrogates, and many readers of JSON refuse those.
    name = origin.encode("utf-8", "backslashreplace").decode()
    which, what = ("subject", "number") if live else ("file", "line")
    head = visible_json(f'{{"{which}":{json.dumps(name, ensure_ascii=False)},"{what}":')

    def line(number: int | None, finding: Finding) -> str:
        return f"{head}{'null' if number is None else number},{_encode(finding)[1:].decode()}"

    return line


_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "notice"}


def _github(origin: str, live: bool) -> LineFormatter:
    # The escapes of GitHub first: with them a name stays what it is, with those of `safe` it can only be read.
    where = "" if live else f"file={safe(_escape_property(origin))},"
    subject = f"{safe(_escape_data(origin))}: " if live else ""

    def line(number: int | None, finding: Finding) -> str:
        at = "" if live or number is None else f"line={number},"
        said = _escape_data(f"{finding.path}: {finding.message}")
        return f"::{_COMMANDS[finding.severity]} {where}{at}title={_escape_property(finding.code)}::{subject}{said}"

    return line


def _escape_data(text: str) -> str:
    """Escape the text of a command as the package @actions/core does, whose escapes the runner undoes."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


_SEVERITY_ORDER: Final = list(Severity)


def summary(
    kinds: Mapping[_K, Sequence[int]],
    codes: Mapping[str, int],
    severities: Mapping[str, Severity],
    seconds: float,
    file_errors: int = 0,
) -> list[str]:
    """Return what became of all documents: tables of what they were and of what was found, and a line with the sum.

    Most important first: what was rejected most; errors before warnings, and frequent ones before rare ones. A table
    with nothing in it is left out.

    Args:
        kinds: how many documents were valid, and how many rejected, by format and type.
        codes: how many findings there were, by code.
        severities: how much each of these codes matters.
        seconds: how long it took.
        file_errors: how many errors there were that are about a file itself and reject no document.
    """
    documents = sorted(
        ((form, kind, valid, rejected) for (form, kind), (valid, rejected) in kinds.items() if valid or rejected),
        key=lambda row: (-row[3], -row[2], row[:2]),
    )
    findings = sorted(
        ((code, severities[code], count) for code, count in codes.items() if count),
        key=lambda row: (_SEVERITY_ORDER.index(row[1]), -row[2], row[0]),
    )
    valid, rejected = sum(row[2] for row in documents), sum(row[3] for row in documents)
    return [
        *_table(("FORMAT", "TYPE", "VALID", "REJECTED"), documents),
        *_table(("CODE", "SEVERITY", "FINDINGS"), findings),
        f"checked {valid + rejected:,} = {valid:,} valid + {rejected:,} rejected, in {seconds:,.1f} s"
        + (f"; and {file_errors:,} errors between documents" if file_errors else ""),
    ]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str | int, ...]]) -> list[str]:
    """Return an aligned table with an empty line behind it, numbers to the right; nothing if it has no rows."""
    if not rows:
        return []
    cells = [head, *(tuple(f"{each:,}" if isinstance(each, int) else safe(each) for each in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [isinstance(each, int) for each in rows[0]]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in cells
    )
    return [*lines, ""]
