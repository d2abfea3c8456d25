"""One file in many pieces: together they say what the file says."""

from __future__ import annotations

import json
import os
import pickle
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
from choria_lifecycle.validation import parallel, worker
from choria_lifecycle.validation.parallel import validate_file, worker_pool
from choria_lifecycle.validation.policy import BatchResult, Policy, validate_batch
from choria_lifecycle.validation.source import DocumentSource, segments
from choria_lifecycle.validation.worker import Job, SegmentResult, WorkerEnded, validate_segment
from choria_lifecycle.wire.finding import CODES
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


class Here:
    """Stands for other processes, and does in this one, at once, what they would do; keeps what it was given to do."""

    def __init__(self, others: int = 1) -> None:
        self.processes = [None] * others
        self.futures: list[Future[Any]] = []

    def submit(self, wanted: Job, segment: tuple[int, int]) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        try:
            future.set_result(validate_segment(wanted, segment))
        except OSError as error:
            future.set_exception(error)
        return future


class Later(Here):
    """Does nothing until it is asked for the result, and counts what waits for that.

    Args:
        done: what to answer whether something has been done, in turn; by default it never has.
        others: how many processes it stands for.
    """

    def __init__(self, done: Iterable[bool] = (False,), others: int = 1) -> None:
        super().__init__(others)
        self.most = self.waiting = 0
        self._done = cycle(done)

    def submit(self, wanted: Job, segment: tuple[int, int]) -> Future[Any]:
        pool = self

        class Waiting(Future[Any]):
            is_done = False

            def done(self) -> bool:
                self.is_done = self.is_done or next(pool._done)
                return self.is_done

            def result(self, timeout: float | None = None) -> Any:
                pool.waiting -= 1
                return validate_segment(wanted, segment)

        future = Waiting()
        self.futures.append(future)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return future


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SEGMENT_SIZE", 1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of twenty segments, if they are small."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join((BAD, GOOD, WARNED)[number % 3] + b"\n" for number in range(20_000 // 180)))
    return path


def together(reports: Iterator[SegmentResult] | list[SegmentResult]) -> tuple[BatchResult, int]:
    """Return what was reported, with the lines of the file, and how many lines it has."""
    whole, lines = BatchResult(), 0
    for each in reports:
        assert each.result is not None
        whole.counts.add(each.result.counts)
        whole.findings += [(number + lines, findings) for number, findings in each.result.findings]
        whole.rejected += each.result.rejected
        whole.valid += each.result.valid
        lines += each.lines
    return whole, lines


class Alone(NamedTuple):
    """What one process finds in a part of a file."""

    part: BatchResult
    lines: int
    oversized: list[bytes]


def alone(path: Path, policy: Policy, segment: tuple[int, int] | None = None) -> Alone:
    found = Alone(BatchResult(), 0, [])
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
def test_in_pieces_it_says_the_same(
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
        patch.setattr(parallel, "SEGMENT_SIZE", segment)
        patch.setattr(worker, "DocumentSource", partial(DocumentSource, limit=LIMIT))
        reports = list(
            validate_file(Later(done, jobs - 1), Job(path=path, policy=policy, valid=valid, rejected=rejected))  # type: ignore[arg-type]
        )
        whole = alone(path, policy)
        size = path.stat().st_size
        # What is too much to be handed over is read again by whoever wants it.
        again = {each.segment: alone(path, policy, each.segment) for each in reports if each.result is None}
    begins, ends = [each.segment[0] for each in reports], [each.segment[1] for each in reports]
    assert [*begins, size] == [0, *ends]
    # A document too long to be handed over is no loss where nobody wants documents.
    assert bool(again) == bool(whole.oversized and (valid or rejected))
    assert all(each.oversized for each in again.values())
    read = [
        SegmentResult(each.segment, again[each.segment].lines, again[each.segment].part)
        if each.result is None
        else each
        for each in reports
    ]
    found, lines_read = together(read)
    assert (found.findings, found.counts, lines_read) == (whole.part.findings, whole.part.counts, whole.lines)
    if not again:
        assert found.valid == (whole.part.valid if valid else [])
        assert found.rejected == (whole.part.rejected if rejected else [])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("jobs", [2, 3, 6])
def test_little_waits_however_large_the_file_is(jobs: int, file: Path) -> None:
    others = Later(others=jobs - 1)
    whole, _ = together(validate_file(others, Job(path=file, policy=POLICY)))  # type: ignore[arg-type]
    assert whole.counts.valid + whole.counts.rejected == len(file.read_bytes().splitlines())
    assert 0 < others.most <= 2 * (jobs - 1)


@pytest.mark.usefixtures("small")
def test_whoever_has_enough_leaves_nothing_to_do(file: Path) -> None:
    others = Later()
    reports = validate_file(others, Job(path=file, policy=POLICY))  # type: ignore[arg-type]
    first = next(reports)
    reports.close()  # type: ignore[attr-defined]
    assert first.segment[0] == 0
    assert [future.cancelled() for future in others.futures] == [False, True]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(validate_file(Here(), Job(path=tmp_path / "missing", policy=POLICY)))  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
def test_a_file_that_vanishes_while_it_is_read(file: Path) -> None:
    reports = validate_file(Later(), Job(path=file, policy=POLICY))  # type: ignore[arg-type]
    next(reports)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        list(reports)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert list(validate_file(Here(), Job(path=path, policy=POLICY))) == []  # type: ignore[arg-type]


# ---- with real processes


@pytest.mark.usefixtures("small")
def test_processes_say_what_is_said_here(file: Path) -> None:
    wanted = Job(path=file, policy=Policy(now=NOON, warnings_as_errors=True), valid=True, rejected=True)
    with worker_pool(3) as others:
        # Without taking part in it, so that the others have to.
        found = [others.submit(wanted, segment).result() for segment in segments(file, 1000)]
        together = list(validate_file(others, wanted))
    here = list(validate_file(Here(), wanted))  # type: ignore[arg-type]
    assert found == here == together
    assert len(found) > 10
    assert json.loads(found[0].result.valid[0])["identity"] == "n1.example.net"  # type: ignore[union-attr]
    assert len(others.processes) == 2
    assert all(process.poll() is not None for process in others.processes)


def test_a_process_that_cannot_read_says_so_and_goes_on(file: Path, tmp_path: Path) -> None:
    with worker_pool(2) as others:
        with pytest.raises(FileNotFoundError):
            others.submit(Job(path=tmp_path / "missing", policy=POLICY), (0, 10)).result()
        assert others.submit(Job(path=file, policy=POLICY), (0, 0)).result().lines == 0


@pytest.mark.usefixtures("small")
def test_a_process_that_is_killed_is_no_hang(file: Path) -> None:
    with worker_pool(3) as others:
        for process in others.processes:
            process.kill()
        with pytest.raises(WorkerEnded):
            others.submit(Job(path=file, policy=POLICY), (0, 10)).result()
        with pytest.raises(WorkerEnded):
            list(validate_file(others, Job(path=file, policy=POLICY)))


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="there are no sessions")
def test_ctrl_c_is_for_the_one_that_started_them() -> None:
    with worker_pool(3) as others:
        sessions = [os.getsid(process.pid) for process in others.processes]
    assert sessions == [process.pid for process in others.processes]


def test_what_is_handed_over_is_bounded(tmp_path: Path) -> None:
    """A line of three bytes has a finding of some hundred: of a segment full of them there is too much to hold."""
    path = tmp_path / "small.ndjson"
    path.write_bytes(b"{}\n" * 20_000)
    reports = list(validate_file(Here(), Job(path=path, policy=POLICY)))  # type: ignore[arg-type]
    assert sum(len(each.result.findings) for each in reports if each.result is not None) <= 20_000
    assert len(pickle.dumps(reports)) < 4_000_000
