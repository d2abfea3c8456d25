"""The recorder, also compared with a simple model."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choria_lifecycle import EVENT_TYPES
from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.limits import LIMITS, Limits
from choria_lifecycle.tally.nodes import SHARDS
from choria_lifecycle.tally.recorder import Recorder
from tests.bed.strategies import EXAMPLES
from tests.bed.tally_events import event, run, transition

if TYPE_CHECKING:
    from choria_lifecycle.events.event import Event

MINUTE = 60.0


def make(now: float = 1000.0, **limits: int) -> Recorder:
    ticks = itertools.count()
    return Recorder(limits=Limits(**limits), now=now, clock=lambda: float(next(ticks)))


def sweep(recorder: Recorder, now: float) -> None:
    while recorder.expire(now, 1e9):
        pass


def taken(*events: object, **limits: int) -> Recorder:
    recorder = make(**limits)
    for each in events:
        recorder.record(each, 1000.0)
    return recorder


ALIVE, NEWER = event("alive"), event("alive", version="2.0")
STARTED = event("startup", version="2.0")
STOPPED = event("shutdown")


@pytest.mark.parametrize(
    ("events", "versions"),
    [
        ([ALIVE], {"1.0": 1}),
        ([ALIVE, ALIVE], {"1.0": 1}),
        ([ALIVE, NEWER], {"2.0": 1}),
        ([ALIVE, event("alive", "n2")], {"1.0": 2}),
        ([STARTED], {"2.0": 1}),
        ([ALIVE, STARTED], {"2.0": 1}),
        ([STARTED, STARTED], {"2.0": 1}),
        ([STARTED, ALIVE], {"1.0": 1}),
        ([ALIVE, STOPPED], {}),
        ([STOPPED], {}),
        ([STOPPED, ALIVE], {"1.0": 1}),
        ([ALIVE, event("shutdown", "n2")], {"1.0": 1}),
        ([ALIVE, event("upgraded"), event("provisioned"), event("governor")], {"1.0": 1}),
        ([event("alive", version="")], {"": 1}),
    ],
)
def test_versions_are_those_of_current_nodes(events: list[Event], versions: dict[str, int]) -> None:
    recorder = taken(*events)
    assert recorder.versions() == ({"server": versions} if versions else {})
    assert recorder.nodes == sum(versions.values())
    assert recorder.good_events == {"server": len(events)}
    assert sum(recorder.event_types.values()) == len(events)


def test_components_on_one_machine_are_separate_nodes() -> None:
    recorder = taken(ALIVE, event("alive", component="provisioner", version="9"), event("shutdown"))
    assert recorder.versions() == {"provisioner": {"9": 1}}
    assert recorder.good_events == {"server": 2, "provisioner": 1}
    assert recorder.event_types == {("server", "alive"): 1, ("server", "shutdown"): 1, ("provisioner", "alive"): 1}


def test_other_objects_are_ignored() -> None:
    recorder = taken(None, "event", object())
    assert (recorder.last_event, recorder.good_events, recorder.machines.transitions) == (None, {}, {})


def test_errors_are_counted_by_component_and_bounded() -> None:
    recorder = make(components=2)
    for name in ["server", "server", "a", "b", "c", "transition", "exec_watcher", "x" * 999]:
        recorder.record_error(name)
    assert recorder.errors == {"server": 2, "a": 1, "other": 3, "transition": 1, "exec_watcher": 1}
    assert recorder.limits_hit["components"] == 3
    assert recorder.nodes == 0


def test_time_is_measured_by_component() -> None:
    recorder = taken(ALIVE, ALIVE, components=1)
    recorder.add_time("unheard of", 0.5)
    recorder.add_time("server", 0.25)
    recorder.add_time("server", 0.5)
    recorder.record(event("alive", component="agent"), 1000.0)
    recorder.add_time("agent", 0.125)
    assert recorder.processing_time == {"server": Summary(2, 0.75), "other": Summary(1, 0.125)}
    assert recorder.limits_hit["components"] == 1
    assert recorder.maintenance_time == {}
    sweep(recorder, 1000.0)
    sweep(recorder, 1060.0)
    assert recorder.maintenance_time["server"] == Summary(2, 2.0 * SHARDS)


@pytest.mark.parametrize(
    ("passed", "gone"), [(0, False), (EXPIRY, False), (EXPIRY + MINUTE - 1, False), (EXPIRY + MINUTE, True)]
)
def test_a_node_expires_within_a_minute_after_80(passed: float, gone: bool) -> None:
    recorder = taken(ALIVE)
    sweep(recorder, 1000.0 + passed)
    assert recorder.nodes == (not gone)
    assert recorder.nodes_expired == ({"server": 1} if gone else {})
    if gone:
        (node,) = recorder.history.expired
        assert node == ("n1", "server", "1.0", 1000.0, 1000.0 + passed)


def test_an_event_postpones_expiry() -> None:
    recorder = taken(ALIVE, event("alive", "n2"))
    recorder.record(NEWER, 1000.0 + EXPIRY)
    sweep(recorder, 1000.0 + EXPIRY + MINUTE)
    assert recorder.versions() == {"server": {"2.0": 1}}
    assert [node.identity for node in recorder.history.expired] == ["n2"]


def test_a_sweep_stops_at_its_budget_and_continues() -> None:
    recorder = make()
    for number in range(2000):
        recorder.record(event("alive", f"n{number}", component=f"c{number % 2}"), 1000.0)
    later = 1000.0 + EXPIRY + MINUTE
    slices, left = 1, [recorder.nodes]
    while recorder.expire(later, 10.0):  # each reading of the clock is a second later
        slices += 1
        left.append(recorder.nodes)
    assert slices == -(-2 * SHARDS // 10)
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > slices // 2
    assert recorder.nodes == 0
    assert recorder.nodes_expired == {"c0": 1000, "c1": 1000}
    assert len(recorder.history.expired) == 50
    assert recorder.history.last_hour(later)[1][-1].expiries == 2000


def test_events_between_two_slices_count() -> None:
    recorder = make()
    for number in range(100):
        recorder.record(event("alive", f"n{number}"), 1000.0)
    later = 1000.0 + EXPIRY + MINUTE
    recorder.expire(later, 100.0)
    for number in range(100):
        recorder.record(event("alive", f"n{number}", component="new"), later)
        recorder.record(event("alive", f"n{number}"), later)
    sweep(recorder, later)
    sweep(recorder, later)
    assert recorder.versions() == {"server": {"1.0": 100}, "new": {"1.0": 100}}


def test_the_history_counts_events_by_minute() -> None:
    recorder = make(now=0.0)
    recorder.record(STARTED, 0.0)
    recorder.record(STOPPED, 61.0)
    recorder.record(event("upgraded"), 61.0)
    recorder.record(ALIVE, 61.0)
    recorder.record(NEWER, 61.0)
    recorder.record(ALIVE, 125.0)
    recorder.record(event("startup", version="2.0"), 125.0)
    rows = recorder.history.last_hour(125.0)[1][-3:]
    found = [(row.startups, row.shutdowns, row.expiries, row.upgrades) for row in rows]
    assert found == [(1, 0, 0, 0), (0, 1, 0, 2), (1, 0, 0, 2)]
    assert recorder.last_event == 125.0


def test_a_replay_rebuilds_nodes_and_counts_nothing() -> None:
    recorder = make(now=0.0)
    for each, age in [
        (event("startup", "n1"), EXPIRY + 1),
        (event("startup", "n2"), EXPIRY),
        (event("alive", "n3"), 4000.0),
        (event("alive", "n4"), 3000.0),
        (event("shutdown", "n4"), 2000.0),
        (event("alive", "n3", "2.0"), 100.0),
        (event("upgraded", "n3"), 50.0),
        (event("governor", "n3"), 50.0),
        (transition(), 20.0),
        (run(), 20.0),
        (event("alive", "n5"), -3.0),
        (None, 0.0),
    ]:
        recorder.replay(each, 0.0, age)
    assert recorder.versions() == {"server": {"1.0": 2, "2.0": 1}}
    assert (recorder.good_events, recorder.event_types, recorder.governors, recorder.last_event) == ({}, {}, {}, None)
    assert (recorder.machines.transitions, recorder.machines.runtime, recorder.processing_time) == ({}, {}, {})
    assert {(row.startups, row.shutdowns, row.upgrades) for row in recorder.history.last_hour(0.0)[1]} == {(0, 0, 0)}
    sweep(recorder, MINUTE)
    assert [node[:4] for node in recorder.history.expired] == [("n2", "server", "1.0", -EXPIRY)]
    recorder.record(event("alive", "n3", "2.0"), 10.0)
    assert recorder.versions() == {"server": {"1.0": 1, "2.0": 1}}


def test_limits_keep_the_sums() -> None:
    recorder = make(components=3, versions=2, governors=2, transitions=2, watchers=2, nodes=10)
    for number in range(20):
        component = f"c{number % 5}"
        recorder.record(event("alive", f"n{number}", f"v{number}", component), 1000.0)
        recorder.record(event("governor", component=component, governor=f"g{number}"), 1000.0)
        recorder.record(transition(f"m{number}"), 1000.0)
        recorder.record(run("error", name=f"w{number}"), 1000.0)
    assert recorder.good_events == {"c0": 8, "c1": 8, "c2": 8, "other": 16}
    assert set(recorder.versions()) <= {"c0", "c1", "c2", "other"}
    assert recorder.nodes == sum(sum(versions.values()) for versions in recorder.versions().values()) == 10
    assert all(len(set(versions) - {"other"}) <= 2 for versions in recorder.versions().values())
    assert sum(recorder.governors.values()) == 20
    assert len(recorder.governors) == 2 + 4
    assert recorder.machines.transitions[("other",) * 5] == 18
    assert recorder.machines.failures[("other",) * 3] == 18
    assert recorder.machines.runtime[("other",) * 3] == Summary(18, 27.0)
    hit = dict(recorder.limits_hit)
    assert hit.pop("versions") > 0
    assert hit == {"components": 16, "governors": 18, "transitions": 18, "watchers": 18, "nodes": 10, "label_bytes": 0}
    assert set(recorder.limits_hit) == set(LIMITS)


def test_components_that_share_a_series_have_separate_nodes() -> None:
    recorder = taken(
        ALIVE,
        event("alive", component="b"),
        event("alive", component="c", version="3"),
        event("shutdown", component="b"),
        event("alive", component="other"),
        components=1,
    )
    assert recorder.versions() == {"server": {"1.0": 1}, "other": {"3": 1, "1.0": 1}}
    sweep(recorder, 1000.0 + EXPIRY + MINUTE)
    assert sorted(node[:3] for node in recorder.history.expired) == [
        ("n1", "other", "1.0"),
        ("n1", "other", "3"),
        ("n1", "server", "1.0"),
    ]


def test_a_hostile_publisher_does_not_change_honest_counts() -> None:
    recorder, limits = make(), Limits()
    for number in range(200):
        recorder.record(event("alive", f"n{number}"), 1000.0)
    for number in range(3000):
        recorder.record(event("alive", f"x{number}", f"v{number}" * 50, f"c{number}"), 1000.0)
        recorder.record(event("shutdown", f"n{number}", component=f"c{number}"), 1000.0)
        recorder.record(event("governor", component="server", governor=f"g{number}"), 1000.0)
        recorder.record(transition(*[f"{number}"] * 3), 1000.0)
        recorder.record(run(machine=f"{number}"), 1000.0)
        recorder.record_error(f"c{number}")
    assert recorder.versions()["server"] == {"1.0": 200}
    assert recorder.event_types["server", "alive"] == 200
    # Each has one more than its limit: the series `other`.
    assert len(recorder.good_events) == len(recorder.errors) == limits.components + 1
    assert sum(map(len, recorder.versions().values())) <= (limits.components + 1) * (limits.versions + 1)
    assert len(recorder.governors) == limits.governors + 1
    assert len(recorder.machines.transitions) == limits.transitions + 1
    assert len(recorder.machines.runtime) == limits.watchers + 1


def test_a_hostile_publisher_cannot_fill_the_memory() -> None:
    recorder = make(nodes=1000)
    tracemalloc.start()
    try:
        for number in range(2000):
            long = f"{number}" + "x" * 20_000
            recorder.record(event("alive", long, long, long), 1000.0)
            recorder.record(event("alive", long, long), 1000.0)
            recorder.record(event("startup", "n1", long), 1000.0)
            recorder.record(event("governor", long, governor=long), 1000.0)
            recorder.record(transition(long, long, long), 1000.0)
            recorder.record(run(name=long, version=long), 1000.0)
            recorder.record_error(long)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert recorder.nodes == 1000
    assert taken < 12_000_000


COMPONENTS, NODES, VERSIONS = ["server", "agent", "other"], ["n1", "n2", "n3", "n4"], ["1", "2", ""]
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["alive", *EVENT_TYPES]),
            st.sampled_from(NODES),
            st.sampled_from(VERSIONS),
            st.sampled_from(COMPONENTS),
        ),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 59.0, 60.0, 600.0, 1800.0, EXPIRY - 60, EXPIRY])),
        st.tuples(st.just("sweep")),
    ),
    max_size=60,
)


class Model:
    """A simple implementation of the same rules, without limits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.heard: dict[tuple[str, str], tuple[str, float]] = {}
        self.types: Counter[tuple[str, str]] = Counter()
        self.expired: Counter[str] = Counter()
        self.upgrades = 0

    def step(self, kind: str, *arguments: Any) -> None:
        if kind == "wait":
            self.now += arguments[0]
        elif kind == "sweep":
            for (component, identity), (_, at) in list(self.heard.items()):
                if self.now - EXPIRY >= (at // MINUTE + 1) * MINUTE:
                    del self.heard[component, identity]
                    self.expired[component] += 1
        else:
            identity, version, component = arguments
            self.types[component, kind] += 1
            key = component, identity
            if kind in ("alive", "startup"):
                self.upgrades += key in self.heard and self.heard[key][0] != version
                self.heard[key] = version, self.now
            elif kind == "shutdown":
                self.heard.pop(key, None)
            self.upgrades += kind == "upgraded"

    def versions(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        for (component, _), (version, _) in self.heard.items():
            counts.setdefault(component, Counter())[version] += 1
        return counts


@settings(max_examples=EXAMPLES)
@given(STEPS)
def test_the_model_agrees(steps: list[tuple[Any, ...]]) -> None:
    recorder, model = make(now=0.0), Model()
    for step in steps:
        model.step(*step)
        if step[0] == "sweep":
            sweep(recorder, model.now)
        elif step[0] != "wait":
            recorder.record(event(*step), model.now)
        assert recorder.versions() == model.versions()
        assert recorder.nodes == len(model.heard)
    assert recorder.event_types == model.types
    assert recorder.nodes_expired == model.expired
    assert not any(recorder.limits_hit.values())


@settings(max_examples=EXAMPLES)
@given(STEPS, st.integers(1, 3), st.integers(1, 3), st.integers(1, 8))
def test_limits_hold_and_lose_nothing_else(
    steps: list[tuple[Any, ...]], components: int, versions: int, nodes: int
) -> None:
    recorder, model = make(now=0.0, components=components, versions=versions, nodes=nodes), Model()
    for step in steps:
        model.step(*step)
        if step[0] == "sweep":
            sweep(recorder, model.now)
        elif step[0] != "wait":
            recorder.record(event(*step), model.now)
        found = recorder.versions()
        assert recorder.nodes == sum(sum(counts.values()) for counts in found.values()) <= nodes
        assert len(found.keys() - {"other"}) <= components
        assert all(len(counts.keys() - {"other"}) <= versions for counts in found.values())
    assert sum(recorder.event_types.values()) == sum(model.types.values())
    if not recorder.limits_hit["nodes"]:
        assert recorder.nodes == len(model.heard)
        assert sum(recorder.nodes_expired.values()) == sum(model.expired.values())


@settings(max_examples=EXAMPLES)
@given(STEPS)
def test_a_replay_rebuilds_the_live_nodes(steps: list[tuple[Any, ...]]) -> None:
    live, stored = make(now=0.0), []
    now = 0.0
    for step in steps:
        if step[0] == "wait":
            now += step[1]
        elif step[0] != "sweep":
            live.record(event(*step), now)
            stored.append((event(*step), now))
    sweep(live, now)
    restored = make(now=now)
    for each, at in stored:
        restored.replay(each, now, now - at)
    sweep(restored, now)
    young = [at for _, at in stored if now - at <= EXPIRY]
    if len(young) == len(stored):  # minutes begin at another second, which matters for nodes about to expire
        assert restored.versions() == live.versions()
    assert sum(restored.event_types.values()) == 0
