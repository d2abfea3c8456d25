"""The status as JSON."""

from __future__ import annotations

import json

import msgspec

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Gap, StreamState
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from choria_lifecycle.tally.status import status
from choria_lifecycle.tally.web.page import page
from tests.bed.tally_events import event

STARTED = 1_795_000_000.0


def tally_state(now: float, **changes: object) -> TallyState:
    return TallyState(connected=True, server="nats://127.0.0.1:4222", started=STARTED, now=now, **changes)  # type: ignore[arg-type]


def test_times_are_unix_seconds() -> None:
    # The recorder's clock starts anywhere.
    begin = 500.0
    recorder = Recorder(expiry=300, now=begin)
    ours = {"component": "server"}
    for number in range(3):
        recorder.record(lifecycle.startup(identity=f"n{number}", version="1.0", **ours), begin + 1)
    recorder.record(lifecycle.alive(identity="n1", version="1.1", **ours), begin + 70)
    recorder.record(lifecycle.shutdown(identity="n2", **ours), begin + 130)
    recorder.record(lifecycle.startup(identity="b1", component="broker", version="2.0"), begin + 130)
    recorder.record_error("server")
    now = begin + 380
    recorder.record(lifecycle.alive(identity="n1", version="1.1", **ours), now)
    while recorder.expire(now):
        pass
    found = status(recorder, tally_state(STARTED + 380), prefix="lifecycle_tally", now=now)
    minutes = found.pop("minutes")  # type: ignore[misc]
    assert found == {
        "version": lifecycle.__version__,
        "prefix": "lifecycle_tally",
        "now": STARTED + 380,
        "started": STARTED,
        "role": "active",
        "election": None,
        "election_why": "",
        "components_wanted": ["*"],
        "ready": False,
        "problems": [{"level": "error", "reason": "not subscribed yet", "effect": "Nothing is counted."}],
        "connection": {
            "up": True,
            "server": "nats://127.0.0.1:4222",
            "subscribed": False,
            "gaps": 0,
            "dropped": 0,
            "last_answer": None,
        },
        "gaps": [],
        "complete": False,
        "replay": {"state": "off", "events": 0, "why": ""},
        "stream": None,
        "last_event": STARTED + 380,
        "nodes": 2,
        "components": [
            {"name": "broker", "nodes": 1, "versions": [{"version": "2.0", "nodes": 1}]},
            {"name": "server", "nodes": 1, "versions": [{"version": "1.1", "nodes": 1}]},
        ],
        "expired": [
            {"identity": "n0", "component": "server", "version": "1.0", "seen": STARTED, "expired": STARTED + 380}
        ],
        "events": {"server": {"alive": 2, "startup": 3, "shutdown": 1}, "broker": {"startup": 1}},
        "errors": {"server": 1},
        "limits_hit": {},
    }
    assert minutes["first"] == STARTED + 360 - 59 * 60
    assert minutes["startups"] == [0] * 53 + [3, 0, 1, 0, 0, 0, 0]
    assert minutes["shutdowns"] == [0] * 53 + [0, 0, 1, 0, 0, 0, 0]
    assert minutes["upgrades"] == [0] * 53 + [0, 1, 0, 0, 0, 0, 0]
    assert minutes["expiries"] == [0] * 59 + [1]


def test_components_and_versions_with_most_nodes_come_first() -> None:
    recorder = Recorder(now=0)
    for component, version, nodes in [("b", "1.9", 1), ("a", "1", 2), ("c", "1", 2), ("b", "1.8", 4), ("b", "2.0", 1)]:
        for number in range(nodes):
            recorder.record(lifecycle.alive(identity=f"{version}-{number}", component=component, version=version), 0)
    found = status(recorder, tally_state(0), prefix="p", now=0)
    assert [each["name"] for each in found["components"]] == ["b", "a", "c"]
    assert [each["version"] for each in found["components"][0]["versions"]] == ["1.8", "2.0", "1.9"]


def test_the_state_of_the_tally() -> None:
    found = status(
        Recorder(now=0),
        tally_state(
            STARTED,
            active=False,
            election="TALLY",
            components=("server", "broker"),
            gaps=2,
            dropped=3,
            replay_state="done",
            recent_gaps=(Gap(1.0, 2.0, "first"), Gap(3.0, 4.0, "last")),
            stream=StreamState("CHORIA_EVENTS", "it is sealed", None, only=True, verified=True),
            stream_last_event=5.0,
            unstored=6,
            replay_requested=4800.0,
            replay_available=7.0,
        ),
        prefix="p",
        now=0,
    )
    assert (found["role"], found["election"], found["components_wanted"]) == ("standby", "TALLY", ["server", "broker"])
    assert (found["connection"]["gaps"], found["connection"]["dropped"]) == (2, 3)
    assert found["replay"]["state"] == "done"
    assert [gap["reason"] for gap in found["gaps"]] == ["last", "first"]
    assert found["stream"] == {
        "name": "CHORIA_EVENTS",
        "readable": False,
        "fault": "it is sealed",
        "only": True,
        "last_event": 5.0,
        "unstored": 6,
        "requested": 4800.0,
        "available": 7.0,
    }
    assert (found["last_event"], found["components"], found["expired"]) == (None, [], [])


def test_any_name_becomes_json_and_a_page() -> None:
    recorder = Recorder(expiry=60, now=0)
    for identity in ("\ud800n", "n\x00\x1b", "é" * 100_000, '"<b>'):
        recorder.record(event("startup", identity=identity, component=identity, version=identity), 0)
    while recorder.expire(300):
        pass
    found = status(recorder, tally_state(STARTED), prefix="p", now=300)
    assert len(found["expired"]) == 4
    encoded = msgspec.json.encode(found)
    assert len(encoded) < 10_000
    assert json.loads(encoded) == found
    assert len(page(found)) < 20_000
