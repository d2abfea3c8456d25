# Generated from schemas/choria/lifecycle/v1/provisioned.json, upstream commit c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.provisioned."""

from typing import Final
from typing import Literal
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """A node has received its configuration and is about to restart with it."""
    protocol: Literal['choria:lifecycle:provisioned:1', 'io.choria.lifecycle.v1.provisioned']
    """Which contract this event follows."""
    id: str
    """Tells this event from all others; a random UUID."""
    identity: str
    """The node that has been provisioned."""
    component: str
    """What has been provisioned, for example provision_mode_server."""
    timestamp: int
    """When the provisioning was complete, in seconds since 1970 (UTC)."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'Provisioned', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/provisioned.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.provisioned'
"""The protocol as it is written today."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.provisioned', 'choria:lifecycle:provisioned:1')
"""Every spelling of the protocol that the schema accepts, today's first."""
