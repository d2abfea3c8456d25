"""`lifecycle validate` on files and standard input, in this process."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import signal
import time
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import inputs
from choria_lifecycle.cli.program import program
from choria_lifecycle.validation import parallel, worker
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.finding import CODES, Severity
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed import strategies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from click.testing import Result

    from choria_lifecycle.middleware.transport import Interest, Sink
    from choria_lifecycle.validation.source import Segment

    Run = Callable[..., Result]

NOW = int(time.time())
EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0", timestamp=NOW)
GOOD = lifecycle.encode(EVENT)
WRAPPED = lifecycle.encode(EVENT, lifecycle.Format.CLOUDEVENTS)
WARNED = re.sub(rb'"id":"[^"]*"', b'"id":"17"', GOOD)
BAD = GOOD.replace(b'"n1.example.net"', b"5")
UNKNOWN = b'{"protocol":"io.choria.other"}'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mixed() -> str:
    """A file with a valid event, one with an error, one with a warning, an unknown protocol, and a line of garbage."""
    Path("mixed.ndjson").write_bytes(b"\n".join([GOOD, BAD, WARNED, UNKNOWN, WRAPPED, b"nonsense", b""]))
    return "mixed.ndjson"


def codes_of(result: Result) -> list[str]:
    """Return the codes of the findings in text output, in order."""
    found = [re.search(r" \[([a-z]+-[-a-zA-Z0-9]+)\]$", line) for line in result.stdout.splitlines()]
    assert all(found), result.stdout
    return [each[1] for each in found if each]


def table(result: Result) -> dict[str, list[str]]:
    """Return the rows of the summary's tables by their first cells."""
    rows = [re.split(r"  +", line.strip()) for line in result.stderr.splitlines() if line]
    return {" ".join(row[:-2]) or row[0]: row[-2:] for row in rows}


def totals(result: Result) -> tuple[int, int, int]:
    found = re.search(
        r"^checked ([\d,]+) = ([\d,]+) valid \+ ([\d,]+) rejected, in [\d,.]+ s$", result.stderr, re.MULTILINE
    )
    assert found is not None, result.stderr
    checked, valid, rejected = (int(each.replace(",", "")) for each in found.groups())
    assert checked == valid + rejected
    return checked, valid, rejected


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
    assert codes_of(result) == ["schema-type", "id-uuid", "protocol-unknown", "input-json"]
    assert [": warning: " in line for line in lines] == [False, True, False, False]
    assert [": information: " in line for line in lines] == [False, False, True, False]


def test_summary(run: Run, mixed: str) -> None:
    result = run("validate", mixed)
    *tables, last = result.stderr.splitlines()
    assert [re.split(r"  +", line) for line in tables] == [
        ["FORMAT", "TYPE", "VALID", "REJECTED"],
        ["choria", "startup", "2", "1"],
        ["-", "unreadable", "0", "1"],
        ["choria", "unknown protocol", "1", "0"],
        ["cloudevents", "startup", "1", "0"],
        [""],
        ["CODE", "SEVERITY", "FINDINGS"],
        ["input-json", "error", "1"],
        ["schema-type", "error", "1"],
        ["id-uuid", "warning", "1"],
        ["protocol-unknown", "information", "1"],
        [""],
    ]
    assert re.fullmatch(r"checked 6 = 4 valid \+ 2 rejected, in \d+\.\d s", last)


def test_json(run: Run, mixed: str) -> None:
    result = run("validate", "--output", "json", mixed)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["file"], each["line"], each["severity"], each["code"]) for each in found] == [
        (mixed, 2, "error", "schema-type"),
        (mixed, 3, "warning", "id-uuid"),
        (mixed, 4, "information", "protocol-unknown"),
        (mixed, 6, "error", "input-json"),
    ]
    assert set(found[0]) == {"file", "line", "severity", "code", "path", "rule", "value", "message"}
    assert (found[0]["path"], found[0]["value"]) == ("$.identity", 5)


def test_github(run: Run, mixed: str) -> None:
    result = run("validate", "--output", "github", mixed)
    assert [line.partition("::$")[0] for line in result.stdout.splitlines()] == [
        "::error file=mixed.ndjson,line=2,title=schema-type",
        "::warning file=mixed.ndjson,line=3,title=id-uuid",
        "::notice file=mixed.ndjson,line=4,title=protocol-unknown",
        "::error file=mixed.ndjson,line=6,title=input-json",
    ]


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input(arguments: list[str], run: Run) -> None:
    result = run("validate", *arguments, stdin=GOOD + b"\n" + BAD + b"\n")
    assert result.exit_code == 1
    assert result.stdout.startswith("standard input:2: $.identity: ")
    assert totals(result) == (2, 1, 1)
    # GitHub shows no annotations of missing files.
    assert "file=" not in run("validate", *arguments, "--output", "github", stdin=BAD).stdout


