"""The worker process, and the validation of one segment."""

from __future__ import annotations

import gzip
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.validation.parallel import SEGMENT_SIZE
from choria_lifecycle.validation.policy import Policy
from choria_lifecycle.validation.source import segments
from choria_lifecycle.validation.worker import (
    MAX_FINDINGS,
    MAX_KEPT,
    Job,
    SegmentResult,
    WorkerEnded,
    receive,
    send,
    start_worker,
    validate_segment,
)
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.samples import STARTUP, compact

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

POLICY = Policy(now=1795348800)  # 2026-11-22T12:00:00Z


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    process = start_worker()
    try:
        yield process
    finally:
        process.kill()
        with process:
            pass


def test_a_worker_leaves_an_unreadable_file_to_the_caller_and_continues(
    worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    send(worker, Job(path=tmp_path / "missing", policy=POLICY), (0, 10))
    assert receive(worker) == SegmentResult((0, 10), 0, None)
    (tmp_path / "events.ndjson").write_bytes(b"{}\n")
    send(worker, Job(path=tmp_path / "events.ndjson", policy=POLICY), (0, 0))
    send(worker, Job(path=tmp_path / "events.ndjson", policy=POLICY), (0, 3))
    assert [receive(worker).lines for _ in range(2)] == [0, 1]


def test_a_worker_reads_whole_files(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    packed = gzip.compress(b"{}\n" * 5)
    path.write_bytes(packed)
    send(worker, Job(path=path, policy=POLICY), None)
    found = receive(worker)
    assert (found.segment, found.lines) == (None, 5)
    assert found.result is not None
    assert found.result.counts.rejected == 5
    path.write_bytes(packed[:-9])  # the caller reports the documents before the damage, and then the error
    assert validate_segment(Job(path=path, policy=POLICY), None) == SegmentResult(None, 0, None)


@pytest.mark.parametrize(
    ("returned", "has_result"), [({}, True), ({"valid": True}, False), ({"rejected": True}, False)], ids=str
)
def test_the_size_of_returned_documents_is_limited(returned: dict[str, bool], has_result: bool, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    good, bad = (compact(event | {"x": "y" * 60_000}) + b"\n" for event in (STARTUP, {"protocol": 1}))
    path.write_bytes((good + bad) * (MAX_KEPT // 60_000 + 1))
    found = validate_segment(Job(path=path, policy=POLICY, **returned), None)
    assert (found.result is not None) == has_result


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="this system has no sessions")
def test_a_worker_has_its_own_session(worker: subprocess.Popen[bytes]) -> None:
    assert os.getsid(worker.pid) == worker.pid


def test_the_size_of_results_is_limited(tmp_path: Path) -> None:
    """A three-byte line has a finding of hundreds of bytes; a segment full of them has more than fit into memory."""
    path = tmp_path / "small.ndjson"
    path.write_bytes(b"{}\n" * 20_000)
    job = Job(path=path, policy=POLICY)
    results = [validate_segment(job, segment) for segment in segments(path, SEGMENT_SIZE)]
    assert sum(len(each.result.findings) for each in results if each.result is not None) <= 20_000
    assert len(pickle.dumps(results)) < 4_000_000


def test_the_documents_of_a_segment_are_returned_on_request(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    good = compact(STARTUP | {"id": ""}) + b"\n"
    path.write_bytes(b"{}\n" + good + b"\n" + good + b"{}\n")
    segment = (3, path.stat().st_size)
    both = validate_segment(Job(path=path, policy=POLICY, valid=True, rejected=True), segment)
    assert (both.segment, both.lines) == (segment, 4)
    assert both.result is not None
    assert (both.result.valid, both.result.rejected) == ([good, good], [b"{}\n"])
    assert [line for line, _ in both.result.findings] == [1, 3, 4]
    neither = validate_segment(Job(path=path, policy=POLICY), segment)
    assert neither.result is not None
    assert (neither.result.valid, neither.result.rejected) == ([], [])
    assert neither.result.counts == both.result.counts


@pytest.mark.parametrize(
    ("returned", "has_result"), [({}, True), ({"valid": True}, False), ({"rejected": True}, False)], ids=str
)
def test_a_segment_with_an_oversized_document_to_return_has_no_result(
    returned: dict[str, bool], has_result: bool, tmp_path: Path
) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"x" * (MAX_SIZE + 1) + b"\n")
    found = validate_segment(Job(path=path, policy=POLICY, **returned), (0, path.stat().st_size))
    assert (found.result is not None, found.lines) == (has_result, int(has_result))


def test_a_segment_with_too_many_findings_has_no_result(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"{}\n" * (MAX_FINDINGS + 1))
    job = Job(path=path, policy=POLICY)
    assert validate_segment(job, (0, 3 * MAX_FINDINGS)).result is not None
    assert validate_segment(job, (0, path.stat().st_size)) == SegmentResult((0, path.stat().st_size), 0, None)


def test_a_worker_returns_what_this_process_would(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"{}\nnonsense\n")
    job = Job(path=path, policy=POLICY, rejected=True)
    send(worker, job, (0, 12))
    assert receive(worker) == validate_segment(job, (0, 12))


def test_a_worker_ends_with_its_standard_input(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(20) == 0
    with pytest.raises(WorkerEnded):
        send(worker, Job(path=tmp_path, policy=POLICY), (0, 1))
    with pytest.raises(WorkerEnded):
        receive(worker)
