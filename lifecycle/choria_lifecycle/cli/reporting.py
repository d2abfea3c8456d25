"""The report of `lifecycle validate`, on standard output or in a file, and its summary for programs."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.locations import advise
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.validation.coverage import Coverage
    from choria_lifecycle.validation.policy import DocumentCounts, DocumentFindings, Policy
    from choria_lifecycle.validation.reports.protocol import Report, StoredMessage

__all__ = ["STANDARD_INPUT", "ReportWriter", "create_file", "writing_to"]

STANDARD_INPUT: Final = "standard input"
"""The origin of documents read from standard input."""


@contextmanager
def create_file(path: Path | None) -> Generator[IO[bytes] | None]:
    """Open a file for output within this context; yield None if the path is None.

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
        with writing_to(file):
            file.close()


@contextmanager
def writing_to(file: IO[bytes]) -> Generator[None]:
    """Raise a `Failure` in place of an OSError within this context."""
    try:
        yield
    except OSError as error:
        raise Failure(f"cannot write {file.name}: {error.strerror}") from error


def _do_nothing(exit_code: int | None) -> None:
    """Write no summary."""


@dataclass(slots=True, kw_only=True)
class ReportWriter:
    """Writes a report, and the summary for programs.

    Attributes:
        report: the report.
        printer: writes to standard output.
        output_file: the file for the report; None for standard output.
        summary: the file for the summary as JSON, `-` for the last line of standard output; None for no such summary.
        advises: name options in messages; a program that reads the findings does not type any.
        quiet: write nothing to standard output but the summary.
        expendable: continue without standard output once its reader has gone, for the sake of other files.
        coverage: the coverage of the contracts so far.
        unreadable: the inputs that could not be read.
    """

    report: Report
    printer: Printer
    output_file: Path | None = None
    summary: Path | None = None
    advises: bool = True
    quiet: bool = False
    expendable: bool = False
    coverage: Coverage = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    _file: IO[bytes] | None = None
    _summary_file: IO[bytes] | None = None
    _summarise: Callable[[int | None], object] = _do_nothing
    _ended: bool = False

    @contextmanager
    def writing(self, signals: Signals, policy: Policy, counts: DocumentCounts) -> Generator[None]:
        """Begin the report; an error in this context ends it, so that it is complete in any case.

        Args:
            signals: deferred while lines are written.
            policy: the severities of the findings.
            counts: the numbers of documents and findings, which the caller updates.

        Raises:
            Failure: a file cannot be created or written.
        """
        with ExitStack() as stack:
            self._file = stack.enter_context(create_file(self.output_file))
            if self.summary is not None:
                is_file = str(self.summary) != "-"
                self._summary_file = stack.enter_context(create_file(self.summary if is_file else None))
                self._summarise = partial(self._write_summary, policy, counts)
            try:
                with signals.deferred():
                    self._write(self.report.begin())
                yield
            except BaseException as error:
                with suppress(OSError, Failure):
                    self.end(signals, getattr(error, "exit_code", None))
                raise

    def end(self, signals: Signals, exit_code: int | None) -> int:
        """End the report, and return the exit code.

        Args:
            signals: deferred meanwhile.
            exit_code: the exit code of the command; None if an error, which has its own, ends it.
        """
        with signals.deferred():
            if not self._ended:
                self._ended = True
                self._write(self.report.end(exit_code))
                self._summarise(exit_code)
        return exit_code or 0

    def begin_origin(self, name: str, *, live: bool = False) -> None:
        """Begin an input."""
        self._write(self.report.begin_origin(_origin(name, live=live)))

    def add(
        self,
        documents: Sequence[DocumentFindings],
        name: str,
        line_offset: int,
        *,
        live: bool,
        stored: StoredMessage | None = None,
    ) -> None:
        """Write findings; arguments as for `ResultWriter.write`.

        Raises:
            Failure: the file cannot be written.
            OSError: standard output cannot be written.
        """
        if not self.quiet or self._file is not None:
            if self.advises:
                documents = [(number, [advise(each) for each in findings]) for number, findings in documents]
            self._write(self.report.add(_origin(name, live=live, stored=stored), documents, line_offset))

    def add_unreadable(self, name: str, reason: str) -> None:
        """Write that an input cannot be read."""
        self.unreadable.append(name)
        self.add_problem(name, f"cannot be read: {reason}")

    def add_problem(self, name: str, problem: str, *, live: bool = False) -> None:
        """Write why documents of an input are missing, as `Report.add_problem`."""
        self._write(self.report.add_problem(_origin(name, live=live), problem))

    def _write_summary(self, policy: Policy, counts: DocumentCounts, exit_code: int | None) -> None:
        from choria_lifecycle.validation.reports.summary import summary_line

        line = summary_line(counts, policy, self.coverage, self.unreadable, exit_code)
        if self._summary_file is None:
            self.printer.line(line, fit=False)
        else:
            with writing_to(self._summary_file):
                self._summary_file.write(f"{line}\n".encode())

    def _write(self, lines: list[str]) -> None:
        if self._file is not None:
            with writing_to(self._file):
                self._file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
        elif lines and not self.quiet:
            try:
                self._print(lines)
            except BrokenPipeError:
                if not self.expendable:
                    raise
                self.quiet = True

    def _print(self, lines: list[str]) -> None:
        if self.printer.out.terminal:
            for line in lines:
                self.printer.line(line)
        else:  # all at once, which takes a tenth of the time
            self.printer.line("\n".join(lines), fit=False)


def _origin(name: str, *, live: bool = False, stored: StoredMessage | None = None) -> Origin:
    if live:
        return Origin(name, OriginKind.SUBJECT, stored)
    return Origin(name, OriginKind.STREAM if name == STANDARD_INPUT else OriginKind.FILE)
