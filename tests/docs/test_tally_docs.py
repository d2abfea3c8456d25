"""docs/tally.md and the files in docs/tally agree with the program: flags, metrics, queries, paths, permissions."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import nats
import pytest
import yaml

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.parameters import CONNECTION_FLAGS
from choria_lifecycle.cli.program import _EPILOG, program
from choria_lifecycle.cli.tally import command
from choria_lifecycle.config import resolve
from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.config.table import SETTINGS
from choria_lifecycle.demo import embedded
from choria_lifecycle.middleware import merge
from choria_lifecycle.middleware.bucket import RevisionConflict
from choria_lifecycle.nats import replay
from choria_lifecycle.tally.exposition import render
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.metrics import METRICS
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from choria_lifecycle.tally.web.http import serve
from choria_lifecycle.tally.web.listening import bind
from tests.bed.paths import ROOT
from tests.bed.permissions import allowed, covers
from tests.bed.servers import User, users
from tests.bed.tally_states import typical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from choria_lifecycle.tally.metrics import Metric
    from choria_lifecycle.tally.status import Status

FOLDER = ROOT / "docs" / "tally"
PAGE = (ROOT / "docs" / "tally.md").read_text("utf-8")
PARTS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
ALERTS = (FOLDER / "alerts.yml").read_text("utf-8")
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text("utf-8"))
UNIT = (FOLDER / "lifecycle-tally.service").read_text("utf-8")
CONTAINERFILE = (FOLDER / "Containerfile").read_text("utf-8")
COMPOSE = (FOLDER / "compose.yaml").read_text("utf-8")

PREFIX = "lifecycle_tally"
SECONDS = 20


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def rows(part: str) -> list[list[str]]:
    """Return the cells of a section's only table."""
    lines = re.findall(r"^\| (.*) \|$", PARTS[part], re.MULTILINE)
    assert lines
    return [[cell.strip() for cell in re.split(r" ?\| ?", line)] for line in lines if not line.startswith("-")][1:]


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# Metrics.


class Family(NamedTuple):
    kind: str
    labels: frozenset[str]


def process_metrics() -> dict[str, Family]:
    """Return prometheus_client's metrics of the process, which exist only on Linux."""
    text = render(Recorder(now=0.0), TallyState(connected=True, started=0.0, now=0.0), now=0.0).decode()
    return {
        name: Family(kind, frozenset())
        for name, kind in re.findall(r"^# TYPE (process_\w+) (\w+)$", text, re.MULTILINE)
    }


FAMILIES = {f"{PREFIX}_{each.name}": Family(each.kind, frozenset(each.labels)) for each in METRICS} | process_metrics()


def table() -> dict[str, Family]:
    return {
        name: Family(kind, frozenset(spans(labels)))
        for names, kind, labels, _ in rows("Metrics")
        for name in spans(names)
    }


