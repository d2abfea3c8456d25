from __future__ import annotations

import json

import msgspec

import choria_lifecycle as lifecycle
from choria_lifecycle.tally.exposition import TallyState
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.status import status
from choria_lifecycle.tally.web.page import page
from tests.bed.tally_events import event

STARTED = 1_795_000_000.0


def tally_state(now: float, **changes: object) -> TallyState:
    return TallyState(connected=True, server="nats://127.0.0.1:4222", started=STARTED, now=now, **changes)  # type: ignore[arg-type]


def test_what_was_counted_is_told_in_times_of_day() -> None:
    # The recorder's clock begins anywhere.
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
    told = status(recorder, tally_state(STARTED + 380), prefix="lifecycle_tally", now=now)
    minutes = told.pop("minutes")  # type: ignore[misc]
    assert told == {
        "version": lifecycle.__version__,
        "prefix": "lifecycle_tally",
        "now": STARTED + 380,
        "started": STARTED,
        "role": "active",
        "election": None,
        "election_why": "",
        "components_wanted": ["*"],
        "connection": {
            "up": True,
            "server": "nats://127.0.0.1:4222",
            "subscribed": False,
            "gaps": 0,
            "dropped": 0,
            "last_answer": None,
        },
        "complete": False,
        "replay": {"state": "off", "events": 0, "why": ""},
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


def test_the_most_nodes_come_first() -> None:
    recorder = Recorder(now=0)
    for component, version, nodes in [("b", "1.9", 1), ("a", "1", 2), ("c", "1", 2), ("b", "1.8", 4), ("b", "2.0", 1)]:
        for number in range(nodes):
            recorder.record(lifecycle.alive(identity=f"{version}-{number}", component=component, version=version), 0)
    told = status(recorder, tally_state(0), prefix="p", now=0)
    assert [each["name"] for each in told["components"]] == ["b", "a", "c"]
    assert [each["version"] for each in told["components"][0]["versions"]] == ["1.8", "2.0", "1.9"]


def test_what_else_there_is_to_say() -> None:
    told = status(
        Recorder(now=0),
        tally_state(
            STARTED,
            active=False,
            election="TALLY",
            components=("server", "broker"),
            gaps=2,
            dropped=3,
            replay_state="done",
        ),
        prefix="p",
        now=0,
    )
    assert (told["role"], told["election"], told["components_wanted"]) == ("standby", "TALLY", ["server", "broker"])
    assert (told["connection"]["gaps"], told["connection"]["dropped"]) == (2, 3)
    assert told["replay"]["state"] == "done"
    assert (told["last_event"], told["components"], told["expired"]) == (None, [], [])


def test_whatever_nodes_call_themselves_becomes_json_and_a_page() -> None:
    recorder = Recorder(expiry=60, now=0)
    for identity in ("\ud800n", "n\x00\x1b", "é" * 100_000, '"<b>'):
        recorder.record(event("startup", identity=identity, component=identity, version=identity), 0)
    while recorder.expire(300):
        pass
    told = status(recorder, tally_state(STARTED), prefix="p", now=300)
    assert len(told["expired"]) == 4
    encoded = msgspec.json.encode(told)
    assert len(encoded) < 10_000
    assert json.loads(encoded) == told
    assert len(page(told)) < 20_000
