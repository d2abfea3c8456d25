"""Short constructors for received events; nothing in them is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from choria_schemas.lifecycle.v1 import Alive, Governor, Provisioned, Shutdown, Startup, Upgraded
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

if TYPE_CHECKING:
    from choria_lifecycle.events.event import Event

TYPES = {
    "alive": Alive,
    "startup": Startup,
    "shutdown": Shutdown,
    "provisioned": Provisioned,
    "upgraded": Upgraded,
    "governor": Governor,
}
_MORE = {
    "alive": ("version",),
    "startup": ("version",),
    "upgraded": ("version", "new_version"),
    "governor": ("governor", "sequence", "event_type"),
}


def event(kind: str, identity: str = "n1", version: str = "1.0", component: str = "server", **fields: object) -> Event:
    values = {"version": version, "new_version": "2.0", "governor": "PUPPET", "sequence": 1, "event_type": "enter"}
    more = {name: (values | fields)[name] for name in _MORE.get(kind, ())}
    protocol = f"io.choria.lifecycle.v1.{kind}"
    made: Event = TYPES[kind](protocol=protocol, id="id", identity=identity, component=component, timestamp=1, **more)
    return made


def transition(machine: str = "puppet", former: str = "idle", latter: str = "run", **fields: str) -> Transition:
    values = {"version": "1.2.3", "transition": "start", "identity": "n1"} | fields
    return Transition(
        protocol="io.choria.machine.v1.transition",
        id="id",
        timestamp=1,
        machine=machine,
        from_state=former,
        to_state=latter,
        **values,
    )


def run(
    outcome: Literal["unknown", "skipped", "error", "success"] = "success",
    nanoseconds: int = 1_500_000_000,
    name: str = "check",
    **fields: str,
) -> ExecState:
    values = {"version": "1.2.3", "machine": "puppet", "identity": "n1", "command": "/bin/true"} | fields
    return ExecState(
        protocol="io.choria.machine.watcher.exec.v1.state",
        id="id",
        timestamp=1,
        type="exec",
        name=name,
        previous_outcome=outcome,
        previous_run_time=nanoseconds,
        **values,
    )
