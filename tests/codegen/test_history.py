"""Upstream's history, commit by commit: each has the report that is recorded for it."""

from __future__ import annotations

import pytest

from codegen import lock
from tests.bed.paths import ROOT
from tests.codegen import history


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """The reports, and the folder with schemas/ as of the last commit."""
    folder = tmp_path_factory.mktemp("history")
    return history.replay(folder), folder


def test_each_commit_of_upstream_has_its_recorded_report(replayed):
    """If the new reports are right, run `python -m tests.codegen.history`."""
    assert replayed[0] == history.REPORTS.read_text(encoding="utf-8")


def test_the_last_commit_leads_to_the_schemas_of_today(replayed):
    """If upstream has changed since, run `python -m tests.codegen.history CLONE`, with a clone of its repository."""
    folder = replayed[1]
    locked, kept_lock = lock.read(folder / "schemas"), lock.read(ROOT / "schemas")
    assert {(file.path, file.canonical) for file in locked.files} == {
        (file.path, file.canonical) for file in kept_lock.files
    }
    for kept in (ROOT / "schemas/choria").rglob("*.json"):
        assert (folder / kept.relative_to(ROOT)).read_bytes() == kept.read_bytes()
