"""What is known of each component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from choria_lifecycle.events.event import Alive, Governor, Provisioned, Shutdown, Startup, Upgraded
from choria_lifecycle.tally.labels import OTHER
from choria_lifecycle.tally.nodes import NodeCounter, Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.events.event import Event
    from choria_lifecycle.tally.labels import Labels

__all__ = ["EVENT_CLASSES", "PRESENCE_EVENTS", "Component", "Components", "GovernorCounter", "Summary"]

EVENT_CLASSES: Final = (Alive, Startup, Shutdown, Governor, Provisioned, Upgraded)
"""The classes of lifecycle events, the most frequent first."""

PRESENCE_EVENTS: Final = (Alive, Startup)
"""Those of events that say that a node is there, and in which version."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How often something was measured, and the seconds that it took in all; false if never."""

    count: int
    seconds: float

    def __bool__(self) -> bool:
        return self.count > 0


class Component:
    """What is known of a component.

    Attributes:
        name: the value of its label.
        shared: whether it stands for all components that have no series of their own.
        nodes: its nodes.
        event_counts: how many events it has sent, by their class.
        processing_seconds: what was spent on them.
        expired: how many of its nodes were given up.
        sweeps: how often its nodes were gone through to that end.
        sweep_seconds: the seconds that this took.
    """

    __slots__ = ("event_counts", "expired", "name", "nodes", "processing_seconds", "shared", "sweep_seconds", "sweeps")

    def __init__(self, name: str, labels: Labels, node_counter: NodeCounter) -> None:
        self.name = name
        self.shared = name == OTHER
        self.nodes = Nodes(labels, node_counter)
        self.event_counts: dict[type[Event], int] = dict.fromkeys(EVENT_CLASSES, 0)
        self.processing_seconds = 0.0
        self.expired = 0
        self.sweeps = 0
        self.sweep_seconds = 0.0

    @property
    def event_count(self) -> int:
        """How many events it has sent."""
        return sum(self.event_counts.values())

    def node_key(self, event: Event) -> str:
        """Return what a node is known by; nodes of components that are counted together are still told apart."""
        return f"{event.component}\0{event.identity}" if self.shared else event.identity


class GovernorCounter:
    """Counts what happened to governors, which have their names within a component."""

    __slots__ = ("_counts", "_labels")

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._counts: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, component: Component, event: Governor) -> None:
        """Count an event."""
        key = (component.name, self._labels.value(event.governor))
        key = self._labels.admit(self._counts, key, "governors", (component.name, OTHER))
        counts = self._counts.setdefault(key, {})
        counts[event.event_type] = counts.get(event.event_type, 0) + 1

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Return the events by component, governor and what happened."""
        return {(*key, event): count for key, counts in self._counts.items() for event, count in counts.items()}


class Components(dict[str, Component]):
    """Components by name; one that is missing is made, or is the one that stands for all others.

    Attributes:
        node_counter: counts the nodes of all.
    """

    __slots__ = ("_labels", "node_counter")

    def __init__(self, labels: Labels) -> None:
        super().__init__()
        self._labels = labels
        self.node_counter = NodeCounter()

    def __missing__(self, name: str) -> Component:
        name = self._labels.admit(self, self._labels.value(name), "components", OTHER)
        if name not in self:
            self[name] = Component(name, self._labels, self.node_counter)
        return self[name]
