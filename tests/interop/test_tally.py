"""Records of the Go tally, compared with this library without Go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .tally import ALWAYS, compared, explained, metrics, problems, record
from .tally.sequences import sequences

HEAD, RECORDED = record.load()
BY_NAME = {each["name"]: each for each in RECORDED}
SEQUENCES = list(sequences())
KNOWN = metrics(each["go"] for each in RECORDED)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence.name)
def test_a_sequence_is_tallied_as_recorded(sequence):
    recorded = BY_NAME[sequence.name]
    assert compared(sequence, recorded["go"], KNOWN) == recorded
    assert problems(sequence, recorded) == []


def test_the_records_cover_the_current_sequences():
    assert [each["name"] for each in RECORDED] == [sequence.name for sequence in SEQUENCES]
    assert len(BY_NAME) == len(RECORDED)
    assert HEAD["choria"] in Path(__file__).with_name("tally").joinpath("go.mod").read_text("utf-8")


def test_every_reason_is_used():
    given = {reason for each in RECORDED for reason in each.get("differs", [])}
    assert given == {*ALWAYS, "more"}


def test_the_defects_of_the_go_tally_are_recorded():
    [before, after] = BY_NAME["lost between a start and a stop"]["go"]
    assert before['versions{active="1",component="server",version="1.0"}'] == 1
    assert after['versions{active="1",component="server",version="1.0"}'] == 1
    assert after['versions{active="0",component="server",version="1.0"}'] == -1


def test_the_records_stay_small():
    assert record.PATH.stat().st_size < 100_000


@pytest.mark.parametrize("change", [1, -1])
@pytest.mark.parametrize("name", ["another version", "lost while counting", "silent for 81 minutes", "varied, 1"])
def test_a_changed_number_of_go_is_noticed(name, change):
    [sequence] = [each for each in SEQUENCES if each.name == name]
    scrapes = json.loads(json.dumps(BY_NAME[name]["go"]))
    scrapes[-1][max(scrapes[-1])] += change
    [problem] = problems(sequence, compared(sequence, scrapes, KNOWN))
    assert problem.startswith(f"{name}: scrape {len(scrapes) - 1} differs without a reason: ")


def test_a_reason_without_a_difference_is_noticed():
    [sequence] = [each for each in SEQUENCES if each.name == "a long version"]
    assert problems(sequence, {"go": [], "differs": ["zero"]}) == [
        f"a long version: both sides have the same, although {sequence.reason}"
    ]


@pytest.mark.parametrize(
    ("go", "here", "found"),
    [
        ({}, {}, set()),
        ({"versions{a}": 0}, {}, {"zero"}),
        ({"good{a}": 0}, {}, {"more"}),
        ({}, {"versions{a}": 0}, {"more"}),
        ({'v{active="1",b}': 1}, {'v{active="0",b}': 1}, {"role"}),
        ({'v{active="1",b}': 1, 'v{active="0",b}': 2}, {'v{active="0",b}': 3}, {"role"}),
        ({'v{active="1",b}': 1, 'v{active="0",b}': 2}, {'v{active="0",b}': 2}, {"role", "more"}),
        ({'versions{active="1",b}': 1, 'versions{active="0",b}': -1}, {}, {"role", "zero"}),
    ],
)
def test_differences_are_classified(go, here, found):
    assert explained(go, here) == found
