"""Sample statuses of a tally, from typical to hostile."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from choria_lifecycle.middleware.delivery import Gap, StreamState
from choria_lifecycle.tally.state import TallyState

if TYPE_CHECKING:
    from choria_lifecycle.tally.status import ComponentStatus, Status

NOW = 1_795_000_000.0

HOSTILE = [
    '<script>alert(1)</script>"><img src=x onerror=alert(1)>',
    "\u202egnihsif\u202c \u2066back\u2069",
    "\x1b[31mred\x1b[0m\r\nforged: line\x00",
    "صفحة اختبار 12",
    "x" * 128,
    "&amp;&lt;b&gt;' onmouseover='alert(1)",
    "\ud800 alone \ufffe",
    "a\u200bb",
    "a\\u200bb",
    "\U0001d518\U0001d52b \U0001f469\u200d\U0001f467 e\u0301",
]


def component(name: str, **versions: int) -> ComponentStatus:
    listed = sorted(versions.items(), key=lambda item: -item[1])
    return {
        "name": name,
        "nodes": sum(versions.values()),
        "versions": [{"version": version, "nodes": nodes} for version, nodes in listed],
    }


def empty(**changes: Any) -> Status:
    """Return the status of a tally that has heard nothing yet."""
    status: Status = {
        "version": "0.1.0",
        "prefix": "lifecycle_tally",
        "now": NOW,
        "started": NOW - 12,
        "role": "active",
        "election": None,
        "election_why": "",
        "components_wanted": ["*"],
        "ready": True,
        "problems": [],
        "connection": {
            "up": True,
            "server": "nats://broker1.example.net:4222",
            "subscribed": True,
            "gaps": 0,
            "dropped": 0,
            "last_answer": NOW - 3,
        },
        "gaps": [],
        "complete": False,
        "replay": {"state": "none", "events": 0, "why": "the server has no stream CHORIA_EVENTS"},
        "stream": None,
        "last_event": None,
        "nodes": 0,
        "components": [],
        "minutes": {
            "first": NOW - 3600,
            "startups": [0] * 60,
            "shutdowns": [0] * 60,
            "expiries": [0] * 60,
            "upgrades": [0] * 60,
        },
        "expired": [],
        "events": {},
        "errors": {},
        "limits_hit": {},
    }
    return status | changes  # type: ignore[return-value]


def typical() -> Status:
    """Return the status of 15,000 nodes in the middle of an upgrade."""
    rng = random.Random(4)
    rollout = [max(0, round(90 * (at - 20) / 15 * (1 - (at - 20) / 40))) + rng.randrange(4) for at in range(60)]
    rollout = [count if at > 19 else rng.randrange(3) for at, count in enumerate(rollout)]
    status = empty(
        started=NOW - 9.3 * 86400,
        complete=True,
        election="TALLY",
        replay={"state": "done", "events": 41_032, "why": ""},
        stream={
            "name": "CHORIA_EVENTS",
            "readable": True,
            "fault": "",
            "only": False,
            "last_event": NOW - 1.2,
            "unstored": 0,
            "requested": 4800.0,
            "available": 4800.0,
        },
        last_event=NOW - 1.2,
        components=[
            component("server", **{"0.30.2": 9_214, "0.30.1": 2_871, "0.29.4": 402, "0.29.1": 37, "0.28.0": 4}),
            component("provisioner", **{"0.18.1": 6, "0.18.0": 2}),
            component("broker", **{"0.30.2": 9}),
            component("billing", **{"2026.11.3": 1_204, "2026.11.2": 611, "2026.10.9": 88}),
            component(
                "edge-gateway",
                **{
                    f"1.{minor}.{minor % 3}": nodes
                    for minor, nodes in enumerate([3, 1, 5, 9, 14, 22, 40, 61, 120, 238, 340], 4)
                },
            ),
        ],
        minutes={
            "first": NOW - 3600,
            "startups": [count + rng.randrange(3) for count in rollout],
            "shutdowns": [count + (rng.randrange(9) == 0) for count in rollout],
            "expiries": [1 if at in {7, 31, 32, 51} else 3 if at == 44 else 0 for at in range(60)],
            "upgrades": [rng.randrange(3) if at % 9 == 0 else 0 for at in range(60)],
        },
        expired=[
            {
                "identity": f"{name}.{site}.example.net",
                "component": part,
                "version": version,
                "seen": NOW - 4800 - ago,
                "expired": NOW - ago,
            }
            for name, site, part, version, ago in [
                ("db7", "fra1", "server", "0.29.4", 530),
                ("gw-114", "lis2", "edge-gateway", "1.9.0", 946),
                ("gw-115", "lis2", "edge-gateway", "1.9.0", 951),
                ("gw-117", "lis2", "edge-gateway", "1.11.2", 958),
                ("build03", "fra1", "server", "0.30.1", 1715),
                ("web22", "ams3", "billing", "2026.10.9", 1731),
                ("web9", "ams3", "server", "0.30.1", 3122),
            ]
        ],
        events={
            "server": {"alive": 5_390_214, "startup": 21_004, "shutdown": 20_873, "provisioned": 12},
            "edge-gateway": {"alive": 371_220, "startup": 1_330, "shutdown": 441, "upgraded": 1_020},
            "billing": {"alive": 801_877, "startup": 9_004, "shutdown": 8_990, "governor": 211},
            "provisioner": {"alive": 3_550, "startup": 9, "shutdown": 8},
            "broker": {"alive": 4_010, "startup": 9},
        },
    )
    return whole(status)


def whole(status: Status) -> Status:
    """Return the status with components sorted and the total number of nodes."""
    status["components"].sort(key=lambda each: -each["nodes"])
    status["nodes"] = sum(each["nodes"] for each in status["components"])
    return status


def huge() -> Status:
    """Return a status at all limits: 64 components with 256 versions each."""
    rng = random.Random(5)
    status = typical()
    status["components"] = [
        component(
            f"component-{number}", **{f"{number}.{v}.0": rng.randrange(1, 2 + 4000 // (v + 1)) for v in range(256)}
        )
        for number in range(64)
    ]
    status["expired"] = [
        {
            "identity": f"n{n}.example.net",
            "component": "server",
            "version": "1.0.0",
            "seen": NOW - 5000,
            "expired": NOW - n,
        }
        for n in range(50)
    ]
    status["events"] = {f"component-{n}": {"alive": n * 1000, "startup": n} for n in range(64)}
    status["limits_hit"] = {"components": 12, "versions": 4_096}
    return whole(status)


def hostile() -> Status:
    """Return a status in which every foreign text is hostile."""
    bad = HOSTILE[0]
    status = typical()
    status["components"] = [component(name, **dict.fromkeys(HOSTILE, 10)) for name in HOSTILE]
    status["expired"] = [
        {"identity": name * 9, "component": name, "version": name, "seen": NOW - 5000, "expired": NOW - 10}
        for name in HOSTILE
    ]
    status["events"] = {name: dict.fromkeys(HOSTILE, 1) for name in HOSTILE}
    status["errors"] = dict.fromkeys(HOSTILE, 7)
    status["limits_hit"] = dict.fromkeys(HOSTILE, 7)
    status |= {
        "election": bad,
        "election_why": bad,
        "role": "standby",
        "version": bad,
        "components_wanted": HOSTILE,
        "complete": False,
    }
    status["replay"] = {"state": "none", "events": 0, "why": bad}
    status["connection"]["server"] = bad
    status["problems"] = [{"level": level, "reason": bad, "effect": bad} for level in ("error", "warning")]
    status["gaps"] = [{"begin": NOW - 20, "end": NOW - 10, "reason": name} for name in HOSTILE]
    assert status["stream"] is not None
    status["stream"] |= {"name": bad, "fault": bad}
    return whole(status)


def troubled() -> Status:
    """Return the status of a disconnected tally after many errors."""
    status = typical()
    status["connection"] |= {"up": False, "subscribed": False, "gaps": 3, "dropped": 1_204, "last_answer": NOW - 240}
    status |= {"complete": False, "role": "standby", "started": NOW - 600, "last_event": NOW - 243}
    status["replay"] = {"state": "none", "events": 0, "why": "no stream CHORIA_EVENTS"}
    status["errors"] = {"server": 12, "transition": 1, "exec_watcher": 3}
    status["limits_hit"] = {"versions": 81, "nodes": 2}
    status |= {"ready": False, "stream": None}
    return _explained(status, dropped=1_204, last_dropped=NOW - 300)


def degraded() -> Status:
    """Return the status of a tally that receives events, but whose stream is full and was short."""
    status = typical()
    fault = "it is full and refuses new messages"
    status["stream"] = {
        "name": "CHORIA_EVENTS",
        "readable": False,
        "fault": fault,
        "only": False,
        "last_event": NOW - 130,
        "unstored": 1_207,
        "requested": 4800.0,
        "available": 8.0,
    }
    lost = "the connection was lost"
    gaps = [Gap(NOW - 4000, NOW - 3950, lost), Gap(NOW - 640, NOW - 610, "the stream discarded messages")]
    status["gaps"] = [{"begin": gap.begin, "end": gap.end, "reason": gap.reason} for gap in reversed(gaps)]
    status["connection"]["gaps"] = 2
    status |= {"complete": False, "started": NOW - 600}
    return _explained(
        status,
        subscribed=True,
        last_answer=NOW - 3,
        recent_gaps=tuple(gaps),
        last_gap=NOW - 610,
        replay_requested=4800.0,
        replay_available=8.0,
        known_since=NOW - 608,
        stream=StreamState("CHORIA_EVENTS", fault, NOW - 130, False, True),
        unstored=1_207,
        last_unstored=NOW - 2,
    )


def _explained(status: Status, **state: Any) -> Status:
    """Return the status with the problems of a state."""
    found = TallyState(connected=status["connection"]["up"], started=status["started"], now=status["now"], **state)
    status["problems"] = [
        {"level": each.level, "reason": each.reason, "effect": each.effect} for each in found.problems
    ]
    return status
