"""The middleware over both transports, NATS and in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Counters
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from tests.bed.samples import BASE
from tests.bed.subscriptions import is_balanced, startup, take

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import Transport

MACHINE = (
    b'{"protocol":"io.choria.machine.v1.transition","id":"x","identity":"n1.example.net","timestamp":1,'
    b'"machine":"m","version":"1","transition":"t","from_state":"a","to_state":"b","info_source":"i"}'
)


async def test_a_published_event_is_received(middleware: Middleware) -> None:
    event = startup()
    async with middleware.events() as events:
        await middleware.publish(event)
        assert await anext(events) == event
    assert events.counters == Counters(received=1, delivered=1)


@pytest.mark.parametrize("format", list(lifecycle.Format))
async def test_both_formats_are_received(middleware: Middleware, format: lifecycle.Format) -> None:
    event = startup()
    async with middleware.deliveries() as deliveries:
        before = time.time()
        await middleware.publish(event, format=format)
        delivery = await anext(deliveries)
    assert delivery.subject == "choria.lifecycle.event.startup.server"
    assert lifecycle.detect_format(delivery.data) is format
    assert (delivery.event, delivery.error) == (event, None)
    assert before <= delivery.received <= time.time()


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


ASKED = [
    (None, None, "choria.lifecycle.event.>", {"a1", "a2", "s1", "s2"}),
    ("alive", None, "choria.lifecycle.event.alive.>", {"a1", "a2"}),
    (None, "one", "choria.lifecycle.event.*.one", {"a1", "s1"}),
    ("alive", "one", "choria.lifecycle.event.alive.one", {"a1"}),
    (["alive", "startup"], None, "choria.lifecycle.event.>", {"a1", "a2", "s1", "s2"}),
    (["alive", "shutdown"], None, "choria.lifecycle.event.>", {"a1", "a2"}),
    (None, ["one", "two"], "choria.lifecycle.event.*.*", {"a1", "a2", "s1", "s2"}),
    ("alive", ("one", "three"), "choria.lifecycle.event.alive.*", {"a1"}),
    (["alive", "startup"], "two", "choria.lifecycle.event.*.two", {"a2", "s2"}),
]


@pytest.mark.parametrize(("types", "components", "subject", "expected"), ASKED)
async def test_types_and_components_are_filtered(
    middleware: Middleware, types: Any, components: Any, subject: str, expected: set[str]
) -> None:
    sent = [
        lifecycle.new(name, identity=f"{name[0]}{number}", component=component, version="1")
        for name in ("alive", "startup")
        for number, component in ((1, "one"), (2, "two"))
    ]
    async with middleware.events(types, components) as events, middleware.deliveries(None, types, components) as all_of:
        assert events.subject == all_of.subject == subject
        await middleware.publish_many(sent)
        await middleware.flush()
        assert {event.identity for event in await take(events, len(expected))} == expected
        assert {delivery.event.identity for delivery in await take(all_of, len(expected))} == expected
        await middleware.close()
        assert [event async for event in events] == []
        assert [delivery async for delivery in all_of] == []
        for subscription in (events, all_of):
            assert subscription.counters.delivered == len(expected)
            assert subscription.counters.rejected == 0
            assert subscription.queued == 0
            assert is_balanced(subscription)


async def test_an_event_on_a_wrong_subject_is_filtered(middleware: Middleware, transport: Transport) -> None:
    async with middleware.events("alive") as events:
        await transport.publish([("choria.lifecycle.event.alive.server", lifecycle.encode(startup()))], 5)
        await middleware.publish(lifecycle.alive(version="1", **BASE))
        assert type(await anext(events)).__name__ == "Alive"
        assert events.counters.filtered == 1
        assert is_balanced(events)


async def test_components_with_dots_are_received_without_a_filter(middleware: Middleware, transport: Transport) -> None:
    data = lifecycle.encode(startup()).replace(b'"server"', b'"a.b"')
    async with middleware.events("startup") as events:
        await transport.publish([("choria.lifecycle.event.startup.a.b", data)], 5)
        assert (await anext(events)).component == "a.b"


async def test_invalid_messages_are_counted_or_delivered_with_their_error(
    middleware: Middleware, transport: Transport
) -> None:
    subject = "choria.lifecycle.event.startup.server"
    bad = [(subject, b"{"), (subject, b'{"protocol":"io.choria.lifecycle.v1.nonesuch"}')]
    async with middleware.events() as events, middleware.deliveries() as deliveries:
        await transport.publish(bad, 5)
        await middleware.publish(startup())
        assert await anext(events)
        received = await take(deliveries, 3)
    assert [delivery.data for delivery in received[:2]] == [data for _, data in bad]
    assert [type(delivery.error) for delivery in received] == [
        lifecycle.InvalidEvent,
        lifecycle.UnknownProtocol,
        type(None),
    ]
    assert [delivery.event is None for delivery in received] == [True, True, False]
    for subscription in (events, deliveries):
        assert subscription.counters == Counters(received=3, delivered=1, rejected=2)


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


@pytest.mark.parametrize(
    ("options", "invalid"),
    [
        ({"type": "bogus"}, "type"),
        ({"type": []}, "type"),
        ({"type": ["alive", "*"]}, "type"),
        ({"component": ""}, "component"),
        ({"component": "*"}, "component"),
        ({"component": "a..b"}, "component"),
        ({"component": "a.*"}, "component"),
        ({"component": ["a", ">"]}, "component"),
        ({"component": []}, "component"),
        ({"queue": "two words"}, "queue"),
        ({"queue": "a\r\nPUB x 0"}, "queue"),
    ],
)
async def test_unusable_filters_are_refused(middleware: Middleware, options: dict[str, Any], invalid: str) -> None:
    for method in (middleware.events, middleware.deliveries):
        with pytest.raises(lifecycle.OptionError) as raised:
            method(**options)
        assert raised.value.invalid == (invalid,)


@pytest.mark.parametrize("subject", ["", "a..b", "a.", ".a", "a b", "a.>.b", "a*", "a.b>", "a\r\nPUB x 0\r\n"])
async def test_unusable_subjects_are_refused(middleware: Middleware, subject: str) -> None:
    with pytest.raises(lifecycle.OptionError):
        middleware.deliveries(subject)


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


async def test_messages_too_large_for_the_server_are_not_sent(middleware: Middleware, transport: Transport) -> None:
    subject = "choria.lifecycle.event.startup.server"
    with pytest.raises(lifecycle.DeliveryFailed, match="at most 1048576") as raised:
        await transport.publish([(subject, b"x" * 1_100_000)], 5)
    assert not raised.value.may_arrive
    assert raised.value.subject == subject


async def test_a_component_with_dots_can_be_received(middleware: Middleware, transport: Transport) -> None:
    event = dataclasses.replace(startup(), component="a.b")
    async with middleware.events(component=["a.b", "c"]) as events, middleware.events(component="a.b") as other:
        await middleware.publish(dataclasses.replace(event, component="a"))
        await transport.publish([("choria.lifecycle.event.startup.a.b", lifecycle.encode(event))], 5)
        await middleware.flush()
        assert await anext(events) == event
        assert await anext(other) == event
        assert events.counters.received == events.counters.delivered + events.counters.filtered


async def test_other_contracts_are_delivered(middleware: Middleware, transport: Transport) -> None:
    async with middleware.deliveries("choria.machine.>") as deliveries:
        await transport.publish([("choria.machine.transition", MACHINE)], 5)
        delivery = await anext(deliveries)
        assert (delivery.subject, delivery.data) == ("choria.machine.transition", MACHINE)
        assert type(delivery.event).__name__ == "Transition" or delivery.error is not None


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


def test_a_second_event_loop_is_refused() -> None:
    middleware = Middleware(InMemoryTransport())
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(middleware.publish(startup()))
        with pytest.raises(RuntimeError, match="another event loop"):
            second.run(middleware.publish(startup()))
