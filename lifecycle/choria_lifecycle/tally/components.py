"""Nodes and event counts by component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.events.event import EVENT_CONTRACTS, Event
from choria_lifecycle.tally.labels import OTHER
from choria_lifecycle.tally.nodes import NodeCounter, Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.tally.labels import Labels

__all__ = ["Component", "Components", "GovernorCounter", "Summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A number of measurements and their total in seconds; false without any."""

    count: int
    seconds: float

    def __bool__(self) -> bool:
        return self.count > 0


class Component:
    """The nodes and counts of a component.

    Attributes:
        name: the value of its label.
        shared: whether it stands for all components without their own series.
        nodes: its nodes.
        event_counts: its events by class.
        processing_seconds: time spent on them.
        expired: nodes that expired.
        sweeps: finished searches for expired nodes.
        sweep_seconds: time spent on these searches.
    """

    __slots__ = ("event_counts", "expired", "name", "nodes", "processing_seconds", "shared", "sweep_seconds", "sweeps")

    def __init__(self, name: str, labels: Labels, node_counter: NodeCounter) -> None:
        self.name: Final = name
        self.shared: Final = name == OTHER
        self.nodes: Final = Nodes(labels, node_counter)
        self.event_counts: dict[type[Event], int] = dict.fromkeys(EVENT_CONTRACTS, 0)
        self.processing_seconds: float = 0.0
        self.expired: int = 0
        self.sweeps: int = 0
        self.sweep_seconds: float = 0.0

    @property
    def event_count(self) -> int:
        """The number of its events."""
        return sum(self.event_counts.values())

    def node_key(self, event: Event) -> str:
        """Return the key of an event's node, which is unique even if components share a series."""
        return f"{event.component}\0{event.identity}" if self.shared else event.identity


class GovernorCounter:
    """Counts governor events by component, governor and event."""

    __slots__ = ("_counts", "_labels")

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._counts: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, component: Component, event: Any) -> None:
        """Count a governor event."""
        counts = self._counts.get((component.name, event.governor))
        if counts is None:  # the name is not a known label itself, although its label may be
            key = (component.name, self._labels.value(event.governor))
            key = self._labels.admit(self._counts, key, "governors", (component.name, OTHER))
            counts = self._counts.setdefault(key, {})
        counts[event.event_type] = counts.get(event.event_type, 0) + 1

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Return the counts by component, governor and event."""
        return {(*key, event): count for key, counts in self._counts.items() for event, count in counts.items()}


class Components(dict[str, Component]):
    """Components by name. A missing one is created, or beyond the limit is the shared one.

    Attributes:
        node_counter: the number of nodes of all components.
    """

    __slots__ = ("_labels", "node_counter")

    def __init__(self, labels: Labels) -> None:
        super().__init__()
        self._labels = labels
        self.node_counter: Final = NodeCounter()

    def __missing__(self, name: str) -> Component:
        name = self._labels.admit(self, self._labels.value(name), "components", OTHER)
        if name not in self:
            self[name] = Component(name, self._labels, self.node_counter)
        return self[name]
