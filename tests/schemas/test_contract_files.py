"""The contract in schemas/: canonical, complete, and without a sentence of upstream's."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from codegen import canonical, contract, lock

SCHEMAS = Path(__file__).parents[2] / "schemas"
FILES = sorted(SCHEMAS.rglob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SCHEMAS).as_posix())
def test_every_file_is_in_canonical_form(file):
    schema = json.loads(file.read_bytes())
    assert canonical.render(canonical.canonical(schema, file.name)) == file.read_bytes()
    assert not re.search(r'"(description|default|examples)": ["{\[]', file.read_text(encoding="utf-8"))


def test_the_lock_names_what_is_there_and_where_from():
    held = lock.read(SCHEMAS)
    assert held.repository == "https://github.com/choria-io/schemas"
    assert held.render() == (SCHEMAS / "upstream.lock").read_text(encoding="utf-8")
    assert {entry.path for entry in held.files} | {"local/choria/lifecycle/v1/governor.json"} == {
        file.relative_to(SCHEMAS).as_posix() for file in FILES
    }
    assert held.ignores("choria/machine/v1/manifest.json")
    assert all(pattern.reason for pattern in held.use + held.ignore)


def test_the_contract_is_whole():
    assert len(contract.load(SCHEMAS).all) == len(FILES) == 11


def test_each_sentence_about_time_names_its_unit():
    described = tomllib.loads((SCHEMAS / "descriptions.toml").read_text(encoding="utf-8"))
    for file, table in described.items():
        assert "seconds since 1970 (UTC)" in table["fields"]["timestamp"], file
        for name in ("check_time", "previous_run_time", "runtime"):
            assert "seconds" in table["fields"].get(name, "seconds")
