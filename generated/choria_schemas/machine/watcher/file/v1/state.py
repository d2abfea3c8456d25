# Generated from schemas/choria/machine/watcher/file/v1/state.json,
# upstream blob 87a4ff6f1f110e880d461c3e1eba6b40b32f9f16.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.file.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """The result of the last file check by an autonomous agent's file watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.file.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['file']
    """The type of watcher, here file."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    path: str
    """The file that is watched."""
    previous_outcome: Literal['unknown', 'skipped', 'error', 'unchanged', 'changed']
    """The outcome of the last check, such as changed; unknown before the first."""


__all__ = ['FileState', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/watcher/file/v1/state_notification.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.file.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.file.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
