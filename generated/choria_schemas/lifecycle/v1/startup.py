# Generated from schemas/choria/lifecycle/v1/startup.json,
# upstream blob 3ec2b91046095d794fd8cf8c7ed6ff23c1fcbf46.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.startup."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Startup:
    """A Choria component has started."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['choria:lifecycle:startup:1', 'io.choria.lifecycle.v1.startup']
    """The protocol that identifies the event type."""
    id: str
    """A random UUID that identifies the event."""
    identity: str
    """The node on which the component started."""
    component: str
    """The component that started, for example server."""
    timestamp: int
    """When the component started, in seconds since 1970 (UTC)."""
    version: str
    """The version of the component."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'Startup']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/startup.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.startup'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.startup', 'choria:lifecycle:startup:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
