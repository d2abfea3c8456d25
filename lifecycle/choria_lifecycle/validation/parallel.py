"""Validation of one large file by several processes, with results in the order of the file."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from choria_lifecycle.validation.source import Segment, segments
from choria_lifecycle.validation.worker import Job, SegmentResult, request, start_worker, validate_segment

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator, Iterator

__all__ = ["SEGMENT_SIZE", "WorkerPool", "validate_file", "worker_pool"]

SEGMENT_SIZE: Final = 2 * 1024 * 1024
"""The number of bytes that a process validates at a time."""

_SWITCH_INTERVAL: Final = 0.0005  # in seconds


class WorkerPool:
    """Worker processes that validate segments, each served by a thread that waits for its response.

    Attributes:
        processes: the worker processes.
    """

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self.processes = processes
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(len(processes), thread_name_prefix="lifecycle-validate")

    def submit(self, job: Job, segment: Segment) -> Future[SegmentResult]:
        """Have a worker validate a segment; the future raises as `worker.request` does."""
        return self._threads.submit(self._request, job, segment)

    def close(self) -> None:
        """Kill all workers and end their threads."""
        for process in self.processes:
            process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self.processes:
            with suppress(OSError), process:  # an unread request may be left in the pipe
                pass

    def _request(self, job: Job, segment: Segment) -> SegmentResult:
        process = self._idle.get()
        try:
            return request(process, job, segment)
        finally:
            self._idle.put(process)


@contextmanager
def worker_pool(jobs: int) -> Generator[WorkerPool]:
    """Run the workers for `validate_file` within this context.

    Args:
        jobs: the number of processes including this one; two or more.
    """
    workers = WorkerPool([start_worker() for _ in range(jobs - 1)])
    # A thread with a response needs the GIL, which this process keeps busy, to receive it and send the next request.
    # With the default interval that takes about as long as a segment.
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield workers
    finally:
        sys.setswitchinterval(before)
        workers.close()


def validate_file(workers: WorkerPool, job: Job) -> Iterator[SegmentResult]:
    """Return the results for a divisible file, segment by segment.

    Args:
        workers: processes that validate in addition to this one.
        job: the file and the policy.

    Raises:
        OSError: the file cannot be read.
        WorkerEnded: a worker has ended.
    """
    pending: deque[Future[SegmentResult] | SegmentResult] = deque()
    rest = segments(job.path, SEGMENT_SIZE)
    # Two requests per worker keep all of them busy. The total is limited because each result may hold its segment.
    max_running, max_pending = 2 * len(workers.processes), 4 * (len(workers.processes) + 1)
    try:
        while True:
            running = sum(isinstance(each, Future) and not each.done() for each in pending)
            capacity = min(max_running - running, max_pending - len(pending))
            pending.extend(workers.submit(job, segment) for segment in islice(rest, max(capacity, 0)))
            if not pending:
                return
            first = pending[0]
            if isinstance(first, Future) and not first.done() and len(pending) < max_pending:
                own = next(rest, None)
                if own is not None:  # work instead of waiting
                    pending.append(validate_segment(job, own))
                    continue
            pending.popleft()
            yield first.result() if isinstance(first, Future) else first
    finally:
        for each in pending:
            if isinstance(each, Future):
                each.cancel()
