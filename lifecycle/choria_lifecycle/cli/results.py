"""What `lifecycle validate` does with what was found: findings are written, documents sorted, and all is counted."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.messages import say, verbosity
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.progress import Progress
from choria_lifecycle.validation.policy import BatchResult, DocumentCounts, Policy, split_batch, validate_batch
from choria_lifecycle.validation.report import ReportFormat, line_formatter, summary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.validation.batch import Batch

__all__ = ["STANDARD_INPUT", "ErrorLimitReached", "ResultWriter", "create_file"]

STANDARD_INPUT: Final = "standard input"
"""The place of what is read there."""


class ErrorLimitReached(Exception):
    """There are as many errors as were asked for."""


@contextmanager
def create_file(path: Path | None) -> Generator[IO[bytes] | None]:
    """Within this, a file is open to write documents to; None for None.

    Raises:
        Failure: it cannot be created or written.
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
    """Where everything comes together.

    Attributes:
        policy: what to look for.
        output: how findings are written.
        printer: what writes them.
        color: findings are written in colours.
        quiet: findings are not written, only counted.
        max_errors: end with this many errors.
        rejects: where rejected documents go.
        valid: where all others go.
        progress: how far it is.
        counts: what was found so far.
    """

    policy: Policy
    output: ReportFormat
    printer: Printer
    color: bool = False
    quiet: bool = False
    max_errors: int | None = None
    rejects: IO[bytes] | None = None
    valid: IO[bytes] | None = None
    progress: Progress = field(default_factory=lambda: Progress(started=time.monotonic()))
    counts: DocumentCounts = field(default_factory=DocumentCounts)

    def validate(self, batch: Batch, origin: str, line_offset: int = 0) -> None:
        """Validate a batch and take what became of it.

        Raises:
            ErrorLimitReached: with this, or with a part of it.
        """
        part = validate_batch(batch, self.policy)
        if self.reaches_limit(part):
            for each in split_batch(batch):
                self.write(validate_batch(each, self.policy), origin, line_offset)
        else:
            self.write(part, origin, line_offset)

    def reaches_limit(self, result: BatchResult) -> bool:
        """Tell whether a part has the last error that was asked for; it must then be taken document by document."""
        return self.max_errors is not None and self.counts.errors + result.counts.errors >= self.max_errors

    def write(self, result: BatchResult, origin: str, line_offset: int = 0, *, live: bool = False) -> None:
        """Write and count what became of some documents.

        Args:
            result: what became of them.
            origin: the file, or the subject.
            line_offset: how many lines there are before those that the part counts.
            live: the place is a subject.

        Raises:
            ErrorLimitReached: with this.
            Failure: a document cannot be written.
            OSError: a finding cannot be written.
        """
        self.counts.add(result.counts)
        self._write_documents(self.rejects, result.rejected)
        self._write_documents(self.valid, result.valid)
        if result.findings and not self.quiet:
            # GitHub would look for a file of that name.
            is_no_file = live or (self.output is ReportFormat.GITHUB and origin == STANDARD_INPUT)
            line = line_formatter(self.output, origin, live=is_no_file, color=self.color)
            self._write_lines(
                [line(number + line_offset, each) for number, findings in result.findings for each in findings]
            )
        if self.max_errors is not None and self.counts.errors >= self.max_errors:
            raise ErrorLimitReached

    def write_oversized(self, piece: bytes) -> None:
        """Take a piece of a document that is too long to be held; see `validation.files.Source`."""
        file = self.rejects if "input-size" in self.policy.codes else self.valid
        self._write_documents(file, [piece if piece == b"\n" else piece.replace(b"\n", b" ")])

    def update_progress(self, position: int) -> None:
        """Show how far it is, if it is time for that.

        Args:
            position: how many bytes of all files have been read.
        """
        progress = self.progress
        progress.position = position
        progress.documents = self.counts.valid + self.counts.rejected
        if verbosity() >= 0:
            text = progress.render(time.monotonic(), self.printer.err.columns)
            if text is not None:
                self.printer.status(text)

    def write_summary(self) -> None:
        """Say what became of all, unless nobody reads any more."""
        self.printer.status(None)
        self.printer.flush(READER_TIMEOUT)
        if isinstance(self.printer.out.failure, BrokenPipeError):
            return
        severities = {code: self.policy.severity(code) for code in self.counts.codes}
        elapsed = time.monotonic() - self.progress.started
        for line in summary(self.counts.kinds, self.counts.codes, severities, elapsed, self.counts.file_errors):
            say(line)

    def _write_documents(self, file: IO[bytes] | None, documents: Iterable[bytes]) -> None:
        if file is not None:
            with _writing_to(file):
                file.writelines(map(_to_one_line, documents))

    def _write_lines(self, lines: list[str]) -> None:
        try:
            if self.printer.out.terminal:
                for line in lines:
                    self.printer.line(line)
            else:  # as one, which takes a tenth of the time
                self.printer.line("\n".join(lines), fit=False)
        except BrokenPipeError:
            if self.rejects is None and self.valid is None:
                raise
            self.quiet = True  # nobody reads findings any more; documents are sorted all the same


def _to_one_line(document: bytes) -> bytes:
    """Return a document that ends with a line feed without any other, so that what is written has a document a line.

    Where it is valid, line feeds stand between tokens only, and blanks mean the same.
    """
    if document.find(b"\n", 0, -1) < 0:
        return document
    return document[:-1].replace(b"\n", b" ") + b"\n"
