"""The numbers of a recorder in Prometheus' text format, version 0.0.4.

The names are those of the Go tally, which prometheus_client cannot write: it would add `_total` to counters. Nothing is
kept between two scrapes; the role at the time of the scrape is the label `active` of every series that has it.
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
"""What a scraper is told that it gets."""

METRIC_PREFIX: Final = "lifecycle_tally"
"""What the names of metrics begin with, unless something else is asked for."""

_PREFIX: Final = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_PLAIN: Final = re.compile(r'[^\\"\n]*')


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyState:
    """What a tally knows beside the numbers of its recorder. Times are in seconds since the epoch.

    Attributes:
        connected: whether the connection is up.
        server: the server it is connected to, safe to show; empty while it is not connected.
        subscribed: whether events can arrive.
        last_answer: when the server last answered; None before the first time.
        gaps: how often the connection was lost and came back.
        dropped: messages thrown away because the program was too slow.
        active: whether this tally leads, or takes part in no election.
        election: the campaign it takes part in; empty for none.
        election_reason: why it takes no part, or no longer leads, safe to show; empty while all is well.
        components: the components that were asked for; none for all.
        complete: whether every node that is alive must have been counted by now.
        replay: what became of rebuilding from a stream: `off`, `waiting` for one that cannot be read yet, `running`,
            `done`, or `none` where there is no stream.
        replayed: how many stored events were read.
        replay_why: why there was no replay, or not yet, safe to show.
        started: when the tally started.
        now: the time.
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
    replay: str = "off"
    replayed: int = 0
    replay_why: str = ""
    started: float
    now: float


