"""A correction changes just what it expects to find; anything else is an error with file and place."""

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


def one(pointer, expected="", value="", file=FILE, reason="Why."):
    lines = ["[[corrections]]", f'file = "{file}"', f"pointer = '{pointer}'", f'reason = "{reason}"']
    lines += [f"expected = {expected}"] if expected else []
    lines += [f"value = {value}"] if value else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (one("/type", '"object"', '"array"'), lambda s: s["type"] == "array"),
        (one("/type", '"object"'), lambda s: "type" not in s),
        (one("/required", "", '["a"]'), lambda s: s["required"] == ["a"]),
        (
            one("/properties/a~1b/type", '"string"', '["string", "null"]'),
            lambda s: s["properties"]["a/b"]["type"][1] == "null",
        ),
        (one("/properties/~0/enum", '["x"]', '["y"]'), lambda s: s["properties"]["~"] == {"enum": ["y"]}),
        (one("/properties/new", "", '{type = "integer"}'), lambda s: s["properties"]["new"] == {"type": "integer"}),
        (one("/type", '"object"', '"array"') + one("/type", '"array"', '"null"'), lambda s: s["type"] == "null"),
    ],
)
def test_changes_removes_and_adds(tmp_path, text, check):
    before = copy.deepcopy(SCHEMA)
    corrected, problems = run(tmp_path, text)
    assert problems == []
    assert check(corrected[FILE])
    assert before == SCHEMA


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            one("/type", '"array"', '"string"'),
            "#/type: is corrected, but has 'object' where the correction expects 'array'",
        ),
        (one("/type", "", '"string"'), "has 'object' where the correction expects nothing"),
        (one("/gone", '"x"'), "has nothing where the correction expects 'x'"),
        (one("/properties/gone/type", '"x"', '"y"'), "the schema has nothing there"),
        (one("/type/deeper", '"x"', '"y"'), "the schema has nothing there"),
        (one("/properties/a~1b/minimum", "1.0", "2"), "has 1 where the correction expects 1.0"),
        (one("/properties/a~1b/minimum", "true", "2"), "has 1 where the correction expects True"),
        (
            one("/type", '"object"', '"array"', file="choria/b.json"),
            "choria/b.json#/type: is corrected, but there is no such",
        ),
    ],
)
def test_one_that_does_not_apply_is_a_problem(tmp_path, text, said):
    corrected, problems = run(tmp_path, text)
    assert corrected == {FILE: SCHEMA}
    assert said in str(problems[0])


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        one("/type"),
        one("/type", '"object"', '"object"'),
        one("type", '"object"', '"array"'),
        one("", '"object"', '"array"'),
        one("/type", '"object"', '"array"', reason=" "),
        one("/type", '"object"', '"array"', file=""),
        one("/type", '"object"', '"array"') + "comment = 1\n",
        "[[corrections]]\nfile = 'a'\npointer = '/a'\nvalue = 1\n",
        "[[corrections]]\nfile = 1\npointer = '/a'\nvalue = 1\nreason = 'x'\n",
    ],
)
def test_one_that_is_not_whole_is_refused(tmp_path, text):
    with pytest.raises(ContractError, match=r"corrections\.toml"):
        run(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("corrections = 5", "corrections.toml#/corrections: 5 is not of type 'array'"),
        ("[corrections]\na = 1", "corrections.toml#/corrections: {'a': 1} is not of type 'array'"),
        ("corrections = [5]", "corrections.toml#/corrections/0: 5 is not of type 'object'"),
        ("x = 1", "corrections.toml#/x: is an unknown key; known are corrections"),
        ("[[correction]]\n", "corrections.toml#/correction: is an unknown key; known are corrections"),
        (one("/type", '"object"', "2020-01-01"), "corrections.toml#/corrections/0/value: datetime.date"),
        (one("/type", '"object"', "[[00:00:00]]"), "corrections.toml#/corrections/0/value/0/0: datetime.time"),
        (one("/type", '"object"', "nan"), "corrections.toml: cannot be read: the number nan is not finite"),
        (one("/type", '"object"', "9" * 5000), "corrections.toml: cannot be read: "),
        (one("/type", '"object"', "[" * 5000), "corrections.toml: cannot be read: "),
        (one("/type", '"object"', "[" * 80 + "]" * 80), "corrections.toml: is nested more than"),
    ],
)
def test_what_has_the_wrong_shape_is_named_with_its_place(tmp_path, text, said):
    with pytest.raises(ContractError) as refused:
        run(tmp_path, text)
    assert str(refused.value).startswith(said)
    assert len(str(refused.value)) < 300


def test_no_file_means_no_corrections(tmp_path):
    assert corrections.read(tmp_path) == ()
