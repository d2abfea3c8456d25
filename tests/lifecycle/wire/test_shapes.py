from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from choria_lifecycle import InvalidEvent
from choria_lifecycle.wire import codec, quick
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.quick import recognise
from choria_lifecycle.wire.shapes import SHAPES, Shapes, event_fields
from choria_schemas.registry import CONTRACTS
from tests.bed.near_misses import GOOD, envelope, event, written
from tests.bed.samples import UNKNOWN_PROTOCOL, compact, enveloped, every_spelling, example


@every_spelling
def test_every_contract_has_a_shape_in_both_formats_and_all_spellings(protocol: str) -> None:
    for document in (example(protocol), enveloped(example(protocol))):
        raw = compact(document)
        [struct] = recognise([raw])
        assert struct is not None
        shape = SHAPES.by_struct[struct]
        assert shape.contract is CONTRACTS[protocol]
        assert (shape.format == "choria") == ("specversion" not in document)
        assert [finding.value for finding in shape.warnings] == [protocol] * (
            0 if protocol == shape.contract.protocol else 1 if shape.format == "choria" else 2
        )
        assert shape.quotes in (raw.count(b'"') - raw.count(b'\\"'), None)
        assert codec.decode(raw) == codec._decode_checked(raw, len(raw))


NAGIOS = "io.choria.machine.watcher.nagios.v1.state"
METRIC = "io.choria.machine.watcher.metric.v1.state"
KV = "io.choria.machine.watcher.kv.v1.state"


# The values at the limits of what types can express: either both accept them, or the thorough check decides.
@pytest.mark.parametrize(
    ("protocol", "changes", "recognised"),
    [
        (NAGIOS, {"runtime": 1}, True),
        (NAGIOS, {"runtime": 1e308}, True),
        (NAGIOS, {"runtime": 1.7976931348623157e308}, False),
        (NAGIOS, {"runtime": int(1.7976931348623157e308) + 1}, False),
        (NAGIOS, {"runtime": True}, False),
        (NAGIOS, {"status_code": 6}, False),
        (NAGIOS, {"status_code": 1.0}, False),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1}]}, True),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1, "unit": "s"}]}, True),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1, "unit": None}]}, False),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1, "unit": "x"}]}, False),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1, "other": 10**400}]}, False),
        (NAGIOS, {"perfdata": [{"label": "a", "value": 1, "other": 1}]}, False),
        (NAGIOS, {"perfdata": [{"label": "a"}]}, False),
        (NAGIOS, {"other": 10**400}, True),
        (NAGIOS, {"history": None}, False),
        (NAGIOS, {"history": [{"execute": "x", "status": 4}]}, True),
        (NAGIOS, {"history": [{"execute": "x", "status": 5}]}, False),
        (NAGIOS, {"history": [{"execute": "x", "status": 4, "perfdata": None}]}, True),
        (NAGIOS, {"annotations": {"a": "b"}}, True),
        (NAGIOS, {"annotations": {"a": 1}}, False),
        (METRIC, {"metrics": {"labels": {}, "metrics": {"a": 2**70}, "time": 2**63 - 1}}, True),
        (METRIC, {"metrics": {"labels": {}, "metrics": {"a": 10**309}, "time": 0}}, False),
        (METRIC, {"metrics": {"labels": {}, "metrics": {}, "time": 2**63}}, False),
        (METRIC, {"metrics": {"labels": {"a": 1}, "metrics": {}, "time": 0}}, False),
        (KV, {"key": "a"}, True),
        (KV, {"key": None}, False),
    ],
)
@pytest.mark.parametrize("make", [event, envelope])
def test_nested_values_and_optional_fields(protocol: str, changes: dict[str, Any], recognised: bool, make: Any) -> None:
    document = make(protocol)
    (document if make is event else document["data"]).update(changes)
    raw = written(document)
    assert (recognise([raw]) != [None]) == recognised
    is_valid = check_document(raw).errors == []
    assert is_valid or not recognised
    if is_valid:
        assert codec.decode(raw) == codec._decode_checked(raw, len(raw))
    else:
        with pytest.raises(InvalidEvent):
            codec.decode(raw)


_INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("accepted", "refused", "wanted"),
    [
        ([True, False], [0, None, "x"], {"type": "boolean"}),
        (["a"], ["", "abc", 1], {"type": "string", "minLength": 1, "maxLength": 2}),
        ([[1], [1, 2]], [[], [1, 2, 3], ["1"], 1], {"type": "array", "items": _INTEGER, "minItems": 1, "maxItems": 2}),
        ([1, 5], [0, 6, 1.0], {"type": "integer", "minimum": 1, "maximum": 5}),
        ([1, 1.5, "x"], [0.5, None], {"type": ["number", "string"], "minimum": 1}),
        ([-(2**63), 2**63 - 1], [2**63], {"type": "integer", "minimum": -(2**70), "maximum": 2**64}),
        (["a", "b"], ["c", 1], {"enum": ["a", "b"]}),
        ([1, "x"], [], {"$ref": "#/definitions/x"}),
    ],
)  # fmt: skip
def test_types_express_a_schema(accepted: list[Any], refused: list[Any], wanted: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "required": ["x"],
        "properties": {"x": wanted},
        "definitions": {"x": {"type": ["integer", "string"]}},
    }
    decode = msgspec.json.Decoder(msgspec.defstruct("Made", event_fields(schema, schema["properties"]))).decode
    for value in accepted:
        decode(json.dumps({"x": value}))
    for value in refused:
        with pytest.raises(msgspec.ValidationError):
            decode(json.dumps({"x": value}))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"type": "string", "pattern": "a"},
        {"type": "object"},
        {"type": "array"},
        {"type": "new"},
        {"enum": [1, "a"]},
        {"enum": ["a"], "minLength": 1},
    ],
)
def test_other_schemas_are_left_to_the_thorough_check(wanted: dict[str, Any]) -> None:
    with pytest.raises(LookupError):
        event_fields({"type": "object", "required": [], "properties": {"x": wanted}}, ["x"])


def test_a_closed_object_is_left_to_the_thorough_check() -> None:
    schema = {"type": "object", "required": [], "properties": {"x": {"type": "string"}}, "additionalProperties": False}
    with pytest.raises(LookupError):
        event_fields(schema, schema["properties"])


def test_a_contract_without_a_shape_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = CONTRACTS[KV]
    schema = contract.schema() | {"additionalProperties": False}
    closed = type("Closed", (), {"schema": lambda _: schema, "fields": contract.fields})()
    monkeypatch.setattr("choria_lifecycle.wire.shapes.CONTRACTS", {KV: contract, UNKNOWN_PROTOCOL: closed})
    shapes = Shapes()
    assert shapes.learn(written(event(KV)))
    assert not shapes.learn(written(event(KV) | {"protocol": UNKNOWN_PROTOCOL}))
    assert {shape.contract for shape in shapes.by_struct.values()} == {contract}


def test_a_shape_is_made_for_the_first_document_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = Shapes()
    monkeypatch.setattr(quick, "SHAPES", shapes)
    for number, raw in enumerate(GOOD):
        assert len(shapes.by_struct) == number
        [first, second] = recognise([raw, raw])
        assert first is second is [*shapes.by_struct][-1]
    found = recognise(GOOD)
    assert found == [*shapes.by_struct]
    assert recognise([raw[:-1] for raw in GOOD]) == [None] * len(GOOD)
    assert len(shapes.by_struct) == len(GOOD)


@pytest.mark.parametrize(
    "raw",
    [b"", b"x", b"[]", b"{}", b"\xff", b'{"protocol":[]}', b'{"type":{}}', written({"protocol": UNKNOWN_PROTOCOL})],
)
def test_nothing_is_learnt_from_other_documents(raw: bytes) -> None:
    shapes = Shapes()
    assert not shapes.learn(raw)
    assert shapes.by_struct == {}
    for decode in shapes.decoders:
        with pytest.raises(LookupError):
            decode(raw)
