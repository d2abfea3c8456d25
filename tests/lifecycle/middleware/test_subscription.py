"""Live subscriptions over both transports, NATS and in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from tests.bed.subscriptions import is_balanced, startup, take


async def test_a_slow_program_loses_the_newest_messages(middleware: Middleware) -> None:
    sent = [startup(version=str(number)) for number in range(150)]
    async with middleware.events() as events:
        await middleware.publish_many(sent)
        await middleware.flush()
        assert events.queued == 100
        assert events.counters.dropped == 50
        assert await take(events, 100) == sent[:100]
        await middleware.publish(sent[0])
        assert await anext(events) == sent[0]
        assert is_balanced(events)


async def test_messages_discarded_on_leaving_are_counted(middleware: Middleware) -> None:
    async with middleware.events() as events:
        await middleware.publish_many([startup()] * 3)
        await middleware.flush()
        await anext(events)
    assert (events.queued, events.counters.received) == (2, 3)
    assert is_balanced(events)
    assert [event async for event in events] == []
    await middleware.publish(startup())
    await middleware.flush()
    assert events.counters.received == 3


async def test_a_queue_group_shares_messages(middleware: Middleware) -> None:
    async with (
        middleware.events(queue="workers") as one,
        middleware.events(queue="workers") as two,
        middleware.events() as everything,
    ):
        await middleware.publish_many([startup()] * 60)
        await middleware.flush()
        assert one.counters.received + two.counters.received == 60
        assert one.counters.received
        assert two.counters.received
        assert everything.counters.received == 60


async def test_iteration_ends_with_the_middleware(middleware: Middleware) -> None:
    async with middleware.events() as events:
        await middleware.publish_many([startup()] * 2)
        collecting = asyncio.create_task(collect(events))
        await middleware.flush()
        await middleware.close()
        assert len(await collecting) == 2


async def collect(subscription: Any) -> list[Any]:
    return [item async for item in subscription]


async def test_a_subscription_can_be_entered_only_once(middleware: Middleware) -> None:
    events = middleware.events()
    with pytest.raises(RuntimeError, match="within its block"):
        await anext(events)
    async with events:
        with pytest.raises(RuntimeError, match="entered only once"):
            await events.__aenter__()
    with pytest.raises(RuntimeError, match="entered only once"):
        async with events:
            pytest.fail("entered")


async def test_a_busy_iteration_lets_other_tasks_run(middleware: Middleware) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    transport = InMemoryTransport()
    async with Middleware(transport) as large, large.events() as events:
        await large.publish_many([startup()] * 2000)
        ticking = asyncio.create_task(other())
        await take(events, 2000)
        ticking.cancel()
    assert turns >= 5


async def test_gaps_are_counted() -> None:
    transport = InMemoryTransport()
    async with Middleware(transport) as middleware, middleware.events() as events:
        transport.interrupt()
        assert events.counters.gaps == 1


async def test_a_revoked_permission_ends_the_iteration() -> None:
    transport = InMemoryTransport()
    async with Middleware(transport) as middleware, middleware.events() as events:
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        transport.refuse(events.subject)
        with pytest.raises(lifecycle.NotAuthorised, match="subscribe to"):
            await waiting
        again = middleware.events()
        with pytest.raises(lifecycle.NotAuthorised):
            await again.__aenter__()
        assert [event async for event in again] == []  # rather than waiting for ever


async def test_messages_that_had_arrived_come_before_the_refusal() -> None:
    transport = InMemoryTransport()
    async with Middleware(transport) as middleware, middleware.events() as events:
        await middleware.publish(startup())
        transport.refuse(events.subject)
        await anext(events)
        with pytest.raises(lifecycle.NotAuthorised):
            await anext(events)
    with pytest.raises(lifecycle.NotAuthorised):
        await anext(events)


async def test_the_queue_is_bounded_in_bytes() -> None:
    event = startup(version="x" * 1000)
    size = len(lifecycle.encode(event)) + len("choria.lifecycle.event.startup.server")
    async with Middleware(InMemoryTransport(), limit_bytes=3 * size) as middleware, middleware.events() as events:
        await middleware.publish_many([event] * 5)
        assert (events.queued, events.counters.dropped) == (3, 2)
        await take(events, 2)
        await middleware.publish_many([event] * 3)
        assert (events.queued, events.counters.dropped) == (3, 3)
        assert is_balanced(events)
        await take(events, 3)
        await middleware.publish(startup(version="x" * 10_000))  # larger than the limit, but alone
        assert events.queued == 1
