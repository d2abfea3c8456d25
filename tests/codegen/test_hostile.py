"""Hostile names and texts are kept verbatim or refused with their file and location, and are never executed."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib.util
import json
import subprocess
import sys

import cattrs
import jsonschema
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen import classes, package, validators
from codegen.contract import ContractSet, EffectiveContract
from codegen.descriptions import Description
from tests.bed.sources import parse

PING = "choria/lifecycle/v1/ping.json"
MODULE = "lifecycle/v1/ping.py"
CALL = "__import__('builtins').owned.append(1)"


def words(text):
    """Split a text into words, which keeps long lists short."""
    return text.split()


TEXTS = [
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "\\\\",
    '\\"',
    "\\'",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\x00",
    "\x07",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\ufeff",
    "\ufffe",
    "é",
    "e\u0301",
    "\U0001f600",
    "{}",
    "{0}",
    "{name}",
    "{{",
    "{variable}",
    "{data.__class__}",
    "{{ 7*7 }}",
    "{% raw %}",
    "%s",
    "%(a)s",
    "#",
    "\\N{BULLET}",
    "\\u0022",
    "\\x22",
    "\\",
    "__class__",
    "class",
    "None",
    "",
    " ",
    "x" * 5000,
    f'"+{CALL}+"',
    f"'+{CALL}+'",
    f'"""\n{CALL}\n"""',
    f"'''\n{CALL}\n'''",
    f"\n{CALL}\n",
    f"\\\n{CALL}",
    f'\\"+{CALL}+\\"',
    f'")\n{CALL}\n#',
    f"'])\n{CALL}\n#",
    f"\u2028{CALL}",
    f"\r{CALL}",
    "{" + CALL + "}",
]


@pytest.fixture(autouse=True)
def owned(monkeypatch):
    """Fail if hostile text was executed, which appends to `builtins.owned`."""
    monkeypatch.setattr(builtins, "owned", [], raising=False)
    yield
    assert builtins.owned == []


def check_generated(project, schema):
    """Check that all modules load, and that the validator agrees with jsonschema on every text in every field."""
    modules = [path.relative_to(project.package).as_posix() for path in project.package.rglob("*.py")]
    for module in modules:
        assert parse(project.text(module))
    loaded, compiled = project.load(MODULE), project.load(f"_validate/{MODULE}")
    assert project.load(f"_schema/{MODULE}")["schema"]() == schema
    oracle = jsonschema.Draft4Validator(schema)
    base = {"protocol": "io.choria.lifecycle.v1.ping", "name": "n"}
    for field in schema["properties"]:
        for text in (*TEXTS, None, [], {}):
            document = base | {field: text}
            try:
                compiled["validate"](document)
                valid = True
            except compiled["JsonSchemaValuesException"] as found:
                valid = False
                (error,) = [one for one in found.errors if one.rule == "enum" or one.rule == "type"][-1:]
                assert error.name == f"data.{field}"
                assert error.value == text
            assert valid is oracle.is_valid(document), (field, text)
    return loaded


def generate(project, schema, **sentences):
    project.publish(schema)
    project.describe(schema, **sentences)
    return project.generate()


def canonical_of(project):
    return json.loads((project.schemas / PING).read_text(encoding="utf-8"))


def test_enum_values_are_kept(project, make_event):
    values = sorted(set(TEXTS))
    result = generate(project, make_event(choice={"type": "string", "enum": values}))
    assert (result.status, result.err) == (0, "")
    loaded = check_generated(project, canonical_of(project))
    (field,) = [field for field in dataclasses.fields(loaded["Ping"]) if field.name == "choice"]
    literal, _none = field.type.__args__
    assert literal.__args__ == tuple(values)


def test_protocol_spellings_are_kept(project, make_event):
    schema = make_event()
    schema["properties"]["protocol"]["enum"] = [*sorted(set(TEXTS)), schema["title"]]
    assert generate(project, schema).status == 0
    loaded = check_generated(project, canonical_of(project))
    assert loaded["PROTOCOLS"] == (schema["title"], *sorted(set(TEXTS)))
    assert loaded["PROTOCOL"] == schema["title"]


@pytest.mark.parametrize("text", ["".join(TEXTS), *TEXTS[-13:]])
def test_id_and_format_are_kept(project, make_event, text):
    schema = make_event(size={"type": "string", "format": text}) | {"id": text}
    assert generate(project, schema).status == 0
    kept = canonical_of(project)
    # Without jsonschema as the oracle: it resolves references against the id, which is not a URI here.
    assert project.load(f"_schema/{MODULE}")["schema"]() == kept
    assert project.load(MODULE)["SCHEMA_ID"] == text
    project.load(f"_validate/{MODULE}")["validate"]({"protocol": "old:ping:1", "name": "n", "size": "x"})
    assert parse(project.text("registry.py"))


def test_the_reason_of_a_correction_is_kept(project, make_event):
    reason = "".join(TEXTS)
    quoted = json.dumps(reason, ensure_ascii=False).replace("\x7f", "\\u007f")
    project.correct(
        f'[[corrections]]\nfile = "{PING}"\npointer = "/properties/name/type"\nexpected = "string"\n'
        f'value = "integer"\nreason = {quoted}\n'
    )
    assert generate(project, make_event()).status == 0
    registry = parse(project.text("registry.py"))
    constants = {node.value for node in ast.walk(registry) if isinstance(node, ast.Constant)}
    assert reason in constants


def test_upstream_descriptions_are_dropped(project, make_event):
    schema = make_event(size={"type": "string", "description": "".join(TEXTS), "default": TEXTS, "examples": TEXTS})
    schema |= {"description": f'"""\n{CALL}\n', "default": CALL}
    assert generate(project, schema).status == 0
    assert CALL.encode() not in b"".join(project.bytes().values())
    check_generated(project, canonical_of(project))


