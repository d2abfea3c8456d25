"""A worker process that validates segments of files, with requests and responses over its standard streams.

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
    "Job",
    "SegmentResult",
    "WorkerEnded",
    "request",
    "serve_jobs",
    "start_worker",
    "validate_segment",
]

MAX_FINDINGS: Final = 10_000
"""The maximum number of findings in a response; a segment full of very short lines has more than fit into memory."""


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
        segment: the segment.
        lines: the number of its lines; 0 without a result.
        result: the outcome, with lines counted from the beginning of the segment. None if the caller must read the
            segment itself: it has more than `MAX_FINDINGS` findings, or a document that must be returned and is
            too large.
    """

    segment: Segment
    lines: int
    result: BatchResult | None


def validate_segment(job: Job, segment: Segment) -> SegmentResult:
    """Validate a segment.

    Raises:
        OSError: the file cannot be read.
    """
    total = BatchResult()
    is_oversized = False

    def on_oversized(piece: bytes) -> None:  # noqa: ARG001 - the signature of `DocumentSource`
        nonlocal is_oversized
        is_oversized = job.valid or job.rejected

    with job.path.open("rb", buffering=0) as file:
        source = DocumentSource(file, on_oversized=on_oversized, segment=segment)
        for batch in source:
            result = validate_batch(batch, job.policy)
            total.counts.add(result.counts)
            total.findings += result.findings
            if job.valid:
                total.valid += result.valid
            if job.rejected:
                total.rejected += result.rejected
            if is_oversized or total.counts.codes.total() > MAX_FINDINGS:
                return SegmentResult(segment, 0, None)
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


def request(process: subprocess.Popen[bytes], job: Job, segment: Segment) -> SegmentResult:
    """Have a worker process validate a segment.

    Raises:
        OSError: the file cannot be read.
        WorkerEnded: the process has ended.
    """
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # noqa: PT018, S101 - for type checkers: both are pipes
    try:
        pickle.dump((job, segment), stdin)
        stdin.flush()
        response: SegmentResult | OSError = pickle.load(stdout)  # noqa: S301 - from a process started here
    except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise WorkerEnded from error
    if isinstance(response, OSError):
        raise response
    return response


def serve_jobs() -> None:
    """Respond to requests until standard input ends."""
    stdin: IO[bytes] = sys.stdin.buffer
    stdout: IO[bytes] = sys.stdout.buffer
    while True:
        try:
            job, segment = pickle.load(stdin)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        response: SegmentResult | OSError
        try:
            response = validate_segment(job, segment)
        except OSError as error:
            response = error
        pickle.dump(response, stdout)
        stdout.flush()
