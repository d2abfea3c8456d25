"""Counters for the events of autonomous agents: machine transitions and exec watcher runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.labels import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.tally.labels import Labels
    from choria_schemas.machine.v1 import Transition
    from choria_schemas.machine.watcher.exec.v1 import ExecState

__all__ = ["MachineCounter", "TransitionSeries", "WatcherSeries"]

_NANOSECONDS: Final = 1e9


class TransitionSeries(NamedTuple):
    """The labels of a transition's series."""

    machine: str
    version: str
    transition: str
    from_state: str
    to_state: str


class WatcherSeries(NamedTuple):
    """The labels of an exec watcher's series."""

    machine: str
    version: str
    watcher: str


_OTHER_TRANSITION: Final = TransitionSeries(OTHER, OTHER, OTHER, OTHER, OTHER)
_OTHER_WATCHER: Final = WatcherSeries(OTHER, OTHER, OTHER)


class _Runs:
    __slots__ = ("failures", "seconds", "successes")

    def __init__(self) -> None:
        self.successes = 0
        self.failures = 0
        self.seconds = 0.0


class MachineCounter:
    """Counts the events of autonomous agents as the Go tally does: a run announced twice counts twice."""

    __slots__ = ("_labels", "_transitions", "_watchers")

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._transitions: dict[TransitionSeries, int] = {}
        self._watchers: dict[WatcherSeries, _Runs] = {}

    def transition(self, event: Transition) -> None:
        """Count a transition."""
        value = self._labels.value
        series = TransitionSeries(
            value(event.machine),
            value(event.version),
            value(event.transition),
            value(event.from_state),
            value(event.to_state),
        )
        series = self._labels.admit(self._transitions, series, "transitions", _OTHER_TRANSITION)
        self._transitions[series] = self._transitions.get(series, 0) + 1

    def run(self, event: ExecState) -> None:
        """Count an exec watcher's run that succeeded or failed."""
        if event.previous_outcome not in ("success", "error"):
            return
        value = self._labels.value
        series = WatcherSeries(value(event.machine), value(event.version), value(event.name))
        series = self._labels.admit(self._watchers, series, "watchers", _OTHER_WATCHER)
        runs = self._watchers.setdefault(series, _Runs())
        if event.previous_outcome == "success":
            runs.successes += 1
        else:
            runs.failures += 1
        runs.seconds += event.previous_run_time / _NANOSECONDS

    @property
    def transitions(self) -> Mapping[TransitionSeries, int]:
        """Transitions by series."""
        return self._transitions

    @property
    def successes(self) -> Mapping[WatcherSeries, int]:
        """Announced runs that succeeded, without zeros."""
        return {watcher: runs.successes for watcher, runs in self._watchers.items() if runs.successes}

    @property
    def failures(self) -> Mapping[WatcherSeries, int]:
        """Announced runs that failed, without zeros."""
        return {watcher: runs.failures for watcher, runs in self._watchers.items() if runs.failures}

    @property
    def runtime(self) -> Mapping[WatcherSeries, Summary]:
        """The duration of these runs."""
        return {
            watcher: Summary(runs.successes + runs.failures, runs.seconds) for watcher, runs in self._watchers.items()
        }
