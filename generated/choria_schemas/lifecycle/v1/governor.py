# Generated from schemas/local/choria/lifecycle/v1/governor.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.governor."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Governor:
    """A slot of a governor, which limits concurrency, was acquired, released, revoked, or not acquired in time."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']
    """The protocol that identifies the event type."""
    id: str
    """A random UUID that identifies the event."""
    identity: str
    """The node that the slot belongs to; for an eviction, the name of the evicted slot's holder."""
    component: str
    """The component that uses the governor, for example CLI or the name of an autonomous agent."""
    timestamp: int
    """When the event was created, in seconds since 1970 (UTC)."""
    governor: str
    """The name of the governor; never empty."""
    sequence: int
    """The number of the slot; 0 if there is no slot, as after a timeout."""
    event_type: Literal['enter', 'exit', 'timeouts', 'eviction']
    """A slot was acquired (enter), released (exit), not acquired in time (timeouts), or revoked (eviction)."""


__all__ = ['Governor', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.lifecycle.v1.governor'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.governor'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.governor', 'choria:lifecycle:governor:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
