from __future__ import annotations

import gzip
import json
import os
import re
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.cli import inputs
from choria_lifecycle.cli.directories import NO_FILES
from choria_lifecycle.cli.program import program
from choria_lifecycle.validation import worker
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.compressed import COMPRESS
from tests.bed.validated import BAD, BOUNDED, GOOD, LINES, WARNED, totals, validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    from choria_lifecycle.validation.source import Segment

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input(arguments: list[str], run: Run) -> None:
    result = run("validate", *arguments, stdin=GOOD + b"\n" + BAD + b"\n")
    assert result.exit_code == 1
    assert result.stdout.startswith("standard input:2: $.identity: ")
    assert totals(result) == (2, 1, 1)
    # GitHub shows no annotations of missing files.
    assert "file=" not in run("validate", *arguments, "--output", "github", stdin=BAD).stdout


def test_several_files(run: Run, mixed: str) -> None:
    Path("a.json").write_text(json.dumps([json.loads(GOOD), json.loads(BAD)], indent=2))
    Path("b.json").write_text(json.dumps(json.loads(BAD), indent=4))
    Path("c.gz").write_bytes(gzip.compress(GOOD + b"\n" + BAD + b"\n"))
    result = run("validate", "a.json", mixed, "b.json", "-", "c.gz", stdin=b"nonsense")
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "a.json:13", "mixed.ndjson:2", "mixed.ndjson:3", "mixed.ndjson:4", "mixed.ndjson:6", "b.json:4",
        "standard input:1", "c.gz:2",
    ]  # fmt: skip
    assert (result.exit_code, totals(result)) == (1, (11, 5, 6))


@pytest.mark.parametrize("jobs", [1, 2])
def test_unreadable_files_are_reported_and_the_others_are_read(jobs: int, run: Run) -> None:
    Path("folder").mkdir()
    Path("good.ndjson").write_bytes(GOOD + b"\n")
    result = run("validate", "--jobs", jobs, "-q", "-q", "missing", "good.ndjson", "folder", "good.ndjson")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "lifecycle: error: cannot read missing: No such file or directory",
        f"lifecycle: error: cannot read folder: {NO_FILES}",
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
        (b"\x04\x22\x4d\x18xxxx", "it is compressed with lz4; decompress it first, for example with `lz4 -dc other"),
        (b"PK\x03\x04xxxx", "it is a zip archive; extract it first, for example with `unzip -p other"),
        (
            gzip.compress(b"PK\x03\x04", mtime=0),
            "decompressed with gzip, it is a zip archive; extract it first, for example with `gzip -dc other | funzip",
        ),
        (
            "{}".encode("utf-16-le"),
            "it is encoded in UTF-16LE; convert it to UTF-8 first, for example with `iconv -f UTF-16LE -t UTF-8 other",
        ),
    ],
)
def test_the_command_to_convert_other_formats_is_named(data: bytes, problem: str, run: Run) -> None:
    Path("other").write_bytes(data)
    result = run("validate", "-q", "other")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"lifecycle: error: cannot read other: {problem} | lifecycle validate -`\n"


def test_the_command_to_convert_a_file_can_be_pasted(run: Run) -> None:
    for name, shown in (("a b's.json", """'a b'"'"'s.json'"""), ("a\x1b.json", "FILE")):
        Path(name).write_bytes("{}".encode("utf-16"))
        for arguments in (["validate"], ["view", "--input"]):
            command = f"`iconv -f UTF-16 -t UTF-8 {shown} | lifecycle {' '.join(arguments)} -`"
            assert command in run(*arguments, name).stderr
    assert "UTF-8 FILE | lifecycle validate -`" in run("validate", stdin="{}".encode("utf-16")).stderr


@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_files_are_recognised_by_their_content(name: str, run: Run) -> None:
    Path("events").write_bytes(COMPRESS[name](GOOD + b"\n" + BAD + b"\n"))
    for arguments, data in ((["events"], b""), ([], Path("events").read_bytes())):
        result = run("validate", *arguments, stdin=data)
        assert (result.exit_code, totals(result)) == (1, (2, 1, 1))


