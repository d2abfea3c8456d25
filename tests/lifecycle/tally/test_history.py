"""The last hour by minute."""

from __future__ import annotations

import pytest

from choria_lifecycle.tally.history import HISTORY_MINUTES, MAX_EXPIRED, MINUTE, ExpiredNode, History


def test_a_new_history_is_empty_and_ends_with_the_current_minute() -> None:
    begin, rows = History(1000.0).last_hour(1000.0)
    assert begin == 1000.0 - 59 * 60
    assert len(rows) == HISTORY_MINUTES
    assert {(row.startups, row.shutdowns, row.expiries, row.upgrades) for row in rows} == {(0, 0, 0, 0)}


@pytest.mark.parametrize(
    ("passed", "begin", "counted"),
    [
        (0, 1000 - 59 * 60, {59: 3}),
        (59.9, 1000 - 59 * 60, {59: 3}),
        (60, 1000 - 58 * 60, {58: 3}),
        (3599, 1000, {0: 3}),
        (3600, 1000 + 60, {}),
        (1e9, 1000 + (1e9 // 60 - 59) * 60, {}),
    ],
)
def test_minutes_move_with_the_time(passed: float, begin: float, counted: dict[int, int]) -> None:
    history = History(1000.0)
    for _ in range(3):
        history.counts_at(1000.0).startups += 1
    first, rows = history.last_hour(1000.0 + passed)
    assert first == begin
    assert {number: row.startups for number, row in enumerate(rows) if row.startups} == counted
    assert len(rows) == HISTORY_MINUTES


def test_a_late_event_counts_in_its_own_minute() -> None:
    history = History(0.0)
    history.counts_at(120.0).upgrades += 1
    history.counts_at(30.0).upgrades += 2
    history.counts_at(119.0).upgrades += 3
    history.counts_at(120.0 - HISTORY_MINUTES * MINUTE).upgrades += 4  # no longer shown
    assert [row.upgrades for row in history.last_hour(120.0)[1]] == [0] * (HISTORY_MINUTES - 3) + [2, 3, 1]


def test_the_last_expired_nodes_are_kept() -> None:
    history = History(0.0)
    for number in range(MAX_EXPIRED + 5):
        history.expired.append(ExpiredNode(f"n{number}", "server", "1", 0.0, 1.0))
    assert [node.identity for node in history.expired] == [f"n{number}" for number in range(5, MAX_EXPIRED + 5)]
