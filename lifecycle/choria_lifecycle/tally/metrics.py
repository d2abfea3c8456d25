"""The table of the tally's metrics, in the order of the exposition; docs/tally.md describes the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import choria_lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from choria_lifecycle.tally.components import Summary
    from choria_lifecycle.tally.recorder import Recorder
    from choria_lifecycle.tally.state import TallyState

__all__ = ["METRICS", "ROLE", "Metric", "Reading", "Samples"]

ROLE: Final = "active"
"""The label whose value the exposition fills in: the role of the tally at the time of the scrape."""

Samples: TypeAlias = "Iterable[tuple[tuple[str, ...], float | Summary]]"
"""Pairs of label values, those of `ROLE` left out, and the value of the series."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What metrics are read from: a recorder and a state at one time, `now`, on the recorder's clock."""

    recorder: Recorder
    state: TallyState
    now: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family.

    Attributes:
        name: its name without the prefix.
        kind: its type; a summary has no quantiles, only `_sum` and `_count`.
        help: one sentence that describes it.
        labels: the names of its labels, sorted, `ROLE` first.
        samples: reads its series; the values of a summary are `Summary`.
    """

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Reading], Samples]


def _one(value: float) -> Samples:
    """Return the only series of a metric without labels."""
    return (((), value),)


def _by_name(values: Mapping[str, float | Summary]) -> Samples:
    """Return the series of a metric with one label besides the role."""
    return (((name,), value) for name, value in values.items())


def _versions(reading: Reading) -> Samples:
    for component, counts in reading.recorder.versions().items():
        for version, nodes in counts.items():
            yield (component, version), nodes


def _nodes(reading: Reading) -> Samples:
    return (((component,), sum(counts.values())) for component, counts in reading.recorder.versions().items())


def _governor(reading: Reading) -> Samples:
    for (component, governor, event), count in reading.recorder.governors.items():
        yield (component, event, governor), count


def _machine_transition(reading: Reading) -> Samples:
    for series, count in reading.recorder.machines.transitions.items():
        yield (series.from_state, series.machine, series.to_state, series.transition, series.version), count


def _last_event_age(reading: Reading) -> Samples:
    last = reading.recorder.last_event
    return () if last is None else _one(max(reading.now - last, 0.0))


def _stream_last_event_age(reading: Reading) -> Samples:
    last = reading.state.stream_last_event
    return () if last is None else _one(max(reading.state.now - last, 0.0))


def _replay_available(reading: Reading) -> Samples:
    available = reading.state.replay_available
    return () if available is None else _one(available)


METRICS: Final = (
    Metric(
        "good_events",
        "counter",
        "Lifecycle events received and counted.",
        (ROLE, "component"),
        lambda reading: _by_name(reading.recorder.good_events),
    ),
    Metric(
        "process_errors",
        "counter",
        "Messages that could not be read, by the last token of their subject.",
        (ROLE, "component"),
        lambda reading: _by_name(reading.recorder.errors),
    ),
    Metric(
        "event_types",
        "counter",
        "Lifecycle events by type.",
        (ROLE, "component", "type"),
        lambda reading: reading.recorder.event_types.items(),
    ),
    Metric("versions", "gauge", "Nodes that currently run a version.", (ROLE, "component", "version"), _versions),
    Metric("nodes", "gauge", "Current nodes: the sum over their versions.", (ROLE, "component"), _nodes),
    Metric(
        "nodes_expired",
        "counter",
        "Nodes that expired.",
        (ROLE, "component"),
        lambda reading: _by_name(reading.recorder.nodes_expired),
    ),
    Metric(
        "governor",
        "counter",
        "Governor events by governor and event.",
        (ROLE, "component", "event", "governor"),
        _governor,
    ),
    Metric(
        "processing_time",
        "summary",
        "Seconds spent on lifecycle events.",
        (ROLE, "component"),
        lambda reading: _by_name(reading.recorder.processing_time),
    ),
    Metric(
        "maintenance_time",
        "summary",
        "Seconds spent looking for expired nodes.",
        (ROLE, "component"),
        lambda reading: _by_name(reading.recorder.maintenance_time),
    ),
    Metric(
        "machine_transition",
        "counter",
        "Transitions of autonomous agents.",
        (ROLE, "from", "machine", "to", "transition", "version"),
        _machine_transition,
    ),
    Metric(
        "exec_watcher_success",
        "counter",
        "Runs of exec watchers announced as a success.",
        (ROLE, "machine", "version", "watcher"),
        lambda reading: reading.recorder.machines.successes.items(),
    ),
    Metric(
        "exec_watcher_failures",
        "counter",
        "Runs of exec watchers announced as an error.",
        (ROLE, "machine", "version", "watcher"),
        lambda reading: reading.recorder.machines.failures.items(),
    ),
    Metric(
        "exec_watcher_runtime",
        "summary",
        "Seconds that these runs took.",
        (ROLE, "machine", "version", "watcher"),
        lambda reading: reading.recorder.machines.runtime.items(),
    ),
    # The Go tally does not have the rest.
    Metric(
        "last_event_age_seconds",
        "gauge",
        "Time since the last event was received; no series before the first.",
        (),
        _last_event_age,
    ),
    Metric(
        "connected",
        "gauge",
        "1 while connected to a broker and events can arrive.",
        (),
        lambda reading: _one(int(reading.state.receiving)),
    ),
    Metric(
        "active",
        "gauge",
        "1 for the active tally, and without an election; 0 for a standby.",
        (),
        lambda reading: _one(int(reading.state.active)),
    ),
    Metric(
        "gaps_total",
        "counter",
        "Intervals in which events may have been missed.",
        (),
        lambda reading: _one(reading.state.gaps),
    ),
    Metric(
        "dropped_messages_total",
        "counter",
        "Messages dropped because the tally was too slow.",
        (),
        lambda reading: _one(reading.state.dropped),
    ),
    Metric(
        "complete",
        "gauge",
        "1 once every live node has been seen.",
        (),
        lambda reading: _one(int(reading.state.complete)),
    ),
    Metric(
        "replaying",
        "gauge",
        "1 while the stream is replayed at startup.",
        (),
        lambda reading: _one(int(reading.state.replay_state in ("waiting", "running"))),
    ),
    Metric(
        "replayed_events_total",
        "counter",
        "Stream events that rebuilt the nodes; not included in any other counter.",
        (),
        lambda reading: _one(reading.state.replayed),
    ),
    Metric(
        "replay_requested_seconds",
        "gauge",
        "How much of the stream to replay; 0 if replay is off.",
        (),
        lambda reading: _one(reading.state.replay_requested),
    ),
    Metric(
        "replay_available_seconds",
        "gauge",
        "How much of that the stream had when the tally began to read it; no series without a stream.",
        (),
        _replay_available,
    ),
    Metric(
        "stream_readable",
        "gauge",
        "1 while the stream can be read and stores events; no series without a stream.",
        (),
        lambda reading: () if reading.state.stream is None else _one(int(reading.state.stream_readable)),
    ),
    Metric(
        "stream_last_event_age_seconds",
        "gauge",
        "Time since the stream stored the last event that was read; no series before the first.",
        (),
        _stream_last_event_age,
    ),
    Metric(
        "unstored_events_total",
        "counter",
        "Events received that the stream should have stored and has not.",
        (),
        lambda reading: _one(reading.state.unstored),
    ),
    Metric(
        "limits_hit_total",
        "counter",
        "How often a limit was hit.",
        ("limit",),
        lambda reading: _by_name(reading.recorder.limits_hit),
    ),
    Metric(
        "build_info",
        "gauge",
        "Always 1; the version of this program.",
        ("version",),
        lambda _: (((choria_lifecycle.__version__,), 1),),
    ),
)
"""All metrics of the tally, apart from those of its process."""
