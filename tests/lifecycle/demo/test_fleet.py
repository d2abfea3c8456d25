from __future__ import annotations

import asyncio
from collections import Counter
from operator import attrgetter

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.demo.fleet import MalformedMessage, ScheduledEvent, Totals, publish_schedule, simulate
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.wire import codec

START = 1795348800


def events(nodes: int = 50, seed: int = 1) -> list[ScheduledEvent]:
    return [step for step in simulate(nodes, 10, seed=seed, start=START) if isinstance(step, ScheduledEvent)]


def test_a_seed_determines_the_schedule() -> None:
    assert simulate(20, 5, seed=7, start=START) == simulate(20, 5, seed=7, start=START)
    assert simulate(20, 5, seed=7, start=START) != simulate(20, 5, seed=8, start=START)


@pytest.mark.parametrize("nodes", [1, 50])
def test_steps_are_in_order_and_within_the_duration(nodes: int) -> None:
    steps = simulate(nodes, 10, seed=1, start=START)
    assert steps == sorted(steps, key=attrgetter("at"))
    assert steps[0].at >= 0
    assert steps[-1].at <= 10


def test_a_fleet_publishes_all_its_event_types_in_both_formats() -> None:
    found = events()
    published = {lifecycle.event_type(step.event) for step in found}
    assert published == {"alive", "governor", "provisioned", "shutdown", "startup", "upgraded"}
    assert {step.format for step in found} == set(lifecycle.Format)
    assert len({step.event.id for step in found}) == len(found)


def test_nodes_start_run_and_stop() -> None:
    running: Counter[tuple[str, str]] = Counter()
    for step in events():
        node = (step.event.identity, step.event.component)
        match lifecycle.event_type(step.event):
            case "startup":
                assert not running[node]
                running[node] += 1
            case "shutdown":
                running[node] -= 1
                assert not running[node]
            case "alive":
                assert running[node]
    assert not running.total()


def test_a_governor_slot_has_one_holder_at_a_time() -> None:
    taken: dict[int, str] = {}
    stages = Counter[str]()
    for step in events(200):
        if lifecycle.event_type(step.event) != "governor":
            continue
        stages[step.event.event_type] += 1
        if step.event.event_type == "enter":
            assert step.event.sequence not in taken
            taken[step.event.sequence] = step.event.identity
        elif step.event.event_type == "exit":
            assert taken.pop(step.event.sequence) == step.event.identity
    assert not taken
    assert stages["timeouts"]


def test_malformed_messages_are_rejected() -> None:
    malformed = [step for step in simulate(50, 10, seed=1, start=START) if isinstance(step, MalformedMessage)]
    assert len({message.data for message in malformed}) == 5
    for message in malformed:
        with pytest.raises(lifecycle.LifecycleError):
            lifecycle.parse(message.data)


def test_the_schedule_is_published_in_order() -> None:
    async def run() -> list[tuple[str, bytes]]:
        transport = lifecycle.InMemoryTransport()
        async with lifecycle.Middleware(transport) as middleware:
            await publish_schedule(steps, middleware, transport)
        return transport.published

    steps = simulate(5, 0.01, seed=1, start=START)
    published = asyncio.run(run())
    assert published == [
        (step.subject, step.data)
        if isinstance(step, MalformedMessage)
        else (lifecycle.subject(step.event), lifecycle.encode(step.event, format=step.format))
        for step in steps
    ]


def deliver(totals: Totals) -> list[Delivery]:
    found = []
    for step in totals.published:
        data = step.data if isinstance(step, MalformedMessage) else lifecycle.encode(step.event, format=step.format)
        try:
            found.append(Delivery("s", data, 0.0, codec.decode(data), None))
        except lifecycle.LifecycleError as error:
            found.append(Delivery("s", data, 0.0, None, error))
    return found


def test_totals_match_when_every_message_was_received_once() -> None:
    totals = Totals(simulate(10, 10, seed=1, start=START))
    for delivery in deliver(totals):
        assert not totals.matches
        totals.count(delivery)
    assert totals.matches
    assert all(published == received for *_, published, received in totals.rows())
    rows = list(totals.rows())
    assert rows[-1][3] == sum(row[3] for row in rows[:-1]) == len(totals.published)
    assert ("upgraded", "server", "0.30.1 to 0.30.2") in {row[:3] for row in rows}


@pytest.mark.parametrize("fault", ["lost", "twice", "changed", "format", "malformed"])
def test_totals_do_not_match_after_a_fault(fault: str) -> None:
    totals = Totals(simulate(10, 10, seed=1, start=START))
    found = deliver(totals)
    at = next(index for index, delivery in enumerate(found) if delivery.event is not None)
    event = found[at].event
    match fault:
        case "lost":
            del found[at]
        case "twice":
            found.append(found[at])
        case "changed":
            found[at] = found[at]._replace(event=lifecycle.alive(identity="n1", component="server", version="1"))
        case "format":
            other = next(form for form in lifecycle.Format if form is not lifecycle.detect_format(found[at].data))
            found[at] = found[at]._replace(data=codec.encode(event, other))
        case "malformed":
            found.append(found[at]._replace(event=None))
    for delivery in found:
        totals.count(delivery)
    assert not totals.matches
