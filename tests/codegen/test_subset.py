"""The supported subset: a schema is either translated exactly or refused with its file and location."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import tomllib

import jsonschema
import msgspec
import pytest

from codegen import canonical, strict_toml, subset

PING = "choria/lifecycle/v1/ping.json"
MODULE = "lifecycle/v1/ping.py"


def validator(project):
    """Return a function that applies the compiled validator of the project's event."""
    compiled = project.load(f"_validate/{MODULE}")

    def valid(document):
        try:
            compiled["validate"](document)
        except compiled["JsonSchemaValuesException"]:
            return False
        return True

    return valid


REFUSED = [
    ({"type": "string", "pattern": "^a$"}, "/pattern"),
    ({"oneOf": [{"type": "string"}]}, "/oneOf"),
    ({"anyOf": [{"type": "string"}]}, "/anyOf"),
    ({"allOf": [{"type": "string"}]}, "/allOf"),
    ({"not": {"type": "string"}}, "/not"),
    ({"type": "object", "patternProperties": {"^a": {}}}, "/patternProperties"),
    ({"type": "object", "dependencies": {"a": ["b"]}}, "/dependencies"),
    ({"type": "number", "multipleOf": 2}, "/multipleOf"),
    ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, "/exclusiveMinimum"),
    ({"type": "array", "uniqueItems": True}, "/uniqueItems"),
    ({"type": "object", "minProperties": 1}, "/minProperties"),
    ({"const": 1}, "/const"),
    ({"x-own": 1}, "/x-own"),
    ({"id": "#other"}, "/id"),
    ({"title": "A title"}, "/title"),
    ({"definitions": {}}, "/definitions"),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
    ({"$ref": "https://example.net/x.json"}, "/$ref"),
    ({"$ref": "#"}, "/$ref"),
    ({"$ref": "#/properties/name"}, "/$ref"),
    ({"$ref": "#/definitions/missing"}, "/$ref"),
    ({"$ref": "#/definitions/ok", "type": "string"}, ""),
    ({"type": ["string", "integer"]}, "/type"),
    ({"type": ["string", "integer", "null"]}, "/type"),
    ({"enum": [1, 2]}, "/enum"),
    ({"enum": ["a", None]}, "/enum"),
    ({"type": ["string", "null"], "enum": ["a"]}, "/enum"),
    ({"type": "integer", "enum": ["a"]}, "/enum"),
    ({"items": {"type": "string"}}, "/items"),
    ({"type": "array", "items": [{"type": "string"}]}, "/items"),
    ({"type": "array", "items": {"pattern": "a"}}, "/items/pattern"),
    ({"type": "array", "additionalItems": {"type": "string"}}, "/additionalItems"),
    ({"properties": {"a": {}}}, "/properties"),
    ({"additionalProperties": False}, "/additionalProperties"),
    ({"type": "object", "additionalProperties": {"oneOf": [{}]}}, "/additionalProperties/oneOf"),
    ({"type": "object", "required": ["a"]}, "/required"),
    ({"type": "object", "properties": {"a-b": {}}}, "/properties/a-b"),
]


@pytest.mark.parametrize(
    ("schema", "pointer"), REFUSED, ids=lambda value: json.dumps(value) if isinstance(value, dict) else ""
)
def test_unsupported_schemas_are_refused_with_file_and_location(project, make_event, schema, pointer):
    event_schema = make_event(field=schema) | {"definitions": {"ok": {"type": "string"}}}
    project.publish(event_schema)
    project.describe(event_schema)
    assert project.sync().status == 0
    before = project.bytes()
    result = project.run("generate")
    assert result.status == 2
    assert f"{PING}#/properties/field{pointer}: " in result.err
    assert project.bytes() == before


