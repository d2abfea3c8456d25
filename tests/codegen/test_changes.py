"""The change report: complete, without false alarms, and classified by whom a change breaks.

The oracles are jsonschema, for what a change does to events, and the generated dataclasses, for what it does to Python.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codegen import changes, classes, comparison, descriptions, subset
from codegen.changes import PYTHON, READERS, WRITERS
from codegen.contract import ContractSet, EffectiveContract
from codegen.descriptions import Description
from codegen.problems import ContractError

PING = "choria/lifecycle/v1/ping.json"
TITLE = "io.choria.lifecycle.v1.ping"
DEFINITIONS = {
    "text": {"type": "string", "minLength": 1},
    "part": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}


def schema_of(field, required=False, definitions=DEFINITIONS):
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "urn:x",
        "title": TITLE,
        "type": "object",
        "required": ["protocol", "field"] if required else ["protocol"],
        "properties": {"protocol": {"type": "string", "enum": [TITLE]}, "field": field},
        "definitions": definitions,
    }


def contracts(schema, path=PING, blob="b", corrections=()):
    described = {
        pointer: Description("An object.", dict.fromkeys(object_["properties"], "A field."))
        for pointer, object_ in descriptions.walk_objects(schema)
    }
    return ContractSet("r", "c", (EffectiveContract(path, schema, blob, corrections, described),))


def compare(old, new):
    return comparison.compare(contracts(old), contracts(new))


def report(old, new, **options):
    return [str(change) for change in compare(schema_of(old, **options), schema_of(new, **options))]


# --- the oracles ---

WORDS = ["a", "bb", "ccc"]
names = st.sampled_from(["a", "b"])


def bounded(type_, lower, upper):
    bounds = st.fixed_dictionaries({}, optional={lower: st.integers(0, 2), upper: st.integers(0, 2)})
    return st.builds(lambda types_, bounds: {"type": types_} | bounds, nullable(type_), bounds)


def nullable(type_):
    return st.sampled_from([type_, [type_, "null"]])


simple = st.one_of(
    st.just({}),
    st.builds(lambda type_: {"type": type_}, st.one_of(nullable("boolean"), st.just("null"))),
    bounded("integer", "minimum", "maximum"),
    bounded("number", "minimum", "maximum"),
    bounded("string", "minLength", "maxLength"),
    st.builds(lambda values: {"enum": values}, st.lists(st.sampled_from(WORDS), min_size=1, unique=True)),
    st.builds(
        lambda values: {"type": "string", "enum": values}, st.lists(st.sampled_from(WORDS), min_size=1, unique=True)
    ),
    st.sampled_from([{"$ref": "#/definitions/text"}, {"$ref": "#/definitions/part"}]),
)


def objects(values):
    def build(types_, fields, required, extra):
        schema = {"type": types_}
        if fields:
            schema["properties"] = fields
            if needed := sorted(required & fields.keys()):
                schema["required"] = needed
        return schema if extra is None else schema | {"additionalProperties": extra}

    extra = st.one_of(st.none(), st.booleans(), values)
    return st.builds(build, nullable("object"), st.dictionaries(names, values, max_size=2), st.sets(names), extra)


def arrays(values):
    return st.builds(
        lambda array, items: array | ({} if items is None else {"items": items}),
        bounded("array", "minItems", "maxItems"),
        st.one_of(st.none(), values),
    )


nested = st.one_of(simple, arrays(simple), objects(simple))
values = st.one_of(simple, nested, arrays(nested), objects(nested))
VALUES = [
    *(None, True, 0, 1, 2, 3, 0.5, 1.5, -1, "", *WORDS, "dddd"),
    *([], [None], ["a"], [0], [3], [0.5, 1], [True, False, True], [[]], [["a"]], [{}], [{"a": 1}], [{"a": "a"}]),
    *({}, {"a": 1}, {"a": "a"}, {"a": None}, {"b": 1}, {"b": "bb", "a": 0}, {"a": 3, "z": 1}, {"z": "a"}, {"a": [0]}),
    *({"z": None}, {"a": {"a": 1}}, {"a": {}, "b": [1]}, {"b": {"b": "a"}}),
]
DOCUMENTS = [{"protocol": TITLE}, *({"protocol": TITLE, "field": value} for value in VALUES)]


def valid(schema):
    validator = jsonschema.Draft4Validator(schema)
    return [validator.is_valid(document) for document in DOCUMENTS]


def surface(schema):
    """Return the fields of each generated class as (annotation, has a default)."""
    (contract,) = contracts(schema).all
    try:
        text = classes.render(contract, "")
    except ContractError:  # two objects of the same class name
        assume(False)
    module: dict = {"__name__": "isolated"}
    exec(compile(text, "generated", "exec", dont_inherit=True), module)
    return {
        name: {
            field.name: (plain(field.type), field.default is not dataclasses.MISSING)
            for field in dataclasses.fields(value)
        }
        for name, value in module.items()
        if dataclasses.is_dataclass(value)
    }


def plain(annotation):
    """Return an annotation as nested tuples, which are equal between two modules."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ("Literal", frozenset(arguments))
    if origin is None:
        return getattr(annotation, "__name__", str(annotation))
    parts = tuple(map(plain, arguments))
    return (getattr(origin, "__name__", str(origin)), frozenset(parts) if origin is types.UnionType else parts)


