# Generated from schemas/choria/machine/watcher/exec/v1/state.json,
# upstream blob a95d34cbe506f494e8d4dc1ebb768395654c158b.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.exec.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecState:
    """The result of the last command run by an autonomous agent's exec watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.exec.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['exec']
    """The type of watcher, here exec."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    command: str
    """The command that the watcher runs."""
    previous_outcome: Literal['unknown', 'skipped', 'error', 'success']
    """The outcome of the last run; unknown before the first."""
    previous_run_time: int
    """The duration of the last run in nanoseconds; 0 before the first."""


__all__ = ['ExecState', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/watcher/exec/v1/state_notification.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.exec.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.exec.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
