"""The benchmarks' own code: corpora, checks and arithmetic are right. Nothing here is timed."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fastjsonschema
import jsonschema
import pydantic
import pytest

from tests.bed import oracle

from . import archive, corpus, fleet, golang, loading, memory, models, replaying, services, tallying, validating
from .measure import Peer, Ratio, Samples, Settings, WrongAnswerError, demand, take_turns
from .report import Section, Target, Verdict, section, table, verdict_table

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


def test_the_mix_has_the_documented_shares() -> None:
    documents = corpus.mixed(100)
    assert sum(document.envelope is not None for document in documents) == 30
    assert sum(document.fields["protocol"].startswith("choria:lifecycle:") for document in documents) == 10


def test_a_ratio_uses_the_best_rounds_and_the_median_of_all() -> None:
    ratio = Ratio.of(Samples.of([30, 20, 90]), Samples.of([10, 10, 30]))
    assert ratio == Ratio(best=2, median=3)


def test_a_base_is_subtracted_round_by_round() -> None:
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
def test_a_verdict_compares_with_the_fastest_peer(target, ours, theirs, word) -> None:
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


def test_a_section_shows_rates_and_notes() -> None:
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


def test_an_archive_holds_the_mix_in_time_order(tmp_path) -> None:
    lines = archive.make(tmp_path, 1000)
    documents = [json.loads(line) for line in lines.path.read_bytes().splitlines()]
    events = [document.get("data", document) for document in documents]
    assert len({event["id"] for event in events}) == lines.size == 1000
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert Counter(map(corpus.event_type, events)) == lines.passing(frozenset())
    assert 250 < sum("specversion" in document for document in documents) < 350
    old = sum(event["protocol"].startswith("choria:") for event in events)
    assert 70 < old < 130
    assert old == sum(number for sort, number in lines.sorts.items() if sort.is_old)
    assert all(document["data"]["id"] == document["id"] for document in documents if "data" in document)


def test_an_archive_has_the_layout_of_the_corpus(tmp_path) -> None:
    for line in archive.make(tmp_path, 200).path.read_bytes().splitlines():
        document = json.loads(line)
        fields = document.get("data", document)
        whole = document if fields is document else corpus.envelope(fields) | {"data": fields}
        assert corpus.dumps(whole) == line


def test_an_archive_without_the_old_spelling_has_the_same_events(tmp_path) -> None:
    mixed, current = archive.make(tmp_path, 300), archive.make(tmp_path, 300, old=False)
    assert not any(sort.is_old for sort in current.sorts)
    assert current.passing(frozenset()) == mixed.passing(frozenset())
    assert b"choria:" not in current.path.read_bytes()


def test_the_oracle_refuses_one_line_in_a_hundred_of_a_damaged_archive(tmp_path) -> None:
    lines = archive.make(tmp_path, 2000, bad=True)
    verdicts = Counter(map(oracle.verdict, lines.path.read_bytes().splitlines()))
    assert verdicts == {oracle.VALID: 1980, oracle.INVALID: 20}
    kinds: Counter[str] = Counter()
    for sort, number in lines.sorts.items():
        kinds[sort.bad] += number
    assert kinds == {"": 1980} | dict.fromkeys(validating.ALL, 4)
    assert lines.passing(validating.ALL).total() == 1980
    assert lines.passing(frozenset({archive.CUT})).total() == 1996


def test_an_archive_that_does_not_fit_is_not_started(tmp_path) -> None:
    with pytest.raises(OSError, match="bytes are free for temporary files"):
        archive.make(tmp_path, 10**13)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [False, True])
def test_the_validators_pass_valid_lines(tmp_path, bad) -> None:
    lines = archive.make(tmp_path, 1500, bad=bad)
    readers = [
        *validating.ours(),
        validating.Reader("parsing", validating.parsing(json.loads), validating.SYNTAX),
        validating.Reader(
            "jsonschema",
            validating.asking(json.loads, lambda schema: jsonschema.validators.validator_for(schema)(schema).is_valid),
        ),
        validating.Reader(
            "fastjsonschema",
            validating.raising(json.loads, fastjsonschema.compile, fastjsonschema.JsonSchemaValueException),
        ),
        validating.Reader("pydantic", validating.modelling(models, pydantic.ValidationError)),
    ]
    for reader in readers:
        reader.peer(lines)


def test_a_validator_that_lets_bad_lines_pass_is_not_timed(tmp_path) -> None:
    reader = validating.Reader("json", validating.parsing(json.loads))
    with pytest.raises(WrongAnswerError, match="json: passed"):
        reader.peer(archive.make(tmp_path, 1500, bad=True))


def test_the_totals_of_the_command_are_parsed() -> None:
    said = [
        "FORMAT       TYPE      VALID  REJECTED  NOT CHECKED",
        "-            unreadable    0       200            0",
        "choria       governor 11,151       175            0",
        "cloudevents  governor  5,236         0            0",
        "cloudevents  startup   4,885         1            0",
        "",
        "CODE  SEVERITY  FINDINGS",
        "checked 21,648 = 21,272 valid + 376 rejected, in 0.3 s",
    ]
    assert validating.passed("\n".join(said)) == {"governor": 16387, "startup": 4885}


def test_a_command_that_passes_other_lines_is_not_timed(tmp_path) -> None:
    good, bad = archive.make(tmp_path, 300), archive.make(tmp_path, 300, bad=True)
    assert validating.command_peer(validating.ONE, good).turn(1) > 0
    with pytest.raises(WrongAnswerError, match="checked 300 = 297 valid"):
        validating.command_peer(validating.ONE, bad).turn(1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_memory_includes_all_processes() -> None:
    hold = "import sys; held = bytes(1) * 30_000_000; print(flush=True); sys.stdin.read()"
    start = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; child.wait()"
    with subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        peaks = memory.peaks(process.pid)
        process.communicate()
    assert len(peaks) == 2
    assert all(30_000_000 < peak < 60_000_000 for peak in peaks.values())


def test_a_command_is_fed_and_its_output_kept() -> None:
    program = "import sys; sys.exit(f'{len(sys.stdin.buffer.read())} bytes')"
    ended = memory.peak([sys.executable, "-c", program], lambda stream: stream.write(b"x" * 300_000))
    assert (ended.code, ended.said) == (1, "300000 bytes\n")


def test_each_node_of_a_fleet_publishes_within_its_period() -> None:
    events = list(fleet.events(6000, fleet.COMPONENTS, 2))
    assert len({event.identity for event, _ in events}) == 6000
    assert len({(event.component, event.version) for event, _ in events}) == 128
    assert [at for _, at in events] == sorted(at for _, at in events)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("name", [services.ALONE, services.BESIDE])
def test_the_cost_of_services_is_measured(name: str) -> None:
    measured = services.measure_process(name, 3, 0)
    assert measured["published"] == 6
    assert measured["memory"] > 1_000_000


def test_a_fleet_is_measured() -> None:
    measured = tallying.fleet(Settings(nodes=20_000, starts=1))
    assert measured["cohort"] == 666
    assert measured["series"] == fleet.COMPONENTS * fleet.VERSIONS
    assert measured["state"] > 0
    assert measured["peak"] > 0
    assert all(len(measured[name]) == 3 for name in ("instant", "expiring", "render", "idle"))


def test_a_peer_that_tallies_wrongly_is_not_timed() -> None:
    from choria_lifecycle import alive

    tally, events = tallying._Labels(), [alive(identity="n1", component="server", version="1")]
    tallying._check(tally, events)
    tally.versions.labels("server", "1", "1").inc()
    with pytest.raises(WrongAnswerError, match="_Labels: counted"):
        tallying._check(tally, events)


def test_an_absolute_bound_needs_no_peer() -> None:
    limit = Target(what="memory", ours="ours", bound=120, at_least=False, unit=" MB")
    measured = Section(title="Memory", unit="memory", ours="", samples={"ours": Samples.of([30e6])}, targets=[limit])
    assert verdict_table(measured.verdicts())[2].split("|")[1:-1] == [
        " memory ", " at most 120 MB ", "    30 MB ", "      30 MB ", " reached "
    ]  # fmt: skip
    assert "| ours |      30 |" in measured.render()
    absent = Section(title="Memory", unit="memory", ours="", samples={}, targets=[limit], missing={"ours": "no /proc"})
    assert absent.verdicts() == [Verdict(limit, None, "no /proc")]


@pytest.mark.parametrize(("unit", "bound"), [("cores", 0.5), ("s", 2)])
def test_small_bounds_are_shown_with_their_digits(unit, bound) -> None:
    limit = Target(what="load", ours="ours", bound=bound, at_least=False, unit=f" {unit}")
    measured = Section(title="Load", unit=unit, ours="", samples={"ours": Samples.of([0.25e9])}, targets=[limit])
    cells = [cell.strip() for cell in verdict_table(measured.verdicts())[2].split("|")[1:-1]]
    assert cells == ["load", f"at most {bound:g} {unit}", f"0.25 {unit}", f"0.25 {unit}", "reached"]
    assert "0.25" in measured.render()[-2]


@pytest.mark.parametrize("way", loading.WAYS)
def test_a_tally_under_load_must_count_every_event(way, monkeypatch) -> None:
    monkeypatch.setattr(loading, "_PUNCTUAL", float("inf"))
    with loading.under_load(way, 500) as (tally, publisher):
        assert publisher.start(5, 10_000).result(20) > 0
        assert tally.until(lambda numbers: numbers.total("good_events") == 5).total("nodes") == 5
        with pytest.raises(WrongAnswerError, match=r"counted \{'good_events': [56],"):
            loading.instants(way, tally, publisher, 1, 1)
    with loading.under_load(way, 500) as (tally, publisher):
        assert len(loading.instants(way, tally, publisher, 500, 3)) == 3
    with loading.under_load(way, 500) as (tally, publisher):
        cores, note = loading.load(way, tally, publisher, 1)
        assert cores > 0
        assert note.startswith("10,000 received; slowest of ")


def test_the_results_of_reading_a_stream_are_checked(tmp_path) -> None:
    measured = replaying.measure(Settings(stored=300, rounds=1), golang.Toolchain([], {}), tmp_path)
    assert set(measured.samples) == {replaying.OURS, replaying.INTAKE, replaying.ORDERED, replaying.PARSED}


def _section(samples: dict[str, Samples], *targets: Target) -> Section:
    return Section(title="Parse", unit="ns", ours="ours", samples=samples, targets=targets)
