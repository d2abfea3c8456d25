"""Replays over both transports, NATS and in memory."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.middleware import Middleware
from tests.bed.subscriptions import LIMIT, take

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import Transport

ALL = 0


@pytest.fixture
def transport(storing_transport: Transport) -> Transport:
    return storing_transport


def alive(number: int, component: str = "server") -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}.example.net", component=component, version="1.0.0")


async def test_stored_events_come_before_new_ones(middleware: Middleware) -> None:
    before = [alive(number) for number in range(3)]
    await middleware.publish_many(before, stored=True)
    later = [alive(number) for number in range(3, 6)]
    begin = time.time()
    async with middleware.deliveries(since=ALL) as deliveries, middleware.events(since=ALL) as events:
        assert deliveries.replaying
        first = await take(deliveries, 3)
        assert not deliveries.replaying
        await middleware.publish_many(later, stored=True)
        found = first + await take(deliveries, 3)
        assert await take(events, 6) == before + later
        for counters in (deliveries.counters, events.counters):
            assert (counters.received, counters.delivered, counters.replayed, counters.gaps) == (6, 6, 3, 0)
    assert [delivery.event for delivery in found] == before + later
    assert [delivery.replayed for delivery in found] == [True] * 3 + [False] * 3
    assert [delivery.sequence for delivery in found[:3]] == [1, 2, 3]
    assert [delivery.subject for delivery in found] == ["choria.lifecycle.event.alive.server"] * 6
    times = [delivery.received for delivery in found]
    assert times == sorted(times)
    assert abs(times[0] - begin) < 30
    assert times[3] >= begin - 0.1


async def test_messages_of_a_live_subscription_are_not_replayed(middleware: Middleware) -> None:
    async with middleware.deliveries() as deliveries:
        assert not deliveries.replaying
        await middleware.publish(alive(1), stored=True)  # or the server may store it in the next test's stream
        delivery = await anext(deliveries)
        assert (delivery.replayed, delivery.sequence) == (False, None)
        assert deliveries.counters.replayed == 0


async def test_an_empty_stream_has_no_history(middleware: Middleware) -> None:
    async with middleware.events(since=ALL) as events:
        assert not events.replaying
        await middleware.publish(alive(1), stored=True)
        assert (await anext(events)).identity == "n1.example.net"
        assert events.counters.replayed == 0


async def test_a_replay_starts_at_since(middleware: Middleware) -> None:
    await middleware.publish(alive(1), stored=True)
    async with middleware.deliveries(since=ALL) as deliveries:
        first = (await anext(deliveries)).received
    between = first + 1e-3
    while time.time() <= between:
        await middleware.flush()
    await middleware.publish(alive(2), stored=True)
    wanted = [between, datetime.fromtimestamp(between, UTC), datetime.fromtimestamp(between).astimezone()]
    for since in wanted:
        async with middleware.events(since=since) as events:
            assert (await anext(events)).identity == "n2.example.net"
    async with middleware.events(since=timedelta(hours=1)) as events:
        assert len(await take(events, 2)) == 2
    async with middleware.events(since=timedelta(0)) as events:
        await middleware.publish(alive(3), stored=True)
        assert (await anext(events)).identity == "n3.example.net"


async def test_a_replay_filters_types_and_components(middleware: Middleware) -> None:
    sent = [alive(1), alive(2, "other"), lifecycle.shutdown(identity="n1.example.net", component="server")]
    await middleware.publish_many(sent, stored=True)
    asked = [
        (None, "server", [sent[0], sent[2]]),
        ("alive", None, sent[:2]),
        (["alive", "shutdown"], ["server", "third"], [sent[0], sent[2]]),
        ("startup", None, []),
    ]
    for types, components, expected in asked:
        async with middleware.events(types, components, since=ALL) as events:
            assert await take(events, len(expected)) == expected
            await middleware.flush()
            assert events.counters.delivered == len(expected)


async def test_the_history_ends_although_its_last_message_is_filtered(middleware: Middleware) -> None:
    await middleware.publish_many([alive(1), alive(2, "other")], stored=True)
    async with middleware.events(component=["server", "third"], since=ALL) as events, asyncio.timeout(10):
        over = asyncio.create_task(events.replayed())
        assert (await anext(events)).identity == "n1.example.net"
        assert not over.done()
        collecting = asyncio.create_task(anext(events))
        await over
        assert (events.replaying, collecting.done()) == (False, False)
        await middleware.publish(alive(3), stored=True)
        assert (await collecting).identity == "n3.example.net"
    async with middleware.events() as plain:
        await plain.replayed()
    async with middleware.events(since=ALL) as left:
        over = asyncio.create_task(left.replayed())
    await over


async def test_invalid_messages_are_replayed_with_their_error(middleware: Middleware, transport: Transport) -> None:
    await transport.publish_stored([("choria.lifecycle.event.alive.server", b"{")], 5)
    await middleware.publish(alive(1), stored=True)
    async with middleware.events(since=ALL) as events, middleware.deliveries(since=ALL) as deliveries:
        assert (await anext(events)).identity == "n1.example.net"
        assert events.counters.rejected == 1
        bad, good = await take(deliveries, 2)
    assert (type(bad.error), bad.replayed) == (lifecycle.InvalidEvent, True)
    assert (good.error, good.replayed) == (None, True)


async def test_a_slow_program_loses_nothing(middleware: Middleware) -> None:
    sent = [alive(number) for number in range(10 * LIMIT)]
    await middleware.publish_many(sent, stored=True)
    async with middleware.events(since=ALL) as events:
        for event in sent:
            await middleware.flush()
            assert events.queued <= LIMIT
            assert await anext(events) == event
        await middleware.publish_many(sent, stored=True)
        assert await take(events, len(sent)) == sent
        counters = events.counters
        assert (counters.received, counters.replayed, counters.dropped) == (2 * len(sent), len(sent), 0)


async def test_a_replay_is_bounded_in_bytes(transport: Transport) -> None:
    size = len(lifecycle.encode(alive(1))) + len("choria.lifecycle.event.alive.server")
    sent = [alive(1)] * 50
    async with Middleware(transport, limit_bytes=size) as middleware:
        await middleware.publish_many(sent, stored=True)
        async with middleware.events(since=ALL) as events:
            for _ in sent:
                await middleware.flush()
                assert events.queued <= 1
                await anext(events)


async def test_closing_ends_a_replay(middleware: Middleware) -> None:
    await middleware.publish_many([alive(1)] * 2, stored=True)
    async with middleware.events(since=ALL) as events:
        assert len(await take(events, 2)) == 2
        collecting = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        await middleware.close()
        assert await collecting is None
    with pytest.raises(lifecycle.ConnectionFailed, match="closed"):
        async with middleware.events(since=ALL):
            pytest.fail("entered")


async def test_nothing_is_received_after_the_block(middleware: Middleware) -> None:
    await middleware.publish_many([alive(1)] * 3, stored=True)
    async with middleware.events(since=ALL) as events:
        await anext(events)
    await middleware.publish(alive(2), stored=True)
    await middleware.flush()
    assert events.counters.received == 3
    assert [event async for event in events] == []
    assert not events.replaying


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subject": "other.>"}, "no JetStream stream stores other.>"),
        ({"subject": ">"}, None),
        ({"stream": "NONE"}, "NONE"),
    ],
)
async def test_a_replay_needs_a_stream(middleware: Middleware, options: dict[str, str], words: str | None) -> None:
    with pytest.raises(lifecycle.NoStream, match=words):
        async with middleware.deliveries(since=ALL, **options):
            pytest.fail("entered")


async def test_the_longest_timedelta_replays_everything(middleware: Middleware) -> None:
    await middleware.publish(alive(1), stored=True)
    async with middleware.events(since=timedelta.max) as events:
        assert (await anext(events)).identity == "n1.example.net"
