"""Reading what a stream has stored until a time: over both transports, and what the sink makes of a replay."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.history import HistorySink
from choria_lifecycle.middleware.inbox import Inbox
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.support.clock import steady

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import Transport

NOW = timedelta(0)
HOUR = timedelta(hours=1)


@pytest.fixture
def transport(storing_transport: Transport) -> Transport:
    return storing_transport


def some(first: int, last: int) -> list[lifecycle.Event]:
    return [
        lifecycle.alive(identity=f"n{number}.example.net", component="server", version="1.0.0")
        for number in range(first, last)
    ]


async def test_it_ends_with_what_was_stored(middleware: Middleware) -> None:
    sent = some(0, 250)  # more than the queue takes
    await middleware.publish_many(sent, stored=True)
    async with middleware.deliveries(since=0, until=NOW) as received, middleware.events(since=0, until=NOW) as events:
        await middleware.publish_many(some(250, 260), stored=True)
        assert received.replaying
        found = [delivery async for delivery in received]
        assert [event async for event in events] == sent
        assert not received.replaying
        await received.replayed()
        counters = received.counters
    assert [delivery.event for delivery in found] == sent
    assert [delivery.sequence for delivery in found] == list(range(1, 251))
    assert all(delivery.replayed for delivery in found)
    assert (counters.received, counters.replayed, counters.gaps, counters.dropped) == (250, 250, 0, 0)


async def test_it_ends_if_nothing_was_stored(middleware: Middleware) -> None:
    async with middleware.deliveries(since=HOUR, until=NOW) as received:
        assert [delivery async for delivery in received] == []
        assert (received.replaying, received.counters.gaps) == (False, 0)


@pytest.mark.parametrize("as_datetime", [True, False])
async def test_a_time_cuts_exactly(as_datetime: bool, middleware: Middleware) -> None:
    for event in some(0, 5):
        await middleware.publish(event, stored=True)
    async with middleware.deliveries(since=0, until=NOW) as received:
        times = [delivery.received async for delivery in received]
    for each in times[1:]:
        until: float | datetime = datetime.fromtimestamp(each, UTC) if as_datetime else each
        # A datetime has microseconds.
        kept = sum(time < (until.timestamp() if isinstance(until, datetime) else until) for time in times)
        async with middleware.deliveries(since=0, until=until) as received:
            assert [delivery.sequence async for delivery in received] == list(range(1, kept + 1))
            assert (received.replaying, received.counters.gaps) == (False, 0)
        async with middleware.deliveries(since=until, until=NOW) as received:
            assert [delivery.sequence async for delivery in received] == list(range(kept + 1, 6))


async def test_a_timedelta_cuts_by_the_servers_clock() -> None:
    ahead = 86400 - 3000
    transport = InMemoryTransport(clock=lambda: time.time() + ahead)
    async with Middleware(transport) as middleware:
        for event in some(0, 3):
            await middleware.publish(event)
            ahead += 1000
        for seconds, expected in [(2500, [1]), (1500, [1, 2]), (500, [1, 2, 3]), (3500, [])]:
            async with middleware.deliveries(since=HOUR, until=timedelta(seconds=seconds)) as received:
                assert [delivery.sequence async for delivery in received] == expected


async def test_leaving_early_is_told(middleware: Middleware) -> None:
    await middleware.publish_many(some(0, 3), stored=True)
    async with middleware.deliveries(since=0, until=NOW) as received:
        await anext(received)
        assert received.replaying
    assert received.replaying


async def test_a_transport_that_closes_early_is_told() -> None:
    class Stalled(InMemoryTransport):
        """It never delivers anything."""

        async def replay(self, subject, since, sink, timeout, stream=""):  # type: ignore[no-untyped-def]
            sink.capacity = lambda: (0, 0)
            self._times.append(0.0)
            self.stored.append(("x", b""))
            return await super().replay(subject, 0.0, sink, timeout, stream)

    transport = Stalled()
    async with Middleware(transport) as middleware, middleware.deliveries(since=0, until=NOW) as received:
        await transport.close()
        assert [delivery async for delivery in received] == []
        assert received.replaying


async def test_it_does_not_subscribe_live() -> None:
    transport = InMemoryTransport()
    transport.refuse("choria.lifecycle.event.>")
    async with Middleware(transport) as middleware, middleware.events(since=HOUR, until=NOW) as events:
        assert transport._subscriptions == []
        assert [event async for event in events] == []


@pytest.mark.parametrize(
    ("since", "until", "hint"),
    [
        (None, NOW, "until= needs since="),
        (HOUR, HOUR, "until= must be later than since="),
        (HOUR, 2 * HOUR, "until= must be later than since="),
        (1000.0, 999, "until= must be later than since="),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "until= must be later than since="),
        (timedelta(seconds=1), 1000.0, "until= must be later than since="),
        (HOUR, datetime(2026, 1, 1), "until needs a time zone"),  # noqa: DTZ001 - that is what is wrong
        (HOUR, -HOUR, "until as a timedelta counts back from now and cannot be negative"),
        (HOUR, "1h", "until must be a datetime, a timedelta or a number"),
    ],
)
async def test_intervals_that_cannot_be_read(since: object, until: object, hint: str) -> None:
    middleware = Middleware(InMemoryTransport())
    for method in (middleware.events, middleware.deliveries):
        with pytest.raises(lifecycle.OptionError, match=hint) as error:
            method(since=since, until=until)  # type: ignore[operator]
        assert error.value.invalid == ("until",)


# ---- the sink


@pytest.fixture
def inbox() -> Inbox:
    made = Inbox("a.>", 4, 1000)
    made.unbroken_since = steady()
    return made


def stored(sink: HistorySink, *names: str, at: float | None = None, history: bool = True) -> None:
    for name in names:
        sink.stored(name, b"{}", time.time() if at is None else at, history, 7)


def read(inbox: Inbox) -> list[str]:
    names = [each[0] for each in inbox.waiting]
    inbox.clear()
    return names


@pytest.mark.parametrize("history", [True, False])
def test_nothing_follows_the_first_message_after_the_end(history: bool, inbox: Inbox) -> None:
    now = time.time()
    sink = HistorySink(inbox, now - 10)
    stored(sink, "a", at=now - 20)
    assert sink.capacity() > (0, 0)
    stored(sink, "b", at=now - (10 if history else 11), history=history)
    assert sink.caught_up_once.is_set()
    assert sink.capacity() == (0, 0)
    stored(sink, "c", at=now - 12)
    assert (read(inbox), inbox.counters.received, inbox.counters.replayed) == (["a"], 1, 1)


def test_messages_before_the_start_are_left_out(inbox: Inbox) -> None:
    sink = HistorySink(inbox, NOW, 1000.0)
    stored(sink, "a", at=999.9999998)
    stored(sink, "b", at=1000.0)
    assert (read(inbox), inbox.counters.received) == (["b"], 1)


def test_what_is_in_doubt_before_the_end_is_a_gap(inbox: Inbox) -> None:
    sink = HistorySink(inbox, time.time() - 10)
    now = steady()
    sink.doubt(now - 20, now - 15, "before")
    sink.doubt(now - 15, now, "around")
    sink.doubt(now - 9, now, "after")
    assert [gap.reason for gap in inbox.gaps] == ["before", "around"]
    begin, end, _ = inbox.gaps[1]
    assert abs(begin - (time.time() - 15)) < 1
    assert abs(end - (time.time() - 10)) < 1


@pytest.mark.parametrize("until", [NOW, 4e9])
def test_what_is_in_doubt_after_the_start_is_no_gap(until: timedelta | float, inbox: Inbox) -> None:
    sink = HistorySink(inbox, until)
    sink.doubt(steady(), steady() + 1, "its leader changed")
    assert not inbox.gaps
    sink.doubt(steady() - 2, steady(), "discarded")
    sink.caught_up()
    sink.doubt(steady() - 2, steady(), "discarded at the end")
    assert [gap.reason for gap in inbox.gaps] == ["discarded", "discarded at the end"]


async def test_iterating_twice_ends_at_once(middleware: Middleware) -> None:
    async with middleware.events(since=0, until=NOW) as events, asyncio.timeout(30):
        for _ in range(2):
            assert [event async for event in events] == []
