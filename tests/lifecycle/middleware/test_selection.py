"""The selection of events, over both transports, NATS and in memory."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.errors import OptionError
from choria_lifecycle.middleware.selection import EventFilter, Selection, parse_since
from choria_schemas.machine.v1 import Transition
from tests.bed.samples import BASE, TRANSITION
from tests.bed.subscriptions import is_balanced, startup, take

if TYPE_CHECKING:
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.transport import Transport


STARTUP = lifecycle.startup(identity="n1.example.net", component="server", version="1")
SUBJECT = "choria.lifecycle.event.startup.server"


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, True),
        ({"types": ["alive", "startup"]}, True),
        ({"types": ["alive"]}, False),
        ({"components": ["other", "server"]}, True),
        ({"components": ["serve"]}, False),
        ({"identities": ["db*", "n?.example.[mn]et"]}, True),
        ({"identities": ["N1.example.net"]}, False),
        ({"types": ["startup"], "components": ["server"], "identities": ["db*"]}, False),
    ],
)
def test_a_filter_keeps_an_event_that_meets_all_conditions(wanted: dict[str, list[str]], matches: bool) -> None:
    assert EventFilter(**wanted).matches_event(STARTUP) is matches


def test_a_filter_by_component_drops_events_without_one() -> None:
    machine = Transition(**TRANSITION)
    assert EventFilter(identities=["n1.*"]).matches_event(machine)
    assert not EventFilter(components=["server"]).matches_event(machine)


@pytest.mark.parametrize(
    ("wanted", "subject", "matches"),
    [
        ({}, SUBJECT, True),
        ({}, "choria.lifecycle.event.startup", False),
        ({"types": ["startup"], "components": ["server"]}, SUBJECT, True),
        ({"types": ["alive"]}, SUBJECT, False),
        ({"components": ["a"]}, SUBJECT, False),
        ({"components": ["a.b"]}, "choria.lifecycle.event.startup.a.b", True),
        ({"components": ["a"]}, "choria.lifecycle.event.startup.a.b", False),
        ({"identities": ["db*"]}, SUBJECT, True),
    ],
)
def test_a_filter_keeps_a_subject_by_type_and_component(
    wanted: dict[str, list[str]], subject: str, matches: bool
) -> None:
    assert EventFilter(**wanted).matches_subject(subject) is matches


def test_only_what_the_subject_does_not_select_is_filtered() -> None:
    def filtered(*asked: Any) -> tuple[bool, bool]:
        selection = Selection.events(*asked)
        return selection.filter_subjects, selection.filter_events

    assert filtered(None, None) == (False, False)
    assert filtered("alive", "server") == (False, True)
    assert filtered(["alive", "startup"], None) == (True, True)
    assert filtered(None, "a.b") == (True, True)
    assert Selection.on_subject("a.>") == Selection(subject="a.>")


def test_a_start_time_is_given_in_seconds_since_the_epoch() -> None:
    zone = timezone(timedelta(hours=2))
    assert parse_since(datetime(1970, 1, 1, 3, tzinfo=zone)) == 3600.0
    assert parse_since(0) == 0.0
    assert isinstance(parse_since(7), float)
    # The server's clock says when that is.
    assert parse_since(timedelta(minutes=1)) == timedelta(minutes=1)
    with pytest.raises(OptionError, match=r"^since needs a time zone: 2026-01-01T00:00:00$"):
        parse_since(datetime(2026, 1, 1))  # noqa: DTZ001


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


async def test_a_component_with_dots_can_be_received(middleware: Middleware, transport: Transport) -> None:
    event = dataclasses.replace(startup(), component="a.b")
    async with middleware.events(component=["a.b", "c"]) as events, middleware.events(component="a.b") as other:
        await middleware.publish(dataclasses.replace(event, component="a"))
        await transport.publish([("choria.lifecycle.event.startup.a.b", lifecycle.encode(event))], 5)
        await middleware.flush()
        assert await anext(events) == event
        assert await anext(other) == event
        assert events.counters.received == events.counters.delivered + events.counters.filtered
