# Generated from schemas/local/choria/machine/watcher/timer/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.timer.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerState:
    """The state of an autonomous agent's timer watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.timer.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['timer']
    """The type of watcher, here timer."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    state: Literal['running', 'stopped']
    """Whether the timer is running or stopped."""
    timer: int
    """The duration of the timer in nanoseconds."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'TimerState']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.machine.watcher.timer.v1.state'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.timer.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.timer.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
