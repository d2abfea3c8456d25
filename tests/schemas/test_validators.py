"""The compiled validator and the types agree with the oracle, jsonschema, on every document."""

from __future__ import annotations

import functools
import json
import os

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choria_schemas.registry import CONTRACTS
from tests.bed.samples import ALL_CONTRACTS, every_contract, example

EXAMPLES = int(os.environ.get("LIFECYCLE_EXAMPLES", "100"))


def enumerated(schema):
    """Return the texts that a schema enumerates, in nested objects too."""
    found = {value for value in schema.get("enum", ()) if isinstance(value, str)}
    nested = [inner for inner in schema.values() if isinstance(inner, dict)]
    return found.union(*map(enumerated, nested))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 3, 4, 5, 6, 2**63, 2**64, 10**30, 1.0, 0.0, -0.0, 1e3, 5.0, 5.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.sampled_from(sorted({"", "s", *CONTRACTS}.union(*(enumerated(each.schema()) for each in ALL_CONTRACTS)))),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)


def values(schema, root):
    """Generate values that are mostly valid."""
    if "$ref" in schema:
        return values(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    likely = {
        "string": st.sampled_from(schema["enum"]) if "enum" in schema else TEXT,
        "integer": st.integers(-2, 7) | st.integers(),
        "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "null": st.none(),
        "boolean": st.booleans(),
    }
    if "array" in kinds:
        likely["array"] = st.lists(values(schema["items"], root), max_size=3)
    if "object" in kinds:
        likely["object"] = (
            documents(schema, root) if "properties" in schema else st.dictionaries(TEXT, TEXT, max_size=3)
        )
    return st.integers(0, 15).flatmap(
        lambda dice: ANYTHING if dice == 0 else st.one_of(*(likely[kind] for kind in kinds)),
    )


def documents(schema, root):
    """Generate objects with the fields of a schema; some lack fields, have invalid values or extra fields."""
    fields = {name: values(member, root) for name, member in schema["properties"].items()}
    required = {name: fields[name] for name in schema.get("required", ())}
    optional = {name: member for name, member in fields.items() if name not in required}
    complete = st.fixed_dictionaries(required, optional=optional)
    partial = st.fixed_dictionaries({}, optional=fields)
    extra = st.dictionaries(TEXT | st.sampled_from(["Protocol", "data", "x-y"]), ANYTHING, max_size=2)
    return st.integers(0, 5).flatmap(
        lambda dice: (
            partial
            if dice == 0
            else st.builds(lambda more, object_: more | object_, extra, complete)
            if dice == 1
            else complete
        )
    )


@functools.cache
def oracle(contract):
    return jsonschema.Draft4Validator(contract.schema())


@functools.cache
def decoder(contract):
    return msgspec.json.Decoder(contract.cls)


def verdicts(contract, document):
    """Return whether a document is valid according to the oracle, the compiled validator and the types."""
    try:
        decoder(contract).decode(json.dumps(document))
        typed = True
    except msgspec.ValidationError:
        typed = False
    return oracle(contract).is_valid(document), not contract.violations(document), typed


@every_contract
def test_all_verdicts_agree(contract):
    schema = contract.schema()

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(documents(schema, schema))
    def agree(document):
        expected, compiled, typed = verdicts(contract, document)
        assert compiled is expected
        # Types may accept more than a schema with bounds, and never less.
        assert typed is expected or (typed and contract.bounds != ())

    agree()


def mutations(schema, document):
    """Yield the document with each field removed, null, or of another type, and the same for nested objects."""
    unexpected = [None, True, False, 0, -1, 6, 1.0, 1.5, 2**64, "", "x", [], {}, [None], [{}], {"a": 1}, {"a": "b"}]
    for name in [*schema["properties"], "unknown"]:
        yield {key: value for key, value in document.items() if key != name}
        for value in unexpected:
            yield document | {name: value}
    for name, member in schema["properties"].items():
        if "properties" in member and isinstance(document.get(name), dict):
            yield from (document | {name: inner} for inner in mutations(member, document[name]))


def test_all_verdicts_agree_if_one_field_is_wrong(contract, document):
    valid = 0
    for mutation in mutations(contract.schema(), document):
        expected, compiled, typed = verdicts(contract, mutation)
        assert compiled is expected, mutation
        assert typed is expected or (typed and contract.bounds != ()), mutation
        valid += expected
    assert valid > 0


@every_contract
def test_bounds_mark_what_types_do_not_enforce(contract):
    found = {verdicts(contract, each) for each in mutations(contract.schema(), example(contract.protocol))}
    assert ((False, False, True) in found) == (contract.bounds != ())


def test_violations_have_the_location_that_the_oracle_reports(contract, document):
    for mutation in mutations(contract.schema(), document):
        expected = {
            error.absolute_path[0] if error.absolute_path else "" for error in oracle(contract).iter_errors(mutation)
        }
        found = {(error.path[1:] or [""])[0] for error in contract.violations(mutation)}
        assert found == expected


def test_events_sent_by_choria_are_valid(contract, document):
    assert verdicts(contract, document) == (True, True, True)


def test_both_spellings_are_valid_and_other_protocols_are_not(contract, document):
    for spelling in contract.protocols:
        assert verdicts(contract, document | {"protocol": spelling}) == (True, True, True)
    for other in {*CONTRACTS, "", contract.protocol.upper()} - set(contract.protocols):
        assert verdicts(contract, document | {"protocol": other}) == (False, False, False)


def test_additional_fields_are_allowed_everywhere(contract, document):
    assert verdicts(contract, document | {"unknown": {"a": [1]}}) == (True, True, True)


@pytest.mark.parametrize("number", [1.0, True, False, "1", None, [1]])
def test_only_integers_are_valid_integers(contract, document, number):
    assert verdicts(contract, document | {"timestamp": number}) == (False, False, False)


def test_a_format_is_an_annotation(sample):
    contract = CONTRACTS["io.choria.machine.watcher.nagios.v1.state"]
    document = sample(contract.protocol) | {"history": [{"execute": "not a time", "status": 0}]}
    assert contract.schema()["properties"]["history"]["items"]["properties"]["execute"]["format"] == "date-time"
    assert verdicts(contract, document) == (True, True, True)


@pytest.mark.parametrize(
    ("protocol", "change"),
    [
        ("io.choria.machine.watcher.schedule.v1.state", {}),
        ("io.choria.machine.watcher.nagios.v1.state", {"status": "SKIPPED", "status_code": 4}),
        ("io.choria.machine.watcher.nagios.v1.state", {"perfdata": []}),
        ("io.choria.machine.v1.transition", {"new_in_choria": 1}),
        ("io.choria.lifecycle.v1.governor", {"sequence": 0, "event_type": "timeouts"}),
    ],
)
def test_events_that_only_upstreams_schema_refuses_are_valid(sample, protocol, change):
    assert verdicts(CONTRACTS[protocol], sample(protocol) | change) == (True, True, True)


def test_violations_in_nested_objects_have_the_full_path(sample):
    contract = CONTRACTS["io.choria.machine.watcher.nagios.v1.state"]
    document = sample(contract.protocol)
    document["history"] = [{"execute": "t", "status": 0, "perfdata": [{"label": "a", "value": "1", "unit": "furlong"}]}]
    document["annotations"] = {"{data}": 1}
    found = {(error.name, error.rule) for error in contract.violations(document)}
    assert found == {
        ("data.history[0].perfdata[0].value", "type"),
        ("data.history[0].perfdata[0].unit", "enum"),
        ("data.annotations.{data}", "type"),
    }
