"""`lifecycle validate` on files and standard input, in this process."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.codes import CODES
from choria_lifecycle.wire.finding import Severity
from tests.bed.validated import BAD, FOREIGN, GOOD, UNKNOWN, WRAPPED, codes_of, not_checked, table, totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from click.testing import Result

    from choria_lifecycle.middleware.transport import Interest, Sink

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")


# ---- output


def test_text(run: Run, mixed: str) -> None:
    result = run("validate", mixed)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["mixed.ndjson:2", "$.identity"],
        ["mixed.ndjson:3", "$.id"],
        ["mixed.ndjson:4", "$.protocol"],
        ["mixed.ndjson:6", "$"],
    ]
    assert codes_of(result) == ["schema-type", "id-uuid", "protocol-foreign", "input-json"]
    assert [": warning: " in line for line in lines] == [False, True, False, False]
    assert [": information: " in line for line in lines] == [False, False, True, False]


def test_summary(run: Run, mixed: str) -> None:
    result = run("validate", mixed)
    *tables, last = result.stderr.splitlines()
    assert [re.split(r"  +", line) for line in tables] == [
        ["FORMAT", "TYPE", "VALID", "REJECTED", "NOT CHECKED"],
        ["choria", "startup", "2", "1", "0"],
        ["-", "unreadable", "0", "1", "0"],
        ["cloudevents", "startup", "1", "0", "0"],
        ["choria", "foreign protocol", "0", "0", "1"],
        [""],
        ["CODE", "SEVERITY", "FINDINGS"],
        ["input-json", "error", "1"],
        ["schema-type", "error", "1"],
        ["id-uuid", "warning", "1"],
        ["protocol-foreign", "information", "1"],
        [""],
    ]
    assert re.fullmatch(r"checked 5 = 3 valid \+ 2 rejected, and 1 not checked, in \d+\.\d s", last)


def test_json(run: Run, mixed: str) -> None:
    result = run("validate", "--output", "json", mixed)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["file"], each["line"], each["severity"], each["code"]) for each in found] == [
        (mixed, 2, "error", "schema-type"),
        (mixed, 3, "warning", "id-uuid"),
        (mixed, 4, "information", "protocol-foreign"),
        (mixed, 6, "error", "input-json"),
    ]
    assert set(found[0]) == {"file", "line", "severity", "code", "path", "rule", "value", "message"}
    assert (found[0]["path"], found[0]["value"]) == ("$.identity", 5)


def test_github(run: Run, mixed: str) -> None:
    result = run("validate", "--output", "github", mixed)
    assert [line.partition("::$")[0] for line in result.stdout.splitlines()] == [
        "::error file=mixed.ndjson,line=2,title=schema-type",
        "::warning file=mixed.ndjson,line=3,title=id-uuid",
        "::notice file=mixed.ndjson,line=4,title=protocol-foreign",
        "::error file=mixed.ndjson,line=6,title=input-json",
    ]


@pytest.mark.parametrize(("color", "colored"), [("always", True), ("never", False), ("auto", False)])
def test_color(color: str, colored: bool, run: Run, mixed: str) -> None:
    result = run("validate", "--color", color, mixed)
    assert ("\x1b[31m[schema-type]\x1b[0m" in result.stdout) == colored
    assert ("\x1b[33m[id-uuid]\x1b[0m" in result.stdout) == colored
    assert ("\x1b" in result.stdout) == colored
    assert re.sub(r"\x1b\[\d*m", "", result.stdout) == run("validate", "--color", "never", mixed).stdout
    for output in ("json", "github"):
        assert "\x1b" not in run("validate", "--color", color, "--output", output, mixed).stdout


def test_no_findings(run: Run) -> None:
    result = run("validate", stdin=GOOD + b"\n" + WRAPPED + b"\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert totals(result) == (2, 2, 0)


@pytest.mark.parametrize("data", [b"", b"\n \r\n\t", b"[]", gzip.compress(b"", mtime=0)])
def test_empty_input_is_no_success(data: bytes, run: Run) -> None:
    result = run("validate", stdin=data)
    assert (result.exit_code, result.stdout) == (1, "")
    warning, summary = result.stderr.splitlines()
    assert warning == "lifecycle: warning: standard input has no documents; --allow-empty accepts that"
    assert re.fullmatch(r"checked 0 = 0 valid \+ 0 rejected, in 0\.\d s", summary)
    result = run("validate", "--allow-empty", stdin=data)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "warning" not in result.stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_empty_file_is_named(jobs: int, run: Run, mixed: str) -> None:
    Path("empty.ndjson").write_bytes(b"")
    Path("good.ndjson").write_bytes(GOOD)
    result = run("validate", "--jobs", jobs, "good.ndjson", "empty.ndjson", "good.ndjson")
    assert (result.exit_code, totals(result)) == (1, (2, 2, 0))
    assert "lifecycle: warning: empty.ndjson has no documents" in result.stderr
    assert run("validate", "--allow-empty", "good.ndjson", "empty.ndjson").exit_code == 0
    assert run("validate", "empty.ndjson", "missing.ndjson").exit_code == 2
    assert run("validate", "empty.ndjson", mixed).exit_code == 1


# ---- documents without a contract


@pytest.mark.parametrize(
    ("protocol", "near"),
    [
        ("io.choria.lifecycle.v1.startpu", "startup"),
        ("io.choria.lifecycle.v1.Startup", "startup"),
        ("io.choria.lifecycle.v2.startup", "startup"),
        ("io.choria.lifecyle.v1.startup", "startup"),
    ],
)
def test_a_misspelt_protocol_is_rejected(protocol: str, near: str, run: Run) -> None:
    for document in (
        {"protocol": protocol},
        {"specversion": "1.0", "id": "1", "source": "/x", "type": protocol, "data": {"protocol": protocol}},
    ):
        result = run("validate", "--valid", "valid", stdin=json.dumps(document).encode())
        assert (result.exit_code, codes_of(result)) == (1, ["protocol-unknown"])
        assert f"did you mean io.choria.lifecycle.v1.{near}?" in result.stdout
        assert totals(result) == (1, 0, 1)
        assert Path("valid").read_bytes() == b""


def test_a_foreign_document_is_not_checked(run: Run) -> None:
    data = GOOD + b"\n" + FOREIGN + b"\n"
    result = run("validate", "--valid", "valid", "--rejects", "rejects", stdin=data)
    assert (result.exit_code, codes_of(result)) == (0, ["protocol-foreign"])
    assert (totals(result), not_checked(result)) == ((1, 1, 0), 1)
    assert (Path("valid").read_bytes(), Path("rejects").read_bytes()) == (GOOD + b"\n", b"")
    for more in ([], ["--no-warnings"]):
        result = run("validate", "--require-contract", *more, "--rejects", "rejects", stdin=data)
        assert (result.exit_code, codes_of(result)) == (1, ["protocol-foreign"])
        assert (totals(result), not_checked(result)) == ((2, 1, 1), 0)
        assert Path("rejects").read_bytes() == FOREIGN + b"\n"


@pytest.mark.parametrize(
    ("arguments", "document"),
    [([], FOREIGN), (["--ignore", "protocol"], UNKNOWN), (["--ignore", "input"], b"nonsense")],
    ids=["foreign", "unknown", "unreadable"],
)
def test_nothing_without_a_contract_counts_as_valid(arguments: list[str], document: bytes, run: Run) -> None:
    result = run("validate", *arguments, "--valid", "valid", stdin=document)
    assert (result.exit_code, totals(result), not_checked(result)) == (0, (0, 0, 0), 1)
    assert "lifecycle: warning: nothing was checked" in result.stderr
    assert Path("valid").read_bytes() == b""
    assert "nothing was checked" not in run("validate", *arguments, stdin=document + b"\n" + GOOD).stderr


@pytest.mark.parametrize("options", [["--select", "schema"], ["--ignore", "protocol-foreign"]])
def test_a_required_contract_cannot_be_ignored(options: list[str], run: Run) -> None:
    result = run("validate", "--require-contract", *options, stdin=FOREIGN)
    assert result.exit_code == 2
    assert "--require-contract has no effect without protocol-foreign" in result.stderr


def test_an_empty_name_is_not_the_current_directory(run: Run) -> None:
    Path("good.json").write_bytes(GOOD)
    for arguments in ([""], ["good.json", ""]):
        result = run("validate", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the name of a FILE is empty; is it from a variable that is not set?" in result.stderr


# ---- selected findings


@pytest.mark.parametrize(
    ("arguments", "codes", "rejected", "unchecked"),
    [
        ([], ["schema-type", "id-uuid", "protocol-foreign", "input-json"], 2, 1),
        (["--no-warnings"], ["schema-type", "input-json"], 2, 1),
        (["--warnings-as-errors"], ["schema-type", "id-uuid", "protocol-foreign", "input-json"], 3, 1),
        (["--select", "schema"], ["schema-type"], 1, 2),
        (["--select", "schema-type,id-uuid"], ["schema-type", "id-uuid"], 1, 2),
        (["--select", "schema-type", "--select", "id-uuid"], ["schema-type", "id-uuid"], 1, 2),
        (["--select", "id-uuid"], ["id-uuid"], 0, 2),
        (["--select", "id-uuid", "--warnings-as-errors"], ["id-uuid"], 1, 2),
        (["--ignore", "input, schema-type"], ["id-uuid", "protocol-foreign"], 0, 2),
        (["--ignore", "input", "--ignore", "schema"], ["id-uuid", "protocol-foreign"], 0, 2),
        (["--select", "input,schema", "--ignore", "schema-type"], ["input-json"], 1, 1),
        (["--ignore", "protocol-foreign"], ["schema-type", "id-uuid", "input-json"], 2, 1),
    ],
)
def test_selected_findings(
    arguments: list[str], codes: list[str], rejected: int, unchecked: int, run: Run, mixed: str
) -> None:
    result = run("validate", *arguments, "--rejects", "rejects", "--valid", "valid", mixed)
    assert codes_of(result) == codes
    valid = 6 - unchecked - rejected
    assert (totals(result), not_checked(result)) == ((6 - unchecked, valid, rejected), unchecked)
    assert result.exit_code == (1 if rejected else 0)
    assert Path("rejects").read_bytes().count(b"\n") == rejected
    assert Path("valid").read_bytes().count(b"\n") == valid


def test_a_warning_treated_as_an_error_is_shown_as_an_error(run: Run, mixed: str) -> None:
    result = run("validate", "--warnings-as-errors", "--select", "id-uuid", "--color", "always", mixed)
    assert "\x1b[31m[id-uuid]" in result.stdout
    assert "warning" not in result.stdout
    assert table(result)["id-uuid"] == ["error", "1"]


@pytest.mark.parametrize(
    ("code", "hint"),
    [("schema-requird", "did you mean schema-required?"), ("zzz", "codes begin with component, duplicate")],
)
@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_code_is_rejected(option: str, code: str, hint: str, run: Run, mixed: str) -> None:
    result = run("validate", option, code, mixed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert hint in result.stderr
    assert option in result.stderr


def test_every_code_can_be_selected(run: Run) -> None:
    for code in CODES:
        result = run("validate", "--select", code, stdin=GOOD)
        assert result.exit_code == 0, result.stderr


# ---- usage errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-warnings", "--warnings-as-errors"],
        ["--output", "xml"],
        ["--jobs", "0"],
        ["--max-errors", "0"],
        ["--select", ""],
        ["--count", "1"],
        ["--for", "1s"],
        ["--creds", "x"],
        ["--user", "x"],
        ["--password-file", "x"],
        ["--tlsca", "x"],
        ["--tlscert", "x"],
        ["--tlskey", "x"],
        ["--no-tls"],
        ["--timeout", "1s"],
        ["--server", "127.0.0.1:1", "FILE"],
        ["--subject", "x", "FILE"],
        ["--subject", "x", "-"],
        ["--server", "127.0.0.1:1", "--jobs", "2"],
        ["--server", "127.0.0.1:1", "--count", "0"],
        ["--server", "127.0.0.1:1", "--for", "5"],
        ["--server", "127.0.0.1:1", "--subject", "not a subject"],
        ["--server", "127.0.0.1:1", "--subject", "a.\x1b[31mb\n"],
        ["--rejects", "."],
        ["--rejects", "missing/rejects"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str], run: Run, mixed: str) -> None:
    result = run("validate", *[mixed if each == "FILE" else each for each in arguments])
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert "\x1b" not in result.stderr
    assert "Traceback" not in result.stderr


@contextmanager
def named(kind: str, file: Path) -> Iterator[str]:
    """Return another name for a file, which may not exist."""
    other = file.with_name("other")
    match kind:
        case "same":
            yield file.name
        case "dot":
            yield f"./{file.name}"
        case "absolute":
            yield str(file.absolute())
        case "around":
            file.with_name("folder").mkdir()
            yield f"folder/../{file.name}"
        case "symbolic":
            other.symlink_to(file.name)
            yield other.name
        case _:
            os.link(file, other)
            yield other.name


KINDS = ["same", "dot", "absolute", "around", "symbolic"]


@pytest.mark.parametrize("kind", [*KINDS, "hard"])
@pytest.mark.parametrize("option", ["--rejects", "--valid"])
def test_an_input_file_is_not_overwritten(option: str, kind: str, run: Run, mixed: str) -> None:
    before = Path(mixed).read_bytes()
    Path("first.ndjson").write_bytes(GOOD)
    with named(kind, Path(mixed)) as other:
        for pair in ((other, mixed), (mixed, other)):
            result = run("validate", option, pair[0], "first.ndjson", pair[1])
            assert (result.exit_code, result.stdout) == (2, "")
            assert Path(mixed).read_bytes() == before


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_both_outputs_need_different_files(kind: str, exists: bool, run: Run, mixed: str) -> None:
    out = Path("out")
    if exists:
        out.write_text("precious")
    with named(kind, out) as other:
        result = run("validate", "--rejects", "out", "--valid", other, mixed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (out.read_text() if exists else out.exists()) == ("precious" if exists else False)


def test_both_outputs_may_be_the_null_device(run: Run, mixed: str) -> None:
    result = run("validate", "--rejects", os.devnull, "--valid", os.devnull, mixed)
    assert totals(result) == (5, 3, 2)


@pytest.mark.parametrize("name", ["a\x1b[31mb\nc.ndjson", "\u202ex.ndjson", "a,b:c%.ndjson", "\udcff.ndjson"])
def test_hostile_file_names(name: str, run: Run) -> None:
    try:
        Path(name).write_bytes(BAD + b"\n")
    except OSError:
        pytest.skip("this file system rejects such names")
    for arguments in ([name], ["--rejects", name, name], ["--rejects", f"{name}/x", name], [f"missing {name}"]):
        for output in ("text", "json", "github"):
            for jobs in (1, 2):
                result = run("validate", "--output", output, "--jobs", jobs, *arguments)
                assert result.exit_code == (1 if arguments == [name] else 2)
                assert all(line.isprintable() for line in result.output.split("\n")), result.output
                assert "\nc.ndjson" not in result.output
                is_reported = arguments == [name] or (output == "github" and arguments[0] != "--rejects")
                assert len(result.stdout.splitlines()) == is_reported


@pytest.mark.parametrize("at", [-1, -20, 1, "identity", "character"])
def test_a_truncated_line_is_reported_as_such(at: int | str, run: Run) -> None:
    line = GOOD.replace(b"n1", "é".encode())
    end = {"identity": line.index(b"identity"), "character": line.index("é".encode()) + 1}.get(str(at), at)
    result = run("validate", "--rejects", "rejects", "--valid", "valid", stdin=GOOD + b"\n" + line[: int(end)])
    assert result.exit_code == 1
    assert codes_of(result) == ["input-truncated"]
    assert result.stdout.startswith("standard input:2: $: ")
    assert Path("rejects").read_bytes() == line[: int(end)] + b"\n"
    assert Path("valid").read_bytes() == GOOD + b"\n"


# ---- messages


class Flood(lifecycle.InMemoryTransport):
    """A transport that delivers everything upon subscription, and then calls a function."""

    def __init__(self, payloads: Sequence[bytes], then: Callable[[], object]) -> None:
        super().__init__()
        self._payloads, self._then = payloads, then

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        subscription = await super().subscribe(subject, queue, sink, timeout)
        for payload in self._payloads:
            sink.message("choria.lifecycle.event.startup.server", payload)
        asyncio.get_running_loop().call_soon(self._then)
        return subscription


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("arguments", "then", "code"),
    [
        (["--count", 2], nothing, 1),
        (["--max-errors", 2], nothing, 1),
        (["--for", "50ms"], nothing, 1),
        ([], partial(signal.raise_signal, signal.SIGINT), 130),
        ([], partial(signal.raise_signal, signal.SIGTERM), 1),
    ],
    ids=["count", "errors", "time", "interrupted", "terminated"],
)
def test_dropped_messages_are_reported(
    arguments: list[object], then: Callable[[], object], code: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    middleware = lifecycle.Middleware(Flood([BAD] * 1005, then), limit=2)
    monkeypatch.setattr(lifecycle, "connect", lambda **_: middleware)
    result = run("validate", "--server", "memory", *arguments)
    assert (result.exit_code, totals(result)) == (code, (2, 0, 2))
    assert "1,003 messages were dropped: they arrived faster than they could be validated" in result.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_reports_of_messages_are_complete(end: signal.Signals, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = "choria.lifecycle.event.startup.server"
    for output in ("sarif", "gitlab", "junit"):
        middleware = lifecycle.Middleware(Flood([BAD, GOOD], partial(signal.raise_signal, end)))
        monkeypatch.setattr(lifecycle, "connect", lambda middleware=middleware, **_: middleware)
        result = run(
            "validate", "--server", "memory", "--output", output, "--summary", "summary", "--output-file", "out"
        )
        assert (result.exit_code, result.stdout) == (130 if end is signal.SIGINT else 1, "")
        assert json.loads(Path("summary").read_bytes())["exit_code"] == result.exit_code
        text = Path("out").read_text("utf-8")
        match output:
            case "sarif":
                [found] = json.loads(text)["runs"][0]["results"]
                assert found["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == subject
            case "gitlab":
                [found] = json.loads(text)
                assert found["location"] == {"path": subject, "lines": {"begin": 1}}
            case _:
                [suite] = ET.fromstring(text)
                assert (suite.get("name"), suite.get("failures")) == ("choria.lifecycle.event.>", "1")


# ---- help


def test_help(run: Run) -> None:
    result = run("validate", "--help")
    assert result.exit_code == 0
    for option in (
        "--output", "--no-warnings", "--warnings-as-errors", "--select", "--ignore", "--max-errors", "--rejects",
        "--valid", "--jobs", "--subject", "--count", "--for", "--server", "--color", "--quiet",
    ):  # fmt: skip
        assert option in result.stdout
    assert all(len(line) <= 100 for line in result.stdout.splitlines())


def test_severities_match_the_codes(run: Run, mixed: str) -> None:
    for line in run("validate", "--output", "json", mixed).stdout.splitlines():
        found = json.loads(line)
        assert Severity(found["severity"]) is CODES[found["code"]]