def check_prefix(prefix: str) -> str:
    """Return what names of metrics are to begin with.

    Raises:
        ConfigError: no name of a metric can begin with it.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"{quoted(prefix)} cannot begin the name of a metric: use letters, digits, _ and :, and no digit first"
        )
    return prefix


def render(recorder: Recorder, facts: TallyState, *, prefix: str = METRIC_PREFIX, now: float) -> bytes:
    """Return the numbers as text.

    Args:
        recorder: has the numbers.
        facts: what else there is to say.
        prefix: what the names begin with.
        now: the time on the recorder's clock.

    Raises:
        ConfigError: see `check_prefix`.
        MissingExtra: prometheus_client is not installed.
    """
    text = _Text(check_prefix(prefix), int(facts.active))
    _lifecycle(text, recorder)
    _machines(text, recorder)
    _tally(text, recorder, facts, now)
    return text.encoded() + _process()


def _lifecycle(text: _Text, recorder: Recorder) -> None:
    text.family("good_events", "counter", "Lifecycle events that were received and counted.")
    text.by_component("good_events", recorder.good)
    text.family("process_errors", "counter", "Messages that could not be read, by the last token of their subject.")
    text.by_component("process_errors", recorder.errors)
    text.family("event_types", "counter", "Lifecycle events by type.")
    for (component, kind), count in recorder.types.items():
        text.sample("event_types", count, component=component, type=kind)
    versions = recorder.versions()
    text.family("versions", "gauge", "Nodes that run a version now.")
    for component, counts in versions.items():
        for version, nodes in counts.items():
            text.sample("versions", nodes, component=component, version=version)
    text.family("nodes", "gauge", "Nodes that are there now.")
    text.by_component("nodes", {component: sum(counts.values()) for component, counts in versions.items()})
    text.family("nodes_expired", "counter", "Nodes that were given up because nothing was heard of them for too long.")
    text.by_component("nodes_expired", recorder.expired)
    text.family("governor", "counter", "Governor events by governor and by what happened.")
    for (component, governor, event), count in recorder.governors.items():
        text.sample("governor", count, component=component, event=event, governor=governor)
    text.family("processing_time", "summary", "Seconds spent on lifecycle events.")
    for component, summary in recorder.processing.items():
        text.summary("processing_time", summary, component=component)
    text.family("maintenance_time", "summary", "Seconds spent on looking for nodes to give up.")
    for component, summary in recorder.maintenance.items():
        text.summary("maintenance_time", summary, component=component)


def _machines(text: _Text, recorder: Recorder) -> None:
    text.family("machine_transition", "counter", "Transitions of autonomous agents.")
    for (machine, version, transition, former, latter), count in recorder.machines.transitions.items():
        labels = {"from": former, "machine": machine, "to": latter, "transition": transition, "version": version}
        text.sample("machine_transition", count, **labels)
    text.family("exec_watcher_success", "counter", "Runs that exec watchers announced as a success.")
    for watcher, count in recorder.machines.successes.items():
        text.sample("exec_watcher_success", count, **_watcher(*watcher))
    text.family("exec_watcher_failures", "counter", "Runs that exec watchers announced as an error.")
    for watcher, count in recorder.machines.failures.items():
        text.sample("exec_watcher_failures", count, **_watcher(*watcher))
    text.family("exec_watcher_runtime", "summary", "Seconds that these runs took.")
    for watcher, summary in recorder.machines.runtime.items():
        text.summary("exec_watcher_runtime", summary, **_watcher(*watcher))


def _watcher(machine: str, version: str, watcher: str) -> dict[str, str]:
    return {"machine": machine, "version": version, "watcher": watcher}


def _tally(text: _Text, recorder: Recorder, facts: TallyState, now: float) -> None:
    """What the Go tally does not have."""
    text.family(
        "last_event_age_seconds", "gauge", "How long ago the last event was received; nothing before the first."
    )
    if recorder.last_event is not None:
        text.bare("last_event_age_seconds", max(now - recorder.last_event, 0.0))
    text.family("connected", "gauge", "Whether the tally is connected to a broker.")
    text.bare("connected", int(facts.connected))
    text.family("active", "gauge", "Whether this is the active one of several tallies, or the only one.")
    text.bare("active", int(facts.active))
    text.family(
        "gaps_total", "counter", "How often the connection was lost and came back; what came live meanwhile was missed."
    )
    text.bare("gaps_total", facts.gaps)
    text.family("dropped_messages_total", "counter", "Messages thrown away because the tally was too slow.")
    text.bare("dropped_messages_total", facts.dropped)
    text.family("complete", "gauge", "Whether every node that is alive has been counted.")
    text.bare("complete", int(facts.complete))
    text.family("replaying", "gauge", "Whether what a stream stored before the start is being read, or waited for.")
    text.bare("replaying", int(facts.replay in ("waiting", "running")))
    text.family("replayed_events_total", "counter", "Events that a stream stored before the start, and were read.")
    text.bare("replayed_events_total", facts.replayed)
    text.family("limits_hit_total", "counter", "How often a limit of the tally was hit; what is beyond is in other.")
    for limit, count in recorder.limits_hit.items():
        text.bare("limits_hit_total", count, f'{{limit="{limit}"}}')
    text.family("build_info", "gauge", "The version of the tally; always 1.")
    text.bare("build_info", 1, f'{{version="{choria_lifecycle.__version__}"}}')


class _Text:
    """Lines of the text format. Labels are written in the order in which they are given, after `active`."""

    def __init__(self, prefix: str, active: int) -> None:
        self._prefix = prefix
        self._active = f'{{active="{active}"'
        self._lines: list[str] = []

    def family(self, name: str, kind: str, what: str) -> None:
        """Begin a metric."""
        self._lines.append(f"# HELP {self._prefix}_{name} {what}\n# TYPE {self._prefix}_{name} {kind}\n")

    def sample(self, name: str, value: float, **labels: str) -> None:
        """Add a value of a metric, in a series with the role."""
        pairs = "".join([f',{label}="{_escaped(text)}"' for label, text in labels.items()])
        self._lines.append(f"{self._prefix}_{name}{self._active}{pairs}}} {value}\n")

    def by_component(self, name: str, values: Mapping[str, int]) -> None:
        """Add a value for each component."""
        for component, value in values.items():
            self.sample(name, value, component=component)

    def summary(self, name: str, summary: Summary, **labels: str) -> None:
        """Add a summary without quantiles."""
        self.sample(f"{name}_sum", summary.seconds, **labels)
        self.sample(f"{name}_count", summary.count, **labels)

    def bare(self, name: str, value: float, labels: str = "") -> None:
        """Add a value of a metric that the role has nothing to do with."""
        self._lines.append(f"{self._prefix}_{name}{labels} {value}\n")

    def encoded(self) -> bytes:
        """Return all of it."""
        return "".join(self._lines).encode()


def _escaped(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else text.translate(_ESCAPES)


def _process() -> bytes:
    """What prometheus_client says of this process, where the system tells."""
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