def suggested(messages):
    """Return the corrections that messages suggest, as TOML."""
    tables = []
    for start in (found.start() for found in re.finditer(r"\{ file = ", messages)):
        ends = (found.end() for found in re.finditer(r" \}", messages[start:]))
        for text in (messages[start : start + end] for end in ends):
            with contextlib.suppress(tomllib.TOMLDecodeError):
                tables.append(tomllib.loads(f"x = {text}")["x"] | {"reason": "As suggested."})
                break
    return "".join(
        "[[corrections]]\n" + "".join(f"{key} = {strict_toml.inline(value)}\n" for key, value in table.items())
        for table in {json.dumps(table): table for table in tables}.values()
    )


COPY = f"a corrected copy in local/{PING}"
REMEDIED = [
    *((lambda s, field=field: s["properties"].update(field=field)) for field, _ in REFUSED),
    lambda s: s.update({"$schema": "http://json-schema.org/draft-07/schema#", "$id": s.pop("id")}),
    lambda s: s["properties"].update({"class": {"type": "string"}}),
    lambda s: (s["properties"].update({"class": {"type": "string"}}), s["required"].append("class")),
    lambda s: s["properties"].update(a={"type": "object", "properties": {"x-y": {}}, "required": ["x-y"]}),
    lambda s: s.update(title="Ping"),
    lambda s: s.update(definitions={"a": {"type": "array", "items": {"$ref": "#/definitions/a"}}}),
]


@pytest.mark.parametrize("change", REMEDIED)
def test_a_refusal_suggests_a_correction_that_works(project, make_event, change):
    schema = make_event() | {"definitions": {"ok": {"type": "string"}}}
    change(schema)
    project.publish(schema)
    assert project.sync().status == 0
    corrections = ""
    for _ in range(4):
        refused = [line for line in project.run("generate").err.splitlines() if "descriptions.toml" not in line]
        if not refused:
            break
        if "None" in str(schema):
            assert refused[0].endswith(f"TOML has no null, so ignore the file in upstream.lock and hold {COPY}")
            return
        assert all("a correction: { file = " in line for line in refused), refused
        corrections += suggested("\n".join(refused))
        project.correct(corrections)
    assert refused == []


def test_a_refusal_of_a_keyword_names_both_places_to_teach(project, make_event):
    project.publish(make_event(size={"type": "string", "pattern": "^a$"}))
    assert (
        f"to do: {PING}#/properties/size/pattern: keyword 'pattern' is not supported; teach it to "
        "codegen/subset.py and codegen/shape.py, or remove it by a correction: "
        f'{{ file = "{PING}", pointer = "/properties/size/pattern", expected = "^a$" }}\n'
    ) in project.sync().out


@pytest.mark.parametrize(
    ("field", "refused"),
    [({"type": "string", "pattern": "^a"}, "b"), ({"type": "integer", "minimum": 0, "multipleOf": 2}, 3)],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_keyword_that_only_the_subset_knows_is_left_to_the_validator(
    project, make_event, monkeypatch, field, refused, required
):
    monkeypatch.setattr(subset, "KEYWORDS", subset.KEYWORDS | {"pattern", "multipleOf"})
    for schema in (field, {"type": ["array", "null"], "items": field}):
        event_schema = make_event(field=schema)
        event_schema["required"] += ["field"] if required else []
        project.publish(event_schema)
        project.describe(event_schema)
        assert project.generate().status == 0
        assert "bounds=None," in project.text("registry.py")
        document = {"protocol": "old:ping:1", "name": "n", "field": refused if schema is field else [refused]}
        assert not validator(project)(document)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda s: s.update(type="array"), "/type"),
        (lambda s: s.pop("type"), "/type"),
        (lambda s: s.update(title="io.choria.lifecycle.v1.pong"), "/title"),
        (lambda s: s.pop("title"), "/title"),
        (lambda s: s.pop("id"), "/id"),
        (lambda s: s["properties"]["protocol"].update(enum=["old:ping:1"]), "/properties/protocol"),
        (lambda s: s["properties"]["protocol"].pop("enum"), "/properties/protocol"),
        (lambda s: s["required"].remove("protocol"), "/properties/protocol"),
        (lambda s: s["properties"].pop("protocol"), "/required"),
        (
            lambda s: s.update(definitions={"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}),
            "/definitions/a/$ref",
        ),
        (
            lambda s: s.update(definitions={"a": {"type": "array", "items": {"$ref": "#/definitions/a"}}}),
            "/definitions/a/items/$ref",
        ),
        (lambda s: s.update(definitions={"Ab": {}, "aB": {}}), "/definitions/aB"),
        (lambda s: s.update(definitions={"a-b": {}}), "/definitions/a-b"),
    ],
)
def test_an_invalid_event_schema_is_refused_with_file_and_location(project, make_event, change, pointer):
    schema = make_event()
    change(schema)
    project.publish(schema)
    assert project.sync().status == 0
    result = project.run("generate")
    assert (result.status, f"{PING}#{pointer}: " in result.err) == (2, True), result.err