@pytest.mark.parametrize(
    ("quiet", "has_findings", "has_summary"),
    [([], True, True), (["-q"], True, False), (["-q", "--quiet"], False, False)],
)
def test_quiet(quiet: list[str], has_findings: bool, has_summary: bool, run: Run, mixed: str) -> None:
    for arguments in (["validate", *quiet, mixed], [*quiet, "validate", mixed]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert (bool(result.stdout), bool(result.stderr)) == (has_findings, has_summary)


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
def test_empty_input(data: bytes, run: Run) -> None:
    result = run("validate", stdin=data)
    assert (result.exit_code, result.stdout) == (0, "")
    assert re.fullmatch(r"checked 0 = 0 valid \+ 0 rejected, in 0\.\d s\n", result.stderr)


# ---- selected findings


@pytest.mark.parametrize(
    ("arguments", "codes", "rejected"),
    [
        ([], ["schema-type", "id-uuid", "protocol-unknown", "input-json"], 2),
        (["--no-warnings"], ["schema-type", "input-json"], 2),
        (["--warnings-as-errors"], ["schema-type", "id-uuid", "protocol-unknown", "input-json"], 3),
        (["--select", "schema"], ["schema-type"], 1),
        (["--select", "schema-type,id-uuid"], ["schema-type", "id-uuid"], 1),
        (["--select", "schema-type", "--select", "id"], ["schema-type", "id-uuid"], 1),
        (["--select", "id-uuid"], ["id-uuid"], 0),
        (["--select", "id-uuid", "--warnings-as-errors"], ["id-uuid"], 1),
        (["--ignore", "input, schema-type"], ["id-uuid", "protocol-unknown"], 0),
        (["--ignore", "input", "--ignore", "schema"], ["id-uuid", "protocol-unknown"], 0),
        (["--select", "input,schema", "--ignore", "schema-type"], ["input-json"], 1),
        (["--ignore", "protocol-unknown"], ["schema-type", "id-uuid", "input-json"], 2),
    ],
)
def test_selected_findings(arguments: list[str], codes: list[str], rejected: int, run: Run, mixed: str) -> None:
    result = run("validate", *arguments, "--rejects", "rejects", "--valid", "valid", mixed)
    assert codes_of(result) == codes
    assert totals(result) == (6, 6 - rejected, rejected)
    assert result.exit_code == (1 if rejected else 0)
    assert Path("rejects").read_bytes().count(b"\n") == rejected
    assert Path("valid").read_bytes().count(b"\n") == 6 - rejected


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


@pytest.mark.parametrize(
    ("limit", "checked", "reported"), [(1, 2, 1), (2, 6, 4), (3, 6, 4)], ids=["first", "last", "more than exist"]
)
def test_max_errors(limit: int, checked: int, reported: int, run: Run, mixed: str) -> None:
    Path("more.ndjson").write_bytes(GOOD + b"\n")
    result = run("validate", "--max-errors", limit, "--rejects", "rejects", "--valid", "valid", mixed, "more.ndjson")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == reported
    assert totals(result)[0] == checked + (limit == 3)
    assert ("may be more" in result.stderr) == (limit < 3)
    written = Path("rejects").read_bytes() + Path("valid").read_bytes()
    assert written.count(b"\n") == checked + (limit == 3)


def test_max_errors_completes_the_document(run: Run) -> None:
    result = run("validate", "--max-errors", 2, stdin=b'{"protocol":"io.choria.lifecycle.v1.startup"}\n' * 3)
    assert len(codes_of(result)) == 5
    assert totals(result) == (1, 0, 1)


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
    assert totals(result) == (6, 4, 2)


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
                assert len(result.stdout.splitlines()) == (1 if arguments == [name] else 0)


# ---- several files, and unreadable ones


def test_several_files(run: Run, mixed: str) -> None:
    Path("a.json").write_text(json.dumps([json.loads(GOOD), json.loads(BAD)], indent=2))
    Path("b.json").write_text(json.dumps(json.loads(BAD), indent=4))
    Path("c.gz").write_bytes(gzip.compress(GOOD + b"\n" + BAD + b"\n"))
    result = run("validate", "a.json", mixed, "b.json", "-", "c.gz", stdin=b"nonsense")
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "a.json:10", "mixed.ndjson:2", "mixed.ndjson:3", "mixed.ndjson:4", "mixed.ndjson:6", "b.json:1",
        "standard input:1", "c.gz:2",
    ]  # fmt: skip
    assert (result.exit_code, totals(result)) == (1, (12, 6, 6))


