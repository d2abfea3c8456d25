# Generated from schemas/choria/lifecycle/v1/provisioned.json,
# upstream blob 3ff5c09d67abdad3a8711c867f3af56de68213d6.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.provisioned."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """A node has been provisioned and is about to restart with its new configuration."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['choria:lifecycle:provisioned:1', 'io.choria.lifecycle.v1.provisioned']
    """The protocol that identifies the event type."""
    id: str
    """A random UUID that identifies the event."""
    identity: str
    """The node that was provisioned."""
    component: str
    """The component that was provisioned, for example provision_mode_server."""
    timestamp: int
    """When provisioning completed, in seconds since 1970 (UTC)."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'Provisioned', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/provisioned.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.provisioned'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.provisioned', 'choria:lifecycle:provisioned:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
