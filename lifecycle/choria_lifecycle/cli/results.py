"""The output of `lifecycle validate`: findings, sorted documents, progress and the summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from choria_lifecycle.cli.messages import say, verbosity
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.progress import Progress
from choria_lifecycle.cli.reporting import writing_to
from choria_lifecycle.validation.policy import BatchResult, DocumentCounts, Policy, split_batch, validate_batch
from choria_lifecycle.validation.reports.summary import summary
from choria_lifecycle.wire.codes import INPUT_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.cli.reporting import ReportWriter
    from choria_lifecycle.validation.batch import Batch
    from choria_lifecycle.validation.reports.protocol import StoredMessage

__all__ = ["ErrorLimitReached", "ResultWriter"]


class ErrorLimitReached(Exception):
    """The maximum number of errors was reached."""


@dataclass(slots=True, kw_only=True)
class ResultWriter:
    """Writes findings, sorts documents into files, and counts both.

    Attributes:
        policy: the findings to look for.
        report: writes the findings.
        printer: writes progress and the summary.
        max_errors: stop at this number of errors.
        allow_empty: accept inputs without documents.
        rejects: the file for rejected documents.
        valid: the file for valid documents.
        progress: the progress of reading.
        counts: the numbers of documents and findings so far.
    """

    policy: Policy
    report: ReportWriter
    printer: Printer
    max_errors: int | None = None
    allow_empty: bool = False
    rejects: IO[bytes] | None = None
    valid: IO[bytes] | None = None
    progress: Progress = field(default_factory=lambda: Progress(started=time.monotonic()))
    counts: DocumentCounts = field(default_factory=DocumentCounts)

    def validate(self, batch: Batch, origin: str, line_offset: int = 0) -> None:
        """Validate a batch and write the result; arguments and errors as for `write`."""
        result = validate_batch(batch, self.policy)
        if self.reaches_limit(result):
            for each in split_batch(batch):
                self.write(validate_batch(each, self.policy), origin, line_offset)
        else:
            self.write(result, origin, line_offset)

    def reaches_limit(self, result: BatchResult) -> bool:
        """Return True if a result reaches `max_errors`; it must then be written document by document."""
        return self.max_errors is not None and self.counts.errors + result.counts.errors >= self.max_errors

    def write(
        self,
        result: BatchResult,
        origin: str,
        line_offset: int = 0,
        *,
        live: bool = False,
        stored: StoredMessage | None = None,
    ) -> None:
        """Write and count a result.

        Args:
            result: the outcome of validation.
            origin: the file, or the subject.
            line_offset: the number of lines before those that the result counts.
            live: the origin is a subject.
            stored: the message's place in its stream; None if it was not read from one.

        Raises:
            ErrorLimitReached: `max_errors` was reached; the result was written.
            Failure: a document cannot be written.
            OSError: a finding cannot be written.
        """
        self.counts.add(result.counts)
        self._write_documents(self.rejects, result.rejected)
        self._write_documents(self.valid, result.valid)
        self.report.coverage.update(result.coverage)
        if result.findings:
            self.report.add(result.findings, origin, line_offset, live=live, stored=stored)
        if self.max_errors is not None and self.counts.errors >= self.max_errors:
            raise ErrorLimitReached

    def write_oversized(self, piece: bytes) -> None:
        """Write a piece of an oversized document; see `DocumentSource`."""
        if INPUT_SIZE.name in self.policy.codes:
            self._write_documents(self.rejects, [piece if piece == b"\n" else piece.replace(b"\n", b" ")])

    def update_progress(self, position: int) -> None:
        """Update the progress line, at most ten times per second.

        Args:
            position: the number of bytes read from all files.
        """
        progress = self.progress
        progress.position = position
        progress.documents = self.counts.documents
        if verbosity() >= 0:
            text = progress.render(time.monotonic(), self.printer.err.columns)
            if text is not None:
                self.printer.status(text)

    def write_summary(self) -> None:
        """Write the summary to standard error, unless the reader of the findings has gone."""
        self.printer.status(None)
        self.printer.flush(READER_TIMEOUT)
        if isinstance(self.printer.out.failure, BrokenPipeError):
            return
        severities = {code: self.policy.severity(code) for code in self.counts.codes}
        elapsed = time.monotonic() - self.progress.started
        for line in summary(self.counts, severities, elapsed):
            say(line)
        if self.counts.documents and self.counts.documents == self.counts.not_checked:
            reason = "no document has a contract; --require-contract makes that an error"
            say(f"lifecycle: warning: nothing was checked: {reason}", at=-1, level="warning")

    def _write_documents(self, file: IO[bytes] | None, documents: Iterable[bytes]) -> None:
        if file is not None:
            with writing_to(file):
                file.writelines(map(_to_one_line, documents))


def _to_one_line(document: bytes) -> bytes:
    """Replace all line feeds but the last with spaces, so that files have one document per line.

    In valid JSON, line feeds occur only between tokens.
    """
    if document.find(b"\n", 0, -1) < 0:
        return document
    return document[:-1].replace(b"\n", b" ") + b"\n"
