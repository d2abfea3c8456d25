"""The middleware over both transports, NATS and in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Counters
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from tests.bed.subscriptions import startup, take

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import Transport


async def test_a_published_event_is_received(middleware: Middleware) -> None:
    event = startup()
    async with middleware.events() as events:
        await middleware.publish(event)
        assert await anext(events) == event
    assert events.counters == Counters(received=1, delivered=1)


async def test_order_is_kept(middleware: Middleware) -> None:
    sent = [startup(version=str(number)) for number in range(90)]
    async with middleware.events() as events:
        await middleware.publish_many(sent[:80])
        for event in sent[80:]:
            await middleware.publish(event)
        assert await take(events, 90) == sent


async def test_publishing_no_events_does_nothing(middleware: Middleware) -> None:
    await middleware.publish_many([])
    await middleware.publish_many([], stored=True)


async def test_a_closed_middleware_refuses_to_work(middleware: Middleware) -> None:
    await middleware.close()
    await middleware.close()
    assert middleware.server == ""
    with pytest.raises(lifecycle.DeliveryFailed, match="closed") as raised:
        await middleware.publish(startup())
    assert not raised.value.may_arrive
    with pytest.raises(lifecycle.ConnectionFailed, match="closed"):
        async with middleware.events():
            pytest.fail("subscribed")
    with pytest.raises(lifecycle.ConnectionFailed):
        await middleware.flush()


@pytest.mark.parametrize("subject", ["", "a..b", "a.", ".a", "a b", "a.>.b", "a*", "a.b>", "a\r\nPUB x 0\r\n"])
async def test_unusable_subjects_are_refused(middleware: Middleware, subject: str) -> None:
    with pytest.raises(lifecycle.OptionError):
        middleware.deliveries(subject)


@pytest.mark.parametrize(
    ("options", "invalid"),
    [
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001
        ({"since": timedelta(seconds=-1)}, "since"),
        ({"since": -1.0}, "since"),
        ({"since": math.nan}, "since"),
        ({"since": math.inf}, "since"),
        ({"since": 1e30}, "since"),
        ({"since": "80m"}, "since"),
        ({"since": 0, "queue": "workers"}, "queue"),
        ({"stream": "EVENTS"}, "stream"),
        ({"since": 0, "stream": "a.b"}, "stream"),
        ({"since": 0, "stream": "a b"}, "stream"),
        ({"since": 0, "stream": "*"}, "stream"),
    ],
)
async def test_unusable_options_are_refused(middleware: Middleware, options: dict[str, Any], invalid: str) -> None:
    for ask in (middleware.events, middleware.deliveries):
        with pytest.raises(lifecycle.OptionError) as raised:
            ask(**options)
        assert raised.value.invalid == (invalid,)


async def test_subject_and_type_cannot_be_combined(middleware: Middleware) -> None:
    with pytest.raises(lifecycle.OptionError):
        middleware.deliveries("a.>", type="alive")


async def test_unusable_events_are_not_sent(middleware: Middleware, transport: Transport) -> None:
    foreign = lifecycle.parse(lifecycle.encode(startup()).replace(b'"server"', b'"a b"'))
    async with middleware.events() as events:
        with pytest.raises(lifecycle.OptionError):
            await middleware.publish_many([startup(), foreign])
        await middleware.flush()
        assert events.counters.received == 0


@pytest.mark.parametrize("change", [{"timestamp": "now"}, {"version": 1}, {"protocol": "x"}, {"identity": "\ud800"}])
async def test_events_that_break_their_contract_are_not_sent(middleware: Middleware, change: dict[str, Any]) -> None:
    broken = dataclasses.replace(startup(), **change)
    async with middleware.events() as events:
        with pytest.raises((lifecycle.InvalidEvent, lifecycle.UnknownProtocol)):
            await middleware.publish_many([startup(), broken])
        await middleware.flush()
        assert events.counters.received == 0


async def test_events_too_large_for_readers_are_not_sent(middleware: Middleware) -> None:
    async with middleware.events() as events:
        with pytest.raises(lifecycle.InvalidEvent, match="more than the 65536") as raised:
            await middleware.publish_many([startup(), startup(version="x" * 65536)])
        assert raised.value.rule == "size"
        await middleware.flush()
        assert events.counters.received == 0


def test_a_second_event_loop_is_refused() -> None:
    middleware = Middleware(InMemoryTransport())
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(middleware.publish(startup()))
        with pytest.raises(RuntimeError, match="another event loop"):
            second.run(middleware.publish(startup()))
