# Generated from schemas/choria/lifecycle/v1/shutdown.json, upstream commit c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.shutdown."""

from typing import Final
from typing import Literal
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Shutdown:
    """A Choria component has shut down cleanly."""
    protocol: Literal['choria:lifecycle:shutdown:1', 'io.choria.lifecycle.v1.shutdown']
    """The protocol that identifies the event type."""
    id: str
    """A random UUID that identifies the event."""
    identity: str
    """The node on which the component shut down."""
    component: str
    """The component that shut down, for example server."""
    timestamp: int
    """When the component shut down, in seconds since 1970 (UTC)."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'Shutdown']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/shutdown.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.shutdown'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.shutdown', 'choria:lifecycle:shutdown:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