@pytest.mark.parametrize("jobs", [1, 2])
def test_unreadable_files_are_reported_and_the_others_are_read(jobs: int, run: Run) -> None:
    Path("folder").mkdir()
    Path("good.ndjson").write_bytes(GOOD + b"\n")
    result = run("validate", "--jobs", jobs, "-q", "-q", "missing", "good.ndjson", "folder", "good.ndjson")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "lifecycle: error: cannot read missing: No such file or directory",
        "lifecycle: error: cannot read folder: Is a directory",
    ]
    result = run("validate", "--jobs", jobs, "missing", "good.ndjson", "folder", "good.ndjson")
    assert (result.exit_code, totals(result)) == (2, (2, 2, 0))
    # An unreadable file is not also reported as one that cannot be shared.
    assert "is read by one process" not in result.stderr


def test_a_file_without_read_permission(run: Run, mixed: str) -> None:
    Path(mixed).chmod(0)
    if os.access(mixed, os.R_OK):
        pytest.skip("root can read everything")
    result = run("validate", mixed)
    assert result.exit_code == 2
    assert f"cannot read {mixed}: Permission denied" in result.stderr


def test_errors_do_not_hide_unreadable_files(run: Run, mixed: str) -> None:
    assert run("validate", mixed, "missing").exit_code == 2
    assert run("validate", "missing", mixed).exit_code == 2


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x28\xb5\x2f\xfdxxxx", "it is compressed with zstd; decompress it first, for example with `zstd -dc FILE"),
        (b"\xfd7zXZ\x00xxxx", "it is compressed with xz; decompress it first, for example with `xz -dc FILE"),
        (b"BZh9xxxx", "it is compressed with bzip2; decompress it first, for example with `bzip2 -dc FILE"),
        (b"PK\x03\x04xxxx", "it is a zip archive; extract it first, for example with `unzip -p FILE"),
        (
            "{}".encode("utf-16"),
            "it is encoded in UTF-16; convert it to UTF-8 first, for example with `iconv -f UTF-16 -t UTF-8 FILE",
        ),
    ],
)
def test_the_command_to_convert_other_formats_is_named(data: bytes, problem: str, run: Run) -> None:
    Path("other").write_bytes(data)
    result = run("validate", "-q", "other")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"lifecycle: error: cannot read other: {problem} | lifecycle validate -`\n"


def test_truncated_gzip(run: Run) -> None:
    Path("events.gz").write_bytes(gzip.compress(b"".join([GOOD + b"\n"] * 50 + [BAD + b"\n"]))[:-9])
    result = run("validate", "events.gz", "--rejects", "rejects", "--valid", "valid")
    assert result.exit_code == 2
    assert "ends early" in result.stderr
    written = Path("valid").read_bytes() + Path("rejects").read_bytes()
    assert totals(result)[0] == written.count(b"\n") >= 1
    assert written.startswith(GOOD + b"\n")


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


# ---- in = valid + rejected

ENDLESS = b'{"x":"' + b"y" * (3 * MAX_SIZE) + b'"}'
LINES = st.lists(
    st.sampled_from(
        [GOOD, WRAPPED, WARNED, BAD, UNKNOWN, b"nonsense", b"", b" \t", b"\xff", b'{"a":\xc3', b"[]", GOOD]
    ),
    max_size=12,
)


