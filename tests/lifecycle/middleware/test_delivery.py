"""Deliveries over both transports, NATS and in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Counters, Gap
from choria_schemas.machine.v1 import Transition
from tests.bed.samples import UNKNOWN_PROTOCOL, compact
from tests.bed.subscriptions import startup, take

if TYPE_CHECKING:
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.transport import Transport


MACHINE = (
    b'{"protocol":"io.choria.machine.v1.transition","id":"x","identity":"n1.example.net","timestamp":1,'
    b'"machine":"m","version":"1","transition":"t","from_state":"a","to_state":"b","info_source":"i"}'
)


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


async def test_invalid_messages_are_counted_or_delivered_with_their_error(
    middleware: Middleware, transport: Transport
) -> None:
    subject = "choria.lifecycle.event.startup.server"
    bad = [(subject, b"{"), (subject, compact({"protocol": UNKNOWN_PROTOCOL}))]
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


async def test_other_contracts_are_delivered(middleware: Middleware, transport: Transport) -> None:
    async with middleware.deliveries("choria.machine.>") as deliveries:
        await transport.publish([("choria.machine.transition", MACHINE)], 5)
        delivery = await anext(deliveries)
        assert (delivery.subject, delivery.data) == ("choria.machine.transition", MACHINE)
        assert (type(delivery.event), delivery.error) == (Transition, None)


def test_a_gap_is_shown_with_its_times_and_reason() -> None:
    midnight = time.time() // 86400 * 86400
    assert str(Gap(midnight + 1, midnight + 5.9, "a reason")) == "from 00:00:01 to 00:00:05 UTC: a reason"
    assert str(Gap(1795348800, 1795348805, "x")) == "from 2026-11-22 12:00:00 to 2026-11-22 12:00:05 UTC: x"