def test_the_table_lists_exactly_the_metrics() -> None:
    listed = table()
    ours = [name for name in listed if name.startswith(PREFIX)]
    assert ours == [f"{PREFIX}_{metric.name}" for metric in METRICS], "rows that are too many, or in another order"
    rest = {name: family for name, family in listed.items() if name not in ours}
    assert all(name.startswith("process_") for name in rest)
    if sys.platform == "linux":
        assert rest == process_metrics()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_row_of_the_table(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    row = f"| `{PREFIX}_{metric.name}` | {metric.kind} | {labels} | {metric.help} |".replace("|  |", "| |")
    # A colon or semicolon may introduce more than the help text.
    wanted = rf"{re.escape(row.removesuffix('. |'))}(?:[:;] .*)?\. \|"
    found = [line for line in PARTS["Metrics"].splitlines() if re.fullmatch(wanted, line)]
    assert found, f"docs/tally.md needs this row in the section Metrics:\n{row}"


# Queries.

TOKEN = re.compile(
    r"""\s+
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<range>\[(?:\d+[smhdw]|\$__rate_interval)\])
      | (?P<number>\d+(?:\.\d+)?(?:[smhdw]\b)?)
      | (?P<name>[a-zA-Z_:][\w:]*)
      | (?P<sign>=~|!~|[=!<>]=|[-+*/%^(){},<>=])""",
    re.VERBOSE,
)
GROUPINGS = {"by", "without", "on", "ignoring"}
WORDS = {"and", "or", "unless", "offset"}
AGGREGATIONS = {"sum", "min", "max", "count"}
FUNCTIONS = {"rate", "increase", "max_over_time", "time", "vector"}
OF_RANGES = {"rate", "increase", "max_over_time"}
# Labels and series that Prometheus adds.
TARGET = {"job", "instance"}
OF_PROMETHEUS = {"up": Family("gauge", frozenset())}


def tokens(query: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(query):
        match = TOKEN.match(query, at)
        assert match, f"cannot parse {query[at : at + 20]!r} in {query!r}"
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


class Query:
    """A PromQL query, parsed far enough to check that its metrics and labels exist."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, Family] = {}
        self.grouped: set[str] = set()
        self.open: list[str] = []
        self.metric = self.function = self.grouping = ""
        found = [*tokens(text), ("", "")]
        for (kind, token), (_, following) in pairwise(found):
            getattr(self, f"_{kind}")(token, following)
        assert not self.open, f"{self.open} is not closed in {text}"
        assert self.families, f"{text} has no metric"
        labels = {label for family in self.families.values() for label in family.labels}
        assert self.grouped <= labels | TARGET, text
        # The labels of the result.
        outer = re.match(rf"(?:{'|'.join(AGGREGATIONS)}) by \(([^)]*)\)", text)
        self.labels = set(re.findall(r"\w+", outer[1])) if outer else labels | TARGET

    def _text(self, token: str, following: str) -> None:
        assert self.open[-1] == "{", f"{token} is not the value of a label"

    def _number(self, token: str, following: str) -> None:
        assert self.open[-1:] != ["{"], token

    def _range(self, token: str, following: str) -> None:
        assert self.function in OF_RANGES, f"{token} in {self.function}"
        self.function = ""

    def _name(self, token: str, following: str) -> None:
        if self.open[-1:] == ["{"]:
            assert following in {"=", "!=", "=~", "!~"}, following
            assert token in self.families[self.metric].labels | TARGET, f"{self.metric} has no label {token}"
        elif self.grouping:
            self.grouped.add(token)
        elif token in GROUPINGS:
            self.grouping = token
        elif token in FUNCTIONS:
            assert following == "(", token
            self.function = token if token in OF_RANGES else ""
        elif token in AGGREGATIONS:
            assert following == "(" or following in GROUPINGS, token
        elif token not in WORDS:
            self.metric = token
            self.families[token] = family = self._family(token)
            if self.function:
                assert (family.kind in {"gauge", ""}) == (self.function == "max_over_time") or not family.kind, token

    def _family(self, name: str) -> Family:
        for family in (name, re.sub("_(?:sum|count)$", "", name)):
            if family in FAMILIES:
                return FAMILIES[family]
        assert name in OF_PROMETHEUS, f"unknown metric {name}"
        return OF_PROMETHEUS[name]

    def _sign(self, token: str, following: str) -> None:
        if token in "({":
            self.open.append(token)
        elif token in ")}":
            assert self.open, token
            assert token == "}" or not self.function, f"{self.function} needs a range"
            assert self.open.pop() + token in {"()", "{}"}, token
            self.grouping = ""


def strictly(text: str) -> Any:
    """Parse YAML, refusing duplicate keys."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"duplicate key: {keys} at {node.start_mark}"
            return super().construct_mapping(node, deep)

    return yaml.load(text, Loader)


RULES = [rule for group in strictly(ALERTS)["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
EXPRESSIONS = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}
PROMQL = blocks("promql")


def of_grafana(text: str) -> str:
    return text.replace("${prefix}", PREFIX)


@pytest.mark.parametrize("number", range(len(PROMQL)))
def test_queries_of_the_page(number: int) -> None:
    Query(PROMQL[number])


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_queries_of_the_dashboard(name: str) -> None:
    query = Query(of_grafana(EXPRESSIONS[name]))
    assert PREFIX not in EXPRESSIONS[name]
    # Only the active tally, where series have the label, and the chosen job.
    uses = re.findall(r"(\w+)\{([^}]*)\}", of_grafana(EXPRESSIONS[name]))
    assert {metric for metric, _ in uses} == query.families.keys()
    for metric, matchers in uses:
        assert ('active="1"' in matchers) == ("active" in query.families[metric].labels)
        assert 'job="$job"' in matchers


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(lifecycle_tally_node)",
        'lifecycle_tally_nodes{version="1"}',
        "sum by (version) (lifecycle_tally_nodes)",
        "rate(lifecycle_tally_nodes[5m])",
        "increase(lifecycle_tally_good_events)",
        "sum(lifecycle_tally_nodes",
        "sum(lifecycle_tally_nodes}",
        "median(lifecycle_tally_nodes)",
        "lifecycle_tally_nodes[5m]",
        "time()",
    ],
)
def test_invalid_queries_are_detected(wrong: str) -> None:
    with pytest.raises(AssertionError):
        Query(wrong)


def test_the_dashboard() -> None:
    numbers = [panel["id"] for panel in PANELS]
    assert len(set(numbers)) == len(numbers)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "prefix", "job", "component"]
    assert variables["prefix"]["query"] == PREFIX
    text = json.dumps(DASHBOARD)
    assert set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__all"} == set(variables)
    for name in ("job", "component"):
        inner, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variables[name]["query"]["query"]).groups()
        assert label in Query(of_grafana(inner)).labels
    taken = set()
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        query = {f"{panel['title']} {target['refId']}": target for target in panel["targets"]}
        for name, target in query.items():
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= Query(of_grafana(EXPRESSIONS[name])).labels
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (max(y for _, y in taken) + 1)


