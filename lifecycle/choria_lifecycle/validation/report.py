"""Formatters that turn findings and their summary into lines: text, JSON, and GitHub annotations.

Every line is safe to show on a terminal.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from choria_lifecycle.support.text import safe, visible_json
from choria_lifecycle.validation.policy import Verdict
from choria_lifecycle.wire.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from choria_lifecycle.validation.policy import DocumentCounts

__all__ = ["LineFormatter", "ReportFormat", "StoredMessage", "github_error", "line_formatter", "summary"]

LineFormatter: TypeAlias = "Callable[[int | None, Finding], str]"
"""Formats a finding as a line, given the number of its document, or None for none."""


class ReportFormat(StrEnum):
    """The formats of findings."""

    TEXT = "text"
    """Readable lines: `events.ndjson:17: $.identity: identity must be of type string, not 5 [schema-type]`."""

    JSON = "json"
    """One object per line."""

    GITHUB = "github"
    """Workflow commands, which GitHub shows as annotations of the files."""

    SARIF = "sarif"
    """A SARIF 2.1.0 log, for code scanning."""

    JUNIT = "junit"
    """JUnit XML, which Jenkins and GitLab show as tests."""

    GITLAB = "gitlab"
    """The code quality report of GitLab."""


class StoredMessage(NamedTuple):
    """The place of a message in a JetStream stream: the stream's name, and the message's sequence."""

    stream: str
    sequence: int


def line_formatter(
    output: ReportFormat, origin: str, *, live: bool = False, stored: StoredMessage | None = None, color: bool = False
) -> LineFormatter:
    """Return a formatter for the findings in one file or on one subject, in a format with a line for each.

    Text is `ORIGIN:NUMBER: PATH: MESSAGE [CODE]`. Before the message, warnings have `warning: ` and information has
    `information: `; errors have neither. A stored message is `SUBJECT#SEQUENCE`, without its number.

    JSON has the fields file, line, severity, code, path, rule, value and message; for a message, subject and number
    replace file and line, followed by stream and sequence, which are null if it was not read from a stream. Bytes of a
    file name that are not UTF-8 are escaped.

    Annotations have the file, the line, and the code as title; those of messages begin with the subject and the number,
    or the sequence as in text.

    Args:
        output: text, JSON or GitHub annotations.
        origin: the name of the file, or the subject; untrusted text.
        live: the origin is a subject.
        stored: the message's place in its stream; None if it was not read from one.
        color: show the origin bold and the code in the colour of its severity; text only.

    Raises:
        ValueError: the format has no lines.
    """
    match output:
        case ReportFormat.TEXT:
            return _text(safe(origin), stored, color)
        case ReportFormat.JSON:
            return _json(origin, live, stored)
        case ReportFormat.GITHUB:
            return _github(origin, live, stored)
        case _:
            raise ValueError(f"a report in the format {output} has no lines")


_BOLD: Final = "\x1b[1m"
_END: Final = "\x1b[0m"
_COLORS: Final = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFORMATION: "\x1b[36m"}
_LABELS: Final = {Severity.ERROR: "", Severity.WARNING: "warning: ", Severity.INFORMATION: "information: "}


def _place(origin: str, number: int | None, stored: StoredMessage | None) -> str:
    if stored is not None:
        return f"{origin}#{stored.sequence}"
    return origin if number is None else f"{origin}:{number}"


def _text(origin: str, stored: StoredMessage | None, color: bool) -> LineFormatter:
    bold, end = (_BOLD, _END) if color else ("", "")
    colors = _COLORS if color else dict.fromkeys(Severity, "")

    def line(number: int | None, finding: Finding) -> str:
        severity = finding.severity
        return (
            f"{bold}{_place(origin, number, stored)}{end}: {finding.path}: {_LABELS[severity]}{finding.message} "
            f"{colors[severity]}[{finding.code}]{end}"
        )

    return line


_encode = msgspec.json.Encoder().encode


def _json(origin: str, live: bool, stored: StoredMessage | None) -> LineFormatter:
    # Python has lone surrogates for bytes of a file name that are not UTF-8; many JSON parsers reject them.
    name = origin.encode("utf-8", "backslashreplace").decode()
    origin_key, number_key = ("subject", "number") if live else ("file", "line")
    head = visible_json(f'{{"{origin_key}":{json.dumps(name, ensure_ascii=False)},"{number_key}":')
    stream, sequence = map(json.dumps, stored or (None, None))
    tail = f'"stream":{stream},"sequence":{sequence},' if live else ""

    def line(number: int | None, finding: Finding) -> str:
        return f"{head}{'null' if number is None else number},{tail}{_encode(finding)[1:].decode()}"

    return line


_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "notice"}


def _github(origin: str, live: bool, stored: StoredMessage | None) -> LineFormatter:
    # GitHub's escapes first: the runner undoes them, but not those of `safe`.
    where = "" if live else f"file={safe(_escape_property(origin))},"
    name = safe(_escape_data(origin))

    def line(number: int | None, finding: Finding) -> str:
        at = "" if live or number is None else f"line={number},"
        place = f"{_place(name, number, stored)}: " if live else ""
        text = _escape_data(f"{finding.path}: {finding.message}")
        return f"::{_COMMANDS[finding.severity]} {where}{at}title={_escape_property(finding.code)}::{place}{text}"

    return line


def github_error(origin: str, message: str, *, is_file: bool) -> str:
    """Return an annotation about an input as a whole.

    Args:
        origin: the name of the input; untrusted text.
        message: what is wrong, safe to show.
        is_file: the name is that of a file.
    """
    where = f" file={safe(_escape_property(origin))}" if is_file else ""
    return f"::error{where}::{safe(_escape_data(origin))} {_escape_data(message)}"


def _escape_data(text: str) -> str:
    """Escape the text of a workflow command as the package @actions/core does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


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
    valid, rejected, not_checked = counts.valid, counts.rejected, counts.not_checked
    return [
        *_table(
            ("FORMAT", "TYPE", "VALID", "REJECTED", "NOT CHECKED"), [(*kind, *numbers) for kind, numbers in documents]
        ),
        *_table(("CODE", "SEVERITY", "FINDINGS"), findings),
        f"checked {valid + rejected:,} = {valid:,} valid + {rejected:,} rejected"
        + (f", and {not_checked:,} not checked" if not_checked else "")
        + f", in {seconds:,.1f} s"
        + (f"; and {counts.file_errors:,} errors between documents" if counts.file_errors else ""),
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
