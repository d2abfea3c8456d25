"""Validation with Dask, Ray, Spark and DuckDB, compared with `lifecycle validate` in one process: `make engines`.

The code that runs is that of docs/engines.md. The engines are installed in an environment of their own; the part of the
page that needs none of them is also tested by `make test`.
"""
