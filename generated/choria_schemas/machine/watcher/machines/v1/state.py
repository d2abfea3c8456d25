# Generated from schemas/local/choria/machine/watcher/machines/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.machines.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class MachinesState:
    """The result of the last check by an autonomous agent's machines watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.machines.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['machines']
    """The type of watcher, here machines."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    machines: list[str]
    """The names of the managed machines."""
    previous_outcome: Literal['unknown', 'skipped', 'error', 'updated', 'unchanged']
    """The outcome of the last check; unknown before the first."""
    previous_run_time: int
    """The duration of the last check in nanoseconds; 0 before the first."""


__all__ = ['MachinesState', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.machine.watcher.machines.v1.state'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.machines.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.machines.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