def accepts(old, new):
    """Return True if an annotation is the same, apart from further values of a Literal."""
    if isinstance(old, tuple) and isinstance(new, tuple) and old[0] == new[0]:
        if old[0] == "Literal":
            return old[1] <= new[1]
        if isinstance(old[1], frozenset):  # T | None
            by_kind = sorted(map(str, old[1])), sorted(map(str, new[1]))
            pairs = zip(sorted(old[1], key=str), sorted(new[1], key=str), strict=False)
            return by_kind[0] == by_kind[1] or (len(old[1]) == len(new[1]) and all(accepts(*pair) for pair in pairs))
        return len(old[1]) == len(new[1]) and all(map(accepts, old[1], new[1]))
    return old == new


def breaks_python(old, new):
    if not old.keys() <= new.keys():
        return True
    for name, fields in old.items():
        if not fields.keys() <= new[name].keys():
            return True
        for field, (annotation, default) in new[name].items():
            if field not in fields:
                if not default:
                    return True
            elif not accepts(fields[field][0], annotation) or (fields[field][1] and not default):
                return True
    return False


@settings(max_examples=60, deadline=None)
@given(values, values, st.booleans(), st.booleans())
def test_the_report_agrees_with_jsonschema_and_the_generated_classes(old_field, new_field, old_required, new_required):
    old, new = schema_of(old_field, old_required), schema_of(new_field, new_required)
    found = compare(old, new)
    broken = {who for change in found for who in change.breaks}
    # A field that is named for the first time refuses other values under its name: the price of any new field.
    if any(before and not after for before, after in zip(valid(old), valid(new), strict=True)):
        assert {READERS, WRITERS} <= broken or any(change.kind == "field-added" for change in found)
    surfaces = surface(old), surface(new)
    assert (PYTHON in broken) is breaks_python(*surfaces), [str(change) for change in found]
    if not found:
        assert valid(old) == valid(new)
        assert surfaces[0] == surfaces[1]


@settings(max_examples=100, deadline=None)
@given(values, st.booleans())
def test_a_schema_does_not_differ_from_itself_with_an_inline_schema_moved(field, required):
    inlined = json.loads(json.dumps(field).replace('{"$ref": "#/definitions/text"}', json.dumps(DEFINITIONS["text"])))
    assert compare(schema_of(field, required), schema_of(inlined, required)) == []


# --- one line for each kind of change ---

