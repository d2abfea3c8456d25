"""The bench itself: what it measures is right and what it says about numbers is true. Nothing here looks at a clock."""

import json
from pathlib import Path

import pytest

from . import corpus, golang
from .measure import Peer, Ratio, Samples, WrongAnswerError, demand, take_turns
from .report import Section, Target, Verdict, section, table

FASTER = Target(
    what="parse: faster than Go", ours="ours", bound=3.3, at_least=True, peers=("Go", "Go, tuned"), why="slow"
)
WITHIN = Target(what="parse: time of orjson", ours="ours", bound=1.3, at_least=False, peers=("orjson",), why="slow")


def test_the_corpus_holds_distinct_events_of_all_types() -> None:
    documents = corpus.native(60)
    assert {corpus.event_type(document.fields) for document in documents} == set(corpus.TYPES)
    assert len({document.fields["id"] for document in documents}) == 60
    assert len({document.fields["identity"] for document in documents}) == 60
    assert all(json.loads(document.data) == document.fields for document in documents)


def test_the_corpus_is_the_same_every_time() -> None:
    assert corpus.mixed(100) == corpus.mixed(100)


def test_events_look_as_go_writes_them() -> None:
    startup = next(document for document in corpus.cloudevents(12) if document.data.count(b"v1.startup"))
    attributes = ["specversion", "id", "source", "type", "subject", "datacontenttype", "time", "data"]
    fields = ["protocol", "id", "identity", "component", "timestamp", "version"]
    assert list(json.loads(startup.data)) == attributes
    assert list(startup.fields) == fields
    assert b" " not in startup.data


@pytest.mark.parametrize("make", [corpus.native, corpus.cloudevents, corpus.mixed])
def test_the_library_reads_the_corpus(make) -> None:
    from choria_lifecycle import parse, validate

    for document in make(60):
        event = parse(document.data)
        assert event.id == document.fields["id"]
        assert not [finding for finding in validate(document.data) if finding.severity == "error"]


def test_the_mix_has_the_shares_it_claims() -> None:
    documents = corpus.mixed(100)
    assert sum(document.envelope is not None for document in documents) == 30
    assert sum(document.fields["protocol"].startswith("choria:lifecycle:") for document in documents) == 10


def test_a_ratio_is_of_the_best_rounds_and_has_the_median_round_by_round() -> None:
    ratio = Ratio.of(Samples.of([30, 20, 90]), Samples.of([10, 10, 30]))
    assert ratio == Ratio(best=2, median=3)


def test_a_base_is_taken_off_round_by_round() -> None:
    net = Samples.of([15, 12]).minus(Samples.of([5, 4]))
    assert net == Samples(best=8, rounds=(10, 8))


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "word"),
    [
        (FASTER, 100, {"Go": 330, "Go, tuned": 400}, "reached"),
        (FASTER, 100, {"Go": 900, "Go, tuned": 329}, "not reached"),
        (FASTER, 100, {"Go": 329}, "not reached"),
        (WITHIN, 130, {"orjson": 100}, "reached"),
        (WITHIN, 131, {"orjson": 100}, "not reached"),
    ],
)
def test_a_verdict_says_whether_the_fastest_peer_is_met(target, ours, theirs, word) -> None:
    samples = {name: Samples.of([value]) for name, value in {"ours": ours, **theirs}.items()}
    (verdict,) = _section(samples, target).verdicts()
    assert verdict.word == word
    assert verdict.note == ("" if word == "reached" else "slow")


def test_a_peer_that_is_absent_leaves_the_target_unmeasured() -> None:
    measured = _section({"ours": Samples.of([1])}, FASTER)
    measured.missing |= dict.fromkeys(("Go", "Go, tuned"), "go is not on PATH")
    (verdict,) = measured.verdicts()
    assert verdict == Verdict(FASTER, None, "go is not on PATH")
    assert verdict.word == "not measured"
    assert "| Go " in "\n".join(measured.render())


def test_tables_are_aligned_and_markdown() -> None:
    assert table(["name", "ns"], [["ours", "5"], ["theirs", "1,000"]], right={1}) == [
        "| name   |    ns |",
        "| ------ | ----: |",
        "| ours   |     5 |",
        "| theirs | 1,000 |",
    ]


def test_a_section_shows_rates_and_what_peers_leave_out() -> None:
    peers = [Peer("ours", float), Peer("theirs", float, "bytes only")]
    samples = {"ours": Samples.of([2000, 4000]), "theirs": Samples.of([1000, 1000])}
    text = "\n".join(section("Receive", "rate", peers, samples).render())
    assert "500,000" in text
    assert "0.50 | bytes only" in text
    assert "**ours**" in text


def test_peers_take_turns_and_the_first_one_changes() -> None:
    order: list[str] = []

    def peer(name: str) -> Peer:
        return Peer(name, lambda passes: order.append(name) or float(passes))

    samples = take_turns([peer("a"), peer("b")], rounds=2, passes=lambda _: 7)
    assert order == ["a", "b", "b", "a"]
    assert samples["a"].rounds == (7, 7)


def test_a_wrong_answer_is_an_error() -> None:
    with pytest.raises(WrongAnswerError, match="orjson: read nothing"):
        demand(False, "orjson", "read nothing")


def test_reasons_are_fit_for_a_committed_file() -> None:
    reason = "go: reading https://registry.example/x: 403\n in /home/someone/go/pkg and go.mod"
    assert golang.shareable(reason) == "go: reading ... 403 in ... and go.mod"


def test_the_go_program_is_complete() -> None:
    assert {"go.mod", "go.sum", "main.go"} <= {path.name for path in Path(golang.SOURCE).iterdir()}


def _section(samples: dict[str, Samples], *targets: Target) -> Section:
    return Section(title="Parse", unit="ns", ours="ours", samples=samples, targets=targets)