def test_a_correction_can_remove_an_unsupported_keyword(project, make_event):
    schema = make_event(size={"type": "string", "pattern": "x"})
    project.publish(schema)
    project.describe(schema)
    project.correct(
        f'[[corrections]]\nfile = "{PING}"\npointer = "/properties/size/pattern"\nexpected = "x"\nreason = "Not so."\n'
    )
    assert project.generate().status == 0


# (schema, whether types alone enforce it, values to try in the field)
SUPPORTED = [
    ({"type": "string"}, False, ["", "a", 1, None, True]),
    ({"type": "integer"}, False, [0, -1, 2**70, 1.0, 1.5, True, "1", None]),
    ({"type": "number"}, False, [0, 1.5, True, "1", None]),
    ({"type": "boolean"}, False, [True, False, 0, None]),
    ({"type": "null"}, True, [None, 0, "", False]),
    ({"type": ["integer", "null"]}, True, [None, 0, 1.0, ""]),
    ({"type": ["null", "string"]}, True, [None, 0, ""]),
    ({}, True, [None, 0, "", [], {}]),
    ({"enum": ["a", "b"]}, False, ["a", "c", None, 0, ["a"], {}]),
    ({"type": "string", "format": "date-time"}, False, ["never", "2026-01-01T00:00:00Z", 1]),
    ({"type": "integer", "minimum": 0}, False, [-1, 0, 1, True, "x"]),
    ({"type": "number", "minimum": 0.5, "maximum": 1.5}, False, [0, 0.5, 1, 1.5, 2]),
    ({"type": ["integer", "null"], "maximum": 5}, False, [5, 6, None]),
    ({"type": "string", "minLength": 1, "maxLength": 2}, False, ["", "a", "ab", "abc", "\U0001f600\U0001f600"]),
    ({"type": ["array", "null"], "minItems": 1, "maxItems": 2}, False, [[], [1], [1, 2], [1, 2, 3], None]),
    ({"type": ["array", "null"], "items": {"type": "integer"}}, True, [[], [1], ["1"], [1.0], None, {}]),
    ({"type": "array", "additionalItems": False}, False, [[], [1, 2]]),
    ({"type": ["object", "null"]}, True, [{}, {"a": 1}, [], None]),
    ({"type": ["object", "null"], "additionalProperties": {"type": "string"}}, True, [{}, {"a": 1}, {"a": "b"}, None]),
    ({"type": "object", "additionalProperties": False}, False, [{}, {"a": 1}]),
    (
        {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        True,
        [{}, {"a": 1}, {"a": "1"}, {"a": 1, "b": 2}, None, []],
    ),
    (
        {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}},
        False,
        [{}, {"a": 1}, {"a": None}, None],
    ),
    (
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
        False,
        [{"a": 1}, {"a": 1, "b": 2}],
    ),
    (
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": {"type": "string"}},
        False,
        [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": "2"}],
    ),
    ({"$ref": "#/definitions/ok"}, False, ["a", "", 1]),
    (
        {"type": ["array", "null"], "items": {"$ref": "#/definitions/part"}},
        True,
        [None, [], [{"x": 1}], [{"x": ""}], [1]],
    ),
]


@pytest.mark.parametrize(
    ("schema", "exact", "values"), SUPPORTED, ids=lambda value: json.dumps(value) if isinstance(value, dict) else ""
)
@pytest.mark.parametrize("required", [True, False])
def test_supported_schemas_are_enforced_exactly(project, make_event, schema, exact, values, required):
    event_schema = make_event(field=schema)
    event_schema["definitions"] = {
        "ok": {"type": "string", "minLength": 1},
        "part": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    }
    event_schema["required"] += ["field"] if required else []
    project.publish(event_schema)
    project.describe(event_schema)
    assert project.generate().status == 0
    valid = validator(project)
    oracle = jsonschema.Draft4Validator(event_schema)
    module = project.load(MODULE)
    decoder = msgspec.json.Decoder(module["Ping"])
    base = {"protocol": "old:ping:1", "name": "n"}
    types_suffice = "bounds=()," in project.text("registry.py")
    for document in [base, base | {"other": 1}, *(base | {"field": value} for value in values)]:
        expected = oracle.is_valid(document)
        assert valid(document) is expected, document
        try:
            decoder.decode(json.dumps(document))
            by_types = True
        except msgspec.ValidationError:
            by_types = False
        # Types may accept more than the schema unless they suffice, and never less.
        assert by_types is expected or (by_types and not types_suffice), document
    if not required:
        assert types_suffice is exact


def test_a_closed_object_needs_the_validator(project, make_event):
    event_schema = make_event() | {"additionalProperties": False}
    project.publish(event_schema)
    project.describe(event_schema)
    assert project.generate().status == 0
    assert "bounds=None," in project.text("registry.py")
    assert not validator(project)({"protocol": "old:ping:1", "name": "n", "more": 1})


def test_nested_objects_become_classes(project, make_event):
    part = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}, "required": ["a"]}
    event_schema = make_event(check_part=part, parts={"type": "array", "items": {"$ref": "#/definitions/part"}})
    event_schema["definitions"] = {"part": part}
    project.publish(event_schema)
    project.describe(event_schema)
    assert project.generate().status == 0
    module = project.load(MODULE)
    assert [field.name for field in dataclasses.fields(module["CheckPart"])] == ["a", "b"]
    assert dataclasses.fields(module["Ping"])[2].type == module["CheckPart"] | None
    (items, _none) = dataclasses.fields(module["Ping"])[3].type.__args__
    assert items.__args__ == (module["Part"],)


