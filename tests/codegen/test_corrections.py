"""A correction changes exactly what it expects to find; anything else is an error with its file and location."""

from __future__ import annotations

import copy

import pytest

from codegen import corrections
from codegen.problems import ContractError

FILE = "choria/a.json"
SCHEMA = {"type": "object", "properties": {"a/b": {"type": "string", "minimum": 1}, "~": {"enum": ["x"]}}}


def run(tmp_path, text, schema=SCHEMA):
    (tmp_path / "corrections.toml").write_text(text)
    return corrections.apply({FILE: schema}, corrections.read(tmp_path))


def correction(pointer, expected="", value="", file=FILE, reason="Why."):
    lines = ["[[corrections]]", f'file = "{file}"', f"pointer = '{pointer}'", f'reason = "{reason}"']
    lines += [f"expected = {expected}"] if expected else []
    lines += [f"value = {value}"] if value else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (correction("/type", '"object"', '"array"'), lambda s: s["type"] == "array"),
        (correction("/type", '"object"'), lambda s: "type" not in s),
        (correction("/required", "", '["a"]'), lambda s: s["required"] == ["a"]),
        (
            correction("/properties/a~1b/type", '"string"', '["string", "null"]'),
            lambda s: s["properties"]["a/b"]["type"][1] == "null",
        ),
        (correction("/properties/~0/enum", '["x"]', '["y"]'), lambda s: s["properties"]["~"] == {"enum": ["y"]}),
        (
            correction("/properties/new", "", '{type = "integer"}'),
            lambda s: s["properties"]["new"] == {"type": "integer"},
        ),
        (
            correction("/type", '"object"', '"array"') + correction("/type", '"array"', '"null"'),
            lambda s: s["type"] == "null",
        ),
    ],
)
def test_a_correction_changes_removes_or_adds_a_key(tmp_path, text, check):
    before = copy.deepcopy(SCHEMA)
    corrected, problems = run(tmp_path, text)
    assert problems == []
    assert check(corrected[FILE])
    assert before == SCHEMA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            correction("/type", '"array"', '"string"'),
            "#/type: is corrected, but has 'object' where the correction expects 'array'",
        ),
        (correction("/type", "", '"string"'), "has 'object' where the correction expects nothing"),
        (correction("/gone", '"x"'), "has nothing where the correction expects 'x'"),
        (correction("/properties/gone/type", '"x"', '"y"'), "the schema has nothing there"),
        (correction("/type/deeper", '"x"', '"y"'), "the schema has nothing there"),
        (correction("/properties/a~1b/minimum", "1.0", "2"), "has 1 where the correction expects 1.0"),
        (correction("/properties/a~1b/minimum", "true", "2"), "has 1 where the correction expects True"),
        (
            correction("/type", '"object"', '"array"', file="choria/b.json"),
            "choria/b.json#/type: is corrected, but there is no such",
        ),
    ],
)
def test_a_correction_that_does_not_apply_is_a_problem(tmp_path, text, message):
    corrected, problems = run(tmp_path, text)
    assert corrected == {FILE: SCHEMA}
    assert message in str(problems[0])


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        correction("/type"),
        correction("/type", '"object"', '"object"'),
        correction("type", '"object"', '"array"'),
        correction("", '"object"', '"array"'),
        correction("/type", '"object"', '"array"', reason=" "),
        correction("/type", '"object"', '"array"', file=""),
        correction("/type", '"object"', '"array"') + "comment = 1\n",
        "[[corrections]]\nfile = 'a'\npointer = '/a'\nvalue = 1\n",
        "[[corrections]]\nfile = 1\npointer = '/a'\nvalue = 1\nreason = 'x'\n",
    ],
)
def test_an_incomplete_or_ineffective_correction_is_refused(tmp_path, text):
    with pytest.raises(ContractError, match=r"corrections\.toml"):
        run(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corrections = 5", "corrections.toml#/corrections: 5 is not of type 'array'"),
        ("[corrections]\na = 1", "corrections.toml#/corrections: {'a': 1} is not of type 'array'"),
        ("corrections = [5]", "corrections.toml#/corrections/0: 5 is not of type 'object'"),
        ("x = 1", "corrections.toml#/x: is an unknown key; known keys are corrections"),
        ("[[correction]]\n", "corrections.toml#/correction: is an unknown key; known keys are corrections"),
        (correction("/type", '"object"', "2020-01-01"), "corrections.toml#/corrections/0/value: datetime.date"),
        (correction("/type", '"object"', "[[00:00:00]]"), "corrections.toml#/corrections/0/value/0/0: datetime.time"),
        (correction("/type", '"object"', "nan"), "corrections.toml: cannot be read: the number nan is not finite"),
        (correction("/type", '"object"', "9" * 5000), "corrections.toml: cannot be read: "),
        (correction("/type", '"object"', "[" * 5000), "corrections.toml: cannot be read: "),
        (correction("/type", '"object"', "[" * 80 + "]" * 80), "corrections.toml: is nested more than"),
    ],
)
def test_an_invalid_file_is_reported_with_the_location(tmp_path, text, message):
    with pytest.raises(ContractError) as caught:
        run(tmp_path, text)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300


def test_no_file_means_no_corrections(tmp_path):
    assert corrections.read(tmp_path) == ()
