from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import choria_schemas
from choria_schemas.registry import CONTRACTS, UPSTREAM_COMMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

PROTOCOLS = sorted({contract.protocol for contract in CONTRACTS.values()})


def test_list_shows_each_contract_once(run: Callable[..., Result]) -> None:
    result = run("schema", "list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert sorted(line.split()[0] for line in lines[1:] if line.startswith("io.")) == PROTOCOLS
    assert UPSTREAM_COMMIT in lines[-1]


def test_list_prints_json(run: Callable[..., Result]) -> None:
    found = [json.loads(line) for line in run("schema", "list", "--output", "json").stdout.splitlines()]
    assert sorted(each["protocol"] for each in found) == PROTOCOLS
    by_protocol = {each["protocol"]: each for each in found}
    assert by_protocol["io.choria.lifecycle.v1.startup"]["commit"] == UPSTREAM_COMMIT
    assert by_protocol["io.choria.lifecycle.v1.governor"]["commit"] is None
    assert by_protocol["io.choria.machine.v1.transition"]["corrections"][0]["pointer"] == "/additionalProperties"


@pytest.mark.parametrize("protocol", CONTRACTS)
def test_show_prints_the_corrected_contract(protocol: str, run: Callable[..., Result]) -> None:
    contract = CONTRACTS[protocol]
    text = run("schema", "show", protocol).stdout
    about, _, schema = text.partition("\n\n")
    assert json.loads(schema) == choria_schemas.schema(protocol)
    assert all(spelling in about for spelling in contract.protocols)
    assert all(f"{pointer}: {reason}" in about for pointer, reason, _ in contract.corrections)
    assert (contract.source in about) or contract.source == "local"
    as_json = json.loads(run("schema", "show", protocol, "--output", "json").stdout)
    assert as_json["schema"] == choria_schemas.schema(protocol)


@pytest.mark.parametrize(
    ("protocol", "hint"),
    [
        ("io.choria.lifecycle.v1.strtup", "did you mean io.choria.lifecycle.v1.startup?"),
        ("x\x1b[2J", "schema list"),
    ],
)
def test_an_unknown_protocol_is_refused_with_a_hint(protocol: str, hint: str, run: Callable[..., Result]) -> None:
    result = run("schema", "show", protocol)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert "\x1b" not in result.stderr
