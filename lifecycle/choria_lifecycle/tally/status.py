"""The status of a tally: the JSON of `/api/v1/status`, and the content of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import choria_lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.tally.recorder import Recorder
    from choria_lifecycle.tally.state import TallyState

__all__ = [
    "ComponentStatus",
    "ConnectionStatus",
    "ExpiredStatus",
    "GapStatus",
    "MinutesStatus",
    "ProblemStatus",
    "ReplayStatus",
    "Status",
    "StreamStatus",
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


class ProblemStatus(TypedDict):
    """Something that is wrong at present, as in `Problem`."""

    level: str
    reason: str
    effect: str


class GapStatus(TypedDict):
    """An interval in which lifecycle events may have been missed, in Unix seconds by the machine's clock of then."""

    begin: float
    end: float
    reason: str


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


class StreamStatus(TypedDict):
    """The stream: its name and fault, empty if it has none, when it stored the last event, and the events it lacks.

    `requested` and `available` are the seconds to replay, and how many of them the stream had when it was read.
    """

    name: str
    readable: bool
    fault: str
    only: bool
    last_event: float | None
    unstored: int
    requested: float
    available: float


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

    Times are in Unix seconds. All but those of gaps count back from `now`, so their differences are right even if the
    machine's clock is not; between two statuses, they move as that clock is set.
    """

    version: str
    prefix: str
    now: float
    started: float
    role: str
    election: str | None
    election_why: str
    components_wanted: list[str]
    ready: bool
    problems: list[ProblemStatus]
    connection: ConnectionStatus
    gaps: list[GapStatus]
    complete: bool
    replay: ReplayStatus
    stream: StreamStatus | None
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
        "ready": state.error is None,
        "problems": [{"level": each.level, "reason": each.reason, "effect": each.effect} for each in state.problems],
        "connection": {
            "up": state.connected,
            "server": state.server,
            "subscribed": state.subscribed,
            "gaps": state.gaps,
            "dropped": state.dropped,
            "last_answer": state.last_answer,
        },
        "gaps": [{"begin": each.begin, "end": each.end, "reason": each.reason} for each in reversed(state.recent_gaps)],
        "complete": state.complete,
        "replay": {"state": state.replay_state, "events": state.replayed, "why": state.replay_reason},
        "stream": _stream(state),
        "last_event": None if recorder.last_event is None else recorder.last_event + offset,
        "nodes": recorder.nodes,
        "components": components,
        "minutes": _minutes(recorder, now, offset),
        "expired": _expired(recorder, offset),
        "events": events,
        "errors": dict(recorder.errors),
        "limits_hit": {name: times for name, times in recorder.limits_hit.items() if times},
    }


def _stream(state: TallyState) -> StreamStatus | None:
    if state.stream is None:
        return None
    return {
        "name": state.stream.name,
        "readable": state.stream_readable,
        "fault": state.stream.fault,
        "only": state.stream.only,
        "last_event": state.stream_last_event,
        "unstored": state.unstored,
        "requested": state.replay_requested,
        "available": state.replay_available or 0.0,
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
