"""The status of a tally: the JSON of `/api/v1/status`, and the content of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import choria_lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.tally.exposition import TallyState
    from choria_lifecycle.tally.recorder import Recorder

__all__ = [
    "ComponentStatus",
    "ConnectionStatus",
    "ExpiredStatus",
    "MinutesStatus",
    "ReplayStatus",
    "Status",
    "VersionStatus",
    "status",
]


class VersionStatus(TypedDict):
    """The number of a component's nodes that run a version."""

    version: str
    nodes: int


class ComponentStatus(TypedDict):
    """A component's nodes and versions, most nodes first."""

    name: str
    nodes: int
    versions: list[VersionStatus]


class ConnectionStatus(TypedDict):
    """The connection; `last_answer` is when a broker last answered, in Unix seconds."""

    up: bool
    server: str
    subscribed: bool
    gaps: int
    dropped: int
    last_answer: float | None


class ReplayStatus(TypedDict):
    """The replay of the stream; `state` and `why` are as `replay_state` and `replay_reason` in `TallyState`."""

    state: str
    events: int
    why: str


class MinutesStatus(TypedDict):
    """Counts of each of the last 60 minutes, oldest first; `first` is the start of the first, in Unix seconds."""

    first: float
    startups: list[int]
    shutdowns: list[int]
    expiries: list[int]
    upgrades: list[int]


class ExpiredStatus(TypedDict):
    """A node that expired; times are in Unix seconds."""

    identity: str
    component: str
    version: str
    seen: float
    expired: float


class Status(TypedDict):
    """The whole status. Lists have most nodes, or the newest, first.

    Times are in Unix seconds. All count back from `now`, so their differences are right even if the machine's clock is
    not; between two statuses, they move as that clock is set.
    """

    version: str
    prefix: str
    now: float
    started: float
    role: str
    election: str | None
    election_why: str
    components_wanted: list[str]
    connection: ConnectionStatus
    complete: bool
    replay: ReplayStatus
    last_event: float | None
    nodes: int
    components: list[ComponentStatus]
    minutes: MinutesStatus
    expired: list[ExpiredStatus]
    events: dict[str, dict[str, int]]
    errors: dict[str, int]
    limits_hit: dict[str, int]


def status(recorder: Recorder, state: TallyState, *, prefix: str, now: float) -> Status:
    """Return the status of a tally.

    Args:
        recorder: the numbers.
        state: the state of the tally.
        prefix: the prefix of its metrics' names.
        now: the time on the recorder's clock.
    """
    components = [_component(name, versions) for name, versions in recorder.versions().items()]
    components.sort(key=lambda each: (-each["nodes"], each["name"]))
    events: dict[str, dict[str, int]] = {}
    for (component, kind), count in recorder.event_types.items():
        events.setdefault(component, {})[kind] = count
    # Unix time minus the recorder's clock.
    offset = state.now - now
    return {
        "version": choria_lifecycle.__version__,
        "prefix": prefix,
        "now": state.now,
        "started": state.started,
        "role": "active" if state.active else "standby",
        "election": state.election or None,
        "election_why": state.election_reason,
        "components_wanted": list(state.components) or ["*"],
        "connection": {
            "up": state.connected,
            "server": state.server,
            "subscribed": state.subscribed,
            "gaps": state.gaps,
            "dropped": state.dropped,
            "last_answer": state.last_answer,
        },
        "complete": state.complete,
        "replay": {"state": state.replay_state, "events": state.replayed, "why": state.replay_reason},
        "last_event": None if recorder.last_event is None else recorder.last_event + offset,
        "nodes": recorder.nodes,
        "components": components,
        "minutes": _minutes(recorder, now, offset),
        "expired": _expired(recorder, offset),
        "events": events,
        "errors": dict(recorder.errors),
        "limits_hit": {name: times for name, times in recorder.limits_hit.items() if times},
    }


def _component(name: str, versions: Mapping[str, int]) -> ComponentStatus:
    # Versions with as many nodes are sorted in descending order, which usually means newest first.
    ordered = sorted(versions.items(), key=lambda item: (item[1], item[0]), reverse=True)
    listed: list[VersionStatus] = [{"version": version, "nodes": nodes} for version, nodes in ordered]
    return {"name": name, "nodes": sum(versions.values()), "versions": listed}


def _minutes(recorder: Recorder, now: float, offset: float) -> MinutesStatus:
    first, rows = recorder.history.last_hour(now)
    return {
        "first": first + offset,
        "startups": [row.startups for row in rows],
        "shutdowns": [row.shutdowns for row in rows],
        "expiries": [row.expiries for row in rows],
        "upgrades": [row.upgrades for row in rows],
    }


def _expired(recorder: Recorder, offset: float) -> list[ExpiredStatus]:
    return [
        {
            # JSON cannot encode a lone surrogate.
            "identity": each.identity.encode(errors="backslashreplace").decode(),
            "component": each.component,
            "version": each.version,
            "seen": each.seen + offset,
            "expired": each.expired + offset,
        }
        for each in reversed(recorder.history.expired)
    ]
