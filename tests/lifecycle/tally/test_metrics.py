"""The table of metrics: each row is well-formed, and its samples fit its type and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from choria_lifecycle import EVENT_TYPES
from choria_lifecycle.middleware.delivery import StreamState
from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.metrics import METRICS, ROLE, Reading
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from tests.bed.tally_events import event, run, transition

if TYPE_CHECKING:
    from choria_lifecycle.tally.metrics import Metric

HOUR = 3600.0


def reading() -> Reading:
    """Return a reading in which every metric has a series."""
    recorder = Recorder(now=0.0, expiry=HOUR)
    for each in (*map(event, EVENT_TYPES), transition(), run(), run("error")):
        recorder.record(each, 0.0)
    recorder.record(event("alive", "n2"), 0.0)
    recorder.record_error("server")
    assert not recorder.expire(2 * HOUR, budget=HOUR)
    recorder.record(event("alive"), 2 * HOUR)
    stream = StreamState("CHORIA_EVENTS", "", None, only=False, verified=True)
    state = TallyState(connected=True, stream=stream, stream_last_event=0.5, replay_available=9.0, started=0.0, now=1.0)
    return Reading(recorder, state, 2 * HOUR)


def test_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_row_is_well_formed(metric: Metric) -> None:
    assert metric.help.endswith(".")
    assert metric.help.count(".") == 1
    assert not set('\\"\n%') & set(metric.help)
    assert list(metric.labels) == sorted(metric.labels, key=lambda label: (label != ROLE, label))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_samples_fit_the_row(metric: Metric) -> None:
    samples = list(metric.samples(reading()))
    assert samples
    for texts, value in samples:
        assert len(texts) == len([label for label in metric.labels if label != ROLE])
        assert isinstance(value, Summary) == (metric.kind == "summary")
