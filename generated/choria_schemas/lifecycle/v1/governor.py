# Generated from schemas/local/choria/lifecycle/v1/governor.json, which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.governor."""

from typing import Final
from typing import Literal
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Governor:
    """Something happened to a slot of a governor, which limits how many run the same task at once."""
    protocol: Literal['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']
    """Which contract this event follows."""
    id: str
    """Tells this event from all others; a random UUID."""
    identity: str
    """The node that the slot belongs to; for an eviction, the name under which the evicted slot was held."""
    component: str
    """What uses the governor, for example CLI or the name of an autonomous agent."""
    timestamp: int
    """When the event was made, in seconds since 1970 (UTC)."""
    governor: str
    """The name of the governor; never empty."""
    sequence: int
    """The number of the slot; 0 where there is none, as after a timeout."""
    event_type: Literal['enter', 'exit', 'timeouts', 'eviction']
    """What happened: a slot was obtained (enter), given back (exit), not obtained in time (timeouts), or taken away by an administrator (eviction)."""


__all__ = ['Governor', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.lifecycle.v1.governor'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.governor'
"""The protocol as it is written today."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.governor', 'choria:lifecycle:governor:1')
"""Every spelling of the protocol that the schema accepts, today's first."""
