"""The check of a failover detects events that were missed or repeated in silence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from .failover import FailedOver, Reading, problems, summary

PUBLISHED = {"a": 10.0, "b": 11.0, "c": 12.0}
ALL = Counter(PUBLISHED.keys())
GAP = [(10.5, 12.0)]


def failed_over(reading: Reading, **result: Any) -> FailedOver:
    return FailedOver(PUBLISHED, **{"stored": 3, "readings": {"events": reading}, "tallied": 3} | result)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (failed_over(Reading(ALL)), []),
        (failed_over(Reading(ALL, unstored=1), stored=2), []),
        (failed_over(Reading(Counter("a"), GAP), stored=1), []),
        (failed_over(Reading(ALL), tallied=2, tally_gaps=1), []),
        (failed_over(Reading(ALL), stored=2), ["events: the stream stored 2 events, and none is counted as unstored"]),
        (failed_over(Reading(Counter("aab"), GAP)), ["events: 1 events were received more than once"]),
        (failed_over(Reading(Counter("a"))), ["events: 2 of 3 events are missing, 2 of them outside its gaps"]),
        (failed_over(Reading(Counter("b"), GAP)), ["events: 2 of 3 events are missing, 1 of them outside its gaps"]),
        (failed_over(Reading(ALL), tallied=2), ["tally: 1 of 3 events are missing, and it has no gap"]),
        (failed_over(Reading(ALL), tallied=4), ["tally: 4 events were counted of 3"]),
        (failed_over(Reading(ALL), expired=1), ["tally: 1 nodes expired, although all announced themselves"]),
        (failed_over(Reading(), failure="failover: TimeoutError()"), ["failover: TimeoutError()"]),
    ],
)
def test_events_missed_or_repeated_in_silence_are_found(found: FailedOver, said: list[str]) -> None:
    assert problems(found) == said


def test_the_summary_has_the_numbers() -> None:
    found = failed_over(Reading(Counter("ab"), GAP), stored=1, tally_gaps=2, streams_after=5.04)
    assert summary(found) == (
        "3 of Choria's brokers, the leader of the stream killed: 3 events published, 1 stored; events 2, 1 gaps; "
        "tally 3, 2 gaps (it found the stream after 5.0 s)"
    )
