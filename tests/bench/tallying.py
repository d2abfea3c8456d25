"""Counting: one event in the tally against plain prometheus_client; and a million nodes."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from choria_lifecycle import alive, parse
from choria_lifecycle.tally.recorder import Recorder
from choria_schemas.lifecycle.v1 import Alive

from . import corpus, golang
from .measure import Peer, Samples, Settings, demand, looping, passes_for, take_turns
from .report import Section, Target, section

TAKEN = "Recorder.take"
OURS = "Recorder.take, timed for processing_time"
LABELS = "prometheus_client, labels().inc()"
CHILDREN = "prometheus_client, cached children"

TARGETS = (
    Target(what="tally one event", ours=TAKEN, bound=600, at_least=False, unit=" ns"),
    Target(
        what="tally one event: faster than prometheus_client's labels().inc()",
        ours=OURS,
        bound=8,
        at_least=True,
        peers=(LABELS,),
    ),
)

_SIZES = (1000, 100_000, 1_000_000)
_DICT = "a dict, {:,} keys"
_TAKE = "Recorder.record, {:,} nodes"
RANDOM_TARGETS = tuple(
    Target(
        what=f"tally an event of one of {nodes:,} nodes: time of a dict",
        ours=_TAKE.format(nodes),
        bound=2,
        at_least=False,
        peers=(_DICT.format(nodes),),
        why="0.3 us are counts of the event, its component and its version; waiting for memory comes on top in both",
    )
    for nodes in _SIZES
)

_SECONDS = 600

Take = Callable[[Any], None]


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure alive events of known nodes, the most frequent case."""
    fields = [each for each in corpus.fleet(settings.size * 6) if corpus.event_type(each) == "alive"]
    # Separate strings for each event, as when parsed from messages.
    events = [event for each in fields if isinstance(event := parse(corpus.dumps(each)), Alive)]
    ordinary, kept = _Labels(), _Children()
    peers = [
        looping(OURS, _timed(_recorder(events)), events),
        looping(TAKEN, _plain(_recorder(events)), events, "a collector reads it at a scrape"),
        looping(LABELS, _each(ordinary.take), events, "the Go tally written with it"),
        looping(CHILDREN, _each(kept.take), events, "the same, with a dict in front of labels()"),
    ]
    for tally in ordinary, kept:
        _check(tally, events)
    path = folder / "alive.ndjson"
    path.write_bytes(b"".join(corpus.dumps(each) + b"\n" for each in fields))
    peers += [reference.peer("the Go tally itself", work="tally", corpus=str(path)) for reference in go.references]
    samples = take_turns(peers, settings.rounds, passes_for(settings.budget, len(events)))
    title = "Tally an alive event of a known node"
    return section(title, "ns", peers, samples, targets=TARGETS, missing=go.missing)