@pytest.mark.parametrize("text", [text for text in TEXTS if text != "x" * 5000])
def test_a_title_other_than_the_protocol_is_refused(project, make_event, text):
    for title in (text, f"io.choria.lifecycle.v1.ping{text}"):
        schema = make_event() | {"title": title}
        schema["properties"]["protocol"]["enum"].append(title)
        project.publish(schema)
        assert project.sync().status in (0, 2)  # 2: the values of an enum must be unique
        result = project.run("generate")
        assert result.status == 2 or title == "io.choria.lifecycle.v1.ping"
        assert all(line.isprintable() for line in result.err.splitlines())
        assert not project.package.exists() or title == "io.choria.lifecycle.v1.ping"


NAMES = [
    *(text for text in TEXTS if (text and not text.isalpha()) or text in ("class", "None", "é")),
    *("a b", "a-b", "a.b", "a/b", "a~b", "9a", "_a", "\u017f", "\uff4eame"),
    *["_", "__init__", "__slots__", "__dict__", "__doc__", "def", "lambda", "True", "import", "async"],
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_python_cannot_use_is_refused(project, make_event, name):
    for schema in (
        make_event(**{name: {"type": "string"}}),
        make_event() | {"definitions": {name: {"type": "string"}}},
    ):
        project.publish(schema)
        project.describe(make_event())
        assert project.sync().status == 0
        result = project.run("generate")
        assert result.status == 2
        assert all(line.startswith(f"{PING}#/") for line in result.err.splitlines())
        assert all(line.isprintable() for line in result.err.splitlines())
        assert not project.package.exists()


HARMLESS_NAMES = words("""
type id match case self cls object dataclass field Final property annotations copy json schema validate
data errors e re Decimal NoneType custom_formats name_prefix data_keys is_dict x a__b mro items keys
model_config PROTOCOL SCHEMA_ID PROTOCOLS print set len isinstance sorted tuple locals definitions
properties description default required enum title typing const nullable
str int float bool list dict Any Literal TYPE_CHECKING str_aliased int_aliased builtins
""")


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_looks_dangerous_is_kept(project, make_event, name):
    schema = make_event(**{name: {"type": "integer"}}, zz={"type": "array", "items": {"type": "string"}})
    result = generate(project, schema)
    assert (result.status, result.err) == (0, "")
    loaded = check_generated(project, canonical_of(project))
    made = loaded["Ping"](**{"protocol": "old:ping:1", "name": "n", "zz": ["z"], name: 3})
    assert getattr(made, name) == 3
    assert [field.name for field in dataclasses.fields(made)] == ["protocol", "name", name, "zz"]


BUILTINS = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "list": {"type": "array", "items": {"type": "string"}},
    "str": {"type": "string"},
    "dict": {"type": "object", "additionalProperties": {"type": "number"}},
    "bool": {"type": "boolean"},
    "Any": {},
    "Literal": {"enum": ["int", "it's _t.Literal[int]"]},
    "parts": {"type": "array", "items": {"type": "object", "properties": {"int": {"type": "integer"}}}},
}
BUILTIN_VALUES = {
    "int": 1,
    "float": 1.5,
    "list": ["a"],
    "str": "s",
    "dict": {"a": 0.5},
    "bool": True,
    "Any": [None],
    "Literal": "int",
    "parts": [{"int": 3}],
}