@pytest.mark.parametrize("name", COMPRESS)
def test_truncated_compressed_files(name: str, run: Run) -> None:
    # Incompressible ids, as some decoders return whole blocks.
    random = Random(0)
    lines = [WARNED.replace(b'"17"', b'"%s"' % random.randbytes(500).hex().encode()) + b"\n" for _ in range(3000)]
    Path("events.gz").write_bytes(COMPRESS[name](b"".join([*lines, BAD + b"\n"]))[:-9])
    result = run("validate", "--no-warnings", "events.gz", "--rejects", "rejects", "--valid", "valid")
    assert result.exit_code == 2
    assert "ends early" in result.stderr
    written = Path("valid").read_bytes() + Path("rejects").read_bytes()
    assert totals(result)[0] == written.count(b"\n") >= 1
    assert written.startswith(lines[0])


class InProcessPool:
    """A worker pool that validates at once in this process."""

    def __init__(self, jobs: int) -> None:
        self.processes = [None] * (jobs - 1)

    def submit(self, job: worker.Job, segment: Segment | None) -> Future[Any]:
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
        patch.setattr(inputs, "SEGMENT_SIZE", size)
        for module in (worker, inputs):
            patch.setattr(module, "DocumentSource", partial(DocumentSource, limit=limit))
        patch.setattr(inputs, "worker_pool", pool)
        yield pools


def without_time(text: str) -> str:
    return re.sub(r"(?<=, in )[\d,.]+(?= s[;\n])", "", text)


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


@BOUNDED
@given(
    st.lists(st.tuples(LINES, st.sampled_from(["plain", "gzip", "cut", "array", "missing"])), min_size=2, max_size=5),
    st.integers(1, 900),
    st.sampled_from([[], ["--max-errors", 1], ["--max-errors", 7]]),
    st.booleans(),
)
def test_several_files_have_the_same_results_with_any_number_of_processes(
    files: list[tuple[list[bytes], str]], size: int, limits: list[object], sorted_: bool
) -> None:
    found = []
    for jobs in (1, 2, 3):
        with (
            TemporaryDirectory() as folder,
            pytest.MonkeyPatch.context() as patch,
            segments(size, limit=450) as pools,
        ):
            patch.chdir(folder)
            names = [f"{number}.{kind}" for number, (_, kind) in enumerate(files)]
            for name, (lines, kind) in zip(names, files, strict=True):
                if kind != "missing":
                    Path(name).write_bytes(packed(lines, kind))
            output = ["--rejects", "rejects", "--valid", "valid"] if sorted_ else []
            arguments = ["validate", "--jobs", jobs, *limits, *output, *names]
            result = CliRunner().invoke(program, [str(each) for each in arguments], prog_name="lifecycle")
            assert isinstance(result.exception, SystemExit | None), result.exception
            sizes = [Path(name).stat().st_size for name in names if Path(name).exists()]
            documents = [Path(name).read_bytes() for name in output[1::2]]
        large = [each for each in sizes if each > size // 8]
        if len(large) > 1 and jobs > 1:
            assert pools == ([jobs] if sum(large) > size else [])
        stderr = "".join(line for line in without_time(result.stderr).splitlines(True) if "one process" not in line)
        found.append((result.exit_code, result.stdout, stderr, documents))
    assert found[1:] == found[:1] * 2


def packed(lines: list[bytes], kind: str) -> bytes:
    data = b"\n".join(lines) + b"\n"
    if kind == "plain":
        return data
    if kind == "array":
        return b"[" + b",\n".join(lines) + b"]"
    return gzip.compress(data)[: -9 if kind == "cut" else None]


def test_a_file_that_fails_while_it_is_split_is_read_to_its_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("events").write_bytes((GOOD + b"\n" + BAD + b"\n") * 3)

    def failing(name: str, size: int) -> Iterator[Segment]:
        yield 0, len(GOOD) + 1
        raise OSError

    monkeypatch.setattr(inputs, "segments", failing)
    with segments(10, limit=MAX_SIZE):
        result = run("validate", "--jobs", 2, "events")
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == ["events:2", "events:4", "events:6"]
    assert totals(result) == (6, 3, 3)


def test_a_small_file_is_read_by_one_process_without_a_message(run: Run, mixed: str) -> None:
    result = run("validate", "--jobs", 8, mixed)
    assert (result.exit_code, totals(result)) == (1, (5, 3, 2))
    assert "one process" not in result.stderr


def test_a_single_error_is_counted_in_the_singular(run: Run) -> None:
    assert run("validate", stdin=b"[" + GOOD).stderr.splitlines()[-1].endswith("; and 1 error between documents")
    assert "stopped after 1 error; there" in run("validate", "--max-errors", "1", stdin=b"{}\n{}").stderr
