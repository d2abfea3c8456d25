"""A tally's metrics in Prometheus' text format, version 0.0.4.

prometheus_client cannot write the names of the Go tally: it would add `_total` to counters. The label `active` is the
role at the time of the scrape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import choria_lifecycle
from choria_lifecycle.errors import ConfigError, MissingExtra
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from choria_lifecycle.tally.components import Summary
    from choria_lifecycle.tally.recorder import Recorder

__all__ = ["CONTENT_TYPE", "METRIC_PREFIX", "TallyState", "check_prefix", "render"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the text format."""

METRIC_PREFIX: Final = "lifecycle_tally"
"""Default prefix of the metrics' names."""

_PREFIX_PATTERN: Final = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_PLAIN: Final = re.compile(r'[^\\"\n]*')


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyState:
    """The state of a tally apart from its recorder's numbers. Times are Unix seconds.

    Attributes:
        connected: whether the connection is up.
        server: the connected server, safe to show; empty while not connected.
        subscribed: whether events can arrive.
        last_answer: when the server last answered; None before the first time.
        gaps: how often the connection was lost and restored.
        dropped: messages dropped because the tally was too slow.
        active: whether this tally leads its election, or has none.
        election: the name of the election; empty without one.
        election_reason: why the tally takes no part in the election or lost it, safe to show; empty if all is well.
        components: the components to count; empty for all.
        complete: whether every live node must have been seen by now.
        replay_state: `off`, `waiting` for a stream that cannot be read yet, `running`, `done`, or `none` without a
            stream.
        replayed: the number of stored events replayed.
        replay_reason: why the stream is not replayed, or not yet, safe to show.
        started: when the tally started.
        now: the current time.
    """

    connected: bool
    server: str = ""
    subscribed: bool = False
    last_answer: float | None = None
    gaps: int = 0
    dropped: int = 0
    active: bool = True
    election: str = ""
    election_reason: str = ""
    components: tuple[str, ...] = ()
    complete: bool = False
    replay_state: str = "off"
    replayed: int = 0
    replay_reason: str = ""
    started: float
    now: float


def check_prefix(prefix: str) -> str:
    """Return a prefix unchanged if metric names can begin with it.

    Raises:
        ConfigError: the prefix is invalid.
    """
    if not _PREFIX_PATTERN.fullmatch(prefix):
        raise ConfigError(
            f"{quoted(prefix)} cannot begin a metric name: use letters, digits, _ and :, and start without a digit"
        )
    return prefix


def render(recorder: Recorder, state: TallyState, *, prefix: str = METRIC_PREFIX, now: float) -> bytes:
    """Return all metrics as text.

    Args:
        recorder: the numbers.
        state: the state of the tally.
        prefix: the prefix of the names.
        now: the time on the recorder's clock.

    Raises:
        ConfigError: the prefix is invalid.
        MissingExtra: prometheus_client is not installed.
    """
    writer = _Writer(check_prefix(prefix), int(state.active))
    _write_lifecycle(writer, recorder)
    _write_machines(writer, recorder)
    _write_tally(writer, recorder, state, now)
    return writer.encode() + _process_metrics()


def _write_lifecycle(writer: _Writer, recorder: Recorder) -> None:
    writer.family("good_events", "counter", "Lifecycle events received and counted.")
    writer.by_component("good_events", recorder.good_events)
    writer.family("process_errors", "counter", "Messages that could not be read, by the last token of their subject.")
    writer.by_component("process_errors", recorder.errors)
    writer.family("event_types", "counter", "Lifecycle events by type.")
    for (component, kind), count in recorder.event_types.items():
        writer.sample("event_types", count, component=component, type=kind)
    versions = recorder.versions()
    writer.family("versions", "gauge", "Nodes that currently run a version.")
    for component, counts in versions.items():
        for version, nodes in counts.items():
            writer.sample("versions", nodes, component=component, version=version)
    writer.family("nodes", "gauge", "Current nodes: the sum over their versions.")
    writer.by_component("nodes", {component: sum(counts.values()) for component, counts in versions.items()})
    writer.family("nodes_expired", "counter", "Nodes that expired.")
    writer.by_component("nodes_expired", recorder.nodes_expired)
    writer.family("governor", "counter", "Governor events by governor and event.")
    for (component, governor, event), count in recorder.governors.items():
        writer.sample("governor", count, component=component, event=event, governor=governor)
    writer.family("processing_time", "summary", "Seconds spent on lifecycle events.")
    for component, summary in recorder.processing_time.items():
        writer.summary("processing_time", summary, component=component)
    writer.family("maintenance_time", "summary", "Seconds spent looking for expired nodes.")
    for component, summary in recorder.maintenance_time.items():
        writer.summary("maintenance_time", summary, component=component)


