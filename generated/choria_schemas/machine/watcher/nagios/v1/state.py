# Generated from schemas/choria/machine/watcher/nagios/v1/state.json, upstream commit c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8.
# Do not edit: change the source and run `python -m codegen generate`.
"""The contract io.choria.machine.watcher.nagios.v1.state."""

from typing import Final
from typing import Literal
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Perfdata:
    """One measurement that the plugin reported."""
    label: str
    """What was measured."""
    value: float
    """The number as the plugin wrote it, not converted from its unit."""
    unit: Literal['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c'] | None = None
    """The unit as the plugin wrote it; empty for a bare number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """One of the most recent checks."""
    execute: str
    """When the check was run, as RFC 3339 text."""
    status: int
    """The result as a number: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 SKIPPED."""
    perfdata: list[Perfdata] | None = None
    """The measurements that the plugin reported; None if it reported none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NagiosState:
    """The result of the last check by a Nagios plugin that a watcher of an autonomous agent runs."""
    protocol: Literal['io.choria.machine.watcher.nagios.v1.state']
    """Which contract this event follows."""
    identity: str
    """The node on which the autonomous agent runs."""
    id: str
    """The running instance of the autonomous agent; the same in all its events."""
    version: str
    """The version of the autonomous agent."""
    timestamp: int
    """When this state was reported, in seconds since 1970 (UTC)."""
    type: Literal['nagios']
    """The kind of watcher, here nagios."""
    machine: str
    """The name of the autonomous agent."""
    name: str
    """The name of the watcher."""
    plugin: str
    """The plugin that is run, with its arguments."""
    status: Literal['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']
    """The result in words; NOTCHECKED before the first check."""
    status_code: int
    """The result as a number: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 SKIPPED, 5 NOTCHECKED."""
    output: str
    """What the plugin printed."""
    check_time: int
    """When the check was run, in seconds since 1970 (UTC); before the first check the year 1, a large negative number."""
    perfdata: list[Perfdata] | None
    """The measurements that the plugin reported; None or empty if it reported none."""
    runtime: float
    """How long the check took, in seconds."""
    annotations: dict[str, str] | None
    """Texts that the autonomous agent adds for whoever reads the event; None if it adds none."""
    history: list[History] | None = None
    """The most recent checks."""


__all__ = ['History', 'NagiosState', 'PROTOCOL', 'PROTOCOLS', 'Perfdata', 'SCHEMA_ID']

SCHEMA_ID: Final = 'https://choria.io/schemas/choria/machine/watcher/nagios/v1/state.json'
"""The id of the schema."""

PROTOCOL: Final = 'io.choria.machine.watcher.nagios.v1.state'
"""The protocol as it is written today."""

PROTOCOLS: Final = ('io.choria.machine.watcher.nagios.v1.state',)
"""Every spelling of the protocol that the schema accepts, today's first."""
