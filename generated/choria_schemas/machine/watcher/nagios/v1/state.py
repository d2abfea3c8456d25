# Generated from schemas/choria/machine/watcher/nagios/v1/state.json,
# upstream blob dff120d386373733409c8b4ce6e0a79effe5e669.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.nagios.v1.state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Perfdata:
    """One performance value that the plugin reported."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    label: str
    """The name of the measurement."""
    value: float
    """The value as the plugin wrote it, not converted from its unit."""
    unit: Literal['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c'] | None = None
    """The unit as the plugin wrote it; empty if there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """One of the most recent checks."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    execute: str
    """When the check ran, as an RFC 3339 timestamp."""
    status: int
    """The numeric result: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 SKIPPED."""
    perfdata: list[Perfdata] | None = None
    """The performance data that the plugin reported; None if it reported none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NagiosState:
    """The result of the last Nagios plugin run by an autonomous agent's nagios watcher."""

    if not TYPE_CHECKING:
        __pydantic_config__ = {'use_attribute_docstrings': True}

    protocol: Literal['io.choria.machine.watcher.nagios.v1.state']
    """The protocol that identifies the event type."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The ID of the running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['nagios']
    """The type of watcher, here nagios."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    plugin: str
    """The command line of the plugin."""
    status: Literal['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']
    """The result of the check; NOTCHECKED before the first."""
    status_code: int
    """The numeric result: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 SKIPPED, 5 NOTCHECKED."""
    output: str
    """The output of the plugin."""
    check_time: int
    """When the check ran, in seconds since 1970 (UTC); before the first check, a negative number for the year 1."""
    perfdata: list[Perfdata] | None
    """The performance data that the plugin reported; None or empty if it reported none."""
    runtime: float
    """The duration of the check in seconds."""
    annotations: dict[str, str] | None
    """Annotations that the autonomous agent defines for consumers of the event; None if it defines none."""
    history: list[History] | None = None
    """The most recent checks."""


__all__ = ['History', 'NagiosState', 'PROTOCOL', 'PROTOCOLS', 'Perfdata', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/watcher/nagios/v1/state.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.nagios.v1.state'
"""The current spelling of the protocol."""

PROTOCOLS: Final = ('io.choria.machine.watcher.nagios.v1.state',)
"""Every spelling of the protocol that the schema accepts, the current one first."""
