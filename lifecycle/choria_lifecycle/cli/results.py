"""The output of `lifecycle validate`: findings, sorted documents, progress and the summary."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.locations import advise
from choria_lifecycle.cli.messages import say, verbosity
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.progress import Progress
from choria_lifecycle.validation.policy import BatchResult, DocumentCounts, Policy, split_batch, validate_batch
from choria_lifecycle.validation.report import ReportFormat, StoredMessage, line_formatter, summary
from choria_lifecycle.wire.codes import INPUT_SIZE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.validation.batch import Batch
    from choria_lifecycle.wire.finding import Finding

__all__ = ["STANDARD_INPUT", "ErrorLimitReached", "ResultWriter", "create_file"]

STANDARD_INPUT: Final = "standard input"
"""The origin of documents read from standard input."""


class ErrorLimitReached(Exception):
    """The maximum number of errors was reached."""


@contextmanager
def create_file(path: Path | None) -> Generator[IO[bytes] | None]:
    """Open a file for documents within this context; yield None if the path is None.

    Raises:
        Failure: the file cannot be created or written.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise Failure(f"cannot create {path}: {error.strerror}", 2) from error
    try:
        yield file
    finally:
        with _writing_to(file):
            file.close()


@contextmanager
def _writing_to(file: IO[bytes]) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(f"cannot write {file.name}: {error.strerror}") from error


@dataclass(slots=True, kw_only=True)
class ResultWriter:
    """Writes findings, sorts documents into files, and counts both.

    Attributes:
        policy: the findings to look for.
        output: the format of findings.
        printer: writes the findings.
        color: write findings in colour.
        quiet: count findings without writing them.
        max_errors: stop at this number of errors.
        allow_empty: inputs without documents are no mistake.
        rejects: the file for rejected documents.
        valid: the file for valid documents.
        progress: the progress of reading.
        counts: the numbers of documents and findings so far.
    """

    policy: Policy
    output: ReportFormat
    printer: Printer
    color: bool = False
    quiet: bool = False
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
        if result.findings and not self.quiet:
            # GitHub would look for a file named "standard input".
            live = live or (self.output is ReportFormat.GITHUB and origin == STANDARD_INPUT)
            line = line_formatter(self.output, origin, live=live, stored=stored, color=self.color)
            # A program that reads the findings does not type options.
            shown = _unchanged if self.output is ReportFormat.JSON else advise
            self._write_lines(
                [line(number + line_offset, shown(each)) for number, findings in result.findings for each in findings]
            )
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
            with _writing_to(file):
                file.writelines(map(_to_one_line, documents))

    def _write_lines(self, lines: list[str]) -> None:
        try:
            if self.printer.out.terminal:
                for line in lines:
                    self.printer.line(line)
            else:  # all at once, which takes a tenth of the time
                self.printer.line("\n".join(lines), fit=False)
        except BrokenPipeError:
            if self.rejects is None and self.valid is None:
                raise
            self.quiet = True  # the reader of the findings has gone; continue sorting documents


def _unchanged(finding: Finding) -> Finding:
    return finding


def _to_one_line(document: bytes) -> bytes:
    """Replace all line feeds but the last with spaces, so that files have one document per line.

    In valid JSON, line feeds occur only between tokens.
    """
    if document.find(b"\n", 0, -1) < 0:
        return document
    return document[:-1].replace(b"\n", b" ") + b"\n"