ALL = "breaks readers, writers and Python: major"
EVENTS = "breaks readers and writers: major"
ONLY_PYTHON = "breaks Python: major"
F = f"{TITLE}: field field: "
LINES = [
    ({"type": "integer"}, {"type": ["integer", "null"]}, True,
     f"type widened from 'integer' to ['integer', 'null'] ({ONLY_PYTHON})"),
    ({"type": "integer"}, {"type": ["integer", "null"]}, False,
     "type widened from 'integer' to ['integer', 'null'], and None was possible (minor)"),
    ({"type": ["integer", "null"]}, {"type": "integer"}, True,
     f"type narrowed from ['integer', 'null'] to 'integer' ({ALL})"),
    ({"type": ["integer", "null"]}, {"type": "integer"}, False,
     f"type narrowed from ['integer', 'null'] to 'integer', and None stays possible ({EVENTS})"),
    ({"type": "integer"}, {"type": "number"}, True, f"type widened from 'integer' to 'number' ({ONLY_PYTHON})"),
    ({"type": "number"}, {"type": "integer"}, True, f"type narrowed from 'number' to 'integer' ({ALL})"),
    ({"type": "integer"}, {"type": "string"}, True, f"type changed from 'integer' to 'string' ({ALL})"),
    ({"type": "integer"}, {}, True, f"type 'integer' removed ({ONLY_PYTHON})"),
    ({}, {"type": "integer"}, True, f"type 'integer' added ({ALL})"),
    ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 2}, True,
     f"minimum tightened from 1 to 2 ({EVENTS})"),
    ({"type": "integer", "minimum": 2}, {"type": "integer", "minimum": 1}, True,
     "minimum loosened from 2 to 1 (minor)"),
    ({"type": "integer", "minimum": 2}, {"type": "integer"}, True, "minimum 2 removed (minor)"),
    ({"type": "number"}, {"type": "number", "maximum": 2}, True, f"maximum 2 added ({EVENTS})"),
    ({"type": "number", "maximum": 2}, {"type": "number", "maximum": 1.5}, True,
     f"maximum tightened from 2 to 1.5 ({EVENTS})"),
    ({"type": "number", "maximum": 1}, {"type": "number", "maximum": 2}, True, "maximum loosened from 1 to 2 (minor)"),
    ({"type": "string", "minLength": 1}, {"type": "string", "minLength": 2}, True,
     f"minLength tightened from 1 to 2 ({EVENTS})"),
    ({"type": "string", "maxLength": 2}, {"type": "string", "maxLength": 1}, True,
     f"maxLength tightened from 2 to 1 ({EVENTS})"),
    ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 2}, True,
     f"minItems tightened from 1 to 2 ({EVENTS})"),
    ({"type": "array", "maxItems": 2}, {"type": "array", "maxItems": 1}, True,
     f"maxItems tightened from 2 to 1 ({EVENTS})"),
    ({"type": "string"}, {"type": "string", "enum": ["a"]}, True, f"limited to the values ['a'] ({ALL})"),
    ({"type": "string", "enum": ["a"]}, {"type": "string"}, True,
     f"no longer limited to the values ['a'] ({ONLY_PYTHON})"),
    ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, True, f"value 'a' removed ({ALL})"),
    ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, True, "value 'c' added (minor)"),
    ({"type": "string"}, {"type": "string", "pattern": "^a"}, True, f"pattern '^a' added ({EVENTS})"),
    ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}, True,
     f"pattern changed from '^a' to '^b' ({EVENTS})"),
    ({"type": "string", "pattern": "^a"}, {"type": "string"}, True, "pattern '^a' removed (minor)"),
    ({"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}, True,
     "format changed from 'ipv4' to 'ipv6' (patch)"),
    ({"type": "object"}, {"type": "object", "additionalProperties": False}, True,
     f"closed: other fields are no longer allowed ({EVENTS})"),
    ({"type": "object", "additionalProperties": False}, {"type": "object"}, True,
     "opened: other fields are allowed (minor)"),
    ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": True}, True,
     "opened: other fields are allowed (minor)"),
    ({"type": "object"}, {"type": "object", "properties": {"a": {}}}, True,
     f"fields named for the first time: a ({ALL})"),
    ({"type": "object", "properties": {"a": {}}}, {"type": "object"}, True,
     f"fields no longer named: a ({ONLY_PYTHON})"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "required", "line"), LINES)