def validated(data: bytes, *arguments: object, name: str = "events") -> tuple[Result, bytes, bytes]:
    """Validate a file; return the result, the rejected and the valid documents."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path(name).write_bytes(data)
        made = [str(each) for each in ["validate", name, "--rejects", "rejects", "--valid", "valid", *arguments]]
        result = CliRunner().invoke(program, made, prog_name="lifecycle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result, Path("rejects").read_bytes(), Path("valid").read_bytes()


BOUNDED = settings(max_examples=strategies.EXAMPLES // 6, deadline=None, suppress_health_check=list(HealthCheck))


@BOUNDED
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.sampled_from([b"", ENDLESS]), st.booleans())
def test_no_line_is_lost(lines: list[bytes], line_end: bytes, ended: bool, endless: bytes, compressed: bool) -> None:
    lines = [b"first", *lines, *([endless] if endless else [])]
    data = line_end.join(lines) + (line_end if ended else b"")
    result, rejects, valid = validated(gzip.compress(data) if compressed else data)
    expected = [line + b"\n" for line in data.split(b"\n") if line.strip(b" \t\r\n")]
    sorted_out = rejects.splitlines(keepends=True), valid.splitlines(keepends=True)
    rest = [iter(each) for each in sorted_out]
    is_good = [line.strip() in (GOOD, WRAPPED, WARNED, UNKNOWN) for line in expected]
    assert [next(rest[good]) for good in is_good] == expected
    assert totals(result) == (len(expected), len(sorted_out[1]), len(sorted_out[0]))
    assert result.exit_code == 1


@BOUNDED
@given(
    st.lists(st.sampled_from([GOOD, WRAPPED, BAD, UNKNOWN, b"5", ENDLESS, b'"\xff"']), max_size=6),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_no_element_is_lost(documents: list[bytes], indent: int | None, compressed: bool) -> None:
    elements = [
        raw if indent is None or raw in (ENDLESS, b'"\xff"') else json.dumps(json.loads(raw), indent=indent).encode()
        for raw in documents
    ]
    data = b"[" + b",\n".join(elements) + b"]"
    result, rejects, valid = validated(gzip.compress(data) if compressed else data)
    is_good = [raw in (GOOD, WRAPPED, UNKNOWN) for raw in documents]
    lines = [raw.replace(b"\n", b" ") + b"\n" for raw in elements]
    assert valid == b"".join(line for line, good in zip(lines, is_good, strict=True) if good)
    assert rejects == b"".join(line for line, good in zip(lines, is_good, strict=True) if not good)
    assert totals(result) == (len(documents), sum(is_good), len(documents) - sum(is_good))


# ---- several processes


class InProcessPool:
    """A worker pool that validates at once in this process."""

    def __init__(self, jobs: int) -> None:
        self.processes = [None] * (jobs - 1)

    def submit(self, job: worker.Job, segment: Segment) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(worker.validate_segment(job, segment))
        return future


@contextmanager
def segments(size: int, limit: int) -> Iterator[list[int]]:
    """Use small segments and a size limit within this context; yield the number of jobs of each pool."""
    pools: list[int] = []

    @contextmanager
    def pool(jobs: int) -> Iterator[InProcessPool]:
        pools.append(jobs)
        yield InProcessPool(jobs)

    with pytest.MonkeyPatch.context() as patch:
        for module in (parallel, inputs):
            patch.setattr(module, "SEGMENT_SIZE", size)
        for module in (worker, inputs):
            patch.setattr(module, "DocumentSource", partial(DocumentSource, limit=limit))
        patch.setattr(inputs, "worker_pool", pool)
        yield pools


def without_time(text: str) -> str:
    return re.sub(r"in [\d,.]+ s$", "", text, flags=re.MULTILINE)


@BOUNDED
@given(
    LINES.map(lambda lines: [b"{}", *lines]),
    st.booleans(),
    st.integers(1, 900),
    st.sampled_from([[], ["--max-errors", 1], ["--max-errors", 3], ["--max-errors", 7]]),
    st.sampled_from([[], ["--no-warnings"], ["--warnings-as-errors"], ["--ignore", "input"], ["--select", "input"]]),
    st.sampled_from(["text", "json", "github"]),
    st.sampled_from(["events", "./events", "./-"]),
)
def test_the_number_of_processes_makes_no_difference(
    lines: list[bytes], ended: bool, size: int, limits: list[object], policy: list[object], output: str, name: str
) -> None:
    data = b"\n".join([*lines, b"y" * 500, BAD]) + (b"\n" if ended else b"")
    arguments = [*limits, *policy, "--output", output]
    found = []
    for jobs in (1, 2, 3):
        with segments(size, limit=450) as pools:
            result, rejects, valid = validated(data, *arguments, "--jobs", jobs, name=name)
        assert pools == ([jobs] if jobs > 1 and len(data) > size else [])
        found.append((result.exit_code, result.stdout, without_time(result.stderr), rejects, valid))
    assert found[1:] == found[:1] * 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("events.gz", gzip.compress(GOOD + b"\n")),
        ("array.json", b"[" + GOOD + b"]"),
        ("pretty.json", json.dumps(json.loads(GOOD), indent=2).encode()),
    ],
    ids=["compressed", "array", "pretty"],
)
def test_files_that_cannot_be_shared_are_read_by_one_process(name: str, data: bytes, run: Run) -> None:
    Path(name).write_bytes(data)
    with segments(10, limit=MAX_SIZE) as pools:
        result = run("validate", "--jobs", 2, name)
    assert (pools, result.exit_code, totals(result)) == ([], 0, (1, 1, 0))
    assert result.stderr.startswith(
        f"{name} is read by one process: only uncompressed files with one document per line"
    )


def test_a_small_file_is_read_by_one_process_without_a_message(run: Run, mixed: str) -> None:
    result = run("validate", "--jobs", 8, mixed)
    assert (result.exit_code, totals(result)) == (1, (6, 4, 2))
    assert "one process" not in result.stderr


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