def test_the_alerts() -> None:
    assert [list(group) for group in strictly(ALERTS)["groups"]] == [["name", "rules"]]
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert re.fullmatch(r"\d+m", rule.get("for", "0m"))
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        query = Query(rule["expr"])
        assert rule["annotations"].keys() == {"summary", "description"}
        for text in rule["annotations"].values():
            assert text.endswith(".")
            assert set(re.findall(r"\$labels\.(\w+)", text)) <= query.labels
            assert set(re.findall(r"\{\{ (\S+) \}\}", text)) <= {f"$labels.{name}" for name in query.labels} | {
                "$value"
            }
    jobs = re.findall(r'job="([^"]+)"', ALERTS) + re.findall(r"job_name: (\S+)", PAGE + COMPOSE)
    assert set(jobs) == {"lifecycle-tally"}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_alerts(tmp_path: Path) -> None:
    scraping = next(text for text in blocks("yaml") if "scrape_configs" in text)
    (tmp_path / "prometheus.yml").write_text(scraping)
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    for what in (["rules", "alerts.yml"], ["config", "prometheus.yml"]):
        subprocess.run(["promtool", "check", *what], cwd=tmp_path, check=True, timeout=SECONDS)


ON = '{job="lifecycle-tally", instance="tally:8080"}'
SERVER = '{job="lifecycle-tally", instance="tally:8080", active="1", component="server"}'
# Series by the minute, and the alerts that fire at certain minutes, whatever time the machine of the tally has.
ALERTING: list[tuple[dict[str, str], list[tuple[int, str, bool]]]] = [
    (
        {f"lifecycle_tally_connected{ON}": "1x60"},
        [(9, "LifecycleTallyNoEvents", False), (11, "LifecycleTallyNoEvents", True)],
    ),
    (  # restarted after 20 minutes
        {f"lifecycle_tally_connected{ON}": "1x60", f"lifecycle_tally_last_event_age_seconds{ON}": "5x19 _x40"},
        [
            (20, "LifecycleTallyNoEvents", False),
            (29, "LifecycleTallyNoEvents", False),
            (31, "LifecycleTallyNoEvents", True),
        ],
    ),
    (
        {f"lifecycle_tally_connected{ON}": "1x60", f"lifecycle_tally_last_event_age_seconds{ON}": "0+60x60"},
        [(10, "LifecycleTallyNoEvents", False), (11, "LifecycleTallyNoEvents", True)],
    ),
    (  # a stream that is full, then the connection is lost, then all is well
        {
            f"lifecycle_tally_connected{ON}": "1x20 0x19 1x30",
            f"lifecycle_tally_stream_readable{ON}": "1x9 0x30 1x30",
        },
        [
            (14, "LifecycleTallyStreamFault", False),
            (16, "LifecycleTallyStreamFault", True),
            (22, "LifecycleTallyStreamFault", False),
            (25, "LifecycleTallyNotConnected", False),
            (27, "LifecycleTallyNotConnected", True),
            (42, "LifecycleTallyNotConnected", False),
            (60, "LifecycleTallyStreamFault", False),
        ],
    ),
    (  # without a stream
        {f"lifecycle_tally_connected{ON}": "1x60"},
        [(30, "LifecycleTallyStreamFault", False)],
    ),
    (  # events that the stream does not store for a while
        {f"lifecycle_tally_unstored_events_total{ON}": "0x9 0+5x3 15x40"},
        [
            (9, "LifecycleTallyUnstoredEvents", False),
            (11, "LifecycleTallyUnstoredEvents", True),
            (27, "LifecycleTallyUnstoredEvents", True),
            (29, "LifecycleTallyUnstoredEvents", False),
        ],
    ),
    (  # a gap every 20 minutes, until the last at 60
        {f"lifecycle_tally_complete{ON}": "1x9 0x80 1x30"},
        [
            (54, "LifecycleTallyIncomplete", False),
            (56, "LifecycleTallyIncomplete", True),
            (91, "LifecycleTallyIncomplete", False),
        ],
    ),
    (  # a new tally, whose first sweeps expire nodes
        {
            f"lifecycle_tally_connected{ON}": "_x29 1x60",
            f"lifecycle_tally_maintenance_time_count{SERVER}": "_x30 1+1x60",
            f"lifecycle_tally_nodes{SERVER}": "_x29 100x60",
            f"lifecycle_tally_nodes_expired{SERVER}": "_x32 50x60",
        },
        [
            (31, "LifecycleNodesExpired", False),
            (34, "LifecycleNodesExpired", True),
            (60, "LifecycleNodesExpired", False),
        ],
    ),
    (  # an old tally that was not scraped before
        {
            f"lifecycle_tally_connected{ON}": "_x29 1x60",
            f"lifecycle_tally_maintenance_time_count{SERVER}": "_x29 500+1x60",
            f"lifecycle_tally_nodes{SERVER}": "_x29 100x60",
            f"lifecycle_tally_nodes_expired{SERVER}": "_x29 50x60",
        },
        [(34, "LifecycleNodesExpired", False), (60, "LifecycleNodesExpired", False)],
    ),
]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(("series", "expected"), ALERTING)
def test_alerts_fire_when_they_should(
    tmp_path: Path, series: dict[str, str], expected: list[tuple[int, str, bool]]
) -> None:
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    for minute, name, fires in expected:
        test = {
            "rule_files": ["alerts.yml"],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": each, "values": values} for each, values in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
                            "eval_time": f"{minute}m",
                            "exp_samples": [{"labels": "{}", "value": int(fires)}],
                        }
                    ],
                }
            ],
        }
        (tmp_path / "test.yml").write_text(json.dumps(test))
        done = subprocess.run(
            ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, f"{name} at {minute} min: {done.stdout}{done.stderr}"


# Flags and commands.

OPTIONS = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
# Flags of other programs.
OTHERS = {
    "--publish",
    "--event-viewer",
    "--stream-user",
    "--elections-user",
    "--now",
    "--debug",
    "--tls",
    "--read-only",
}


def test_the_page_lists_exactly_the_flags() -> None:
    listed = PARTS["Options"]
    assert set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", listed)) == OPTIONS - set(CONNECTION_FLAGS.values()) | {"--help"}
    others = set(re.findall(r"(?<![\w\[-])--[a-z][\w.-]*", PAGE)) - OPTIONS
    assert others - {"--help"} <= OTHERS


def test_defaults_are_those_of_the_command() -> None:
    known = {name: parameter for parameter in command.params for name in parameter.opts}
    compared = 0
    for names, default, _ in rows("Options"):
        name, *_ = spans(names)
        shown = spans(default)
        if shown and name in known:
            _, _, said = str(known[name].help).partition("[default: ")
            assert shown[0] in (str(known[name].default), said.partition("]")[0].partition(",")[0]), name
            compared += 1
    assert compared >= 7


def test_limits_are_those_of_the_table() -> None:
    listed = [(spans(name)[0], int(default)) for name, default, _ in rows("Limits")]
    assert listed == [(field.name, field.default) for field in fields(Limits)]
    assert {spans(name)[0] for name, *_ in rows("Limits")} == set(
        re.findall(
            r'limit="(\w+)"', render(Recorder(now=0), TallyState(connected=True, started=0, now=0), now=0).decode()
        )
    )


def test_exit_codes_are_those_of_the_command() -> None:
    known = set(re.findall(r"^ +(\d+)  ", _EPILOG, re.MULTILINE))
    assert [code for code, _ in re.findall(r"^\| (\d+) \| (.+) \|$", PARTS["Running it"], re.MULTILINE)] == sorted(
        known - {"1"}, key=int
    )


def parsed(line: str) -> None:
    """Parse a command line with the program's own parser."""
    words = shlex.split(line, comments=True)[1:]
    context = program.make_context("lifecycle", words)
    group: click.Command = program
    words = [*context._protected_args, *context.args]
    while isinstance(group, click.Group):
        name, found, words = group.resolve_command(context, words)
        assert found is not None
        group, context = found, found.make_context(name, words, parent=context)
        words = [*context._protected_args, *context.args]


def commands() -> Iterator[str]:
    for block in blocks("console"):
        yield from re.findall(r"^\$ (lifecycle .*)$", block, re.MULTILINE)
    yield from re.findall(r"^ExecStart=\S*/(lifecycle .*)$", UNIT, re.MULTILINE)
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE)
    words = [Path(json.loads(entry)[0]).name, *json.loads(entry)[1:]]
    yield shlex.join([*words, *strictly(COMPOSE)["services"]["tally"]["command"]])
    [given] = re.findall(r"^\$ docker run .* lifecycle-tally (.*)$", "\n".join(blocks("console")), re.MULTILINE)
    yield f"{shlex.join(words)} {given}"


