"""Validation of files by several processes, with results in the order of the files."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import RLock, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.validation.worker import (
    Job,
    SegmentResult,
    WorkerEnded,
    receive,
    send,
    start_worker,
    validate_segment,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator, Iterable, Iterator

    from choria_lifecycle.validation.source import Segment

__all__ = ["SEGMENT_SIZE", "Part", "WorkerPool", "validate_parts", "worker_pool"]

SEGMENT_SIZE: Final = 2 * 1024 * 1024
"""The number of bytes that a process validates at a time."""

_SWITCH_INTERVAL: Final = 0.0005  # in seconds


class Part(NamedTuple):
    """A part of the input.

    Attributes:
        file: the number of the file.
        job: how to validate it; None if only the caller can read it.
        segment: the segment; None for the whole file.
    """

    file: int
    job: Job | None = None
    segment: Segment | None = None


class _Worker:
    """A worker process, and a thread that waits for its responses.

    Attributes:
        process: the process.
        unfinished: the requests without a response.
    """

    def __init__(self) -> None:
        self.process: Final = start_worker()
        self.unfinished: Final[deque[Future[SegmentResult]]] = deque()
        self._requests: SimpleQueue[Future[SegmentResult] | None] = SimpleQueue()
        self._thread = Thread(target=self._receive, name="lifecycle-validate", daemon=True)
        self._thread.start()

    def submit(self, job: Job, segment: Segment | None) -> Future[SegmentResult]:
        future: Future[SegmentResult] = Future()
        try:
            send(self.process, job, segment)
        except WorkerEnded as error:
            future.set_exception(error)
        else:
            self.unfinished.append(future)
            self._requests.put(future)
        return future

    def close(self) -> None:
        self.process.kill()
        self._requests.put(None)
        self._thread.join()
        with suppress(OSError), self.process:  # an unread request may be left in the pipe
            pass

    def _receive(self) -> None:
        while (future := self._requests.get()) is not None:
            try:
                result = receive(self.process)
            except Exception as error:  # noqa: BLE001 - the caller of `result` gets it
                self.unfinished.popleft()
                future.set_exception(error)
            else:
                self.unfinished.popleft()
                future.set_result(result)


class WorkerPool:
    """Worker processes that validate files, and segments of files.

    Each may be given the next request before it has finished the last one, so that it need not wait for this process,
    whose responses would come after a switch of threads.

    Attributes:
        processes: the worker processes.
    """

    def __init__(self, size: int) -> None:
        self._workers = [_Worker() for _ in range(size)]
        self.processes: Final[list[subprocess.Popen[bytes]]] = [worker.process for worker in self._workers]

    def submit(self, job: Job, segment: Segment | None) -> Future[SegmentResult]:
        """Have a worker validate a segment, or a whole file; the future raises WorkerEnded if the worker has ended."""
        return min(self._workers, key=lambda worker: len(worker.unfinished)).submit(job, segment)

    def close(self) -> None:
        """Kill all workers and end their threads."""
        for worker in self._workers:
            worker.close()


@contextmanager
def worker_pool(jobs: int) -> Generator[WorkerPool]:
    """Run the workers for `validate_parts` within this context.

    Args:
        jobs: the number of processes including this one; two or more.
    """
    workers = WorkerPool(jobs - 1)
    # A thread with a response needs the GIL, which this process keeps busy, to receive it. With the default interval
    # that takes about as long as a segment.
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield workers
    finally:
        sys.setswitchinterval(before)
        workers.close()


def validate_parts(workers: WorkerPool, parts: Iterable[Part]) -> Iterator[tuple[Part, SegmentResult | None]]:
    """Return the parts in order, each with its result; None if it has no job.

    Args:
        workers: processes that validate in addition to this one.
        parts: the parts, created as late as possible.

    Raises:
        WorkerEnded: a worker has ended.
    """
    pending: deque[_Pending] = deque()
    rest = iter(parts)
    # Two segments per worker, or one file, keep all of them busy. The total is limited because each result may hold
    # its documents.
    max_running, max_pending = 2 * len(workers.processes), 4 * (len(workers.processes) + 1)
    lock = RLock()

    def claim() -> tuple[_Pending, Job] | None:
        with lock:
            for each in pending:
                if each.unclaimed is not None:
                    job, each.unclaimed = each.unclaimed, None
                    return each, job
            return None

    def fill(_: object = None) -> None:
        with lock:
            running = sum(each.weight for each in pending if each.future is not None and not each.future.done())
            while running < max_running and (claimed := claim()) is not None:
                new, job = claimed
                running += new.weight
                new.future = workers.submit(job, new.part.segment)
                new.future.add_done_callback(fill)  # while this process is busy with a part of its own

    try:
        while True:
            with lock:
                while len(pending) < max_pending and (part := next(rest, None)) is not None:
                    pending.append(_Pending(part, part.job))
            if not pending:
                return
            fill()
            first = pending[0]
            if first.future is not None and not first.future.done() and (claimed := claim()) is not None:
                own, job = claimed
                own.result = validate_segment(job, own.part.segment)  # instead of waiting
                continue
            with lock:
                pending.popleft()
            yield first.part, first.future.result() if first.future is not None else first.result
    finally:
        with lock:
            pending.clear()


@dataclass(slots=True)
class _Pending:
    """A part whose result is not yet returned, and its job until a process takes it."""

    part: Part
    unclaimed: Job | None
    future: Future[SegmentResult] | None = None
    result: SegmentResult | None = None

    @property
    def weight(self) -> int:
        return 1 if self.part.segment is not None else 2
