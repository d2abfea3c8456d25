"""The reports with a line for each finding: text, JSON, and GitHub annotations.

Every line is safe to show on a terminal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from choria_lifecycle.support.text import safe, visible_json
from choria_lifecycle.validation.reports.protocol import OriginKind, Report, ReportFormat, as_text, numbered
from choria_lifecycle.wire.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.validation.reports.protocol import Origin, StoredMessage

__all__ = ["LineFormatter", "LineReport", "github_error", "line_formatter"]

LineFormatter: TypeAlias = "Callable[[int | None, Finding], str]"
"""Formats a finding as a line, given the number of its document, or None for none."""


class LineReport(Report):
    """A report with a line for each finding.

    Args:
        output: text, JSON or GitHub annotations.
        color: show text in colours.
    """

    def __init__(self, output: ReportFormat, *, color: bool = False) -> None:
        self._output = output
        self._color = color

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        # GitHub would look for a file of that name.
        is_file = origin.kind is OriginKind.FILE or (
            origin.kind is OriginKind.STREAM and self._output is not ReportFormat.GITHUB
        )
        line = line_formatter(
            self._output, self._name(origin), live=not is_file, stored=origin.stored, color=self._color
        )
        return [line(number, each) for number, _, each in numbered(documents, line_offset)]

    def add_problem(self, origin: Origin, problem: str) -> list[str]:
        if self._output is not ReportFormat.GITHUB:
            return []
        return [github_error(self._name(origin), problem, is_file=origin.kind is OriginKind.FILE)]

    def _name(self, origin: Origin) -> str:
        """Return the name as typed; for GitHub, which knows only paths in the repository, relative to the folder."""
        if self._output is not ReportFormat.GITHUB:
            return origin.name
        from choria_lifecycle.validation.reports.places import place_of

        return place_of(origin, str(Path.cwd()))


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
    origin_key, number_key = ("subject", "number") if live else ("file", "line")
    head = visible_json(f'{{"{origin_key}":{json.dumps(as_text(origin), ensure_ascii=False)},"{number_key}":')
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