COMMANDS = list(commands())


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_valid(line: str) -> None:
    parsed(line)


def test_invalid_commands_are_detected() -> None:
    for wrong in ("lifecycle tally --prot 8080", "lifecycle tall", "lifecycle tally --port many"):
        with pytest.raises(click.UsageError):
            parsed(wrong)


def test_other_commands_and_links_are_valid() -> None:
    lines = re.findall(r"^\$ (.*)$", "\n".join(blocks("console")), re.MULTILINE)
    rest = [line for line in lines if not line.startswith("lifecycle ")]
    assert {Path(line.split()[0]).name for line in rest} == {"python3", "pip", "cp", "systemctl", "docker"}
    for path in [*re.findall(r"(?<!/)\bdocs/\S+", "\n".join(rest)), *re.findall(r"\]\(([^)]+)\)", PAGE)]:
        assert (ROOT / path).exists() or (ROOT / "docs" / path).exists(), path
    text = PAGE + ALERTS
    for line in re.findall(r"`(lifecycle (?:view|validate|config|tally)[^`\u2026]*)`", text):
        parsed(line.replace("--server", "--server x"))


# Paths.


class Stub:
    """A source with sample data."""

    def metrics(self) -> bytes:
        return b"# nothing\n"

    def status(self) -> Status:
        return typical()

    def not_ready_reason(self) -> str:
        return ""


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


