"""The receivers of a subscription: what is queued, held, left to the stream, dropped, and missed."""

from __future__ import annotations

import logging
import time

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware import inbox as module
from choria_lifecycle.middleware.inbox import Inbox, LiveSink, StreamSink
from choria_lifecycle.middleware.merge import Interval
from choria_lifecycle.support.clock import steady

LIMIT = 4


class Clock:
    """The clock `steady`."""

    def __init__(self) -> None:
        self.now = steady()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "steady", made)
    return made


@pytest.fixture
def inbox() -> Inbox:
    made = Inbox("a.>", LIMIT, 1000)
    made.unbroken_since = steady()
    return made


@pytest.fixture
def sink(inbox: Inbox, clock: Clock) -> StreamSink:
    made = StreamSink(inbox)
    made.live_begins(clock.now - 0.01)
    made.server_clock(time.time() - clock.now)
    return made


def live(sink: StreamSink, *names: str) -> None:
    for name in names:
        sink.live.message(name, b"{}")


def stored(sink: StreamSink, *names: str, history: bool = False) -> None:
    for name in names:
        sink.stored(name, b"{}", time.time(), history)


def read(inbox: Inbox) -> list[str]:
    found = [subject for subject, *_ in inbox.waiting]
    inbox.clear()
    return found


def test_live_messages_follow_the_history(inbox: Inbox, sink: StreamSink) -> None:
    live(sink, "b", "c")
    stored(sink, "a", "b", history=True)
    assert read(inbox) == ["a", "b"]
    sink.caught_up()
    assert read(inbox) == ["c"]
    stored(sink, "c")
    live(sink, "d")
    stored(sink, "d", "e")
    live(sink, "e")
    assert read(inbox) == ["d", "e"]
    assert (inbox.counters.received, inbox.counters.replayed, inbox.counters.gaps) == (5, 2, 0)


def test_live_messages_follow_what_the_stream_supplies_after_a_lost_connection(
    inbox: Inbox, sink: StreamSink, clock: Clock
) -> None:
    sink.caught_up()
    clock.now += 10
    sink.live.gap(steady() - 5)
    assert not sink.verified
    live(sink, "c")
    stored(sink, "a", "b")
    sink.caught_up()
    stored(sink, "c")
    assert read(inbox) == ["a", "b", "c"]
    sink.checked(clock.now)
    assert sink.verified
    assert inbox.counters.gaps == 0


def test_live_messages_do_not_wait_for_a_stream_that_cannot_be_read(inbox: Inbox, sink: StreamSink) -> None:
    sink.caught_up()
    sink.live.gap(steady() - 5)
    live(sink, "a")
    assert read(inbox) == []
    sink.interrupted()
    live(sink, "b")
    assert read(inbox) == ["a", "b"]


def test_history_comes_first_even_if_it_is_interrupted(inbox: Inbox, sink: StreamSink) -> None:
    live(sink, "b")
    sink.interrupted()
    stored(sink, "a", history=True)
    sink.caught_up()
    assert read(inbox) == ["a", "b"]


def test_a_slow_reader_leaves_messages_to_the_stream(inbox: Inbox, sink: StreamSink, clock: Clock) -> None:
    sink.caught_up()
    live(sink, *"abcdef")
    assert (len(inbox.waiting), sink.capacity()) == (LIMIT, (0, 0))
    assert sink.full
    assert read(inbox) == [*"abcd"]
    stored(sink, *"abcde")
    assert read(inbox) == ["e"]
    clock.now += 30
    sink.checked(clock.now)  # f was not stored
    assert (inbox.counters.received, inbox.counters.dropped, inbox.unbroken_since) == (6, 1, clock.now)
    assert inbox.counters.unstored == 0


def test_more_live_messages_than_fit_during_the_history(inbox: Inbox, sink: StreamSink) -> None:
    live(sink, *"abcdef")
    stored(sink, *"abc", history=True)
    sink.caught_up()
    stored(sink, *"def")
    assert sorted(read(inbox)) == [*"abcdef"]
    assert (inbox.counters.received, inbox.counters.dropped) == (6, 0)


