"""One large file, validated by several processes; what they find comes in the order of the file."""

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
"""How many bytes a process reads before it reports."""

# In seconds.
_SWITCH_INTERVAL: Final = 0.0005


class WorkerPool:
    """Processes that validate segments. Each is spoken to by a thread, which waits for its answer.

    Attributes:
        processes: the processes.
    """

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self.processes = processes
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(len(processes), thread_name_prefix="lifecycle-validate")

    def submit(self, job: Job, segment: Segment) -> Future[SegmentResult]:
        """Have a segment validated; see `worker.request` for what that raises."""
        return self._threads.submit(self._request, job, segment)

    def close(self) -> None:
        """End all of it, whatever it is at."""
        for process in self.processes:
            process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self.processes:
            with suppress(OSError), process:  # a request may be left that nobody reads
                pass

    def _request(self, job: Job, segment: Segment) -> SegmentResult:
        process = self._idle.get()
        try:
            return request(process, job, segment)
        finally:
            self._idle.put(process)


@contextmanager
def worker_pool(jobs: int) -> Generator[WorkerPool]:
    """The other processes for `validate_file`.

    Args:
        jobs: how many processes there are with this one, two or more.
    """
    others = WorkerPool([start_worker() for _ in range(jobs - 1)])
    # Whoever has an answer has to get hold of the interpreter, which is busy here, to take it and to ask again; by
    # default that takes about as long as a segment.
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield others
    finally:
        sys.setswitchinterval(before)
        others.close()


def validate_file(workers: WorkerPool, job: Job) -> Iterator[SegmentResult]:
    """Return what there is to say about a file that is divisible, segment by segment.

    Args:
        workers: processes that validate beside this one.
        job: what is wanted, of which file.

    Raises:
        OSError: it cannot be read.
        WorkerEnded: a process is gone.
    """
    waiting: deque[Future[SegmentResult] | SegmentResult] = deque()
    rest = segments(job.path, SEGMENT_SIZE)
    # Two for each of the others, so that none waits for this one; and not many in all, as each may hold its segment.
    most_busy, most = 2 * len(workers.processes), 4 * (len(workers.processes) + 1)
    try:
        while True:
            busy = sum(isinstance(each, Future) and not each.done() for each in waiting)
            room = min(most_busy - busy, most - len(waiting))
            waiting.extend(workers.submit(job, segment) for segment in islice(rest, max(room, 0)))
            if not waiting:
                return
            first = waiting[0]
            if isinstance(first, Future) and not first.done() and len(waiting) < most:
                own = next(rest, None)
                if own is not None:  # instead of waiting
                    waiting.append(validate_segment(job, own))
                    continue
            waiting.popleft()
            yield first.result() if isinstance(first, Future) else first
    finally:
        for each in waiting:
            if isinstance(each, Future):
                each.cancel()