async def served(ask: Callable[[int], Any]) -> Any:
    [listening] = bind(["127.0.0.1:0"])
    with listening:
        async with serve(Stub(), [listening]):
            return await asyncio.to_thread(ask, listening.getsockname()[1])


async def test_paths_exist() -> None:
    named = [spans(path)[0] for path, _ in rows("HTTP endpoints")]
    [caddy], [nginx] = blocks("caddyfile"), blocks("nginx")
    [free] = re.findall(r"@people not path (.*)", caddy)
    proxied = re.findall(r"proxy_pass http://127\.0\.0\.1:8080(\S+);", nginx)
    moved = [path.removeprefix("/tally") for path in re.findall(r"metrics_path: ([^`\s]+)", PAGE)]
    places = [path.removeprefix("/tally") for path in re.findall(r"location (?:= )?(\S+) \{", nginx)]
    assert proxied == places
    assert moved == ["/metrics"]
    for path in {*named, *free.split(), *proxied, *moved}:
        status, _ = await served(lambda port, path=path: get(port, path))
        assert status == 200, path


async def test_the_page_works_below_a_path() -> None:
    _, text = await served(lambda port: get(port, "/"))
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert links
    assert not [link for link in links if link.startswith("/") or "://" in link]


def test_the_health_check_of_the_container() -> None:
    [check] = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    python, *arguments = json.loads(check)
    assert python == "python3"

    def ask(port: int) -> int:
        there = [each.replace(":8080", f":{port}") for each in arguments]
        assert there != arguments
        return subprocess.run([sys.executable, *there], capture_output=True, timeout=SECONDS).returncode

    assert asyncio.run(served(ask)) == 0
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert ask(port) != 0


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed")
def test_caddy_accepts_the_example(tmp_path: Path) -> None:
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    # A build without a version has no number.
    old = () < tuple(map(int, re.findall(r"\d+", said)[:2])) < (2, 8)
    (tmp_path / "Caddyfile").write_text(
        blocks("caddyfile")[0].replace("basic_auth", "basicauth" if old else "basic_auth")
    )
    environment = {
        "HOME": str(tmp_path),
        "TALLY_PASSWORD_HASH": "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG",
    }
    adapt = [str(shutil.which("caddy")), "adapt", "--config", "Caddyfile", "--adapter", "caddyfile"]
    subprocess.run(adapt, cwd=tmp_path, env=environment, check=True, timeout=SECONDS)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    from tests.bed.certificates import Authority

    issued = Authority.create("CA").issue("www.example.net")
    (tmp_path / "www.pem").write_bytes(issued.cert_pem)
    (tmp_path / "www.key").write_bytes(issued.key_pem)
    server = blocks("nginx")[0].replace("/etc/nginx/tls", str(tmp_path)).replace("listen 443", "listen 127.0.0.1:0")
    config = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {server} }}"
    (tmp_path / "nginx.conf").write_text(config)
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr


