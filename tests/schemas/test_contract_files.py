"""The contract in schemas/: canonical, complete, and free of upstream's descriptions."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from codegen import canonical, contract, lock
from tests.bed.paths import ROOT

SCHEMAS = ROOT / "schemas"
FILES = sorted(SCHEMAS.rglob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SCHEMAS).as_posix())
def test_every_file_is_in_canonical_form(file):
    schema = json.loads(file.read_bytes())
    assert canonical.render(canonical.canonicalise(schema, file.name)) == file.read_bytes()
    assert not re.search(r'"(description|default|examples)": ["{\[]', file.read_text(encoding="utf-8"))


def test_the_lock_lists_every_file_and_the_origin():
    locked = lock.read(SCHEMAS)
    assert locked.repository == "https://github.com/choria-io/schemas"
    assert locked.render() == (SCHEMAS / "upstream.lock").read_text(encoding="utf-8")
    assert {entry.path for entry in locked.files} | {
        file.relative_to(SCHEMAS).as_posix() for file in (SCHEMAS / "local").rglob("*.json")
    } == {file.relative_to(SCHEMAS).as_posix() for file in FILES}
    assert locked.ignores("choria/machine/v1/manifest.json")
    assert all(pattern.reason for pattern in locked.use + locked.ignore)


def test_the_contract_is_complete():
    assert len(contract.load(SCHEMAS).all) == len(FILES)


def test_each_sentence_about_a_time_states_the_unit():
    described = tomllib.loads((SCHEMAS / "descriptions.toml").read_text(encoding="utf-8"))
    for file, table in described.items():
        assert "seconds since 1970 (UTC)" in table["fields"]["timestamp"], file
        for name in ("check_time", "previous_run_time", "runtime"):
            assert "seconds" in table["fields"].get(name, "seconds")
