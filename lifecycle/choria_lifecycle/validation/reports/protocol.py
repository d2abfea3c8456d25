"""The protocol of reports, and what all of them have in common."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.wire.finding import Finding

__all__ = ["Origin", "OriginKind", "Report", "ReportFormat", "StoredMessage", "as_text", "numbered"]


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


class OriginKind(Enum):
    """The kinds of places that documents come from."""

    FILE = auto()
    """A file."""

    STREAM = auto()
    """A stream without a file name, such as standard input."""

    SUBJECT = auto()
    """A subject on which messages arrive."""


class Origin(NamedTuple):
    """The place that documents come from.

    Attributes:
        name: the file, the stream or the subject; untrusted text.
        kind: what the name denotes.
        stored: the place of a message in its stream; None if it was not read from one.
    """

    name: str
    kind: OriginKind = OriginKind.FILE
    stored: StoredMessage | None = None


def as_text(name: str) -> str:
    """Return the name of an origin with escapes for bytes that are not UTF-8, which many JSON parsers reject."""
    return name.encode("utf-8", "backslashreplace").decode()


def numbered(documents: Iterable[DocumentFindings], line_offset: int) -> Iterator[tuple[int, int, Finding]]:
    """Yield the findings of documents, each with its line, and its index among those of its document."""
    for number, findings in documents:
        for index, finding in enumerate(findings):
            yield number + line_offset, index, finding


class Report(Protocol):
    """Formats findings as they are found, in constant memory.

    Each method returns lines without line ends, to be written in the order of the calls. The lines of all calls up to
    and including `end` are one complete report, regardless of where the input ended.
    """

    def begin(self) -> list[str]:
        """Begin the report."""
        return []

    def begin_origin(self, origin: Origin) -> list[str]:  # noqa: ARG002 - for those who need it
        """Begin an input, which may turn out to be without findings."""
        return []

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        """Add the findings of documents.

        Args:
            origin: their origin.
            documents: the documents with findings.
            line_offset: the number of lines before those that the documents count.
        """
        ...

    def add_problem(self, origin: Origin, problem: str) -> list[str]:
        """Add a reason why documents of an input are missing.

        Args:
            origin: the input.
            problem: what follows its name in a sentence, such as `cannot be read: Permission denied`; safe to show.
        """
        ...

    def end(self, exit_code: int | None) -> list[str]:  # noqa: ARG002
        """End the report, with the exit code of the command, or None if it failed without one."""
        return []
