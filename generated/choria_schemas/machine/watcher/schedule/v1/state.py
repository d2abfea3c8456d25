# Generated from schemas/choria/machine/watcher/schedule/v1/state.json,
# upstream blob 5711bd8096511d747beea1aadc4bc8e4e007cbcb.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.schedule.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleState:
    """The state of the schedule of an autonomous agent's schedule watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.schedule.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['schedule']
    """The type of watcher, here schedule."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    state: Literal['unknown', 'skipped', 'off', 'on']
    """The state of the schedule: on or off; unknown before the first check, skipped if the watcher did not act."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'ScheduleState']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/watcher/schedule/v1/state_notification.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.schedule.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.schedule.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
