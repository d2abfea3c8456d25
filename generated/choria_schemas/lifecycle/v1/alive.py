# Generated from schemas/choria/lifecycle/v1/alive.json,
# upstream blob 781222a4ccc92162025be0cc8b43a42f51516b0b.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.lifecycle.v1.alive."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Alive:
    """A Choria component is still running; servers send this heartbeat every 30 minutes, hourly before 0.29."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']
    """The protocol that identifies the event type."""
    id: str
    """The UUID of the event; Choria's servers generate it once and reuse it for all alive events of a run."""
    identity: str
    """The node on which the component is running."""
    component: str
    """The component that is running, for example server."""
    timestamp: int
    """A time in seconds since 1970 (UTC); Choria's servers send their start time in all alive events of a run."""
    version: str
    """The version of the component."""


__all__ = ['Alive', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/lifecycle/v1/alive.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.lifecycle.v1.alive'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.lifecycle.v1.alive', 'choria:lifecycle:alive:1')
"""Every spelling of the protocol that the schema accepts, the current one first."""
