"""Reading a stream: `events(since=...)` against nats-py's ordered consumer, and the tally's start from a stream."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from . import fleet, golang
from .broker import ALL, Wire, once, store, wire
from .measure import Peer, Settings, demand, take_turns
from .report import Section, Target, section

OURS = "choria_lifecycle, events(since=0)"
INTAKE = "lifecycle tally, its nodes rebuilt"
ORDERED = "nats-py, ordered consumer"
PARSED = "nats-py, ordered consumer, and parse"

TARGETS = (
    Target(
        what="events(since=0): rate of nats-py's ordered consumer", ours=OURS, bound=2, at_least=True, peers=(ORDERED,)
    ),
)

_BATCH = 5000
_STORED_SECONDS = 30.0

Keep = Callable[[Any], object]
Way = Callable[[Keep], Coroutine[Any, Any, int]]


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the alive events of as many nodes as there are events."""
    from choria_lifecycle import encode

    events = [event for event, _ in fleet.events(settings.stored)]
    data = [encode(event) for event in events]
    with wire(jetstream=True) as on:
        on.runner.run(_fill(on, events))
        ways = _Ways(on, len(events))
        demand(_read(on, ways.events) == events, OURS, "read other events")
        demand([message.data for message in _read(on, ways.ordered)] == data, ORDERED, "read other messages")
        demand(_read(on, ways.parsed) == events, PARSED, "read other events")
        (recorder,) = _read(on, ways.intake)
        demand(recorder.nodes == len(events), INTAKE, f"has {recorder.nodes} nodes")
        peers = [
            _peer(on, OURS, ways.events, len(events), "checked, returned as events"),
            _peer(on, INTAKE, ways.intake, len(events), f"{len(events):,} nodes"),
            _peer(on, ORDERED, ways.ordered, len(events), "bytes"),
            _peer(on, PARSED, ways.parsed, len(events), "checked, returned as events"),
        ]
        samples = take_turns(peers, max(3, settings.rounds // 8), passes=once)
    return section(f"Read {settings.stored:,} events out of a stream", "rate", peers, samples, targets=TARGETS)


class _Ways:
    """The ways to read: each returns the nanoseconds until all events have been read."""

    def __init__(self, on: Wire, count: int) -> None:
        self._on = on
        self._count = count

    async def events(self, keep: Keep) -> int:
        begin = perf_counter_ns()
        async with self._on.middleware.events(since=0) as events:
            await self._iterated(events, keep)
            return perf_counter_ns() - begin

    async def ordered(self, keep: Keep) -> int:
        begin = perf_counter_ns()
        subscription = await self._on.client.jetstream().subscribe(ALL, ordered_consumer=True)
        await self._iterated(subscription.messages, keep)
        spent = perf_counter_ns() - begin
        await subscription.unsubscribe()
        return spent

    async def parsed(self, keep: Keep) -> int:
        from choria_lifecycle import parse

        return await self.ordered(lambda message: keep(parse(message.data)))

    async def intake(self, keep: Keep) -> int:
        from choria_lifecycle.tally.defaults import EXPIRY
        from choria_lifecycle.tally.intake import Intake
        from choria_lifecycle.tally.recorder import Recorder

        rebuilt = asyncio.Event()
        begin = perf_counter_ns()
        recorder = Recorder(now=time.monotonic())
        intake = Intake(
            self._on.middleware, recorder, components=(), replay=EXPIRY, stream="", notify=lambda text: rebuilt.set()
        )
        task = asyncio.create_task(intake.run())
        await rebuilt.wait()
        spent = perf_counter_ns() - begin
        task.cancel()
        await asyncio.wait({task})
        keep(recorder)
        return spent

    async def _iterated(self, messages: Any, keep: Keep) -> None:
        left = self._count
        async for message in messages:
            keep(message)
            left -= 1
            if not left:
                break


async def _fill(on: Wire, events: list[Any]) -> None:
    """Store the events in the stream."""
    await store(on.client)
    for first in range(0, len(events), _BATCH):
        await on.middleware.publish_many(events[first : first + _BATCH], stored=True, timeout=_STORED_SECONDS)


def _read(on: Wire, way: Way) -> list[Any]:
    kept: list[Any] = []
    on.runner.run(way(kept.append))
    return kept


def _peer(on: Wire, name: str, way: Way, count: int, note: str) -> Peer:
    return Peer(name, lambda passes: on.runner.run(way(_drop)) / count, note)


def _drop(received: object) -> None:
    pass
