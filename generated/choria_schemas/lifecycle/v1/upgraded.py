# Generated from schemas/choria/lifecycle/v1/upgraded.json,
# upstream blob 2d7f49037dd25b7d221823927bf23ac5cf5f08c7.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.upgraded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgraded:
    """A Choria component has installed another version of itself."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['choria:lifecycle:upgraded:1', 'io.choria.lifecycle.v1.upgraded']
    """The protocol that identifies the event type."""
    id: str
    """A random UUID that identifies the event."""
    identity: str
    """The node on which the component was upgraded."""
    component: str
    """The component that was upgraded, for example provision_mode_server."""
    timestamp: int
    """When the upgrade completed, in seconds since 1970 (UTC)."""
    version: str
    """The version that was replaced, which is still running."""
    new_version: str
    """The version that was installed."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'Upgraded']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/upgraded.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.upgraded'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.upgraded', 'choria:lifecycle:upgraded:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
