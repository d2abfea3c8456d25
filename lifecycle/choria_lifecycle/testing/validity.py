"""An assertion that a document is a valid event."""

from __future__ import annotations

from choria_lifecycle import wire
from choria_lifecycle.events.event import Event
from choria_lifecycle.validation.reports.lines import line_formatter
from choria_lifecycle.validation.reports.protocol import ReportFormat
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.codec import decode
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.verdict import validate

__all__ = ["assert_valid"]


def assert_valid(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, *, warnings: bool = False
) -> Event | wire.MachineEvent:
    """Fail unless a document is a valid event; return the decoded event.

    Accepts lifecycle events, machine transitions and watcher states, in either wire format. A document that no
    contract covers fails too.

    Args:
        data: the document as sent; text is encoded as UTF-8.
        subject: the subject it is sent on; a difference from the subject it belongs on is a warning.
        warnings: fail on warnings too, about documents that are legal but probably mistaken.

    Returns:
        An instance of the generated class.

    Raises:
        AssertionError: the document is not valid; the text has a line for each finding, including warnings. Raised
            under `python -O` too.
        TypeError: `data` is neither bytes nor text.
    """
    __tracebackhide__ = True  # makes pytest show the calling line of the test
    findings = validate(data, subject)
    if any(_fails(finding, warnings) for finding in findings):
        line = line_formatter(ReportFormat.TEXT, "event")
        raise AssertionError("\n".join(["this is not a valid event:", *(line(None, finding) for finding in findings)]))
    return decode(data)


def _fails(finding: Finding, warnings: bool) -> bool:
    match finding.severity:
        case Severity.ERROR:
            return True
        case Severity.WARNING:
            return warnings
        case Severity.INFORMATION:
            return finding.code == codes.PROTOCOL_FOREIGN.name
