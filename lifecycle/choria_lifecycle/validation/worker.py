"""A worker process that validates files and segments of files, with requests and responses over its standard streams.

multiprocessing is not used: its processes receive the terminal's signals, and its resource tracker warns if they arrive
at the wrong moment. These workers have sessions of their own, and end when their standard input does.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from choria_lifecycle.validation.policy import BatchResult, validate_batch
from choria_lifecycle.validation.source import DocumentSource

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.validation.policy import Policy
    from choria_lifecycle.validation.source import Segment

__all__ = [
    "MAX_FINDINGS",
    "MAX_KEPT",
    "Job",
    "SegmentResult",
    "WorkerEnded",
    "receive",
    "send",
    "serve_jobs",
    "start_worker",
    "validate_segment",
]

MAX_FINDINGS: Final = 10_000
"""The maximum number of findings in a response; a segment full of very short lines has more than fit into memory."""

MAX_KEPT: Final = 4 * 1024 * 1024
"""The maximum size of the documents in a response, in bytes."""


class WorkerEnded(Exception):
    """The worker process ended without a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file to validate, and the results to return.

    Attributes:
        path: the file.
        policy: the findings to look for.
        valid: return the valid documents too.
        rejected: return the rejected documents too.
    """

    path: Path
    policy: Policy
    valid: bool = False
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """The outcome of validating a segment.

    Attributes:
        segment: the segment; None for a whole file.
        lines: the number of its lines; 0 without a result.
        result: the outcome, with lines counted from the beginning of the segment. None if the caller must read it
            itself: it cannot be read, has more than `MAX_FINDINGS` findings, or documents that must be returned and
            exceed `MAX_KEPT` or the limit of a document.
    """

    segment: Segment | None
    lines: int
    result: BatchResult | None


def validate_segment(job: Job, segment: Segment | None) -> SegmentResult:
    """Validate a segment, or a whole file if it is None."""
    total = BatchResult()
    unread = SegmentResult(segment, 0, None)
    is_oversized, kept = False, 0

    def on_oversized(piece: bytes) -> None:  # noqa: ARG001 - the signature of `DocumentSource`
        nonlocal is_oversized
        is_oversized = job.valid or job.rejected

    try:
        with job.path.open("rb", buffering=0) as file:
            source = DocumentSource(file, on_oversized=on_oversized, segment=segment, **job.policy.limits)
            for batch in source:
                result = validate_batch(batch, job.policy)
                total.counts.add(result.counts)
                total.coverage.update(result.coverage)
                total.findings += result.findings
                if job.valid:
                    total.valid += result.valid
                    kept += sum(map(len, result.valid))
                if job.rejected:
                    total.rejected += result.rejected
                    kept += sum(map(len, result.rejected))
                if is_oversized or kept > MAX_KEPT or total.counts.codes.total() > MAX_FINDINGS:
                    return unread
    except OSError:
        return unread
    return SegmentResult(segment, source.lines, total)


def start_worker() -> subprocess.Popen[bytes]:
    """Start a worker process; the caller must kill it."""
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve_jobs; serve_jobs()"
    return subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def send(process: subprocess.Popen[bytes], job: Job, segment: Segment | None) -> None:
    """Request the validation of a segment, or of a whole file; it may be sent before earlier responses are received.

    Raises:
        WorkerEnded: the process has ended.
    """
    assert process.stdin is not None  # noqa: S101 - for type checkers: it is a pipe
    try:
        pickle.dump((job, segment), process.stdin)
        process.stdin.flush()
    except (OSError, ValueError) as error:
        raise WorkerEnded from error


def receive(process: subprocess.Popen[bytes]) -> SegmentResult:
    """Wait for the response to the oldest request.

    Raises:
        WorkerEnded: the process has ended.
    """
    assert process.stdout is not None  # noqa: S101 - for type checkers: it is a pipe
    try:
        response: SegmentResult = pickle.load(process.stdout)  # noqa: S301 - from a process started here
    except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise WorkerEnded from error
    return response


def serve_jobs() -> None:
    """Respond to requests, in order, until standard input ends."""
    stdin: IO[bytes] = sys.stdin.buffer
    stdout: IO[bytes] = sys.stdout.buffer
    while True:
        try:
            job, segment = pickle.load(stdin)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        pickle.dump(validate_segment(job, segment), stdout)
        stdout.flush()
