"""docs/engines.md agrees with the code: its programs find what `lifecycle validate` finds, here without any engine."""

from __future__ import annotations

import re
import sqlite3
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.paths import DOCS, ROOT
from tests.bed.validated import GOOD
from tests.engines import samples
from tests.engines.page import FILES, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.engines.samples import Record

WITHOUT_ENGINE = {"archive.py", "with_dask.py", "with_duckdb.py", "with_spark.py"}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Run a program of the page as a module."""

    def load(name: str) -> ModuleType:
        module = ModuleType(name.removesuffix(".py"))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(FILES[name], name, "exec"), module.__dict__)
        return module

    return load


def command(folder: Path, archives: dict[str, list[bytes]]) -> list[Record]:
    """Write archives; return the findings of `lifecycle validate` about them."""
    offsets = {name: samples.write_archive(folder / name, lines) for name, lines in archives.items()}
    return list(samples.command_findings(folder, offsets))


def test_every_program_has_a_name_and_compiles() -> None:
    assert len(FILES) == PAGE.count("```python")
    assert set(FILES) == WITHOUT_ENGINE | {"with_ray.py"}
    for name, text in FILES.items():
        compile(text, name, "exec")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1_000_000])
def test_chunks_of_any_size_have_the_findings_of_the_command(program, tmp_path: Path, monkeypatch, size: int) -> None:
    odd = [GOOD, GOOD, *samples.ODD]
    archives = {"first": odd, "empty": [], "blank": [b"", b""], "one": [b"1"], "last": [*odd[::-1], b"", GOOD]}
    expected = command(tmp_path, archives)
    assert {record["file"] for record in expected} == {"first", "one", "last"}
    monkeypatch.chdir(tmp_path)
    archive = program("archive.py")
    archive.chunks = partial(archive.chunks, size=size)
    assert list(archive.findings(list(archives))) == expected


@pytest.mark.parametrize("size", [1000, MAX_SIZE + 1, 2_000_000])
def test_all_examples_have_the_findings_of_the_command(program, tmp_path: Path, monkeypatch, size: int) -> None:
    expected = command(tmp_path, {"archive": list(samples.make_lines(tmp_path, 4000))})
    assert len({record["code"] for record in expected}) > 25
    monkeypatch.chdir(tmp_path)
    archive = program("archive.py")
    archive.chunks = partial(archive.chunks, size=size)
    with ThreadPoolExecutor(2) as pool:
        assert list(archive.findings(["archive"], pool.map)) == expected


def test_a_client_and_a_database_in_place_of_the_engines(program, tmp_path: Path, monkeypatch) -> None:
    """with_dask.py runs with threads, with_duckdb.py with SQLite."""
    lines = [GOOD, GOOD, *samples.ODD, GOOD]
    expected = command(tmp_path, {"archive": lines})
    monkeypatch.chdir(tmp_path)
    program("archive.py")
    with ThreadPoolExecutor(2) as pool:

        class Client:
            def upload_file(self, name: str) -> None:
                assert name in FILES

            def map(self, task, parts, *, pure: bool):
                return [pool.submit(task, part) for part in parts]

        assert list(program("with_dask.py").findings(Client(), ["archive"])) == expected
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE lines (document)")
        database.executemany(
            "INSERT INTO lines VALUES (?)", [(line if line.strip(b" \t\r\n") else b"",) for line in lines]
        )
        query = "SELECT 'archive', rowid, document FROM lines WHERE document <> x'' ORDER BY rowid"
        found = list(program("with_duckdb.py").findings(database, ["archive"], query))
    database.close()
    assert found == [{name: value for name, value in record.items() if name != "offset"} for record in expected]


def test_the_two_differences_from_the_command(program, tmp_path: Path, monkeypatch) -> None:
    archives = {"long": [GOOD, b"x" * 1_500_000, b"[]", GOOD], "truncated": [GOOD, GOOD, b'{"protocol":']}
    expected = command(tmp_path, archives)
    monkeypatch.chdir(tmp_path)
    found = list(program("archive.py").findings(list(archives)))
    assert [(record["file"], record["line"], record["offset"]) for record in found] == [
        (record["file"], record["line"], record["offset"]) for record in expected
    ]
    assert [record["code"] for record in expected] == ["input-size", "input-type", "input-truncated"]
    assert [record["code"] for record in found] == ["input-size", "input-type", "input-json"]
    assert "has 1000000 bytes" in found[0]["message"]
    assert f"may have {MAX_SIZE:,}" in FILES["archive.py"]


def test_the_fields_are_those_of_the_records(program) -> None:
    [finding] = lifecycle.validate(b"[]")
    names = ["file", "line", "offset", *finding.record()]
    program("archive.py")
    columns = re.findall(r"(\w+) (string|long)", program("with_spark.py").SCHEMA)
    assert columns == [(name, "long" if name in {"line", "offset"} else "string") for name in names]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (text|integer) \|", PAGE, re.MULTILINE)
    table = {name: kind for cell, kind in rows for name in re.findall(r"`(\w+)`", cell)}
    assert table == {name: "integer" if kind == "long" else "text" for name, kind in columns}


def test_no_engine_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    engines = {re.split("[<>=]", each)[0] for each in project["dependency-groups"]["engines"]}
    assert engines == {"distributed", "duckdb", "psutil", "pyspark", "ray"}
    required = chain(project["project"]["dependencies"], *project["project"]["optional-dependencies"].values())
    assert not engines & {re.split(r"[\[<>=]", each)[0] for each in required}


def test_links_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        assert f"\n## {anchor.replace('-', ' ').capitalize()}\n" in (DOCS / name).read_text("utf-8"), target
