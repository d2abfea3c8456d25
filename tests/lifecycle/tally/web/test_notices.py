from __future__ import annotations

from typing import Any

import pytest

from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.duration import minutes
from choria_lifecycle.tally.web.notices import notices
from tests.bed import tally_states
from tests.bed.page import parsed

EVERY = minutes(ALIVE_INTERVAL)
AGO = "Counting began 12 s ago. "
BEGAN = f"note {AGO}The numbers are complete once every node has been seen, after about {EVERY}."


def problem(level: str, reason: str, effect: str) -> dict[str, str]:
    return {"level": level, "reason": reason, "effect": effect}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        (
            {"problems": [problem("error", "the stream <b> cannot be read", "Nothing is counted.")]},
            "error The stream <b> cannot be read. Nothing is counted.",
        ),
        (
            {"problems": [problem("warning", "1 message was dropped", "Nodes may be missing.")]},
            "warning 1 message was dropped. Nodes may be missing.",
        ),
        (
            {"limits_hit": {"versions": 1500, "governors": 0}},
            "warning The versions limit was hit 1,500 times: names beyond it are counted as “other”.",
        ),
        ({"limits_hit": {"nodes": 1}}, "warning The nodes limit was hit 1 time: nodes beyond it are not counted."),
        (
            {"limits_hit": {"label_bytes": 2}},
            "warning The label_bytes limit was hit 2 times: longer names are truncated.",
        ),
        (
            {"errors": {"server": 2, "transition": 40, "x": 0}},
            "warning 42 messages could not be read: transition 40, server 2.",
        ),
        (
            {"errors": {f"c{n}": n for n in range(1, 8)}},
            "warning 28 messages could not be read: c7 7, c6 6, c5 5, c4 4, c3 3 and 2 more.",
        ),
        (
            {"role": "standby", "election": "TALLY", "election_why": "there is no bucket <b>"},
            "warning Standby, not taking part in the election TALLY: there is no bucket <b>.",
        ),
        (
            {"role": "standby", "election": "TALLY"},
            "note Standby: another tally leads the election TALLY. This one counts too.",
        ),
        (
            {"complete": False, "replay": {"state": "running", "events": 1200, "why": ""}},
            "note Replaying the stream: 1,200 events so far.",
        ),
        ({"complete": False, "ready": False}, ""),
        ({"complete": False, "started": tally_states.NOW - 86400, "replay": {"state": "off"}}, BEGAN.replace(AGO, "")),
        ({"complete": False, "replay": {"state": "off", "events": 0, "why": ""}}, BEGAN),
        (
            {"complete": False},
            f"{BEGAN} There was no replay: the server has no stream CHORIA_EVENTS.",
        ),
    ],
)
def test_notices(changes: dict[str, Any], expected: str) -> None:
    status = tally_states.empty(**{"complete": True} | changes)
    found = [f"{item.attributes['class']} {item.one('span').text}" for item in parsed(status).all("li")]
    assert found == ([expected] if expected else [])


def test_no_notices_while_all_is_well() -> None:
    html = parsed(tally_states.typical())
    assert not list(html.all("ul"))
    assert not list(html.all("section", **{"class": "gaps"}))
    assert html.one("p", **{"class": "state"}).text == "Leader of TALLY"


def test_errors_come_first_and_untrusted_text_is_escaped() -> None:
    status = tally_states.troubled()
    status["election"], status["election_why"] = "<b>TALLY</b>", "\x1b[2J"
    found = list(notices(status))
    assert [notice.level == "error" for notice in found] == [True] + [False] * (len(found) - 1)
    [standby] = [notice.text for notice in found if "Standby" in notice.text]
    assert standby == (
        "Standby, not taking part in the election <bdi>&lt;b&gt;TALLY&lt;/b&gt;</bdi>: <bdi>\\x1b[2J</bdi>."
    )
