"""The registry maps every spelling of a protocol to its contract."""

from __future__ import annotations

import dataclasses
import json
import tomllib

import jsonschema
import pytest

import choria_schemas
from choria_schemas import registry
from choria_schemas.registry import CONTRACTS, Contract
from tests.bed.paths import ROOT
from tests.bed.samples import ALL_CONTRACTS

SCHEMAS = ROOT / "schemas"


def test_has_every_contract_under_every_spelling(contract):
    for spelling in contract.protocols:
        assert CONTRACTS[spelling] is contract
    assert contract.protocols[0] == contract.protocol
    assert set(contract.protocols) == set(contract.schema()["properties"]["protocol"]["enum"])


def test_has_the_contract_of_each_schema():
    schemas = [json.loads(file.read_bytes()) for file in SCHEMAS.rglob("*.json")]
    assert sorted(each.schema_id for each in ALL_CONTRACTS) == sorted(schema["id"] for schema in schemas)
    assert {(each.protocol, *sorted(each.protocols)) for each in ALL_CONTRACTS} == {
        (schema["title"], *sorted(schema["properties"]["protocol"]["enum"])) for schema in schemas
    }


def test_is_read_only(contract):
    with pytest.raises(TypeError):
        CONTRACTS["new"] = contract
    with pytest.raises(dataclasses.FrozenInstanceError):
        contract.bounds = None


def test_a_contract_names_its_source(contract):
    local = (SCHEMAS / "local" / contract.path).exists()
    assert contract.source == ("local" if local else registry.UPSTREAM_COMMIT)
    assert registry.UPSTREAM_REPOSITORY == "https://github.com/choria-io/schemas"
    assert len(registry.UPSTREAM_COMMIT) == 40


def test_a_bound_beyond_a_double_is_exact():
    bounds = {bound[:2]: bound[2] for bound in CONTRACTS["io.choria.lifecycle.v1.governor"].bounds}
    assert repr(bounds["sequence", "maximum"]) == "18446744073709551615"


def test_a_contract_has_its_fields_in_the_order_of_the_wire(contract):
    assert sorted(contract.fields) == sorted(contract.schema()["properties"])
    required = [name for name in contract.fields if name in contract.schema()["required"]]
    assert [field.name for field in dataclasses.fields(contract.cls)][: len(required)] == required


def test_a_contract_lists_its_corrections(contract):
    described = tomllib.loads((SCHEMAS / "corrections.toml").read_text("utf-8"))["corrections"]
    assert set(contract.corrections) == {
        (each["pointer"], each["reason"], json.dumps(each.get("expected")))
        for each in described
        if each["file"] == contract.path
    }


def test_the_schema_is_a_fresh_copy_of_the_corrected_contract(contract):
    first = choria_schemas.schema(contract.protocols[-1])
    assert first == contract.schema()
    assert first["$schema"] == "http://json-schema.org/draft-04/schema#"
    jsonschema.Draft4Validator.check_schema(first)
    first["properties"].clear()
    first["required"].append("more")
    assert choria_schemas.schema(contract.protocol) == contract.schema() != first


def test_an_unknown_protocol_is_a_key_error_that_lists_the_known_ones():
    with pytest.raises(
        KeyError, match=r"no contract for the protocol 'io\.choria\.gone'.*io\.choria\.lifecycle\.v1\.startup"
    ):
        choria_schemas.schema("io.choria.gone")


def test_a_contract_has_exactly_the_public_attributes():
    names = [field.name for field in dataclasses.fields(Contract)]
    assert names == [
        "protocol",
        "protocols",
        "schema_id",
        "path",
        "source",
        "fields",
        "bounds",
        "corrections",
        "class_name",
    ]
    assert Contract.__slots__ == tuple(names)


def test_violations_lists_every_violation_with_rule_and_value():
    contract = CONTRACTS["choria:lifecycle:governor:1"]
    found = contract.violations(
        {"protocol": "choria:lifecycle:governor:1", "id": 1, "governor": "", "sequence": -1, "event_type": "timeout"}
    )
    assert {(error.name, error.rule) for error in found} == {
        ("data", "required"),
        ("data.id", "type"),
        ("data.governor", "minLength"),
        ("data.sequence", "minimum"),
        ("data.event_type", "enum"),
    }
    (error,) = [error for error in found if error.rule == "minimum"]
    assert (error.value, error.rule_definition) == (-1, 0)


def test_violations_does_not_modify_the_document(contract, document):
    before = repr(document)
    assert contract.violations(document) == ()
    assert repr(document) == before


@pytest.mark.parametrize("value", [None, [], "x", 1, True, 1.5])
def test_a_value_that_is_not_an_object_is_a_violation(contract, value):
    (error,) = contract.violations(value)
    assert (error.name, error.rule) == ("data", "type")
