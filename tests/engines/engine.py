"""Start an engine on loopback with two workers, run its program, and write the findings: `engine.py ENGINE FILE...`.

It runs in the folder with the programs of docs/engines.md. Each finding is a line of JSON on standard output.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]


def one_process(files: list[str]) -> Iterator[Record]:
    yield from importlib.import_module("archive").findings(files)


def dask(files: list[str]) -> Iterator[Record]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield from importlib.import_module("with_dask").findings(client, files)


def ray(files: list[str]) -> Iterator[Record]:
    options = {
        "num_cpus": 2,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "WARNING",
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": str(Path.cwd() / "ray"),
    }
    yield from importlib.import_module("with_ray").findings(files, **options)


def spark(files: list[str]) -> Iterator[Record]:
    from pyspark.sql import SparkSession

    options = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    session = SparkSession.builder.master("local[2]").config(map=options).getOrCreate()
    try:
        rows = importlib.import_module("with_spark").findings(session, files).toLocalIterator()
        yield from (row.asDict() for row in rows)
    finally:
        session.stop()


def duckdb(files: list[str]) -> Iterator[Record]:
    from duckdb import connect

    with connect() as connection:
        yield from importlib.import_module("with_duckdb").findings(connection, files)


ENGINES: dict[str, Callable[[list[str]], Iterator[Record]]] = {
    each.__name__: each for each in (one_process, dask, ray, spark, duckdb)
}

if __name__ == "__main__":
    sys.path.insert(0, "")
    name, *paths = sys.argv[1:]
    for record in ENGINES[name](paths):
        print(json.dumps(record))
