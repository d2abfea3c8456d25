"""The numbers of a tally, computed from events and a clock, without I/O.

Events count as in the Go tally (go-choria, lifecycle/tally), but the numbers do not depend on the role: it is added
when they are shown. A node's age counts from the receipt of its last event, because alive events repeat the id and
timestamp of the process's start.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from choria_lifecycle.events.event import EVENT_CONTRACTS, classes_of, type_name
from choria_lifecycle.tally.components import Components, GovernorCounter, Summary
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.history import MAX_EXPIRED, MINUTE, ExpiredNode, History
from choria_lifecycle.tally.labels import OTHER, Labels
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.machines import MachineCounter
from choria_lifecycle.tally.nodes import SHARDS
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.tally.components import Component

__all__ = ["Recorder"]

T = TypeVar("T")

# The classes by type, in every version.
_PRESENCE: Final = frozenset(classes_of("alive", "version") + classes_of("startup", "version"))
_STARTUP: Final = frozenset(classes_of("startup"))
_SHUTDOWN: Final = frozenset(classes_of("shutdown"))
_REPLAYED: Final = _PRESENCE | _SHUTDOWN
_UPGRADED: Final = frozenset(classes_of("upgraded"))
_GOVERNOR: Final = frozenset(classes_of("governor", "governor", "event_type"))
# The components of unreadable machine events.
_MACHINE_EVENT_NAMES: Final = ("transition", "exec_watcher")


class Recorder:
    """Counts events, and keeps the nodes and their versions.

    Args:
        limits: bounds on what is kept.
        expiry: seconds of silence after which a node expires; up to a minute more, because times are kept in minutes.
        now: the time, here and in all methods: seconds on a monotonic clock, for a tally
            `choria_lifecycle.support.clock.steady`.
        clock: the clock in seconds that measures sweeps.

    Attributes:
        errors: unreadable messages by component; `transition` and `exec_watcher` for machine events.
        last_event: when the last event was recorded; None before the first.
        history: the last hour.
        machines: the events of autonomous agents.
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
        self.history: Final = History(now)
        self._labels = Labels(limits or Limits())
        self.machines: Final = MachineCounter(self._labels)
        self._expiry = expiry
        self._clock = clock
        # Early enough that no replayed event is in a negative minute.
        self._origin = now - expiry - MINUTE
        self._start_minute(now)
        self._components = Components(self._labels)
        self._governors = GovernorCounter(self._labels)
        self._sweep_queue: list[Component] = []
        self._shard = 0

    def record(self, event: Any, now: float) -> None:
        """Count a live event.

        Args:
            event: a lifecycle event, a Transition or an ExecState; anything else is ignored.
            now: when it was received.
        """
        cls = type(event)
        if cls in _PRESENCE:
            if now >= self._minute_ends:
                self._start_minute(now)
            component = self._components[event.component]
            component.event_counts[cls] += 1
            identity = component.node_key(event) if component.shared else event.identity
            if component.nodes.record(identity, event.version, self._minute):
                self.history.counts_at(now).upgrades += 1
            if cls in _STARTUP:
                self.history.counts_at(now).startups += 1
        elif cls in EVENT_CONTRACTS:
            self._record_other(event, cls, now)
        elif cls is Transition:
            self.machines.transition(event)
        elif cls is ExecState:
            self.machines.run(event)
        else:
            return
        self.last_event = now

    def replay(self, event: Any, now: float, age: float) -> None:
        """Rebuild nodes and versions from stored events, oldest first, without counting them.

        Args:
            event: a stored event; only startup, alive and shutdown events matter.
            now: the time.
            age: seconds since the stream stored it.
        """
        if age > self._expiry or type(event) not in _REPLAYED:
            return
        component = self._components[event.component]
        identity = component.node_key(event)
        if type(event) in _SHUTDOWN:
            component.nodes.remove(identity)
        else:
            component.nodes.record(identity, event.version, self._minute_of(now - max(age, 0.0)))

    def record_error(self, component: str) -> None:
        """Count an unreadable message.

        Args:
            component: the last token of its subject; `transition` or `exec_watcher` for a machine event.
        """
        name = self._labels.value(component)
        if name not in _MACHINE_EVENT_NAMES:
            name = self._labels.admit(self.errors, name, "components", OTHER)
        self.errors[name] = self.errors.get(name, 0) + 1

    def add_time(self, component: str, seconds: float) -> None:
        """Add to the processing time of a component; ignored before its first event."""
        found = self._components.get(component) or self._components.get(OTHER)
        if found is not None:
            found.processing_seconds += seconds

    def expire(self, now: float, budget: float = 0.005) -> bool:
        """Expire nodes, continuing where the last call stopped.

        Args:
            now: the time.
            budget: seconds after which to stop, once at least one shard of one component is done.

        Returns:
            True if the sweep is unfinished: call again after other tasks have run. False once it is finished: call
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

    # Zeros are left out of the mappings below.

    @property
    def nodes(self) -> int:
        """The number of nodes of all components."""
        return self._components.node_counter.nodes

    @property
    def good_events(self) -> Mapping[str, int]:
        """Lifecycle events by component."""
        return self._by_component(lambda component: component.event_count)

    @property
    def event_types(self) -> Mapping[tuple[str, str], int]:
        """Lifecycle events by component and type."""
        counts: Counter[tuple[str, str]] = Counter()
        for component in self._components.values():
            for cls, count in component.event_counts.items():
                if count:
                    counts[component.name, type_name(cls)] += count
        return counts

    @property
    def processing_time(self) -> Mapping[str, Summary]:
        """Time spent on lifecycle events, by component."""
        return self._by_component(lambda component: Summary(component.event_count, component.processing_seconds))

    @property
    def maintenance_time(self) -> Mapping[str, Summary]:
        """Time spent looking for expired nodes, by component."""
        return self._by_component(lambda component: Summary(component.sweeps, component.sweep_seconds))

    def versions(self) -> Mapping[str, Mapping[str, int]]:
        """Return the number of nodes of each version, by component."""
        return self._by_component(lambda component: component.nodes.versions())

    @property
    def nodes_expired(self) -> Mapping[str, int]:
        """Nodes that expired, by component."""
        return self._by_component(lambda component: component.expired)

    @property
    def governors(self) -> Mapping[tuple[str, str, str], int]:
        """Governor events by component, governor and event."""
        return self._governors.counts()

    @property
    def limits_hit(self) -> Mapping[str, int]:
        """Hits of each limit, by its name in `Limits`, zeros included."""
        return self._labels.hits

    def _by_component(self, number: Callable[[Component], T]) -> Mapping[str, T]:
        found = ((component.name, number(component)) for component in self._components.values())
        return {name: value for name, value in found if value}

    def _minute_of(self, when: float) -> int:
        return int((when - self._origin) // MINUTE)

    def _start_minute(self, now: float) -> None:
        self._minute = self._minute_of(now)
        self._minute_ends = self._origin + (self._minute + 1) * MINUTE

    def _record_other(self, event: Any, cls: type, now: float) -> None:
        """Count an event that does not announce a node."""
        component = self._components[event.component]
        component.event_counts[cls] += 1
        if cls in _SHUTDOWN:
            component.nodes.remove(component.node_key(event))
            self.history.counts_at(now).shutdowns += 1
        elif cls in _GOVERNOR:
            self._governors.add(component, event)
        elif cls in _UPGRADED:
            self.history.counts_at(now).upgrades += 1

    def _expire(self, component: Component, now: float) -> None:
        """Expire the nodes of a component in the current shard."""
        count, removed = component.nodes.expire(self._shard, self._minute_of(now - self._expiry), MAX_EXPIRED)
        component.expired += count
        self.history.counts_at(now).expiries += count
        for identity, version, minute in removed:
            shown = identity.rpartition("\0")[2] if component.shared else identity
            seen = self._origin + minute * MINUTE
            self.history.expired.append(ExpiredNode(shown, component.name, version, seen, now))
