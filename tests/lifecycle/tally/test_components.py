from __future__ import annotations

from choria_lifecycle.events.event import EVENT_CONTRACTS
from choria_lifecycle.tally.components import Components, GovernorCounter, Summary
from choria_lifecycle.tally.labels import Labels
from choria_lifecycle.tally.limits import Limits
from choria_schemas.lifecycle.v1 import Governor
from tests.bed.tally_events import event


def counted(*events: object, **limits: int) -> GovernorCounter:
    labels = Labels(Limits(**limits))
    components, counter = Components(labels), GovernorCounter(labels)
    for each in events:
        assert isinstance(each, Governor)
        counter.add(components[each.component], each)
    return counter


def test_governor_events_are_counted_by_event() -> None:
    events = [
        event("governor", event_type=kind, governor=name)
        for kind, name in [("enter", "A"), ("enter", "A"), ("exit", "A"), ("timeouts", "B")]
    ]
    assert counted(*events, event("governor", component="CLI")).counts() == {
        ("server", "A", "enter"): 2,
        ("server", "A", "exit"): 1,
        ("server", "B", "timeouts"): 1,
        ("CLI", "PUPPET", "enter"): 1,
    }


def test_governors_beyond_the_limit_are_counted_together_by_component() -> None:
    events = [event("governor", component=name, governor=f"g{number}") for number in range(3) for name in ("a", "b")]
    found = counted(*events, event("governor", component="a", governor="g0", event_type="exit"), governors=2)
    assert found.counts() == {
        ("a", "g0", "enter"): 1,
        ("a", "g0", "exit"): 1,
        ("b", "g0", "enter"): 1,
        ("a", "other", "enter"): 2,
        ("b", "other", "enter"): 2,
    }


def test_components_beyond_the_limit_share_one() -> None:
    labels = Labels(Limits(components=2))
    components = Components(labels)
    first = components["server"]
    assert (first.name, first.shared) == ("server", False)
    assert components["server"] is first
    assert components["agent"] is not first
    shared = components["x"]
    assert (shared.name, shared.shared) == ("other", True)
    assert components["y"] is shared
    assert list(components) == ["server", "agent", "other"]
    assert labels.hits["components"] == 2


def test_nodes_of_all_components_are_counted_together() -> None:
    components = Components(Labels(Limits()))
    components["server"].nodes.record("n1", "1", 0)
    components["agent"].nodes.record("n1", "1", 0)
    assert components.node_counter.nodes == 2


def test_nodes_of_components_that_share_a_series_have_different_keys() -> None:
    components = Components(Labels(Limits(components=1)))
    server, other = components["server"], components["agent"]
    assert server.node_key(event("alive")) == "n1"
    keys = {
        other.node_key(event("alive", identity, component=name)) for identity in ("n1", "n2") for name in ("a", "b")
    }
    assert len(keys) == 4


def test_a_component_counts_its_events_by_class() -> None:
    component = Components(Labels(Limits()))["server"]
    assert component.event_count == 0
    assert component.event_counts == dict.fromkeys(EVENT_CONTRACTS, 0)
    for kind in ("alive", "alive", "shutdown"):
        component.event_counts[type(event(kind))] += 1
    assert component.event_count == 3


def test_a_summary_without_measurements_is_false() -> None:
    assert not Summary(0, 0.0)
    assert Summary(1, 0.0)
