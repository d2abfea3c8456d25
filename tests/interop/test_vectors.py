"""Records of go-choria, compared with this library without Go."""

from __future__ import annotations

import json

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.codec import decode
from choria_schemas.registry import CONTRACTS

from . import facts, record, report
from .__main__ import VERDICTS, changes, main
from .documents import rows
from .events import FORMATS, machine
from .events import lifecycle as exchanges
from .judge import SAME, agree, build, counterpart, verdict
from .reasons import REASONS

HEAD, EVENTS = record.load(record.EVENTS)
_, ROWS = record.load(record.VERDICTS)
FACTS = HEAD["facts"]


def _names(cases):
    return [case["name"] for case in cases]


@pytest.mark.parametrize("case", EVENTS, ids=_names(EVENTS))
def test_an_event_that_go_made_is_read_and_made_here_as_recorded(case):
    assert counterpart(case) == case.get("here", {})


@pytest.mark.parametrize("case", ROWS, ids=_names(ROWS))
def test_a_document_is_judged_as_recorded(case):
    here = verdict(case["family"], record.whole(case["document"]))
    if case["here"] == SAME:
        assert agree(case["go"], here)
    else:
        assert here == case["here"]


def test_the_contracts_agree_with_the_constants_of_go():
    assert facts.problems(FACTS) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"types": [*FACTS["types"], "paused"]}, "paused: Go has this event, and there is no contract"),
        ({"types": FACTS["types"][1:]}, "io.choria.lifecycle.v1.alive: Go does not have this event; NOT_IN_GO needs"),
        ({"stages": ["enter"]}, "io.choria.lifecycle.v1.governor: none of its fields has the values that Go's has"),
        ({"states": FACTS["states"] | {"new": ["on"]}}, "new: Go has this watcher; make it in go/machine.go"),
        ({"states": FACTS["states"] | {"timer": ["paused"]}}, "io.choria.machine.watcher.timer.v1.state: none of its"),
    ],
)
def test_other_constants_of_go_are_noticed(changes, problem):
    [found] = set(facts.problems(FACTS | changes)) - set(facts.problems(FACTS))
    assert found.startswith(problem)


def test_every_difference_has_a_reason_and_every_reason_a_difference():
    assert report.problems(EVENTS, ROWS) == []


def test_the_records_cover_the_current_cases():
    wanted = [*exchanges(FACTS), *machine(FACTS)]
    assert _names(EVENTS) == [each.title for each in wanted]
    assert [case.get("reasons", {}) for case in EVENTS] == [each.differs for each in wanted]
    for each, case in zip(wanted, EVENTS, strict=True):
        made = case["fields"] | case.get("made", {})
        assert each.fresh or {name: made.get(name) for name in each.values} == each.values
    assert [(case["name"], record.whole(case["document"]), case.get("reason", "")) for case in ROWS] == [
        (row.name, row.document, row.reason) for row in rows()
    ]


def test_every_reason_is_used():
    given = {name for case in EVENTS for name in case.get("reasons", {}).values()}
    assert given | {case["reason"] for case in ROWS if "reason" in case} == set(REASONS)


def test_names_are_unique():
    assert len(set(_names(EVENTS))) == len(EVENTS)
    assert len(set(_names(ROWS))) == len(ROWS)


def test_every_type_is_recorded_in_both_formats_and_agrees_on_plain_values():
    plain = {
        case["name"]: case for case in EVENTS if case["name"].endswith(": plain") and case["family"] == "lifecycle"
    }
    assert set(plain) == {f"{kind}, {form}: plain" for kind in FACTS["types"] for form in FORMATS}
    for case in plain.values():
        assert "here" not in case
        fields = dict(case["fields"])
        protocol = fields.pop("protocol")
        event = lifecycle.new(protocol.rpartition(".")[2], **fields)
        assert lifecycle.encode(event, lifecycle.Format(case["format"])).decode() == case["body"]


