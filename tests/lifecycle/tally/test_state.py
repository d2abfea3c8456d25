"""What is wrong with a tally: one list for readiness, metrics, status, page and log."""

from __future__ import annotations

from typing import Any

import pytest

from choria_lifecycle.middleware.delivery import Gap, StreamState
from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.duration import minutes
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.state import MAX_ANSWER_AGE, TallyState

NOW = 1_795_000_000.0
EVERY = minutes(ALIVE_INTERVAL)
FULL = "it is full and refuses new messages"


def stream(fault: str = "", *, only: bool = False, name: str = "CHORIA_EVENTS") -> StreamState:
    return StreamState(name, fault, NOW - 9, only, verified=True)


def state(**changes: Any) -> TallyState:
    """Return the state of a tally that is well, apart from the changes."""
    well: dict[str, Any] = {
        "connected": True,
        "subscribed": True,
        "last_answer": NOW - 3,
        "all_seen": True,
        "replay_state": "done",
        "replay_requested": EXPIRY,
        "replay_available": EXPIRY,
        "known_since": NOW - 86400,
        "stream": stream(),
        "started": NOW - 86400,
        "now": NOW,
    }
    return TallyState(**well | changes)


def reasons(found: TallyState) -> list[str]:
    return [f"{each.level}: {each.reason}" for each in found.problems]


def test_nothing_is_wrong() -> None:
    assert state().problems == ()
    assert state(stream=None, replay_available=None, known_since=None).problems == ()
    assert (state().receiving, state().complete, state().stream_readable) == (True, True, True)
    assert not state(all_seen=False).complete


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"connected": False, "subscribed": False, "last_answer": None}, "not connected to a broker"),
        ({"subscribed": False, "stream": None}, "not subscribed yet"),
        ({"subscribed": False, "stream": None, "replay_reason": "no reply"}, "waiting for the stream: no reply"),
        ({"last_answer": None}, "the broker has not answered yet"),
        ({"last_answer": NOW - MAX_ANSWER_AGE - 1}, "the broker does not answer"),
        (
            {"stream": stream(FULL, only=True)},
            f"the only source of events, the stream CHORIA_EVENTS, has a fault: {FULL}",
        ),
        (
            {"stream": stream(FULL), "replay_state": "running"},
            f"the replay of the stream CHORIA_EVENTS is not finished, and it has a fault: {FULL}",
        ),
    ],
)
def test_an_error_means_that_events_cannot_arrive(changes: dict[str, Any], reason: str) -> None:
    found = state(**changes)
    assert reasons(found) == [f"error: {reason}"]
    assert (found.receiving, found.complete) == (False, False)


def test_a_stream_with_a_fault_beside_a_live_subscription_is_a_warning() -> None:
    found = state(stream=stream(FULL))
    assert reasons(found) == [f"warning: the stream CHORIA_EVENTS has a fault: {FULL}"]
    assert (found.receiving, found.stream_readable) == (True, False)
    assert reasons(state(stream=stream(FULL, name=""))) == [f"warning: the stream has a fault: {FULL}"]


def test_a_stream_that_is_the_only_source_is_not_a_problem_while_it_is_well() -> None:
    assert state(stream=stream(only=True)).problems == ()


def test_a_lost_connection_hides_the_fault_of_the_stream() -> None:
    found = state(connected=False, stream=stream(FULL))
    assert reasons(found) == ["error: not connected to a broker"]
    assert not found.stream_readable


@pytest.mark.parametrize(
    ("available", "known", "said"),
    [
        (8.0, 8.0, "only 8 s of the 80 min"),
        (0.0, 0.0, "only 0 s of the 80 min"),
        (20 * 60.0, 20 * 60.0, "only 20 min of the 80 min"),
        (8.0, ALIVE_INTERVAL - 1, "only 8 s of the 80 min"),
        (8.0, ALIVE_INTERVAL + 1, ""),  # every live node has been seen
        (ALIVE_INTERVAL + 1, ALIVE_INTERVAL + 1, ""),
        (EXPIRY, EXPIRY, ""),
    ],
)
def test_a_stream_that_reaches_back_too_little(available: float, known: float, said: str) -> None:
    found = state(replay_available=available, known_since=NOW - known)
    assert reasons(found) == ([f"warning: the stream CHORIA_EVENTS had {said} to replay"] if said else [])
    for each in found.problems:
        # True for a new stream as well.
        assert each.effect == (
            "Nodes not seen since then appear with their next alive event. If the stream is not new, let it keep "
            "events for longer: raise its limits."
        )
        assert each.over == f"every event of the last {EVERY} is known; every live node has been seen"


def test_a_short_replay_that_was_all_there_is_to_read() -> None:
    assert state(replay_requested=60.0, replay_available=60.0, known_since=NOW - 60).problems == ()
    # The first event may have been stored a little later.
    assert state(replay_requested=60.0, replay_available=55.0, known_since=NOW - 55).problems == ()


@pytest.mark.parametrize(("ago", "there"), [(5.0, True), (ALIVE_INTERVAL - 1, True), (ALIVE_INTERVAL + 1, False)])
def test_losses_are_over_once_every_node_was_seen_again(ago: float, there: bool) -> None:
    gaps = (Gap(NOW - 9000, NOW - 8000, "old"), Gap(NOW - ago - 60, NOW - ago, "the connection was lost"))
    last = NOW - ago
    found = state(recent_gaps=gaps, last_gap=last, dropped=1204, last_dropped=last, unstored=1, last_unstored=last)
    begin, end = ("11:05:35", "11:06:35") if ago == 5 else ("10:35:41", "10:36:41")
    assert reasons(found) == (
        [
            "warning: the stream CHORIA_EVENTS has not stored 1 event",
            f"warning: events may have been missed from {begin} to {end} UTC: the connection was lost",
            "warning: 1,204 messages were dropped because the tally was too slow",
        ]
        if there
        else []
    )
    over = f"every event of the last {EVERY} has arrived; the numbers are complete again"
    assert {each.over for each in found.problems} == (
        {f"the stream CHORIA_EVENTS has stored every event of the last {EVERY}", over} if there else set()
    )


def test_a_gap_is_over_by_a_monotonic_clock() -> None:
    """Its own times are of a clock that may have been set since."""
    gap = Gap(NOW - 86400, NOW - 86390, "the connection was lost")
    assert len(state(recent_gaps=(gap,), last_gap=NOW - 5).problems) == 1
    gap = Gap(NOW + 86400, NOW + 86410, "the connection was lost")
    assert state(recent_gaps=(gap,), last_gap=NOW - ALIVE_INTERVAL - 1).problems == ()


def test_one_dropped_message() -> None:
    found = state(dropped=1, last_dropped=NOW)
    assert reasons(found) == ["warning: 1 message was dropped because the tally was too slow"]


def test_effects_are_sentences_and_reasons_are_not() -> None:
    gap = Gap(NOW - 60, NOW, "x")
    found = [
        *state(connected=False, recent_gaps=(gap,), last_gap=NOW, dropped=2, last_dropped=NOW).problems,
        *state(stream=stream(FULL), replay_available=8.0, known_since=NOW, last_unstored=NOW, unstored=9).problems,
        *state(last_answer=NOW - 61).problems,
    ]
    assert len(found) == 7
    for each in found:
        assert each.effect.endswith(".")
        assert not each.reason.endswith(".")
        assert not each.over.endswith(".")