# Permissions.

PERMISSIONS = [(purpose, way, spans(subject)[0], right) for purpose, way, subject, right in rows("Permissions")]


def test_permissions_of_tokens_are_those_of_the_broker() -> None:
    for purpose, way, subject, right in PERMISSIONS:
        names = dict.fromkeys(spans(right), True)
        published, subscribed = allowed({"callerid": "up=tally", "permissions": names})
        granted = published if way == "publishes" else subscribed
        if purpose != "answers":
            assert names, subject
            assert any(covers(each, subject.replace("CAMPAIGN", "TALLY")) for each in granted), subject
    everything = dict.fromkeys({name for *_, right in PERMISSIONS for name in spans(right)}, True)
    assert everything == {"events_viewer": True, "streams_user": True, "election_user": True}


def granted(*purposes: str) -> User:
    """Return a user with exactly the table's permissions for these purposes."""
    chosen = [(way, subject) for purpose, way, subject, _ in PERMISSIONS if purpose in purposes]
    return User(
        name="tally",
        password="s3cret",
        publish=[subject.replace("CAMPAIGN", "TALLY") for way, subject in chosen if way == "publishes"],
        subscribe=[subject for way, subject in chosen if way == "subscribes"],
    )


@pytest.fixture
def streams() -> Iterator[Callable[..., Any]]:
    """Return a function that starts a server on which one user has the table's permissions."""
    with pytest.MonkeyPatch.context() as patch:
        for spec in SETTINGS.values():
            patch.delenv(spec.variable, raising=False)
        yield lambda *purposes: embedded.nats_server(users(User(name="admin", password="a"), granted(*purposes)))


async def fill(url: str) -> None:
    client = await nats.connect(url, user="admin", password="a")
    jetstream = client.jetstream()
    await jetstream.add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.>"])
    await jetstream.create_key_value(bucket="CHORIA_LEADER_ELECTION", ttl=60, history=1)
    await client.close()
    async with lifecycle.connect(url, user="admin", password="a", environ={}) as middleware:
        await middleware.publish(lifecycle.startup(identity="n1", component="server", version="1"))


async def consumers(url: str) -> list[Any]:
    client = await nats.connect(url, user="admin", password="a")
    try:
        return await client.jetstream().consumers_info("CHORIA_EVENTS")
    finally:
        await client.close()


async def test_the_permissions_are_enough_to_replay(streams: Callable[..., Any]) -> None:
    with streams("counting", "machines", "replay", "answers") as server:
        await fill(server.url)
        async with lifecycle.connect(server.url, user="tally", password="s3cret", environ={}) as middleware:
            for subject in (subject for purpose, _, subject, _ in PERMISSIONS if purpose in {"counting", "machines"}):
                async with middleware.deliveries(subject=subject):
                    pass
            async with middleware.deliveries(since=time.time() - 60, stream="CHORIA_EVENTS") as received:
                assert (await asyncio.wait_for(anext(received), SECONDS)).event.identity == "n1"
        async with asyncio.timeout(SECONDS):
            while await consumers(server.url):
                pass


SOONER = "replay, to notice at once what the stream does not store"