def _write_machines(writer: _Writer, recorder: Recorder) -> None:
    writer.family("machine_transition", "counter", "Transitions of autonomous agents.")
    for (machine, version, transition, former, latter), count in recorder.machines.transitions.items():
        labels = {"from": former, "machine": machine, "to": latter, "transition": transition, "version": version}
        writer.sample("machine_transition", count, **labels)
    writer.family("exec_watcher_success", "counter", "Runs of exec watchers announced as a success.")
    for watcher, count in recorder.machines.successes.items():
        writer.sample("exec_watcher_success", count, **_watcher_labels(*watcher))
    writer.family("exec_watcher_failures", "counter", "Runs of exec watchers announced as an error.")
    for watcher, count in recorder.machines.failures.items():
        writer.sample("exec_watcher_failures", count, **_watcher_labels(*watcher))
    writer.family("exec_watcher_runtime", "summary", "Seconds that these runs took.")
    for watcher, summary in recorder.machines.runtime.items():
        writer.summary("exec_watcher_runtime", summary, **_watcher_labels(*watcher))


def _watcher_labels(machine: str, version: str, watcher: str) -> dict[str, str]:
    return {"machine": machine, "version": version, "watcher": watcher}


def _write_tally(writer: _Writer, recorder: Recorder, state: TallyState, now: float) -> None:
    """Write the metrics that the Go tally does not have."""
    writer.family(
        "last_event_age_seconds", "gauge", "Time since the last event was received; no series before the first."
    )
    if recorder.last_event is not None:
        writer.plain_sample("last_event_age_seconds", max(now - recorder.last_event, 0.0))
    writer.family("connected", "gauge", "1 while connected to a broker.")
    writer.plain_sample("connected", int(state.connected))
    writer.family("active", "gauge", "1 for the active tally, and without an election; 0 for a standby.")
    writer.plain_sample("active", int(state.active))
    writer.family(
        "gaps_total", "counter", "How often the connection was lost and restored; live events in between were missed."
    )
    writer.plain_sample("gaps_total", state.gaps)
    writer.family("dropped_messages_total", "counter", "Messages dropped because the tally was too slow.")
    writer.plain_sample("dropped_messages_total", state.dropped)
    writer.family("complete", "gauge", "1 once every live node has been seen.")
    writer.plain_sample("complete", int(state.complete))
    writer.family("replaying", "gauge", "1 while the stream is replayed at startup.")
    writer.plain_sample("replaying", int(state.replay_state in ("waiting", "running")))
    writer.family(
        "replayed_events_total", "counter", "Stream events that rebuilt the nodes; not included in any other counter."
    )
    writer.plain_sample("replayed_events_total", state.replayed)
    writer.family("limits_hit_total", "counter", "How often a limit was hit.")
    for limit, count in recorder.limits_hit.items():
        writer.plain_sample("limits_hit_total", count, f'{{limit="{limit}"}}')
    writer.family("build_info", "gauge", "Always 1; the version of this program.")
    writer.plain_sample("build_info", 1, f'{{version="{choria_lifecycle.__version__}"}}')


class _Writer:
    """A writer of the text format; labels follow `active` in the given order."""

    def __init__(self, prefix: str, active: int) -> None:
        self._prefix = prefix
        self._active = f'{{active="{active}"'
        self._lines: list[str] = []

    def family(self, name: str, kind: str, help_text: str) -> None:
        """Begin a metric family."""
        self._lines.append(f"# HELP {self._prefix}_{name} {help_text}\n# TYPE {self._prefix}_{name} {kind}\n")

    def sample(self, name: str, value: float, **labels: str) -> None:
        """Add a sample with the role as a label."""
        pairs = "".join([f',{label}="{_escape(text)}"' for label, text in labels.items()])
        self._lines.append(f"{self._prefix}_{name}{self._active}{pairs}}} {value}\n")

    def by_component(self, name: str, values: Mapping[str, int]) -> None:
        """Add a sample for each component."""
        for component, value in values.items():
            self.sample(name, value, component=component)

    def summary(self, name: str, summary: Summary, **labels: str) -> None:
        """Add a summary without quantiles."""
        self.sample(f"{name}_sum", summary.seconds, **labels)
        self.sample(f"{name}_count", summary.count, **labels)

    def plain_sample(self, name: str, value: float, labels: str = "") -> None:
        """Add a sample without the role."""
        self._lines.append(f"{self._prefix}_{name}{labels} {value}\n")

    def encode(self) -> bytes:
        """Return the text."""
        return "".join(self._lines).encode()


def _escape(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else text.translate(_ESCAPES)


def _process_metrics() -> bytes:
    """Return prometheus_client's metrics of this process, which exist only on Linux."""
    try:
        from prometheus_client import generate_latest
    except ImportError:
        raise MissingExtra("the tally's metrics", extra="cli") from None
    return generate_latest(_registry())


@cache
def _registry() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry
