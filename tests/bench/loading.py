"""A real `lifecycle tally` under load: many events a second for a while, and many at one instant."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nats

from tests.bed.tallies import RunningTally, Scrape, running_tally

from . import golang
from .broker import store
from .measure import Samples, Settings, demand
from .pouring import COMPONENT, PublisherProcess, pouring
from .report import Section, Target

PLAIN = "as they are published, --replay off"
STORED = "out of a stream"
# The arguments, and how the tally then describes its stream.
WAYS = {PLAIN: (("--replay", "off"), "off"), STORED: ((), "done")}

RATE = 10_000
NODES = 100_000
# What a million nodes send in one of thirty minutes: Choria's servers start at whole minutes.
INSTANT = 33_334

# A publisher slower than this would load the tally less than required.
_PUNCTUAL = 1.05
_PATIENCE_SECONDS = 20.0

_SHARED = (
    f"Alive events of {NODES:,} nodes; the check is that all are received. Tally, publisher, broker and scraper share "
    "the machine."
)


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure `RATE` events a second from `NODES` nodes."""
    samples, notes = {}, {}
    for way in WAYS:
        with under_load(way, NODES) as (tally, publisher):
            cores, notes[way] = load(way, tally, publisher, settings.seconds)
            samples[way] = Samples.of([cores])
    what = f"{RATE:,} events a second for {settings.seconds} s, "
    return Section(
        title=f"A tally under {RATE:,} events a second",
        unit="cores",
        ours="",
        samples=samples,
        notes=notes,
        targets=[Target(what=what + way, ours=way, bound=0.5, at_least=False, unit=" cores") for way in WAYS],
        remarks=[_SHARED],
    )


def measure_instant(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the time until `INSTANT` events are counted."""
    samples, notes = {}, {}
    for way in WAYS:
        with under_load(way, INSTANT) as (tally, publisher):
            taken = instants(way, tally, publisher, INSTANT, max(3, settings.starts // 4))
        samples[way] = Samples.of(taken)
        notes[way] = f"slowest {max(taken) / 1e9:.2f} s"
    what = f"{INSTANT:,} events at one instant, "
    return Section(
        title=f"A tally and {INSTANT:,} events at one instant",
        unit="s",
        ours="",
        samples=samples,
        notes=notes,
        targets=[Target(what=what + way, ours=way, bound=2, at_least=False, unit=" s") for way in WAYS],
        remarks=("Timed from before the first is published until a scrape shows all; the check is that none is lost.",),
    )


@contextmanager
def under_load(way: str, nodes: int) -> Iterator[tuple[RunningTally, PublisherProcess]]:
    """Run a tally and a publisher for it."""
    from choria_lifecycle.demo.embedded import nats_server

    with ExitStack() as stack:
        server = stack.enter_context(nats_server())
        asyncio.run(_store(server.url))
        arguments, state = WAYS[way]
        tally = stack.enter_context(running_tally("--server", server.url, *arguments))
        replay = json.loads(tally.get("/api/v1/status")[1])["replay"]
        demand(replay["state"] == state, way, f"the replay is {replay}")
        yield tally, stack.enter_context(pouring(server.url, nodes))


def load(way: str, tally: RunningTally, publisher: PublisherProcess, seconds: int) -> tuple[float, str]:
    """Apply load for this many seconds; return the nanoseconds of processor time per second, and a note."""
    count = RATE * seconds
    before, begin = tally.scrape(), time.monotonic()
    published = publisher.start(count, RATE)
    scrapes: list[float] = []
    while True:
        try:
            took = published.result(timeout=1)
        except TimeoutError:
            at = time.monotonic()
            tally.get("/metrics")
            scrapes.append(time.monotonic() - at)
        else:
            break
    after = _counted(way, tally, count, publisher.nodes)
    cores = (after.total("process_cpu_seconds") - before.total("process_cpu_seconds")) / (time.monotonic() - begin)
    demand(took <= seconds * _PUNCTUAL, way, f"{count:,} events were published in {took:.1f} s, not {seconds}")
    slowest, resident = max(scrapes, default=0.0) * 1e3, after.total("process_resident_memory_bytes") / 1e6
    note = f"{count:,} received; slowest of {len(scrapes)} scrapes {slowest:.0f} ms; {resident:.0f} MB resident"
    return cores * 1e9, note


def instants(way: str, tally: RunningTally, publisher: PublisherProcess, count: int, rounds: int) -> Sequence[float]:
    """Publish this many events at once, in several rounds; return the nanoseconds until they were counted."""
    taken = []
    for number in range(1, rounds + 1):
        begin = time.perf_counter_ns()
        published = publisher.start(count, 0)
        _counted(way, tally, count * number, publisher.nodes)
        taken.append(time.perf_counter_ns() - begin)
        published.result(_PATIENCE_SECONDS)
    return taken


def _counted(way: str, tally: RunningTally, events: int, nodes: int) -> Scrape:
    """Wait until all events are counted, and check the sums."""
    numbers = tally.until(lambda numbers: numbers.total("good_events") >= events, _PATIENCE_SECONDS)
    found = {name: numbers.total(name) for name in ("good_events", "nodes", "dropped_messages", "gaps")}
    wanted = {"good_events": events, "nodes": min(events, nodes), "dropped_messages": 0, "gaps": 0}
    demand(found == wanted, way, f"counted {found}, not {wanted}")
    demand(set(numbers.by("component", "good_events")) == {COMPONENT}, way, "counted other components")
    return numbers


async def _store(url: str) -> None:
    client = await nats.connect(url)
    await store(client)
    await client.close()