@pytest.mark.parametrize("sooner", [True, False])
async def test_what_the_stream_does_not_store_is_noticed(
    sooner: bool, streams: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(merge, "MARGIN", 5.0)  # on a busy machine the copies of a message arrive seconds apart
    with streams("counting", "replay", "answers", *[SOONER] * sooner) as server:
        await fill(server.url)
        client = await nats.connect(server.url, user="admin", password="a")
        jetstream = client.jetstream()
        event = lifecycle.startup(identity="n2", component="server", version="1")
        async with (
            lifecycle.connect(server.url, user="tally", password="s3cret", environ={}) as middleware,
            middleware.events(since=time.time() - 60) as events,
        ):
            assert (await asyncio.wait_for(anext(events), SECONDS)).identity == "n1"
            # The stream is full.
            config = {"name": "CHORIA_EVENTS", "subjects": ["choria.lifecycle.>"]}
            await jetstream.update_stream(**config, max_msgs=1, discard="new")
            await client.publish(lifecycle.subject(event), lifecycle.encode(event))
            assert await asyncio.wait_for(anext(events), SECONDS) == event
            if not sooner:
                await jetstream.update_stream(**config)  # other events are stored again
            async with asyncio.timeout(SECONDS):
                while not events.counters.unstored:
                    if not sooner:
                        other = lifecycle.startup(identity="n3", component="server", version="1")
                        await client.publish(lifecycle.subject(other), lifecycle.encode(other))
                    await asyncio.sleep(0.01)
            assert (events.counters.unstored, events.counters.gaps) == (1, 0)
        await client.close()


async def test_without_counting_the_stream_is_read_alone(
    streams: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with streams("replay", "answers") as server:
        await fill(server.url)
        async with (
            lifecycle.connect(server.url, user="tally", password="s3cret", environ={}) as middleware,
            middleware.events(since=time.time() - 60) as events,
        ):
            assert (await asyncio.wait_for(anext(events), SECONDS)).identity == "n1"
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    refused = "the server does not allow this user to subscribe to choria.lifecycle.event.>"
    assert warning == f"{refused}: events arrive from the stream alone"


async def test_the_permissions_are_enough_for_an_election(streams: Callable[..., Any]) -> None:
    with streams("election", "election, to take over at once", "answers") as server:
        await fill(server.url)
        async with lifecycle.connect(server.url, user="tally", password="s3cret", environ={}) as middleware:
            bucket = middleware.bucket("CHORIA_LEADER_ELECTION")
            assert await bucket.ttl(5) == 60
            held = await bucket.write("TALLY", "tally-1", 0, "a", 5)
            held = await bucket.write("TALLY", "tally-1", held.revision, "b", 5)
            await bucket.release("TALLY", held.revision, 5)
            assert (await bucket.write("TALLY", "tally-2", 0, "c", 5)).previous_released


async def test_without_reading_the_bucket_a_release_goes_unnoticed(streams: Callable[..., Any]) -> None:
    with streams("election", "answers") as server:
        await fill(server.url)
        async with lifecycle.connect(server.url, user="tally", password="s3cret", environ={}) as middleware:
            bucket = middleware.bucket("CHORIA_LEADER_ELECTION")
            held = await bucket.write("TALLY", "tally-1", 0, "a", 5)
            await bucket.release("TALLY", held.revision, 5)
            with pytest.raises(RevisionConflict):
                await bucket.write("TALLY", "tally-2", 0, "c", 5)


# Other domains and accounts.


async def test_an_account_that_imports_jetstream() -> None:
    config = next(text for text in blocks("text") if "imports:" in text)
    prefix = re.findall(r"--js-prefix (\S+)", PARTS["Leaf nodes and other accounts"])[0]
    with embedded.nats_server(config) as server:
        client = await nats.connect(server.url, user="broker", password="s3cret")
        jetstream = client.jetstream()
        await jetstream.add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.>"])
        await jetstream.create_key_value(bucket="CHORIA_LEADER_ELECTION", ttl=60, history=1)
        event = lifecycle.startup(identity="n1", component="server", version="1")
        await jetstream.publish(lifecycle.subject(event), lifecycle.encode(event))
        options = {"user": "tally", "password": "s3cret", "js_prefix": prefix}
        async with lifecycle.connect(server.url, environ={}, **options) as middleware:
            async with middleware.events(since=0) as stored, middleware.events() as live:
                assert await asyncio.wait_for(anext(stored), SECONDS) == event
                await client.publish(lifecycle.subject(event), lifecycle.encode(event))
                assert await asyncio.wait_for(anext(live), SECONDS) == event
            assert await middleware.bucket("CHORIA_LEADER_ELECTION").write("TALLY", "tally", 0, "a", 5)
        await client.close()


# Unit, container and compose file.


def unit_values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # The program itself need not be installed.
    unit = tmp_path / "lifecycle-tally.service"
    unit.write_text(UNIT.replace("/opt/choria-lifecycle/bin/lifecycle", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=SECONDS
    )
    said = [line for line in done.stderr.splitlines() if "lifecycle-tally" in line]
    assert (done.returncode, said) == (0, []), done.stderr
    # Exposure out of 100; an empty unit has 96.
    judge = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(unit)]
    done = subprocess.run(judge, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def connecting(tmp_path: Path, environment: dict[str, str], patch: pytest.MonkeyPatch) -> Any:
    """Return the settings in force on a Puppet node whose brokers are named in plugin.d."""
    (tmp_path / "etc/choria/plugin.d").mkdir(parents=True)
    (tmp_path / "etc/choria/client.conf").write_text("securityprovider = choria\n")
    (tmp_path / "etc/choria/plugin.d/choria.cfg").write_text("middleware_hosts = broker.example.net:4222\n")
    patch.setattr(
        resolve,
        "Machine",
        lambda: Machine(privileged=lambda: False, facter=lambda _: "", hostname=lambda: "n1.example.net"),
    )
    configuration = resolve.choria_configuration(environ=environment, root=tmp_path, directory=tmp_path)
    assert configuration is not None
    return resolve.resolve(configuration=configuration, environ=environment)


def test_the_unit_connects_with_its_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict(pair.split("=", 1) for line in unit_values("Environment") for pair in line.split())
    credentials = {each.partition(":")[0] for each in unit_values("LoadCredential")}
    assert {value.removeprefix("%d/") for value in given.values() if value.startswith("%d/")} == credentials
    # As systemd sets it for a dynamic user.
    user = {"USER": "lifecycle-tally", "LOGNAME": "lifecycle-tally", "HOME": "/"}
    settings = connecting(tmp_path, {**user, **given}, monkeypatch)
    assert settings.servers == ("nats://broker.example.net:4222",)
    assert (settings.tls, settings.name) == (True, given["MCOLLECTIVE_CERTNAME"])
    assert {str(settings.ca), str(settings.cert), str(settings.key)} == {f"%d/{name}" for name in credentials}


def test_the_container_reads_plugin_d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [given] = re.findall(r"^ENV (.*)$", CONTAINERFILE, re.MULTILINE)
    environment = dict(pair.split("=", 1) for pair in given.split()) | {"MCOLLECTIVE_CERTNAME": "tally.mcollective"}
    assert connecting(tmp_path, environment, monkeypatch).servers == ("nats://broker.example.net:4222",)


def test_the_container_copies_the_sources_of_the_wheel(tmp_path: Path) -> None:
    for line in re.findall(r"^COPY (?!--)(.*)$", CONTAINERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            found, place = ROOT / source, tmp_path / (source if target == "./" else target)
            (shutil.copytree if found.is_dir() else shutil.copy)(found, place)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "dist").glob("*.whl")
    packed = {Path(name).name for name in zipfile.ZipFile(wheel).namelist()}
    assert {"LICENSE", "NOTICE", "exposition.py", "page.css", "known.txt"} <= packed
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", CONTAINERFILE, re.MULTILINE)


def test_the_compose_file() -> None:
    compose = strictly(COMPOSE)
    tally, prometheus = compose["services"]["tally"], compose["services"]["prometheus"]
    assert (FOLDER / tally["build"]["context"]).resolve() == ROOT
    assert (ROOT / tally["build"]["dockerfile"]).exists()
    for service in (tally, prometheus):
        assert all(each.startswith("127.0.0.1:") for each in service["ports"])
    assert (FOLDER / prometheus["volumes"][0].partition(":")[0]).exists()
    scraping = strictly(compose["configs"]["prometheus"]["content"])
    assert scraping["scrape_configs"][0]["static_configs"] == [{"targets": ["tally:8080"]}]
    assert scraping["rule_files"] == [prometheus["volumes"][0].split(":")[1]]
    shown = strictly(next(text for text in blocks("yaml") if "scrape_configs" in text))
    assert shown["scrape_configs"][0]["job_name"] == scraping["scrape_configs"][0]["job_name"]
