# Generated from schemas/choria/machine/v1/transition.json,
# upstream blob c83a793723a6f3446ae9c7073d76402e2cf5fb39.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.v1.transition."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """An autonomous agent has changed its state."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.v1.transition']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When the transition took place, in seconds since 1970 (UTC)."""
    machine: str
    """The name of the autonomous agent."""
    transition: str
    """The name of the transition that fired."""
    from_state: str
    """The state before the transition."""
    to_state: str
    """The state after the transition."""


__all__ = ['PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID', 'Transition']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/v1/transition_notification.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.v1.transition'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.v1.transition',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
