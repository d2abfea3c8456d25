"""A process that validates segments of files for another one, over its standard input and output.

Not multiprocessing: its processes get the signals of the terminal, and its resource tracker warns when they come at the
wrong moment. These have a session of their own, and end with the input that they read.
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
"""How many findings are handed over; lines of a few bytes have more in a segment than there is memory for."""


class WorkerEnded(Exception):
    """The process is gone before it has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is wanted of a file.

    Attributes:
        path: the file.
        policy: what to look for.
        valid: the valid documents themselves.
        rejected: the rejected documents themselves.
    """

    path: Path
    policy: Policy
    valid: bool = False
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What there is to say about a segment.

    Attributes:
        segment: where it is.
        lines: how many lines it has; 0 without a part.
        result: what became of its documents, their lines counted from the beginning of the segment; None if that is too
            much to be handed over - a document that is too long and is to be written, or very many findings - and the
            segment has to be read where they are written.
    """

    segment: Segment
    lines: int
    result: BatchResult | None


def validate_segment(job: Job, segment: Segment) -> SegmentResult:
    """Validate a segment.

    Raises:
        OSError: it cannot be read.
    """
    whole = BatchResult()
    too_long = False

    def oversized(piece: bytes) -> None:  # noqa: ARG001 - the signature of `DocumentSource`
        nonlocal too_long
        too_long = job.valid or job.rejected

    with job.path.open("rb", buffering=0) as file:
        source = DocumentSource(file, on_oversized=oversized, segment=segment)
        for batch in source:
            part = validate_batch(batch, job.policy)
            whole.counts.add(part.counts)
            whole.findings += part.findings
            if job.valid:
                whole.valid += part.valid
            if job.rejected:
                whole.rejected += part.rejected
            if too_long or whole.counts.codes.total() > MAX_FINDINGS:
                return SegmentResult(segment, 0, None)
    return SegmentResult(segment, source.lines, whole)


def start_worker() -> subprocess.Popen[bytes]:
    """Start a process that serves; whoever starts it kills it."""
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve_jobs; serve_jobs()"
    return subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def request(process: subprocess.Popen[bytes], job: Job, segment: Segment) -> SegmentResult:
    """Have a process validate a segment.

    Raises:
        OSError: the file cannot be read.
        WorkerEnded: the process is gone.
    """
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # noqa: PT018, S101 - for type checkers: both are pipes
    try:
        pickle.dump((job, segment), stdin)
        stdin.flush()
        answer: SegmentResult | OSError = pickle.load(stdout)  # noqa: S301 - from a process of our own
    except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise WorkerEnded from error
    if isinstance(answer, OSError):
        raise answer
    return answer


def serve_jobs() -> None:
    """Answer what `ask` asks, until there is nobody to ask any more."""
    stdin: IO[bytes] = sys.stdin.buffer
    stdout: IO[bytes] = sys.stdout.buffer
    while True:
        try:
            wanted, segment = pickle.load(stdin)  # noqa: S301 - from the process that has started this one
        except EOFError:
            return
        answer: SegmentResult | OSError
        try:
            answer = validate_segment(wanted, segment)
        except OSError as error:
            answer = error
        pickle.dump(answer, stdout)
        stdout.flush()