def test_each_kind_of_change_has_its_line(old, new, required, line):
    assert f"{F}{line}" in report(old, new, required=required)


INNER = [
    ({"type": "array"}, {"type": "array", "items": {"type": "integer"}},
     f"field field[]: type 'integer' added ({ALL})"),
    ({"type": "object"}, {"type": "object", "additionalProperties": {"type": "string"}},
     f"field field.*: type 'string' added ({ALL})"),
    ({"type": "object", "properties": {"a": {}}},
     {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
     f"field field.*: type 'string' added ({EVENTS})"),
    ({"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}, "b": {}}},
     "field field.b added (minor)"),
    ({"type": "object", "properties": {"a": {}}},
     {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, f"field field.b added, required ({ALL})"),
    ({"type": "object", "properties": {"a": {}, "b": {}}}, {"type": "object", "properties": {"a": {}}},
     f"field field.b removed ({ONLY_PYTHON})"),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "additionalProperties": False},
     {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
     f"field field.b removed, and other fields are refused ({ALL})"),
    ({"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}, "required": ["a"]},
     f"field field.a now required ({ALL})"),
    ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
     {"type": "object", "properties": {"a": {"type": "string"}}},
     f"field field.a no longer required ({ONLY_PYTHON})"),
    ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
     {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
     "field field.a no longer required, and None was possible (minor)"),
    ({"$ref": "#/definitions/part"}, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
     f"field field: class Part renamed to Field ({ONLY_PYTHON})"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line"), INNER)
def test_changes_inside_a_field_name_the_place(old, new, line):
    assert report(old, new, required=True) == [f"{TITLE}: {line}"]


def test_every_kind_of_the_table_is_tested():
    tested = [change.kind for old, new, required, _ in LINES for change in
              compare(schema_of(old, required), schema_of(new, required))]  # fmt: skip
    tested += [change.kind for old, new, _ in INNER for change in compare(schema_of(old, True), schema_of(new, True))]
    tested += [change.kind for before, after, _ in WHOLE for change in comparison.compare(before, after)]
    assert set(tested) == set(changes.EFFECTS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"type": "string"}, {"type": "string", "minLength": 0}),
        ({"type": "array"}, {"type": "array", "minItems": 0, "items": {}}),
        ({"type": "number", "minimum": 1}, {"type": "number", "minimum": 1.0}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}),
        ({"type": "object"}, {"type": "object", "additionalProperties": {}}),
        ({"type": "object"}, {"type": "object", "additionalProperties": True}),
        ({"$ref": "#/definitions/text"}, {"type": "string", "minLength": 1}),
    ],
)
def test_another_notation_is_not_a_change(old, new):
    assert report(old, new) == report(new, old) == []


def test_a_definition_that_nothing_refers_to_is_not_a_change():
    assert compare(schema_of({}), schema_of({}, definitions={})) == []


def test_a_change_of_a_definition_is_reported_where_it_is_used():
    changed = DEFINITIONS | {"text": {"type": "string", "minLength": 2}}
    field = {"type": "array", "items": {"$ref": "#/definitions/text"}}
    assert [str(change) for change in compare(schema_of(field), schema_of(field, definitions=changed))] == [
        f"{TITLE}: field field[]: minLength tightened from 1 to 2 ({EVENTS})"
    ]


FIELDS = {"protocol": "A field.", "field": "A field."}
TURNED = dict(reversed(FIELDS.items()))


def with_descriptions(sentence="An object.", fields=FIELDS, required=False):
    (contract,) = contracts(schema_of({}, required)).all
    described = Description(sentence, fields)
    return ContractSet("r", "c", (dataclasses.replace(contract, descriptions={"": described}),))