def measure_random(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure alive events in random order, of fleets whose nodes do and do not fit into the caches."""
    rng = random.Random(5)
    peers: list[Peer] = []
    for nodes in _SIZES:
        known = [_alive(number) for number in range(nodes)]
        recorder, plain = _recorder(known), dict.fromkeys((event.identity for event in known), 0)
        # Each event has texts of its own, as when parsed from messages.
        events = [_alive(rng.randrange(nodes)) for _ in range(20 * settings.size)]
        peers.append(looping(_TAKE.format(nodes), _plain(recorder), events))
        peers.append(looping(_DICT.format(nodes), partial(_store, plain), events, "finds and replaces one value"))
    samples = take_turns(peers, settings.rounds // 2, lambda peer: 1)
    title = "Tally alive events of known nodes in random order"
    return section(title, "ns", peers, samples, targets=RANDOM_TARGETS)


def _alive(node: int) -> Alive:
    return alive(identity=f"web{node:07}.example.net", component="server", version="0.29.4")


def _store(values: dict[str, int], events: Sequence[Alive]) -> None:
    for event in events:
        values[event.identity] = 1


def _recorder(events: Sequence[Alive]) -> Recorder:
    recorder = Recorder(now=0.0)
    for event in events:
        recorder.record(event, 0.0)
    demand(sum(recorder.good_events.values()) == recorder.nodes == len(events), OURS, f"counted {recorder.good_events}")
    return recorder


def _plain(recorder: Recorder) -> Callable[[Sequence[Alive]], None]:
    def loop(events: Sequence[Alive]) -> None:
        take, now = recorder.record, time.monotonic()
        for event in events:
            take(event, now)

    return loop


def _timed(recorder: Recorder) -> Callable[[Sequence[Alive]], None]:
    def loop(events: Sequence[Alive]) -> None:
        take, spent, now, clock = recorder.record, recorder.add_time, time.monotonic(), time.perf_counter
        for event in events:
            begin = clock()
            take(event, now)
            spent(event.component, clock() - begin)

    return loop


def _each(take: Take) -> Callable[[Sequence[Alive]], None]:
    def loop(events: Sequence[Alive]) -> None:
        for event in events:
            take(event)

    return loop


class _Labels:
    """The Go tally as one would write it with prometheus_client."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.good = Counter("good_events", "Events", ["component", "active"], registry=registry)
        self.types = Counter("event_types", "Types", ["component", "type", "active"], registry=registry)
        self.versions = Gauge("versions", "Nodes", ["component", "version", "active"], registry=registry)
        self.spent = Summary("processing_time", "Seconds", ["component", "active"], registry=registry)
        self.seen: dict[str, dict[str, tuple[str, float]]] = {}

    def take(self, event: Alive) -> None:
        begin = time.perf_counter()
        component, version = event.component, event.version
        self.types.labels(component, "alive", "1").inc()
        hosts = self.seen.setdefault(component, {})
        known = hosts.get(event.identity)
        hosts[event.identity] = version, begin
        if known is None or known[0] != version:
            if known is not None:
                self.versions.labels(component, known[0], "1").dec()
            self.versions.labels(component, version, "1").inc()
        self.good.labels(component, "1").inc()
        self.spent.labels(component, "1").observe(time.perf_counter() - begin)


class _Children(_Labels):
    """The same with cached results of labels(), at the price of a dictionary lookup."""

    def __init__(self) -> None:
        super().__init__()
        self.children: dict[str, tuple[Any, Any, Any]] = {}

    def take(self, event: Alive) -> None:
        begin = time.perf_counter()
        component, version = event.component, event.version
        children = self.children.get(component)
        if children is None:
            children = self.children[component] = (
                self.types.labels(component, "alive", "1"),
                self.good.labels(component, "1"),
                self.spent.labels(component, "1"),
            )
        types, good, spent = children
        types.inc()
        hosts = self.seen.setdefault(component, {})
        known = hosts.get(event.identity)
        hosts[event.identity] = version, begin
        if known is None or known[0] != version:
            if known is not None:
                self.versions.labels(component, known[0], "1").dec()
            self.versions.labels(component, version, "1").inc()
        good.inc()
        spent.observe(time.perf_counter() - begin)


def _check(tally: _Labels, events: Sequence[Alive]) -> None:
    for event in events:
        tally.take(event)
    found = {
        (sample.labels["component"], sample.labels["version"]): sample.value
        for family in tally.versions.collect()
        for sample in family.samples
    }
    ours = _recorder(events).versions()
    expected = {(component, name): nodes for component, counts in ours.items() for name, nodes in counts.items()}
    demand(found == expected, type(tally).__name__, f"counted {found}")


def fleet(settings: Settings) -> dict[str, Any]:
    """Tally a large fleet in a separate process; see tests/bench/fleet.py."""
    command = [sys.executable, "-m", "tests.bench.fleet", str(settings.nodes), str(max(3, settings.starts // 4))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def measure_memory(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the memory of the nodes."""
    title = f"Memory of {settings.nodes:,} nodes"
    state, peak = "state", "the whole process"
    millions = settings.nodes / 1e6
    targets = [
        Target(what=f"{title}: at most 160 bytes each", ours=state, bound=160 * millions, at_least=False, unit=" MB"),
        Target(what=f"{title}: resident", ours=peak, bound=350, at_least=False, unit=" MB"),
    ]
    notes = {
        state: "identity, version and time of the last event",
        peak: "64 components with 256 versions each, the worst case",
    }
    if not Path("/proc/self/statm").exists():
        missing = dict.fromkeys((state, peak), "there is no /proc here")
        return Section(title=title, unit="memory", ours="", samples={}, targets=targets, missing=missing)
    measured = fleet(settings)
    samples = {state: Samples.of([measured["state"]]), peak: Samples.of([measured["peak"]])}
    for reference in go.references[:1]:
        answer = reference.ask(work="fleet", nodes=settings.nodes)
        samples |= {f"{reference.name}, state": Samples.of([answer["heap"]])}
        samples |= {f"{reference.name}, taken from the system": Samples.of([answer["taken"]])}
    return Section(title=title, unit="memory", ours="", samples=samples, notes=notes, targets=targets)


def measure_pauses(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure how long the tally blocks its event loop."""
    title = f"Pauses with {settings.nodes:,} nodes"
    render, idle, expiring, instant = (
        "a scrape",
        "slowest slice, none expired",
        "slowest slice, all expired",
        "one instant",
    )
    measured = fleet(settings)
    return Section(
        title=title,
        unit="ms",
        ours="",
        samples={
            name: Samples.of(measured[key])
            for name, key in ((render, "render"), (idle, "idle"), (expiring, "expiring"), (instant, "instant"))
        },
        notes={
            render: "64 components with 256 versions each",
            expiring: "of a fleet that has fallen silent",
            instant: f"{measured['cohort']:,} events, a whole minute of the fleet; other tasks can run in between",
        },
        targets=[
            Target(what=f"{title}: a scrape", ours=render, bound=50, at_least=False, unit=" ms"),
            Target(what=f"{title}: a slice of a sweep", ours=idle, bound=20, at_least=False, unit=" ms"),
            Target(what=f"{title}: a slice while all expire", ours=expiring, bound=20, at_least=False, unit=" ms"),
            Target(
                what=f"{title}: the events of a minute at once", ours=instant, bound=2000, at_least=False, unit=" ms"
            ),
        ],
    )
