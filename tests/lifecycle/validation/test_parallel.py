"""Validation in segments: the combined results equal those of the whole file."""

from __future__ import annotations

import json
from concurrent.futures import Future
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.validation import worker
from choria_lifecycle.validation.parallel import Part, validate_parts, worker_pool
from choria_lifecycle.validation.policy import BatchResult, Policy, validate_batch
from choria_lifecycle.validation.source import DocumentSource, segments
from choria_lifecycle.validation.worker import Job, SegmentResult, WorkerEnded, validate_segment
from choria_lifecycle.wire.codes import CODES
from tests.bed import strategies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOON = 1795348800  # 2026-11-22T12:00:00Z
LIMIT = 400
POLICY = Policy(now=NOON)
GOOD = lifecycle.encode(
    lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0", timestamp=NOON)
)
WARNED = GOOD.replace(b'"id":"', b'"id":"no-uuid-')
BAD = b'{"protocol":"io.choria.lifecycle.v1.shutdown"}'
LONG = b"y" * (LIMIT + 1)
LINES = st.lists(
    st.tuples(
        st.sampled_from([GOOD, GOOD, WARNED, BAD, b"nonsense", b"", b" \t", b"[]", GOOD.replace(b"n1", b"\xff"), LONG]),
        st.sampled_from([b"\n", b"\n", b"\r\n"]),
    ),
    max_size=12,
)


class InProcessPool:
    """A worker pool that validates at once in this process, and keeps its futures."""

    def __init__(self, workers: int = 1) -> None:
        self.processes = [None] * workers
        self.futures: list[Future[Any]] = []

    def submit(self, job: Job, segment: tuple[int, int] | None) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        future.set_result(validate_segment(job, segment))
        return future


class LazyPool(InProcessPool):
    """A worker pool that validates when a result is requested, and counts pending segments.

    Args:
        done: the results of `Future.done`, in turn; by default always False.
        workers: the number of worker processes to simulate.
    """

    def __init__(self, done: Iterable[bool] = (False,), workers: int = 1) -> None:
        super().__init__(workers)
        self.max_pending = self.pending = 0
        self._done = cycle(done)

    def submit(self, job: Job, segment: tuple[int, int] | None) -> Future[Any]:
        pool = self

        class Pending(Future[Any]):
            is_done = False

            def done(self) -> bool:
                self.is_done = self.is_done or next(pool._done)
                return self.is_done

            def result(self, timeout: float | None = None) -> Any:
                pool.pending -= 1
                return validate_segment(job, segment)

        future = Pending()
        self.futures.append(future)
        self.pending += 1
        self.max_pending = max(self.max_pending, self.pending)
        return future


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of twenty small segments."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join((BAD, GOOD, WARNED)[number % 3] + b"\n" for number in range(20_000 // 180)))
    return path


def validate_file(workers: Any, job: Job, segment: int = 1000) -> Iterator[SegmentResult]:
    """Validate a file in small segments."""
    parts = [Part(0, job, each) for each in segments(job.path, segment)]
    for number, (part, result) in enumerate(validate_parts(workers, iter(parts))):
        assert result is not None
        assert part is parts[number]
        yield result


def combined(results: Iterator[SegmentResult] | list[SegmentResult]) -> tuple[BatchResult, int]:
    """Return the combined result, with line numbers of the file, and the number of lines."""
    total, lines = BatchResult(), 0
    for each in results:
        assert each.result is not None
        total.counts.add(each.result.counts)
        total.findings += [(number + lines, findings) for number, findings in each.result.findings]
        total.rejected += each.result.rejected
        total.valid += each.result.valid
        lines += each.lines
    return total, lines


class Serial(NamedTuple):
    """The outcome of validating a file, or a segment, serially."""

    part: BatchResult
    lines: int
    oversized: list[bytes]


def serial(path: Path, policy: Policy, segment: tuple[int, int] | None = None) -> Serial:
    found = Serial(BatchResult(), 0, [])
    with path.open("rb") as file:
        source = DocumentSource(
            file, on_oversized=found.oversized.append, limit=LIMIT, segment=segment or (0, path.stat().st_size)
        )
        for batch in source:
            part = validate_batch(batch, policy)
            found.part.counts.add(part.counts)
            found.part.findings.extend(part.findings)
            found.part.rejected.extend(part.rejected)
            found.part.valid.extend(part.valid)
    return found._replace(lines=source.lines)


POLICIES = st.builds(
    Policy,
    now=st.just(float(NOON)),
    warnings=st.booleans(),
    warnings_as_errors=st.booleans(),
    codes=st.sampled_from([frozenset(CODES), frozenset(CODES) - {"input-size"}, frozenset({"id-uuid"})]),
)


