from __future__ import annotations

from choria_lifecycle.events.event import Governor
from choria_lifecycle.tally.components import Components, GovernorCounter
from choria_lifecycle.tally.labels import Labels
from choria_lifecycle.tally.limits import Limits
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