@pytest.mark.parametrize("protocol", ["io.choria.machine.v1.transition", *FACTS["watchers"].values()])
def test_every_machine_event_is_recorded_and_every_watcher_also_before_its_first_run(protocol):
    cases = [case for case in EVENTS if case["fields"]["protocol"] == protocol]
    states = {"a watcher that has just started"} if ".watcher." in protocol else set()
    assert {case["name"].partition(": ")[2] for case in cases} >= {"plain"} | states
    for case in cases:
        event = decode(case["body"])
        assert type(event) is CONTRACTS[protocol].cls
        again = lifecycle.encode(event, lifecycle.Format.CLOUDEVENTS)
        assert decode(again) == event
        assert json.loads(again)["data"] == json.loads(case["body"])["data"]
        findings = [*lifecycle.validate(case["body"], case["subject"]), *lifecycle.validate(again, case["subject"])]
        assert not {finding.code for finding in findings} & {"subject-differs"}
        assert "error" not in {finding.severity for finding in findings}


def test_the_verdicts_document_matches_the_records():
    assert VERDICTS.read_text("utf-8") == report.markdown(HEAD, EVENTS, ROWS), "make interop ARGS=--record"


def test_the_records_stay_small_and_readable():
    text = record.EVENTS.read_text("utf-8") + record.VERDICTS.read_text("utf-8")
    assert len(text.encode()) < 600 * (len(EVENTS) + len(ROWS))
    assert all(char.isprintable() or char == "\n" for char in text)


def _case(name):
    return json.loads(json.dumps(next(case for case in (*EVENTS, *ROWS) if case["name"] == name)))


@pytest.mark.parametrize(
    ("key", "old", "new", "aspect"),
    [
        ("body", '"0.30.2"', '"0.30.3"', {"body", "codes"}),
        ("body", '"timestamp":', '"timestamp": ', {"body"}),
        ("body", "io.choria.lifecycle.v1.startup", "io.choria.lifecycle.v1.alive", {"body", "codes"}),
        ("subject", "server", "servers", {"subject"}),
        ("text", "version", "Version", {"text"}),
    ],
)
def test_a_tampered_event_is_noticed(key, old, new, aspect):
    case = _case("startup, cloudevents: plain")
    case[key] = case[key].replace(old, new)
    assert set(counterpart(case)) == aspect
    assert report.problems([case | {"here": counterpart(case)}], []) != []


def test_tampered_fields_are_noticed():
    case = _case("governor, choria: plain")
    case["fields"]["sequence"] += 1
    assert set(counterpart(case)) == {"codes", "body", "text"}


def test_a_tampered_verdict_is_noticed():
    case = _case("an event")
    here = verdict("lifecycle", record.whole(case["document"]))
    assert agree(case["go"], here)
    assert not agree(case["go"] | {"makes up": ["id"]}, here)
    assert not agree(case["go"] | {"format": "cloudevents"}, here)
    assert not agree({"refuses": "no"}, here)
    assert report.problems([], [case | {"reason": "none"}]) != []
    assert report.problems([], [case | {"here": {"refuses": ["input-json"]}}]) != []


def test_deviations_of_go_from_the_records_are_noticed():
    assert changes(record.EVENTS, EVENTS) == []
    assert changes(record.VERDICTS, ROWS) == []
    case = _case("an event")
    others = [row for row in ROWS if row["name"] != case["name"]]
    [problem] = changes(record.VERDICTS, [*others, case | {"go": {"refuses": "no"}}])
    assert problem.startswith("an event: go was {'reads'")
    assert changes(record.VERDICTS, others) == ["an event: is recorded, but no longer a case"]
    assert changes(record.VERDICTS, [*ROWS, case | {"name": "new"}]) == ["new: is not recorded"]


def test_another_wording_of_a_refusal_by_go_is_ignored():
    case = _case("nothing")
    others = [row for row in ROWS if row["name"] != case["name"]]
    assert changes(record.VERDICTS, [*others, case | {"go": {"refuses": "in other words"}}]) == []


def test_the_driver_reports_that_go_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([]) == 1
    assert capsys.readouterr().err == "interop: go is not on PATH\n"


def test_a_document_can_be_shortened_and_restored():
    for row in rows():
        assert record.whole(json.loads(json.dumps(record.shortened(row.document)))) == row.document


def test_events_without_a_contract_are_not_made():
    assert build({"protocol": "io.choria.machine.watcher.nonesuch.v1.state"}) is None
