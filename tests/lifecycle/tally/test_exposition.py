"""The text format: exact lines, and what prometheus_client's parser and promtool make of them."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import choria_lifecycle
from choria_lifecycle.errors import ConfigError, MissingExtra
from choria_lifecycle.middleware.delivery import StreamState
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.exposition import CONTENT_TYPE, check_prefix, render
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.metrics import METRICS
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from tests.bed.strategies import EXAMPLES, TEXTS
from tests.bed.tally_events import event, run, transition

STATE = TallyState(
    connected=True,
    server="nats://a:4222",
    subscribed=True,
    last_answer=1.5,
    gaps=3,
    dropped=2,
    all_seen=True,
    replay_state="done",
    replayed=41_032,
    replay_requested=4800.0,
    replay_available=60.5,
    stream=StreamState("CHORIA_EVENTS", "it has no leader", None, only=False, verified=True),
    stream_last_event=0.25,
    unstored=4,
    started=1.0,
    now=2.0,
)

LINES = """
lifecycle_tally_good_events{active="1",component="server"} 5
lifecycle_tally_good_events{active="1",component="CLI"} 2
lifecycle_tally_process_errors{active="1",component="server"} 2
lifecycle_tally_process_errors{active="1",component="transition"} 1
lifecycle_tally_event_types{active="1",component="server",type="alive"} 2
lifecycle_tally_event_types{active="1",component="server",type="shutdown"} 1
lifecycle_tally_event_types{active="1",component="server",type="startup"} 1
lifecycle_tally_event_types{active="1",component="server",type="upgraded"} 1
lifecycle_tally_event_types{active="1",component="CLI",type="governor"} 2
lifecycle_tally_versions{active="1",component="server",version="1.0"} 1
lifecycle_tally_nodes{active="1",component="server"} 1
lifecycle_tally_nodes_expired{active="1",component="server"} 1
lifecycle_tally_governor{active="1",component="CLI",event="enter",governor="PUPPET"} 1
lifecycle_tally_governor{active="1",component="CLI",event="exit",governor="PUPPET"} 1
lifecycle_tally_processing_time_sum{active="1",component="server"} 0.25
lifecycle_tally_processing_time_count{active="1",component="server"} 5
lifecycle_tally_processing_time_sum{active="1",component="CLI"} 0.0
lifecycle_tally_processing_time_count{active="1",component="CLI"} 2
lifecycle_tally_maintenance_time_sum{active="1",component="server"} 0.0
lifecycle_tally_maintenance_time_count{active="1",component="server"} 1
lifecycle_tally_maintenance_time_sum{active="1",component="CLI"} 0.0
lifecycle_tally_maintenance_time_count{active="1",component="CLI"} 1
lifecycle_tally_machine_transition{active="1",from="idle",machine="puppet",to="run",transition="go",version="1.2.3"} 1
lifecycle_tally_exec_watcher_success{active="1",machine="puppet",version="1.2.3",watcher="check"} 1
lifecycle_tally_exec_watcher_failures{active="1",machine="puppet",version="1.2.3",watcher="check"} 1
lifecycle_tally_exec_watcher_runtime_sum{active="1",machine="puppet",version="1.2.3",watcher="check"} 3.0
lifecycle_tally_exec_watcher_runtime_count{active="1",machine="puppet",version="1.2.3",watcher="check"} 2
lifecycle_tally_last_event_age_seconds 7.5
lifecycle_tally_connected 1
lifecycle_tally_active 1
lifecycle_tally_gaps_total 3
lifecycle_tally_dropped_messages_total 2
lifecycle_tally_complete 1
lifecycle_tally_replaying 0
lifecycle_tally_replayed_events_total 41032
lifecycle_tally_replay_requested_seconds 4800.0
lifecycle_tally_replay_available_seconds 60.5
lifecycle_tally_stream_readable 0
lifecycle_tally_stream_last_event_age_seconds 1.75
lifecycle_tally_unstored_events_total 4
lifecycle_tally_limits_hit_total{limit="components"} 0
lifecycle_tally_limits_hit_total{limit="versions"} 0
lifecycle_tally_limits_hit_total{limit="governors"} 0
lifecycle_tally_limits_hit_total{limit="transitions"} 0
lifecycle_tally_limits_hit_total{limit="watchers"} 0
lifecycle_tally_limits_hit_total{limit="nodes"} 0
lifecycle_tally_limits_hit_total{limit="label_bytes"} 0
"""

# The names and types of the Go tally, and one of its archived predecessor.
TYPES = {
    "good_events": "counter",
    "process_errors": "counter",
    "event_types": "counter",
    "versions": "gauge",
    "maintenance_time": "summary",
    "processing_time": "summary",
    "nodes_expired": "counter",
    "governor": "counter",
    "machine_transition": "counter",
    "exec_watcher_success": "counter",
    "exec_watcher_failures": "counter",
    "exec_watcher_runtime": "summary",
}
KINDS = {metric.name: metric.kind for metric in METRICS}
OWN = KINDS.keys() - TYPES.keys()
NAMES = {
    f"{name}{suffix}" for name, kind in KINDS.items() for suffix in (("_sum", "_count") if kind == "summary" else ("",))
}


def busy() -> Recorder:
    recorder = Recorder(now=0.0, clock=lambda: 0.0)
    recorder.record(event("alive", "n2"), 0.0)
    for each in [
        event("alive"),
        event("startup", "n3", "2.0"),
        event("upgraded", "n3", "2.0"),
        event("shutdown", "n3"),
        event("governor", component="CLI"),
        event("governor", component="CLI", event_type="exit"),
        transition(transition="go"),
        run(),
        run("error"),
    ]:
        recorder.record(each, EXPIRY)
    recorder.record_error("server")
    recorder.record_error("server")
    recorder.record_error("transition")
    recorder.add_time("server", 0.25)
    assert not recorder.expire(EXPIRY + 60)
    return recorder


def text(
    recorder: Recorder, state: TallyState = STATE, now: float = EXPIRY + 7.5, prefix: str = "lifecycle_tally"
) -> str:
    return render(recorder, state, prefix=prefix, now=now).decode()


def samples(exposed: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = [sample for family in text_string_to_metric_families(exposed) for sample in family.samples]
    made = {(_as_written(sample.name, exposed), frozenset(sample.labels.items())): sample.value for sample in found}
    assert len(made) == len(found), "duplicate series"
    return made


def _as_written(name: str, exposed: str) -> str:
    """Remove the `_total` that the parser adds to counters."""
    return name if f"# TYPE {name} counter" in exposed else name.removesuffix("_total")


def test_exact_lines() -> None:
    lines = text(busy()).splitlines()
    own = [line for line in lines if not line.startswith(("#", "process_"))]
    version = f'lifecycle_tally_build_info{{version="{choria_lifecycle.__version__}"}} 1'
    assert own == [*LINES.strip().splitlines(), version]


@pytest.mark.parametrize("recorder", [busy(), Recorder(now=0.0)], ids=["busy", "new"])
def test_each_metric_has_help_and_a_type_before_its_samples(recorder: Recorder) -> None:
    kinds, current = {}, ""
    lines = text(recorder).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# HELP"):
            _, _, current, help_text = line.split(" ", 3)
            assert current not in kinds
            assert help_text.endswith(".")
            _, _, name, kinds[current] = lines[number + 1].split(" ")
            assert name == current
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            suffixes = ("_sum", "_count") if kinds[current] == "summary" else ("",)
            assert name in {current + suffix for suffix in suffixes}
    own = {name.removeprefix("lifecycle_tally_"): kind for name, kind in kinds.items() if "tally" in name}
    assert own == KINDS


def test_the_metrics_of_the_go_tally_are_there() -> None:
    assert {name: KINDS[name] for name in TYPES} == TYPES


def test_the_parser_finds_every_metric() -> None:
    found = samples(text(busy()))
    names = {name.removeprefix("lifecycle_tally_") for name, _ in found if name.startswith("lifecycle_tally_")}
    assert names == NAMES
    labels = {"active": "1", "component": "server", "version": "1.0"}
    assert found["lifecycle_tally_versions", frozenset(labels.items())] == 1.0


def test_the_parser_finds_the_types() -> None:
    families = {family.name: family.type for family in text_string_to_metric_families(text(busy()))}
    for name, kind in KINDS.items():
        assert families[f"lifecycle_tally_{name.removesuffix('_total')}"] == kind


@pytest.mark.parametrize("active", [True, False])
def test_the_role_is_on_every_series_that_the_go_tally_has(active: bool) -> None:
    recorder = busy()
    before = samples(text(recorder, dataclasses.replace(STATE, active=not active)))
    after = samples(text(recorder, dataclasses.replace(STATE, active=active)))
    role = str(int(active))
    assert len(before) == len(after)
    for name, labels in after:
        bare = name.removeprefix("lifecycle_tally_").removesuffix("_sum").removesuffix("_count")
        assert dict(labels).get("active") == (role if bare in TYPES or bare == "nodes" else None)


def test_the_metrics_of_a_new_tally() -> None:
    state = TallyState(connected=False, started=1.0, now=2.0)
    found = {
        name: value
        for (name, labels), value in samples(text(Recorder(now=0.0), state, now=1.0)).items()
        if name.startswith("lifecycle_tally") and not labels
    }
    absent = {"last_event_age_seconds", "replay_available_seconds", "stream_readable", "stream_last_event_age_seconds"}
    plain = [metric.name for metric in METRICS if not metric.labels and metric.name not in absent]
    assert found == {f"lifecycle_tally_{name}": int(name == "active") for name in plain}


@pytest.mark.parametrize(("fault", "connected", "readable"), [("", True, 1), ("full", True, 0), ("", False, 0)])
def test_the_stream_is_readable(fault: str, connected: bool, readable: int) -> None:
    stream = StreamState("CHORIA_EVENTS", fault, None, only=False, verified=True)
    state = dataclasses.replace(STATE, stream=stream, connected=connected)
    assert f"lifecycle_tally_stream_readable {readable}\n" in text(busy(), state)


def test_series_end_with_their_last_node() -> None:
    recorder = Recorder(now=0.0)
    recorder.record(event("alive"), 0.0)
    assert 'versions{active="1",component="server",version="1.0"} 1\n' in text(recorder)
    recorder.record(event("shutdown"), 0.0)
    assert 'version="1.0"' not in text(recorder)
    assert "lifecycle_tally_nodes{" not in text(recorder)


def test_the_age_of_the_last_event_is_never_negative() -> None:
    recorder = Recorder(now=0.0)
    recorder.record(event("alive"), 5.0)
    assert "lifecycle_tally_last_event_age_seconds 0.0\n" in text(recorder, now=4.0)


def test_process_metrics_are_those_of_prometheus_client() -> None:
    found = {name for name, _ in samples(text(Recorder(now=0.0)))}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= found


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtra, match=r"the tally's metrics needs .*\[cli\]"):
        text(Recorder(now=0.0))


def test_the_text_is_not_openmetrics() -> None:
    exposed = text(busy())
    assert exposed.endswith("\n")
    assert "# EOF" not in exposed
    assert "_created" not in exposed
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("prefix", ["lifecycle_tally", "choria_tally", "_x", "a:b", "X9"])
def test_names_begin_with_the_prefix(prefix: str) -> None:
    assert check_prefix(prefix) == prefix
    lines = text(busy(), prefix=prefix).splitlines()
    names = {line.split(" ")[2] for line in lines if line.startswith("# TYPE")}
    assert {f"{prefix}_{name}" for name in KINDS} <= names


@pytest.mark.parametrize("prefix", ["", "9a", "a-b", "a b", "é", "a\n", "a{"])
def test_invalid_prefixes_are_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="cannot begin a metric name"):
        render(Recorder(now=0.0), STATE, prefix=prefix, now=0.0)


@settings(max_examples=EXAMPLES)
@given(st.lists(TEXTS, min_size=5, max_size=5), st.sampled_from([4, 128]))
def test_the_parser_reads_any_text_back(texts: list[str], limit: int) -> None:
    recorder = Recorder(limits=Limits(label_bytes=limit), now=0.0)
    component, version, governor, machine, name = texts
    recorder.record(event("alive", component, version, component), 0.0)
    recorder.record(event("governor", component=component, governor=governor), 0.0)
    recorder.record(transition(machine, version, name, transition=governor), 0.0)
    recorder.record(run(machine=machine, name=name, version=version), 0.0)
    recorder.record_error(component)
    found = samples(text(recorder))
    assert len(found) == len([line for line in text(recorder).split("\n") if line and not line.startswith("#")])
    values = {value for _, labels in found for _, value in labels}
    (known,) = recorder.versions()
    assert {known, *recorder.versions()[known]} <= values
    assert set(next(iter(recorder.machines.transitions))) <= values
    assert all(len(value.encode()) <= max(limit, 11) for value in values)


def test_quotes_backslashes_and_newlines_are_escaped() -> None:
    recorder = Recorder(now=0.0)
    recorder.record(event("alive", version='a"b\\c'), 0.0)
    line = r'lifecycle_tally_versions{active="1",component="server",version="a\"b\\c"} 1'
    assert line in text(recorder).splitlines()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_complains_only_about_names() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text(busy()), capture_output=True, text=True, timeout=30
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert [line for line in complaints if 'should have "_total" suffix' not in line] == []