@settings(max_examples=strategies.EXAMPLES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    LINES,
    st.booleans(),
    st.integers(1, 1000),
    st.integers(2, 4),
    st.lists(st.booleans(), min_size=1, max_size=5),
    POLICIES,
    st.booleans(),
    st.booleans(),
)
def test_segments_have_the_same_result_as_the_file(
    lines: list[tuple[bytes, bytes]],
    ended: bool,
    segment: int,
    jobs: int,
    done: list[bool],
    policy: Policy,
    valid: bool,
    rejected: bool,
) -> None:
    data = b"".join(line + end for line, end in lines)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "events.ndjson"
        path.write_bytes(data if ended else data.removesuffix(b"\n"))
        patch.setattr(worker, "DocumentSource", partial(DocumentSource, limit=LIMIT))
        results = list(
            validate_file(
                LazyPool(done, jobs - 1), Job(path=path, policy=policy, valid=valid, rejected=rejected), segment
            )
        )
        whole = serial(path, policy)
        size = path.stat().st_size
        # The caller reads segments with too large a result itself.
        reread = {each.segment: serial(path, policy, each.segment) for each in results if each.result is None}
    begins, ends = [each.segment[0] for each in results], [each.segment[1] for each in results]
    assert [*begins, size] == [0, *ends]
    # A document that is too large matters only if documents are to be returned.
    assert bool(reread) == bool(whole.oversized and (valid or rejected))
    assert all(each.oversized for each in reread.values())
    read = [
        SegmentResult(each.segment, reread[each.segment].lines, reread[each.segment].part)
        if each.result is None
        else each
        for each in results
    ]
    found, lines_read = combined(read)
    assert (found.findings, found.counts, lines_read) == (whole.part.findings, whole.part.counts, whole.lines)
    if not reread:
        assert found.valid == (whole.part.valid if valid else [])
        assert found.rejected == (whole.part.rejected if rejected else [])


@pytest.mark.parametrize("jobs", [2, 3, 6])
def test_few_segments_are_pending_however_large_the_file_is(jobs: int, file: Path) -> None:
    workers = LazyPool(workers=jobs - 1)
    total, _ = combined(validate_file(workers, Job(path=file, policy=POLICY)))
    assert total.counts.valid + total.counts.rejected == len(file.read_bytes().splitlines())
    assert 0 < workers.max_pending <= 2 * (jobs - 1)


def test_what_cannot_be_read_is_left_to_the_caller(file: Path) -> None:
    results = validate_file(LazyPool(), Job(path=file, policy=POLICY))
    assert next(results).result is not None
    file.unlink()
    missing = [each.result is None and each.lines == 0 for each in results]
    assert missing[8:] == [True] * (len(missing) - 8)
    assert len(missing) > 10


def test_nothing_has_no_results() -> None:
    assert list(validate_parts(InProcessPool(), [])) == []  # type: ignore[arg-type]


def test_files_are_shared_out_one_at_a_time(file: Path, tmp_path: Path) -> None:
    """A second file that waits for a worker could be read by this process."""
    other, job = tmp_path / "pretty.json", Job(path=file, policy=POLICY)
    other.write_text(json.dumps([json.loads(GOOD)] * 3, indent=2))
    parts = [Part(0, job), Part(1), Part(2, Job(path=other, policy=POLICY)), Part(3, job), Part(4, job)]
    workers = LazyPool()
    found = list(validate_parts(workers, parts))  # type: ignore[arg-type]
    assert [part for part, _ in found] == parts
    assert found[1][1] is None
    assert workers.max_pending == 1
    assert [result.result.counts.valid for _, result in found if result and result.result] == [74, 3, 74, 74]


# ---- with real processes


def test_worker_processes_return_the_same_results_as_this_one(file: Path) -> None:
    job = Job(path=file, policy=Policy(now=NOON, warnings_as_errors=True), valid=True, rejected=True)
    with worker_pool(3) as workers:
        # Without this process taking part, so that the workers do everything.
        found = [workers.submit(job, segment).result() for segment in segments(file, 1000)]
        shared = list(validate_file(workers, job))
    here = list(validate_file(InProcessPool(), job))
    assert found == here == shared
    assert len(found) > 10
    assert json.loads(found[0].result.valid[0])["identity"] == "n1.example.net"  # type: ignore[union-attr]
    assert len(workers.processes) == 2
    assert all(process.poll() is not None for process in workers.processes)


def test_a_killed_worker_raises_instead_of_hanging(file: Path) -> None:
    with worker_pool(3) as workers:
        for process in workers.processes:
            process.kill()
        with pytest.raises(WorkerEnded):
            workers.submit(Job(path=file, policy=POLICY), (0, 10)).result()
        with pytest.raises(WorkerEnded):
            list(validate_file(workers, Job(path=file, policy=POLICY)))
