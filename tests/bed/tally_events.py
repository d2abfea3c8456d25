"""Short constructors for received events; nothing in them is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState
from tests.bed.samples import LIFECYCLE, example

if TYPE_CHECKING:
    from choria_lifecycle.events.event import Event


def event(kind: str, identity: str = "n1", version: str = "1.0", component: str = "server", **fields: object) -> Event:
    contract = LIFECYCLE[kind]
    values = example(contract.protocol) | {"id": "id", "identity": identity, "component": component, "timestamp": 1}
    values |= {name: value for name, value in {"version": version, **fields}.items() if name in values}
    made: Event = contract.cls(**values)
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
