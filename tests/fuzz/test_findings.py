"""Regression tests for earlier findings: every file in tests/data/fuzz goes through all targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.families import FAMILIES, Family
from tests.fuzz.inputs import corpus
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_properties_hold_for_earlier_findings(path: Path) -> None:
    raw = path.read_bytes()
    for target in TARGETS.values():
        target(raw)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_properties_hold_for_growing_inputs(family: Family) -> None:
    for size in (700, 2000):
        raw = family.of(size)
        for target in TARGETS.values():
            target(raw)


def test_the_corpus_is_not_empty() -> None:
    assert len(corpus()) >= 30
