# Generated from schemas/choria/lifecycle/v1/shutdown.json,
# upstream blob 05d08bf35844efce38b51221496f751ff328e66d.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.shutdown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Shutdown:
    """A Choria component has shut down cleanly."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

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
