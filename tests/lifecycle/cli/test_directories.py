from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.directories import expand_directories, has_known_suffix
from tests.bed.compressed import COMPRESS
from tests.bed.validated import BAD, GOOD, totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")

NO_FILES = (
    "it is a directory without files whose names end in .json, .jsonl, .ndjson, or in one of these and .gz, .zst, .xz, "
    ".bz2"
)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.json", True),
        ("a.jsonl", True),
        ("a.b.ndjson", True),
        ("A.JSON.GZ", True),
        ("a.json.zst", True),
        ("a.ndjson.xz", True),
        ("a.jsonl.bz2", True),
        ("a.gz", False),
        ("json", False),
        ("a.json.bak", False),
        (".a.json", False),
        (".json", False),
        ("a.txt", False),
    ],
)
def test_suffixes(name: str, known: bool) -> None:
    assert has_known_suffix(Path("x.json") / name) == known


def test_the_files_in_a_directory_are_sorted() -> None:
    for name in ("b.json", "a.ndjson", "c.txt", ".d.json", "d.json.gz"):
        (Path("events") / name).parent.mkdir(exist_ok=True)
        (Path("events") / name).touch()
    Path("events/e.json").mkdir()
    Path("events/f.json").symlink_to("missing")
    found = [f"events/{name}" for name in ("a.ndjson", "b.json", "d.json.gz", "f.json")]
    assert expand_directories(["x", "events", "-", "events/"]) == ["x", *found, "-", *found]
    assert expand_directories(["events/e.json", "missing"]) == ["events/e.json", "missing"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_directory_is_read(jobs: int, run: Run) -> None:
    Path("events").mkdir()
    for name, compress in COMPRESS.items():
        Path(f"events/{name}.json.{ {'zstd': 'zst', 'bzip2': 'bz2', 'gzip': 'gz'}.get(name, name) }").write_bytes(
            compress(GOOD + b"\n" + BAD)
        )
    Path("events/large.ndjson").write_bytes((GOOD + b"\n") * 20_000)
    Path("events/notes.txt").write_text("not an event")
    result = run("validate", "--jobs", jobs, "events")
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "events/bzip2.json.bz2:2", "events/gzip.json.gz:2", "events/xz.json.xz:2", "events/zstd.json.zst:2",
    ]  # fmt: skip
    assert (result.exit_code, totals(result)) == (1, (20_008, 20_004, 4))


def test_a_directory_without_events_is_an_error(run: Run) -> None:
    Path("empty").mkdir()
    Path("good.json").write_bytes(GOOD)
    result = run("validate", "empty", "good.json")
    assert (result.exit_code, totals(result)) == (2, (1, 1, 0))
    assert f"lifecycle: error: cannot read empty: {NO_FILES}\n" in result.stderr


def test_a_directory_that_cannot_be_listed_is_an_error(run: Run) -> None:
    Path("secret").mkdir(mode=0)
    if os.access("secret", os.R_OK):
        pytest.skip("root can read everything")
    assert "cannot read secret: Permission denied" in run("validate", "secret").stderr


@pytest.mark.parametrize("option", ["--rejects", "--valid"])
@pytest.mark.parametrize("exists", [True, False])
def test_output_files_that_would_be_read_next_time_are_refused(option: str, exists: bool, run: Run) -> None:
    Path("good.json").write_bytes(GOOD)
    if exists:
        Path("out.ndjson").write_bytes(BAD)
    for folder in (".", str(Path.cwd()), "../" + Path.cwd().name):
        result = run("validate", folder, option, "out.ndjson")
        assert result.exit_code == 2
        assert '"out.ndjson" is also an input; choose another output file' in result.stderr
    assert not exists or Path("out.ndjson").read_bytes() == BAD
    assert run("validate", ".", option, "out").exit_code == exists
    Path("sub").mkdir()
    assert run("validate", ".", option, "sub/out.ndjson").exit_code == exists
