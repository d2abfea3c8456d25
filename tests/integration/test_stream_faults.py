"""A replicated stream fails while events are published: each reader sees every event once, or says what it missed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.bed.stream_faults import FAULTS, Bed, bed, run_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

# `make soak` lets each fault last longer, with more events.
FULL = "SOAK_ROUNDS" in os.environ
EVENTS = 900 if FULL else 150
SECONDS = None if FULL else 1.0


@pytest.fixture(scope="module")
def running() -> Iterator[Bed]:
    with bed() as cluster:
        yield cluster


# Those of which others are variants.
QUICK = {"leader killed", "stream full", "connection cut without quorum"}


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in FAULTS],
)
async def test_every_event_is_seen_once_or_known_to_be_in_doubt(running: Bed, fault: str) -> None:
    reports = await run_fault(running, fault, events=EVENTS, seconds=SECONDS, count_unstored=FULL)
    assert {report.reader: (report.problems, str(report)) for report in reports if report.problems} == {}
