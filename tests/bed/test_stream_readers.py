"""A report names what a reader lost, repeated or expired without saying so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .stream_readers import Report

FINE = Report(
    reader="tally",
    published=3,
    seen=3,
    duplicates=[],
    missing=[],
    uncovered={},
    alive_published=20,
    alive_seen=20,
    never_stored=5,
    counted=3,
    expired=0,
    counters={"gaps": 0, "unstored": 5},
    gaps=[],
    said=["lost the connection to NATS: EOF; reconnecting"],
)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"duplicates": ["event-1"]}, "1 events repeatedly, such as event-1"),
        (
            {"seen": 2, "missing": ["event-1"], "uncovered": {"event-1": (5.0, 5.1)}},
            "1 events missing in silence, such as event-1, published at 5.00",
        ),
        ({"alive_seen": 21}, "21 alive events of 20"),
        ({"alive_seen": 19}, "19 alive events of 20, in silence"),
        ({"never_stored": 6}, "5 unstored messages of 6"),
        ({"counted": 2}, "counted 2 of 3, in silence"),
        ({"counted": 4, "counters": {"gaps": 1}}, "counted 4 of 3"),
        ({"expired": 10}, "10 living nodes expired"),
    ],
)
def test_a_problem(changes: dict[str, object], problem: str) -> None:
    assert replace(FINE, **changes).problems == [problem]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seen": 2, "missing": ["event-1"], "gaps": [(1.0, 2.0, "no leader")]},
        {"alive_seen": 19, "alive_published": None},
        {"alive_seen": 19, "counters": {"gaps": 1}},
        {"alive_seen": 19, "said": ["reconnected to nats://127.0.0.1:4222; messages in between were missed"]},
        {"never_stored": None},
        {"never_stored": 6, "counters": {"gaps": 1, "unstored": 5}},
        {"never_stored": 6, "counters": {"gaps": 0, "unstored": None}},
        {"counted": 2, "counters": {"gaps": 1}},
    ],
)
def test_no_problem(changes: dict[str, object]) -> None:
    assert replace(FINE, **changes).problems == []