def test_two_objects_with_the_same_class_name_are_refused(project, make_event):
    part = {"type": "object", "properties": {"a": {"type": "string"}}}
    event_schema = make_event(part=part, parts={"type": "array", "items": {"$ref": "#/definitions/part"}})
    event_schema["definitions"] = {"part": part}
    project.publish(event_schema)
    project.describe(event_schema)
    result = project.generate()
    assert (result.status, f"{PING}#" in result.err, "a second Part" in result.err) == (2, True, True)


def test_no_supported_keyword_is_stripped_from_the_canonical_form():
    assert not subset.KEYWORDS & canonical._ANNOTATIONS
    assert set(canonical._KEYWORD_ORDER) == subset.KEYWORDS | subset.ROOT_KEYWORDS


@pytest.mark.parametrize(
    ("name", "reason"), [("literal", "is already a name in the module"), ("none", "is a Python keyword")]
)
def test_an_event_whose_class_cannot_have_its_name_is_to_be_ignored(project, make_event, name, reason):
    path = f"choria/lifecycle/v1/{name}.json"
    schema = make_event(path)
    project.publish(schema, path)
    project.describe(schema, path)
    message = f"would be the class {name.title()}, which {reason}; ignore the file in upstream.lock"
    assert f"to do: {path}: {message}\n" in project.sync().out
