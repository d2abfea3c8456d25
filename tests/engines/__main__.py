"""Validate 200,000 documents with each engine, in two workers, and compare the findings with those of one process.

It fails if an engine has other findings than `lifecycle validate`, or leaves a process behind.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.bed.paths import ROOT

from . import samples
from .page import write_programs
from .process import run_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .samples import Record

_TIMEOUT: Final = 300.0  # in seconds, for each engine
_LOG: Final = 4000  # characters of standard error that are shown after a failure
_TITLES: Final = {
    "one_process": "one process",
    "dask": "Dask, two worker processes",
    "ray": "Ray, two worker processes",
    "spark": "Spark, local[2]",
    "duckdb": "DuckDB, from Parquet",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the engines; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=200_000, help="the number of documents; 200,000 by default")
    parser.add_argument("--only", nargs="+", choices=_TITLES, default=list(_TITLES), help="run only these engines")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="engines-") as name:
        folder = Path(name)
        write_programs(folder)
        offsets = write_archives(folder, options.size)
        expected, begin = folder / "expected", time.monotonic()
        with expected.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(record)}\n" for record in samples.command_findings(folder, offsets))
        spent = time.monotonic() - begin
        number = sum(1 for _ in read(expected))
        print(f"{options.size:,} documents in {len(offsets)} files: {number:,} findings of lifecycle validate")
        print(f"{'lifecycle validate':<28}{spent:>7.1f} s", flush=True)
        failures = [problem for engine in options.only for problem in compare(engine, folder, list(offsets), expected)]
    for problem in failures:
        print(problem, file=sys.stderr)
    return 1 if failures else 0


def write_archives(folder: Path, size: int) -> dict[str, list[int]]:
    """Write three archives, one of them empty, and their documents as Parquet; return the offsets of their lines."""
    lines = list(samples.make_lines(folder, size))
    parts = {"first.ndjson": lines[: len(lines) // 3], "empty.ndjson": [], "last.ndjson": lines[len(lines) // 3 :]}
    offsets = {}
    for name, part in parts.items():
        offsets[name] = samples.write_archive(folder / name, part)
        write_parquet(folder / name.replace("ndjson", "parquet"), part)
    return offsets


def write_parquet(path: Path, lines: list[bytes]) -> None:
    """Write a table with a row for each line; blank lines are empty."""
    import duckdb

    documents = [line if line.strip(b" \t\r\n") else b"" for line in lines]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE lines (document BLOB)")
        connection.execute("INSERT INTO lines SELECT unnest($documents::BLOB[])", {"documents": documents})
        connection.execute(f"COPY lines TO '{path}' (FORMAT parquet)")


def compare(engine: str, folder: Path, files: list[str], expected: Path) -> Iterator[str]:
    """Run an engine, print its figures, and yield what is wrong."""
    if engine == "spark" and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        print("skipping Spark: java is not on PATH, and JAVA_HOME is not set", flush=True)
        return
    table = engine == "duckdb"
    paths = [each.replace("ndjson", "parquet") for each in files] if table else files
    found, log, begin = folder / f"{engine}.found", folder / f"{engine}.log", time.monotonic()
    with found.open("wb") as output, log.open("wb") as errors:
        ended = run_family(
            [sys.executable, "-m", "tests.engines.engine", engine, *paths],
            folder=folder,
            environment=environment(folder),
            output=output,
            log=errors,
            timeout=_TIMEOUT,
        )
    spent = time.monotonic() - begin
    problems = []
    if ended.code != 0:
        problems.append(f"exit code {ended.code}" if ended.code is not None else f"not finished in {_TIMEOUT:.0f} s")
    if ended.survivors:
        problems.append(f"left processes behind: {', '.join(ended.survivors)}")
    if not problems:
        wanted = (as_row(record) if table else record for record in read(expected))
        differences = ((want, has) for want, has in zip_longest(wanted, read(found)) if want != has)
        problems = [f"the first difference: expected {want}, found {has}" for want, has in islice(differences, 1)]
    figures = f"{spent:>7.1f} s {ended.total / 1e6:>7,.0f} MB, largest Python process {ended.python / 1e6:,.0f} MB"
    print(f"{_TITLES[engine]:<28}{figures}: {'FAILED' if problems else 'the same findings'}", flush=True)
    if problems:
        yield from (f"{_TITLES[engine]}: {problem}" for problem in problems)
        yield log.read_text("utf-8", errors="replace")[-_LOG:]


def as_row(record: Record) -> Record:
    """Return a finding as it is reported for a row of a table."""
    row = {name: value for name, value in record.items() if name != "offset"}
    return row | {"file": row["file"].replace("ndjson", "parquet")}


def read(path: Path) -> Iterator[Record]:
    """Yield the findings in a file."""
    with path.open("rb") as file:
        yield from map(json.loads, file)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of an engine: what it writes is in the folder, and it reports nothing to its makers."""
    return os.environ | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


if __name__ == "__main__":
    sys.exit(main())