def test_messages_that_the_stream_does_not_store(inbox: Inbox, sink: StreamSink, clock: Clock) -> None:
    sink.caught_up()
    live(sink, "a", "b")
    stored(sink, "a")
    clock.now += 30
    sink.checked(clock.now)
    assert (read(inbox), inbox.counters.unstored, inbox.counters.gaps) == (["a", "b"], 1, 0)
    stored(sink, "b")  # late
    assert read(inbox) == []


def test_a_lost_connection_while_the_stream_stores_nothing_is_a_gap(
    inbox: Inbox, sink: StreamSink, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sink.caught_up()
    sink.live.gap(clock.now - 5)
    sink.doubt(clock.now - 3, clock.now - 2, "it had no leader")
    assert inbox.counters.gaps == 1
    (gap,) = inbox.gaps
    assert gap.reason == "it had no leader"
    assert gap.end - gap.begin == pytest.approx(5)
    assert abs(gap.end - time.time()) < 60
    assert inbox.unbroken_since == clock.now
    assert "messages on a.> may have been missed from " in caplog.text
    sink.doubt(clock.now - 3, clock.now, "it had no leader")  # is counted once
    assert inbox.counters.gaps == 1


def test_a_stream_in_doubt_is_no_gap_for_what_was_received_live(inbox: Inbox, sink: StreamSink, clock: Clock) -> None:
    sink.caught_up()
    sink.doubt(clock.now - 3, clock.now + 30, "it had no leader")
    assert inbox.counters.gaps == 0


def test_history_in_doubt_is_a_gap(inbox: Inbox, sink: StreamSink, clock: Clock) -> None:
    sink.doubt(clock.now - 300, clock.now + 5, "it was replaced")
    ((begin, end, reason),) = inbox.gaps
    assert (round(end - begin), reason) == (300, "it was replaced")


def test_without_a_live_subscription_every_doubt_is_a_gap(
    inbox: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sink = StreamSink(inbox)
    sink.server_clock(time.time() - clock.now)
    sink.live.failed(lifecycle.NotAuthorised("the server does not allow this user to subscribe to a"))
    assert "to subscribe to a: events arrive from the stream alone" in caplog.text
    assert sink.only
    stored(sink, "a", history=True)
    sink.caught_up()
    stored(sink, "b")
    assert read(inbox) == ["a", "b"]
    sink.doubt(clock.now + 1, clock.now + 9, "it had no leader")
    assert inbox.counters.gaps == 1


def test_a_stream_that_copies_others_is_all_there_is_until_something_arrives_live(
    inbox: Inbox, sink: StreamSink, clock: Clock
) -> None:
    sink.stream_found(direct=False)
    sink.caught_up()
    stored(sink, "a")
    assert sink.only
    sink.doubt(clock.now + 1, clock.now + 9, "it was replaced")
    assert inbox.counters.gaps == 1
    live(sink, "a")
    assert not sink.only
    sink.doubt(clock.now + 11, clock.now + 19, "it was replaced")
    assert inbox.counters.gaps == 1


def test_what_is_held_is_handed_out_when_the_transport_closes(inbox: Inbox, sink: StreamSink) -> None:
    live(sink, "a")
    sink.live.closed()
    assert not inbox.ended
    sink.closed()
    assert (read(inbox), inbox.ended) == (["a"], True)


def test_a_failed_replay_ends_the_iteration_with_its_error(inbox: Inbox, sink: StreamSink) -> None:
    error = lifecycle.NoStream("it is gone")
    sink.failed(error)
    assert (inbox.failure, inbox.ended) == (error, True)


def test_dropped_messages_break_a_live_subscription(inbox: Inbox, clock: Clock) -> None:
    sink = LiveSink(inbox)
    for name in "abcde":
        sink.message(name, b"")
    assert (inbox.counters.received, inbox.counters.dropped, inbox.unbroken_since) == (5, 1, clock.now)


def test_the_last_hundred_gaps_are_kept(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for number in range(150):
        inbox.missed(Interval(number, number + 1, str(number)))
    assert inbox.counters.gaps == 150
    assert [gap.reason for gap in inbox.gaps] == [str(number) for number in range(50, 150)]


def test_a_step_of_the_servers_clock_makes_ages_uncertain(inbox: Inbox, sink: StreamSink, clock: Clock) -> None:
    clock.now += 30
    sink.server_clock(time.time() - clock.now + 3600)
    assert (sink.clock.steps, inbox.unbroken_since) == (1, clock.now)
