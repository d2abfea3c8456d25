"""The input of `lifecycle validate`: files in sequence, read by one process or several."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.directories import NO_FILES
from choria_lifecycle.cli.messages import say
from choria_lifecycle.cli.reporting import STANDARD_INPUT
from choria_lifecycle.cli.signals import open_input
from choria_lifecycle.support.text import safe
from choria_lifecycle.validation.decompression import UnreadableContent
from choria_lifecycle.validation.parallel import SEGMENT_SIZE, Part, validate_parts, worker_pool
from choria_lifecycle.validation.source import DocumentSource, is_divisible, segments
from choria_lifecycle.validation.worker import Job, WorkerEnded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from choria_lifecycle.cli.results import ResultWriter
    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.validation.source import Segment
    from choria_lifecycle.validation.worker import SegmentResult

    T = TypeVar("T")

__all__ = ["STDIN", "read_error_text", "read_inputs"]

STDIN: Final = "-"
"""The file name that denotes standard input."""

# The verbosity at which errors are still shown.
_ERRORS: Final = -9


class _ReadError(Exception):
    """A file cannot be read, for the reason in the message."""


class _Input(NamedTuple):
    """A file.

    Attributes:
        name: its name, `STDIN` for standard input.
        size: the size of a regular file in bytes; None for anything else.
        before: the size of the files before it.
    """

    name: str
    size: int | None
    before: int

    @property
    def display_name(self) -> str:
        """The name for messages."""
        return STANDARD_INPUT if self.name == STDIN else self.name

    @property
    def is_large(self) -> bool:
        """True if another process may read it; a smaller one is read sooner than requested."""
        return self.size is not None and self.size > SEGMENT_SIZE // 8


def read_inputs(results: ResultWriter, signals: Signals, files: Iterable[str], jobs: int) -> int:
    """Validate files, and return an exit code: 2 if one of them could not be read, 1 if one has no document, else 0.

    Args:
        results: writes the results.
        signals: interrupts reads that wait for input.
        files: the names of the files, `STDIN` for standard input.
        jobs: the maximum number of processes.

    Raises:
        ErrorLimitReached: the maximum number of errors was reached.
    """
    inputs: list[_Input] = []
    before = 0
    for name in files:
        size = _size(name)
        inputs.append(_Input(name, size, before))
        before += size or 0
    results.progress.size = before if all(each.size is not None for each in inputs) else None
    with ExitStack() as stack:
        parts: Iterable[tuple[Part, SegmentResult | None]]
        with signals.deferred():
            is_shared = jobs > 1 and _is_shareable(inputs)
            workers = stack.enter_context(worker_pool(jobs)) if is_shared else None
        if workers is None:
            parts = ((Part(number), None) for number in range(len(inputs)))
        else:
            parts = validate_parts(workers, _parts(results, inputs))
        try:
            return _read_parts(results, signals, inputs, parts, jobs)
        except WorkerEnded:
            raise Failure("one of the processes ended unexpectedly; try --jobs 1") from None


def _size(name: str) -> int | None:
    """Return the size of a regular file in bytes; None for anything else."""
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_size if name != STDIN and stat.S_ISREG(status.st_mode) else None


def _is_shareable(inputs: Iterable[_Input]) -> bool:
    """Return True if there is enough for several processes: several files, or one that can be split."""
    large = [each for each in inputs if each.is_large]
    if sum(each.size or 0 for each in large) <= SEGMENT_SIZE:
        return False
    with suppress(OSError):
        return len(large) > 1 or is_divisible(large[0].name)
    return False


def _parts(results: ResultWriter, inputs: Iterable[_Input]) -> Iterator[Part]:
    """Split the files that can be split; a file that cannot be read is left to the caller, which reports it."""
    for number, each in enumerate(inputs):
        if not each.is_large:
            yield Part(number)
            continue
        job = Job(
            path=Path(each.name),
            policy=results.policy,
            valid=results.valid is not None,
            rejected=results.rejects is not None,
        )
        position = 0
        try:
            if not is_divisible(each.name):
                yield Part(number, job)
                continue
            for segment in segments(each.name, SEGMENT_SIZE):
                yield Part(number, job, segment)
                position = segment[1]
        except OSError:
            yield Part(number, None, (position, each.size or 0))


def _read_parts(
    results: ResultWriter,
    signals: Signals,
    inputs: Sequence[_Input],
    parts: Iterable[tuple[Part, SegmentResult | None]],
    jobs: int,
) -> int:
    """Write the results of all parts, reading those without; return as `read_inputs` does."""
    code = 0
    for number, parts_of_file in groupby(parts, lambda each: each[0].file):
        file = inputs[number]
        results.progress.name = name = safe(file.display_name)
        with signals.deferred():
            results.report.begin_origin(file.display_name)
        before = results.counts.documents + results.counts.file_errors
        try:
            _read_file(results, signals, file, parts_of_file, jobs)
        except _ReadError as error:
            code = 2
            with signals.deferred():
                results.report.add_unreadable(file.display_name, str(error))
            say(f"lifecycle: error: cannot read {name}: {error}", at=_ERRORS, level="error")
        else:
            if results.counts.documents + results.counts.file_errors == before and not results.allow_empty:
                code = code or 1
                with signals.deferred():
                    results.report.add_problem(file.display_name, "has no documents")
                say(f"lifecycle: warning: {name} has no documents; --allow-empty accepts that", at=-1, level="warning")
    return code


def _read_file(
    results: ResultWriter,
    signals: Signals,
    file: _Input,
    parts: Iterable[tuple[Part, SegmentResult | None]],
    jobs: int,
) -> None:
    lines = 0
    for part, found in parts:
        if found is not None and found.result is not None and not results.reaches_limit(found.result):
            with signals.deferred():
                results.write(found.result, file.name, lines)
            lines += found.lines
            results.printer.wait_writable_blocking()
            results.update_progress(file.before + (part.segment[1] if part.segment is not None else file.size or 0))
        else:
            if part.job is None and jobs > 1:
                _explain(file)
            lines += _read(results, signals, file, part.segment, lines)


def _explain(file: _Input) -> None:
    """Say why a large file, or a stream, is read by one process."""
    if file.size is not None:
        with _read_errors(file.name):
            if file.size <= SEGMENT_SIZE or is_divisible(file.name):
                return
    elif file.name != STDIN and (not Path(file.name).exists() or Path(file.name).is_dir()):
        return
    reason = "only uncompressed files with one document per line can be split"
    say(f"{safe(file.display_name)} is read by one process: {reason}")


def _read(results: ResultWriter, signals: Signals, file: _Input, segment: Segment | None, lines: int) -> int:
    """Read a file or a segment in this process.

    Args:
        results: writes the results.
        signals: interrupts reads that wait for input.
        file: the file.
        segment: the segment; None for the whole file.
        lines: the number of lines before it.

    Returns:
        The number of its lines.
    """
    if file.name != STDIN and Path(file.name).is_dir():
        raise _ReadError(NO_FILES if os.access(file.name, os.R_OK) else os.strerror(errno.EACCES))
    with _read_errors(file.name):
        opened = open_input(file.name)
    with opened as stream:
        if file.name == STDIN and sys.stdin.isatty():
            say("reading standard input; press Ctrl-D to end it")
        content = signals.reader(stream) if segment is None else stream
        source = DocumentSource(content, on_oversized=results.write_oversized, segment=segment, **results.policy.limits)
        begin = file.before + (segment[0] if segment is not None else 0)
        for batch in _checked_reads(source, file.name):
            with signals.deferred():
                results.validate(batch, file.display_name, lines)
            results.printer.wait_writable_blocking()
            results.update_progress(begin + source.position)
    return source.lines


def _checked_reads(source: Iterable[T], name: str) -> Iterator[T]:
    with _read_errors(name):
        yield from source


@contextmanager
def _read_errors(name: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise _ReadError(read_error_text(error, name, "lifecycle validate -")) from error


def read_error_text(error: OSError, name: str, reader: str) -> str:
    """Return the reason why a file cannot be read, with the command that converts it for a reader of standard input."""
    message = error.strerror or str(error)
    if isinstance(error, UnreadableContent) and error.command:
        is_shown_as_is = name != STDIN and safe(name) == name
        command = error.command.replace("FILE", shlex.quote(name)) if is_shown_as_is else error.command
        return message.replace(error.command, f"{command} | {reader}")
    return message
