# Generated from schemas/local/choria/machine/watcher/httpswitch/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.httpswitch.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpswitchState:
    """The state of an autonomous agent's httpswitch watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.httpswitch.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['httpswitch']
    """The type of watcher, here httpswitch."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    status: Literal['unknown', 'on', 'off']
    """The state of the switch; unknown before it is first used."""
    is_on: bool
    """True if the switch is on."""
    annotations: dict[str, str]
    """The annotations of the switch."""


__all__ = ['HttpswitchState', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.machine.watcher.httpswitch.v1.state'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.httpswitch.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.httpswitch.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
