# Generated from schemas/local/choria/machine/watcher/metric/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.metric.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """Metrics as a metric watcher collected them."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    labels: dict[str, str] | None
    """The labels of all metrics; None if the command printed null."""
    metrics: dict[str, float]
    """The value of each metric by its name; Choria adds `choria_runtime_seconds`."""
    time: int
    """When the metrics were collected, in seconds since 1970 (UTC); 0 before the first run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricState:
    """The last metrics collected by an autonomous agent's metric watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.metric.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['metric']
    """The type of watcher, here metric."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    metrics: Metrics
    """The metrics, with their labels and time."""


__all__ = ['MetricState', 'Metrics', 'PROTOCOL', 'PROTOCOLS', 'SCHEMA_ID']

SCHEMA_ID: Final = 'urn:choria-lifecycle:schema:io.choria.machine.watcher.metric.v1.state'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.metric.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.metric.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
