"""An assertion: a document is a valid event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choria_lifecycle.validation.report import ReportFormat, line_formatter
from choria_lifecycle.wire.codec import decode
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.verdict import validate

if TYPE_CHECKING:
    from choria_lifecycle.events.event import Event
    from choria_lifecycle.wire.codec import MachineEvent

__all__ = ["assert_valid"]


def assert_valid(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, *, warnings: bool = False
) -> Event | MachineEvent:
    """Fail if a document is no valid event, and return the event.

    Reads lifecycle events, machine transitions and the states of watchers, in either format. A protocol without a
    contract fails too: `validate` lets it pass, but in a test it is most likely misspelt.

    Args:
        data: the document as it is sent; text stands for its UTF-8.
        subject: the subject it is sent on, to compare with the one it belongs on; a difference is a warning.
        warnings: fail also for what is legal and asks for trouble.

    Returns:
        An instance of the generated class, to look at its fields.

    Raises:
        AssertionError: its text has every finding on a line of its own, warnings too. Raised under `python -O` as well.
        TypeError: data is neither bytes nor text.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test that called
    findings = validate(data, subject)
    if any(_fails(finding, warnings) for finding in findings):
        line = line_formatter(ReportFormat.TEXT, "event")
        raise AssertionError("\n".join(["this is no valid event:", *(line(None, finding) for finding in findings)]))
    return decode(data)


def _fails(finding: Finding, warnings: bool) -> bool:
    match finding.severity:
        case Severity.ERROR:
            return True
        case Severity.WARNING:
            return warnings
        case Severity.INFORMATION:
            return finding.code == "protocol-unknown"