@pytest.mark.parametrize("required", [True, False])
def test_fields_named_like_the_types_in_annotations_hide_nothing(project, make_event, required, tmp_path):
    schema = make_event(**BUILTINS)
    schema["required"] += BUILTINS if required else []
    assert generate(project, schema).status == 0
    folder = tmp_path / "typed"
    folder.mkdir()
    file = folder / "isolated_ping.py"
    file.write_bytes((project.package / MODULE).read_bytes())
    specification = importlib.util.spec_from_file_location("isolated_ping", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    document = {"protocol": "old:ping:1", "name": "n", **BUILTIN_VALUES}
    made = msgspec.json.decode(json.dumps(document), type=module.Ping)
    assert dataclasses.asdict(made) == document
    assert pydantic.TypeAdapter(module.Ping).validate_python(document) == made
    assert cattrs.structure(document, module.Ping) == made
    for name in BUILTINS:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(document | {name: {"a": "b"}} if name != "Any" else "x"), type=module.Ping)
    none = "" if required else " | None"
    folder.joinpath("use.py").write_text(
        "from isolated_ping import Parts, Ping\n"
        'ping = Ping(protocol="old:ping:1", name="n", int=1, float=1.5, list=["a"], str="s", dict={"a": 0.5},\n'
        '    bool=True, Any=None, Literal="int", parts=[Parts(int=3)])\n'
        f"whole: int{none} = ping.int\n"
        f"words: list[str]{none} = ping.list\n"
        "never: bytes = ping.int\n"
    )
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "include": ["."]}')
    for command in (["mypy", "--strict", "--no-incremental", "."], ["pyright"]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
        (error,) = (line for line in done.stdout.splitlines() if "error:" in line)
        assert "use.py:6" in error


@pytest.mark.parametrize("name", ["any", "literal", "final", "none", "true", "PROTOCOL", "ping"])
def test_an_object_that_shadows_a_name_of_the_module_is_refused(project, make_event, name):
    schema = make_event(**{name: {"type": "object", "properties": {"a": {"type": "string"}}}})
    result = generate(project, schema)
    assert (result.status, f"{PING}#/properties/{name}: would be " in result.err) == (2, True)
    assert not project.package.exists()


def test_a_field_named_like_the_class_of_another_object_is_refused(project, make_event):
    part = {"type": "object", "properties": {"a": {"type": "string"}}}
    result = generate(project, make_event(part=part, Part={"type": "string"}))
    assert (result.status, f"{PING}: has a field and a class Part" in result.err) == (2, True)


def test_a_field_named_like_its_class_is_refused(project, make_event):
    result = generate(project, make_event(Ping={"type": "integer"}))
    message = f"{PING}: has a field and a class Ping; ignore the file in upstream.lock\n"
    assert (result.status, message in result.err) == (2, True)


@pytest.mark.parametrize(
    "sentence",
    [
        '"""',
        'A "quoted" one.',
        "A back\\slash.",
        "Two\nlines.",
        "A \u2028 line.",
        "A \x00.",
        "lower case.",
        "No full stop",
        "",
        " ",
    ],
)
def test_a_sentence_that_a_docstring_cannot_hold_is_refused(project, make_event, sentence):
    result = generate(project, make_event(), name=sentence)
    assert (result.status, "descriptions.toml#/choria~1lifecycle~1v1~1ping.json/name: " in result.err) == (2, True)


@pytest.mark.parametrize(
    "sentence", ["It's {not} a %s format {0}.", "A # is not a comment.", "Ünïcode: größer \U0001f600."]
)
def test_an_unusual_sentence_is_kept(project, make_event, sentence):
    assert generate(project, make_event(), name=sentence).status == 0
    module = parse(project.text(MODULE))
    assert sentence in {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}


def contract_of(schema):
    fields = {"protocol": "A.", "choice": "B."}
    return EffectiveContract(PING, schema, "local", (), {"": Description("An event.", fields)})


def execute(text, namespace):
    exec(compile(text, "generated", "exec", dont_inherit=True), namespace)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, unique=True), st.text())
def test_any_text_in_an_enum_is_kept(values, other):
    title = "io.choria.lifecycle.v1.ping"
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "urn:x",
        "title": title,
        "type": "object",
        "required": ["protocol", "choice"],
        "properties": {"protocol": {"enum": [title]}, "choice": {"enum": values}},
    }
    contract = contract_of(schema)
    module: dict = {"__name__": "isolated"}
    execute(classes.render(contract, ""), module)
    assert dataclasses.fields(module["Ping"])[1].type.__args__ == tuple(values)
    compiled: dict = {}
    execute(validators.render(contract, ""), compiled)
    for value in {*values, other}:
        try:
            compiled["validate"]({"protocol": title, "choice": value})
            valid = True
        except compiled["JsonSchemaValuesException"]:
            valid = False
        assert valid is (value in values)
    made: dict = {}
    execute(validators.render_schema(contract, ""), made)
    assert made["schema"]() == schema
    assert compile(package._registry(ContractSet("r", "c", (contract,))), "registry", "exec")