BEFORE = contracts(schema_of({}))
NOTHING = ContractSet("r", "c", ())
WHOLE = [
    (NOTHING, BEFORE, f"{TITLE}: event type added ({PING}) (minor)"),
    (BEFORE, NOTHING, f"{TITLE}: event type removed ({PING}) ({ALL})"),
    (BEFORE, contracts(schema_of({}) | {"id": "urn:y"}), f"{TITLE}: id changed from 'urn:x' to 'urn:y' (patch)"),
    (BEFORE, contracts(schema_of({}) | {"title": "io.y"}),
     f"io.y: title changed from '{TITLE}' to 'io.y' ({ONLY_PYTHON})"),
    (BEFORE, contracts(schema_of({}), blob=""), f"{TITLE}: upstream's schema replaced by a local one (patch)"),
    (contracts(schema_of({}), blob=""), BEFORE, f"{TITLE}: local schema replaced by upstream's (patch)"),
    (BEFORE, contracts(schema_of({}), blob="c"), f"{TITLE}: new text upstream, same contract (patch)"),
    (BEFORE, contracts(schema_of({}), corrections=(("/type", "Why.", "null"),)),
     f"{TITLE}: correction of /type added: Why. (patch)"),
    (contracts(schema_of({}), corrections=(("/type", "Why.", "null"),)), BEFORE,
     f"{TITLE}: correction of /type removed: Why. (patch)"),
    (BEFORE, with_descriptions(sentence="An event."),
     f"{TITLE}: sentence changed from 'An object.' to 'An event.' (patch)"),
    (BEFORE, with_descriptions(fields={"protocol": "A field.", "field": "A value."}),
     f"{TITLE}: field field: sentence changed from 'A field.' to 'A value.' (patch)"),
    (with_descriptions(required=True), with_descriptions(required=True, fields=TURNED),
     f"{TITLE}: fields in another order: field, protocol (patch)"),
    # A required field comes before an optional one anyway.
    (with_descriptions(), with_descriptions(fields=TURNED), None),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "line"), WHOLE)
def test_each_change_of_a_whole_contract_has_its_line(before, after, line):
    assert [str(change) for change in comparison.compare(before, after)] == ([line] if line else [])


def test_a_long_value_is_shortened_and_an_unprintable_one_escaped():
    text = "x" * 5000
    before, after = schema_of({"enum": ["a" + text]}), schema_of({"enum": ["b" + text]}) | {"id": "\x1b[2J\n"}
    lines = [str(change) for change in compare(before, after)]
    assert [len(line) < 400 and line.isprintable() for line in lines] == [True] * 3


@pytest.mark.parametrize(
    ("kinds", "summary"),
    [
        ([], "no changes"),
        (["new-text"], "1 change; version step: patch"),
        (["new-text", "field-added"], "2 changes; version step: minor"),
        (["field-added", "field-removed"], "2 changes: 1 breaks Python; version step: major"),
        (
            ["bound-tightened", "value-removed", "field-removed"],
            "3 changes: 2 break readers, 2 break writers, 2 break Python; version step: major",
        ),
    ],
)
def test_the_summary_counts_and_demands_a_step(kinds, summary):
    found = [changes.Change(PING, TITLE, "", kind, "x") for kind in kinds]
    assert changes.summary(found) == summary


def test_the_table_is_consistent():
    for kind, effect in changes.EFFECTS.items():
        assert (effect.step == changes.MAJOR) is bool(effect.breaks), kind
        assert effect.breaks in ((), (READERS, WRITERS), (PYTHON,), (READERS, WRITERS, PYTHON)), kind


def test_a_schema_that_expands_without_end_is_refused():
    references = ({"$ref": f"#/definitions/d{i + 1}"} for i in range(40))
    definitions = {
        f"d{i}": {"type": "object", "properties": {"a": reference, "b": reference}}
        for i, reference in enumerate(references)
    }
    definitions["d40"] = {}
    schema = schema_of({"$ref": "#/definitions/d0"}, definitions=definitions)
    with pytest.raises(ContractError, match="expands to more than"):
        comparison.compare(contracts(schema), contracts(schema_of({})))
    assert "expands to more than" in str(subset.check(schema, PING))
