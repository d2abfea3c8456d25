"""The worker process, and the validation of one segment."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.validation.parallel import SEGMENT_SIZE
from choria_lifecycle.validation.policy import Policy
from choria_lifecycle.validation.source import segments
from choria_lifecycle.validation.worker import Job, request, start_worker, validate_segment

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


def test_a_worker_reports_an_unreadable_file_and_continues(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        request(worker, Job(path=tmp_path / "missing", policy=POLICY), (0, 10))
    (tmp_path / "events.ndjson").write_bytes(b"{}\n")
    assert request(worker, Job(path=tmp_path / "events.ndjson", policy=POLICY), (0, 0)).lines == 0


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
