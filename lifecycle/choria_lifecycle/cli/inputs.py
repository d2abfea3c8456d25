"""The input of `lifecycle validate`: files in sequence, large ones read by several processes."""

from __future__ import annotations

import stat
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.messages import say
from choria_lifecycle.cli.results import STANDARD_INPUT
from choria_lifecycle.cli.signals import open_input
from choria_lifecycle.support.text import safe
from choria_lifecycle.validation.bulk import check_batch
from choria_lifecycle.validation.decompression import UnreadableContent
from choria_lifecycle.validation.parallel import SEGMENT_SIZE, validate_file, worker_pool
from choria_lifecycle.validation.source import DocumentSource, is_divisible
from choria_lifecycle.validation.worker import Job, WorkerEnded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from choria_lifecycle.cli.results import ResultWriter
    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.validation.source import Segment

    T = TypeVar("T")

__all__ = ["STDIN", "read_inputs"]

STDIN: Final = "-"
"""The file name that denotes standard input."""

# The verbosity at which errors are still shown.
_ERRORS: Final = -9


class _ReadError(Exception):
    """A file cannot be read, for the reason in the message."""


def read_inputs(results: ResultWriter, signals: Signals, files: Iterable[str], jobs: int) -> int:
    """Validate files, and return 2 if one of them could not be read, else 0.

    Args:
        results: writes the results.
        signals: interrupts reads that wait for input.
        files: the names of the files, `STDIN` for standard input.
        jobs: the maximum number of processes for a file.

    Raises:
        ErrorLimitReached: the maximum number of errors was reached.
    """
    names = list(files)
    code = before = 0
    with signals.deferred():
        # The first check imports dataclasses, which use exec. If a signal interrupts that, CPython ends with SIGINT
        # even though the KeyboardInterrupt was caught.
        check_batch((), warnings=False, now=0.0)
    sizes = [_size(name) for name in names]
    known = [size for size in sizes if size is not None]
    results.progress.size = sum(known) if len(known) == len(names) else None
    for name, size in zip(names, sizes, strict=True):
        results.progress.name = _display_name(name)
        try:
            if jobs > 1 and _is_shareable(name, size):
                _read_shared(results, signals, jobs, name, before)
            else:
                _read(results, signals, name, before)
        except _ReadError as error:
            code = 2
            say(f"lifecycle: error: cannot read {safe(_display_name(name))}: {error}", at=_ERRORS)
        before += size or 0
    return code


def _display_name(name: str) -> str:
    """Return the name of a file for messages."""
    return STANDARD_INPUT if name == STDIN else name


def _size(name: str) -> int | None:
    """Return the size of a regular file in bytes; None for anything else."""
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_size if name != STDIN and stat.S_ISREG(status.st_mode) else None


def _is_shareable(name: str, size: int | None) -> bool:
    if size is not None and size <= SEGMENT_SIZE:
        return False
    with _read_errors():
        if size is not None and is_divisible(name):
            return True
    if name == STDIN or (Path(name).exists() and not Path(name).is_dir()):
        reason = "only uncompressed files with one document per line can be split"
        say(f"{safe(_display_name(name))} is read by one process: {reason}")
    return False


def _read(results: ResultWriter, signals: Signals, name: str, before: int) -> None:
    with _open_input(name) as file:
        if name == STDIN and sys.stdin.isatty():
            say("reading standard input; press Ctrl-D to end it")
        source = DocumentSource(signals.reader(file), on_oversized=results.write_oversized)
        for batch in _checked_reads(source):
            with signals.deferred():
                results.validate(batch, _display_name(name))
            results.printer.wait_writable_blocking()
            results.update_progress(before + source.position)


def _open_input(name: str) -> AbstractContextManager[IO[bytes]]:
    with _read_errors():
        return open_input(name)


def _read_shared(results: ResultWriter, signals: Signals, jobs: int, name: str, before: int) -> None:
    job = Job(
        path=Path(name), policy=results.policy, valid=results.valid is not None, rejected=results.rejects is not None
    )
    lines = 0
    with ExitStack() as stack:
        with signals.deferred():
            workers = stack.enter_context(worker_pool(jobs))
        try:
            for each in _checked_reads(validate_file(workers, job)):
                if each.result is None or results.reaches_limit(each.result):
                    lines += _reread(results, signals, name, each.segment, lines)
                else:
                    with signals.deferred():
                        results.write(each.result, name, lines)
                    lines += each.lines
                results.printer.wait_writable_blocking()
                results.update_progress(before + each.segment[1])
        except WorkerEnded:
            raise Failure("one of the processes ended unexpectedly; try --jobs 1") from None


def _reread(results: ResultWriter, signals: Signals, name: str, segment: Segment, lines: int) -> int:
    """Read a segment in this process because its result is too large to be returned, or reaches the error limit.

    Returns:
        The number of lines.
    """
    with _open_input(name) as file:
        source = DocumentSource(file, on_oversized=results.write_oversized, segment=segment)
        for batch in _checked_reads(source):
            with signals.deferred():
                results.validate(batch, name, lines)
            results.printer.wait_writable_blocking()
    return source.lines


def _checked_reads(source: Iterable[T]) -> Iterator[T]:
    with _read_errors():
        yield from source


@contextmanager
def _read_errors() -> Generator[None]:
    try:
        yield
    except OSError as error:
        message = error.strerror or str(error)
        if isinstance(error, UnreadableContent) and error.command:
            message = message.replace(error.command, f"{error.command} | lifecycle validate -")
        raise _ReadError(message) from error
