"""A simulated fleet: nodes that start, run, upgrade under a governor and stop, and a few malformed messages.

`simulate` is deterministic: the schedule depends on its arguments alone. `publish_schedule` publishes it in real time.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from choria_lifecycle.events.event import Event, EventType, event_type
from choria_lifecycle.events.factories import new
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.cloudevents import Format, detect_format
from choria_schemas.lifecycle.v1 import Upgraded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from choria_lifecycle.middleware.delivery import Delivery
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.transport import Transport

__all__ = ["FleetStep", "MalformedMessage", "ScheduledEvent", "Totals", "publish_schedule", "simulate"]

_PUBLISH_SECONDS: Final = 5.0

# The governor's slots, and the duration of an upgrade as a share of the whole.
_SLOTS: Final = 10
_UPGRADE_SHARE: Final = 0.04


@dataclass(frozen=True, slots=True)
class ScheduledEvent:
    """An event, and its time of publication in seconds after the start."""

    at: float
    event: Event
    format: Format


@dataclass(frozen=True, slots=True)
class MalformedMessage:
    """Bytes that are not an event, and their time of publication in seconds after the start."""

    at: float
    subject: str
    data: bytes


FleetStep: TypeAlias = ScheduledEvent | MalformedMessage


def simulate(nodes: int, seconds: float, *, seed: int, start: int) -> list[FleetStep]:
    """Return the messages that a fleet publishes, in order.

    Each node runs Choria's server, which publishes CloudEvents; every fifth node also runs a service, which publishes
    Choria's format. Every tenth node was just provisioned, and two of three upgrade if the governor has a free slot.

    Args:
        nodes: the number of nodes.
        seconds: the duration of the simulation.
        seed: the seed of the random schedule.
        start: the start of the simulation, in Unix seconds.
    """
    fleet = _Fleet(seconds, Random(seed), start)  # noqa: S311 - a schedule, not a secret
    for number in range(nodes):
        identity = f"n{number + 1:02}.example.net"
        fleet.add_server(identity, provisioned=number % 10 == 0, upgrades=number % 3 != 0)
        if number % 5 == 0:
            fleet.add_service(identity)
    fleet.add_malformed(max(3, nodes // 10))
    return sorted(fleet.steps, key=attrgetter("at"))


class _Fleet:
    """The schedule of a fleet while it is built."""

    def __init__(self, seconds: float, random: Random, start: int) -> None:
        self.steps: list[FleetStep] = []
        self._seconds = seconds
        self._random = random
        self._start = start
        self._slots: list[list[float]] = [[] for _ in range(_SLOTS)]

    def add_server(self, identity: str, *, provisioned: bool, upgrades: bool) -> None:
        """Add Choria's server on a node."""
        ce, version = Format.CLOUDEVENTS, "0.30.1"
        begin, middle, end = self._phases()
        if provisioned:
            self._add(begin - 0.02, "provisioned", ce, identity=identity, component="provision_mode_server")
        self._add(begin, "startup", ce, identity=identity, component="server", version=version)
        self._add_heartbeats(begin, middle, ce, identity, "server", version)
        if upgrades and self._acquire_slot(middle, identity):
            version, before = "0.30.2", version
            common = {"identity": identity, "component": "server"}
            self._add(middle + 0.01, "upgraded", ce, **common, version=before, new_version=version)
            self._add(middle + 0.02, "shutdown", ce, **common)
            self._add(middle + 0.03, "startup", ce, **common, version=version)
        self._add_heartbeats(middle + 0.03, end, ce, identity, "server", version)
        self._add(end, "shutdown", ce, identity=identity, component="server")

    def add_service(self, identity: str) -> None:
        """Add another service on a node."""
        begin, _, end = self._phases()
        common: dict[str, Any] = {"identity": identity, "component": "billing"}
        self._add(begin, "startup", Format.CHORIA, **common, version="1.4.2")
        self._add_heartbeats(begin, end, Format.CHORIA, identity, "billing", "1.4.2")
        self._add(end, "shutdown", Format.CHORIA, **common)

    def add_malformed(self, count: int) -> None:
        """Add malformed messages."""
        options = {"id": self._new_id(), "identity": "n00.example.net", "component": "server", "version": "0.30.1"}
        event = new("startup", timestamp=self._start, **options)
        good = codec.encode(event)
        document = json.loads(good)
        wrapped = json.loads(codec.encode(event, Format.CLOUDEVENTS))
        kinds: list[bytes] = [
            json.dumps({name: value for name, value in document.items() if name != "version"}).encode(),
            json.dumps({**document, "timestamp": str(self._start)}).encode(),
            # Shown unescaped, this would clear the screen and forge an event.
            json.dumps({"protocol": "\x1b[2J\n10:00:00 [startup] forged.example.net: server version 6.6.6"}).encode(),
            good[: len(good) // 2],
            json.dumps({**wrapped, "subject": "someone.else.example.net"}).encode(),
        ]
        for number in range(count):
            at = self._random.uniform(0.1, 0.9) * self._seconds
            self.steps.append(MalformedMessage(at, f"{SUBJECT_PREFIX}.startup.server", kinds[number % len(kinds)]))

    def _phases(self) -> tuple[float, float, float]:
        """Return the times at which a node starts, upgrades and stops, as shares of the whole."""
        uniform = self._random.uniform
        return uniform(0.02, 0.2), uniform(0.4, 0.6), uniform(0.8, 1.0)

    def _acquire_slot(self, at: float, identity: str) -> bool:
        """Add a request for a governor slot; return False if all slots are taken and it times out."""
        common: dict[str, Any] = {"identity": identity, "component": "server", "governor": "UPGRADES"}
        for slot, taken in enumerate(self._slots, 1):
            if all(abs(at - other) > _UPGRADE_SHARE for other in taken):
                taken.append(at)
                self._add(at, "governor", Format.CHORIA, **common, event_type="enter", sequence=slot)
                self._add(at + _UPGRADE_SHARE, "governor", Format.CHORIA, **common, event_type="exit", sequence=slot)
                return True
        self._add(at, "governor", Format.CHORIA, **common, event_type="timeouts")
        return False

    def _add_heartbeats(
        self, begin: float, end: float, form: Format, identity: str, component: str, version: str
    ) -> None:
        at = begin + self._random.uniform(0.05, 0.15)
        while at < end:
            self._add(at, "alive", form, identity=identity, component=component, version=version)
            at += 0.15

    def _add(self, share: float, name: EventType, form: Format, **options: Any) -> None:
        at = share * self._seconds
        event = new(name, id=self._new_id(), timestamp=self._start + int(at), **options)
        self.steps.append(ScheduledEvent(at, event, form))

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


async def publish_schedule(steps: Iterable[FleetStep], middleware: Middleware, transport: Transport) -> None:
    """Publish each step at its time.

    Args:
        steps: the steps, from `simulate`.
        middleware: publishes the events, which it checks.
        transport: the middleware's transport; publishes the malformed messages, which the middleware would reject.

    Raises:
        LifecycleError: as for `Middleware.publish`.
    """
    clock = asyncio.get_running_loop().time
    begin = clock()
    for step in steps:
        await asyncio.sleep(max(0.0, begin + step.at - clock()))
        match step:
            case ScheduledEvent():
                await middleware.publish(step.event, format=step.format, timeout=_PUBLISH_SECONDS)
            case MalformedMessage():
                await transport.publish([(step.subject, step.data)], _PUBLISH_SECONDS)


@dataclass(slots=True)
class Totals:
    """The messages that a fleet published, compared with those that were received.

    Attributes:
        published: the steps of the fleet.
        received: the number of times each event was received in each format.
        rejected: the number of deliveries that were not events.
    """

    published: list[FleetStep]
    received: Counter[tuple[Event, Format | None]] = field(default_factory=Counter)
    rejected: int = 0

    def count(self, delivery: Delivery) -> None:
        """Count a delivery."""
        if isinstance(delivery.event, Event):
            self.received[delivery.event, detect_format(delivery.data)] += 1
        else:
            self.rejected += 1

    @property
    def deliveries(self) -> int:
        """The number of messages received, valid or not."""
        return self.received.total() + self.rejected

    @property
    def matches(self) -> bool:
        """True if each event was received once, unchanged and in its format, and all malformed ones rejected."""
        events = Counter((step.event, step.format) for step in self.published if isinstance(step, ScheduledEvent))
        return events == self.received and self.deliveries == len(self.published)

    def rows(self) -> Iterator[tuple[str, str, str, int, int]]:
        """Yield the rows of a table: type, component, version, and the numbers published and received."""
        published = Counter(_row(step.event) for step in self.published if isinstance(step, ScheduledEvent))
        received: Counter[tuple[str, str, str]] = Counter()
        for (event, _), times in self.received.items():
            received[_row(event)] += times
        for row in sorted({*published, *received}):
            yield *row, published[row], received[row]
        yield "malformed", "", "", len(self.published) - published.total(), self.rejected
        yield "all", "", "", len(self.published), self.deliveries


def _row(event: Event) -> tuple[str, str, str]:
    version = getattr(event, "version", "-")
    if isinstance(event, Upgraded):
        version += f" to {event.new_version}"
    return event_type(event), event.component, version
