"""Events and a clock in, numbers out: what Choria's own tally counts, without a connection.

What counts as what is that of the Go tally (go-choria, lifecycle/tally). Unlike there, numbers do not depend on who
leads: whoever shows them says so. A node is one that was heard lately, by the time of receipt: id and time of its alive
events do not change while a server runs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from choria_lifecycle.events.event import Alive, Governor, Shutdown, Startup, Upgraded, type_name
from choria_lifecycle.tally.components import EVENT_CLASSES, PRESENCE_EVENTS, Components, GovernorCounter, Summary
from choria_lifecycle.tally.history import MAX_EXPIRED, MINUTE, ExpiredNode, History
from choria_lifecycle.tally.labels import OTHER, Labels
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.machines import MachineCounter
from choria_lifecycle.tally.nodes import SHARDS
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.events.event import Event
    from choria_lifecycle.tally.components import Component

__all__ = ["EXPIRY", "Recorder"]

T = TypeVar("T")

EXPIRY: Final = 80 * 60.0
"""After how many seconds of silence a node is given up, unless another time is given; servers speak every half hour."""

_REPLAYED_EVENTS: Final = (Alive, Startup, Shutdown)
# In the place of a component, where a machine event could not be read.
_MACHINE_EVENT_NAMES: Final = ("transition", "exec_watcher")


class Recorder:
    """Counts events, and keeps which node runs which version.

    Args:
        limits: how much is kept.
        expiry: after how many seconds of silence a node is given up; up to a minute more, as times are kept in minutes.
        now: the time, in seconds on a clock that never goes back, as everywhere below.
        clock: measures how long sweeping takes, in seconds.

    Attributes:
        errors: payloads that could not be read, by component; `transition` and `exec_watcher` for machine events.
        last_event: when the last event was taken; None before the first.
        history: the last hour.
        machines: what autonomous agents said.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        expiry: float = EXPIRY,
        now: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.errors: dict[str, int] = {}
        self.last_event: float | None = None
        self.history = History(now)
        self._labels = Labels(limits or Limits())
        self.machines = MachineCounter(self._labels)
        self._expiry = expiry
        self._clock = clock
        # Minutes are counted from before the first that a replayed event can be in.
        self._origin = now - expiry - MINUTE
        self._start_minute(now)
        self._components = Components(self._labels)
        self._governors = GovernorCounter(self._labels)
        self._sweep_queue: list[Component] = []
        self._shard = 0

    def record(self, event: object, now: float) -> None:
        """Count an event that has just been received.

        Args:
            event: a lifecycle event, a Transition or an ExecState; anything else is ignored.
            now: when it was received.
        """
        if isinstance(event, PRESENCE_EVENTS):
            if now >= self._minute_ends:
                self._start_minute(now)
            component = self._components[event.component]
            component.event_counts[type(event)] += 1
            identity = component.node_key(event) if component.shared else event.identity
            if component.nodes.record(identity, event.version, self._minute):
                self.history.counts_at(now).upgrades += 1
            if type(event) is Startup:
                self.history.counts_at(now).startups += 1
        elif isinstance(event, EVENT_CLASSES):
            self._record_other(event, now)
        elif isinstance(event, Transition):
            self.machines.transition(event)
        elif isinstance(event, ExecState):
            self.machines.run(event)
        else:
            return
        self.last_event = now

    def replay(self, event: object, now: float, age: float) -> None:
        """Rebuild nodes and versions from what a stream has stored, oldest first; nothing is counted.

        Args:
            event: a stored event; only startup, alive and shutdown events matter.
            now: the time.
            age: for how many seconds the stream has had it.
        """
        if age > self._expiry or not isinstance(event, _REPLAYED_EVENTS):
            return
        component = self._components[event.component]
        identity = component.node_key(event)
        if isinstance(event, Shutdown):
            component.nodes.remove(identity)
        else:
            component.nodes.record(identity, event.version, self._minute_of(now - max(age, 0.0)))

    def record_error(self, component: str) -> None:
        """Count a payload that could not be read.

        Args:
            component: the last token of its subject; `transition` or `exec_watcher` for a machine event.
        """
        name = self._labels.value(component)
        if name not in _MACHINE_EVENT_NAMES:
            name = self._labels.admit(self.errors, name, "components", OTHER)
        self.errors[name] = self.errors.get(name, 0) + 1

    def add_time(self, component: str, seconds: float) -> None:
        """Add to the time that was spent on the lifecycle events of a component, once one was taken."""
        found = self._components.get(component) or self._components.get(OTHER)
        if found is not None:
            found.processing_seconds += seconds

    def expire(self, now: float, budget: float = 0.005) -> bool:
        """Give up nodes that were not heard for too long; goes on where it stopped the last time.

        Args:
            now: the time.
            budget: stop after about so many seconds. A 256th of the nodes of a component is always looked at.

        Returns:
            True if more is to do: call again once other tasks have had their turn. False once all was looked at: call
            again in a minute.
        """
        if not self._sweep_queue:
            self._sweep_queue = list(self._components.values())
        begin = at = self._clock()
        while self._sweep_queue and at - begin < budget:
            component = self._sweep_queue[-1]
            self._expire(component, now)
            before, at = at, self._clock()
            component.sweep_seconds += at - before
            self._shard += 1
            if self._shard == SHARDS:
                self._shard = 0
                component.sweeps += 1
                self._sweep_queue.pop()
        return bool(self._sweep_queue)

    # The numbers, as they are now; what is 0 is left out.

    @property
    def nodes(self) -> int:
        """Nodes of all components."""
        return self._components.node_counter.nodes

    @property
    def good_events(self) -> Mapping[str, int]:
        """Lifecycle events by component."""
        return self._by_component(lambda component: component.event_count)

    @property
    def event_types(self) -> Mapping[tuple[str, str], int]:
        """Lifecycle events by component and type."""
        return {
            (component.name, type_name(kind)): count
            for component in self._components.values()
            for kind, count in component.event_counts.items()
            if count
        }

    @property
    def processing_time(self) -> Mapping[str, Summary]:
        """What was spent on the lifecycle events of each component."""
        return self._by_component(lambda component: Summary(component.event_count, component.processing_seconds))

    @property
    def maintenance_time(self) -> Mapping[str, Summary]:
        """How often the nodes of each component were swept, and how long it took."""
        return self._by_component(lambda component: Summary(component.sweeps, component.sweep_seconds))

    def versions(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many nodes run each version, by component."""
        return self._by_component(lambda component: component.nodes.versions())

    @property
    def nodes_expired(self) -> Mapping[str, int]:
        """Nodes that were given up, by component."""
        return self._by_component(lambda component: component.expired)

    @property
    def governors(self) -> Mapping[tuple[str, str, str], int]:
        """Governor events by component, governor and what happened."""
        return self._governors.counts()

    @property
    def limits_hit(self) -> Mapping[str, int]:
        """How often each limit was hit, by its name in `Limits`; 0 is not left out."""
        return self._labels.hits

    def _by_component(self, number: Callable[[Component], T]) -> Mapping[str, T]:
        found = ((component.name, number(component)) for component in self._components.values())
        return {name: value for name, value in found if value}

    def _minute_of(self, when: float) -> int:
        return int((when - self._origin) // MINUTE)

    def _start_minute(self, now: float) -> None:
        self._minute = self._minute_of(now)
        self._minute_ends = self._origin + (self._minute + 1) * MINUTE

    def _record_other(self, event: Event, now: float) -> None:
        """Count an event that does not say that a node is there."""
        component = self._components[event.component]
        component.event_counts[type(event)] += 1
        if isinstance(event, Shutdown):
            component.nodes.remove(component.node_key(event))
            self.history.counts_at(now).shutdowns += 1
        elif isinstance(event, Governor):
            self._governors.add(component, event)
        elif isinstance(event, Upgraded):
            self.history.counts_at(now).upgrades += 1

    def _expire(self, component: Component, now: float) -> None:
        """Give up old nodes in the part that is due."""
        count, gone = component.nodes.expire(self._shard, self._minute_of(now - self._expiry), MAX_EXPIRED)
        component.expired += count
        self.history.counts_at(now).expiries += count
        for identity, version, minute in gone:
            shown = identity.rpartition("\0")[2] if component.shared else identity
            seen = self._origin + minute * MINUTE
            self.history.expired.append(ExpiredNode(shown, component.name, version, seen, now))
