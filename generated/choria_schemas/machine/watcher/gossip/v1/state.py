# Generated from schemas/local/choria/machine/watcher/gossip/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.gossip.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class GossipState:
    """The last message published by an autonomous agent's gossip watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.gossip.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['gossip']
    """The type of watcher, here gossip."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    previous_subject: str
    """The subject of the last message; empty before the first."""
    previous_payload: str
    """The payload of the last message; empty before the first."""
    previous_gossip: int
    """When the last message was sent, in seconds since 1970 (UTC); before the first, a negative number."""


__all__ = ['GossipState', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.machine.watcher.gossip.v1.state'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.gossip.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.gossip.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
