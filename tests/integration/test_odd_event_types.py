"""Event types whose names, fields or later versions collide with what is written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.bed.scratch import Scratch, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

PATH = "choria/lifecycle/v1/parse.json"
COMMON = ("protocol", "id", "identity", "component", "timestamp")
COMMAND = ("-m", "choria_lifecycle")
EMIT = (*COMMAND, "emit", "--identity", "n1", "--component", "server", "--dry-run")


def sentences(*names: str) -> dict[str, str]:
    return dict.fromkeys((*COMMON, *names), "A field.")


def variant(name: str, version: int, fields: dict[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    """Return the schema of shutdown under another protocol, with further fields."""
    title = f"io.choria.lifecycle.v{version}.{name}"
    schema = schema_of("shutdown") | {"title": title, "id": f"https://example.net/{title}"}
    schema["properties"] |= {"protocol": {"type": "string", "enum": [title]}, **fields}
    schema["required"] += required
    return schema


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A type with the name of a function, and fields with the names of parameters, flags and other types' fields."""
    text = {"type": "string"}
    inner = {"type": "object", "properties": {"a": text, "b": text}, "required": ["a"]}
    fields: dict[str, Any] = {
        "type": text,
        "version": {"type": "integer"},
        "maybe": {"type": ["string", "null"]},
        "info": inner,
        "note": text,
        "level": {"type": "string", "enum": ["low", "high"]},
        "count": {"type": "integer"},
        "format": text,
        "event_format": text,
        "help": text,
        "list": {"type": "array", "items": {"type": "string"}},
        "infos": {"type": "object", "additionalProperties": inner},
    }
    schema = variant("parse", 1, fields, ("type", "version", "maybe", "info"))
    return Scratch(tmp_path_factory.mktemp("odd"), PATH, schema, sentences(*fields))


def test_a_type_with_a_public_name_needs_no_factory(odd: Scratch) -> None:
    assert "factories" not in odd.synced + odd.generated
    assert odd.run("-m", "codegen", "drift") == ""


LIBRARY = """
import choria_lifecycle as lifecycle
from choria_schemas.lifecycle.v1 import parse

options = {"identity": "n1", "component": "server", "type": "x", "version": 3, "maybe": None, "info": {"a": "b"}}
event = lifecycle.new("parse", **options)
assert event.info == parse.Info(a="b") and event.maybe is None
same = {"id": event.id, "timestamp": event.timestamp}
assert lifecycle.new("parse", **options | same | {"info": parse.Info(a="b")}) == event
full = lifecycle.new(
    "parse", **options, note="n", level="low", count=3, format="f", help="h", list=["a"], infos={"k": {"a": "b"}}
)
assert full.infos == {"k": parse.Infos(a="b")}
for each in (event, full):
    for form in lifecycle.Format:
        raw = lifecycle.encode(each, format=form)
        assert lifecycle.parse(raw) == each
        assert [finding for finding in lifecycle.validate(raw) if finding.severity == "error"] == []
for change, message in (
    ({"note": ""}, "note must not be empty"),
    ({"count": "1"}, 'count must be an integer, not "1"'),
    ({"count": 2**63}, "count must fit into 64 bits"),
    ({"level": "none"}, 'level must be one of low, high, not "none"'),
    ({"info": {"a": 1}}, "info.a must be string"),
    ({"list": ["a", 1]}, "list[1] must be string"),
):
    try:
        lifecycle.new("parse", **options | change)
    except lifecycle.OptionError as error:
        assert str(error) == f"cannot create the parse event: {message}", error
        assert error.invalid == tuple(change)
    else:
        raise AssertionError(change)
"""


def test_fields_of_any_name_and_type_become_options(odd: Scratch) -> None:
    odd.run("-c", LIBRARY)
    odd.check_hand_written()


def emitted(scratch: Scratch, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(scratch.run(*EMIT, *arguments).splitlines()[1])
    return {name: value for name, value in document.items() if name not in COMMON}


def test_fields_of_any_name_and_type_become_flags(odd: Scratch) -> None:
    required = ("parse", "--type", "x", "--version", "3", "--info", '{"a": "b"}')
    given = {"type": "x", "version": 3, "maybe": None, "info": {"a": "b"}}
    assert emitted(odd, *required, "--maybe", "null") == given
    optional = ("--note", "hello", "--level", "low", "--count", "7", "--event-help", "h", "--list", '["a"]')
    assert emitted(odd, *required, "--maybe", '"x"', *optional) == given | {
        "maybe": "x",
        "note": "hello",
        "level": "low",
        "count": 7,
        "help": "h",
        "list": ["a"],
    }
    formats = ("--event-format", "1", "--event-event-format", "2", "--format", "choria")
    assert emitted(odd, *required, "--maybe", "null", *formats) == given | {"event_format": "1", "format": "2"}


def test_a_field_has_the_type_of_its_event_type(odd: Scratch) -> None:
    assert emitted(odd, "startup", "--version", "1.4") == {"version": "1.4"}
    found = odd.run(*EMIT, "parse", "--version", "1.4", status=2)
    assert "Invalid value for '--version': '1.4' is not a valid integer." in found
    assert "version belongs to alive, parse, startup, upgraded" in odd.run(
        *EMIT, "shutdown", "--version", "1", status=2
    )


@pytest.fixture(scope="module")
def bare_versions(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Second versions of alive and governor that lack what the tally and the descriptions are made of."""
    alive = variant("alive", 2, {"version": {"type": "string"}})
    path = "choria/lifecycle/v2/alive.json"
    scratch = Scratch(tmp_path_factory.mktemp("bare"), path, alive, sentences("version"))
    scratch.publish("choria/lifecycle/v2/governor.json", variant("governor", 2, {}), sentences())
    scratch.run("-m", "codegen", "generate")
    return scratch


BARE_VERSIONS = """
import choria_lifecycle as lifecycle
from choria_lifecycle.tally.recorder import Recorder
from choria_schemas.lifecycle import v2

common = {"id": "x", "identity": "n1", "component": "server", "timestamp": 1}
alive = v2.Alive(protocol="io.choria.lifecycle.v2.alive", **common)
governor = v2.Governor(protocol="io.choria.lifecycle.v2.governor", **common)
recorder = Recorder(now=0.0)
for event in (alive, governor):
    assert lifecycle.parse(lifecycle.encode(event)) == event
    recorder.replay(event, 1.0, 0.5)
    recorder.record(event, 1.0)
assert recorder.event_types == {("server", "alive"): 1, ("server", "governor"): 1}
assert recorder.nodes == 0 and recorder.governors == {}
assert lifecycle.describe(alive) == "[alive] n1: server"
assert lifecycle.describe(governor) == "[governor] n1: server"
"""


def test_versions_without_the_usual_fields_are_counted_and_described(bare_versions: Scratch) -> None:
    bare_versions.run("-c", BARE_VERSIONS)


def test_a_removed_type_leaves_a_factory_to_remove(bare_versions: Scratch) -> None:
    removed = bare_versions.upstream / "choria/lifecycle/v1/provisioned.json"
    text = removed.read_bytes()
    removed.unlink()
    try:
        found = bare_versions.run(
            "-m", "codegen", "sync", "--check", "--from", str(bare_versions.upstream), "--commit", "0" * 40, status=1
        )
    finally:
        removed.write_bytes(text)
    assert (
        "to do: events/factories.py: has a factory for `provisioned`, which is not an event type: remove it, its class "
        "in the imports, and its name in lifecycle/choria_lifecycle/__init__.py\n"
    ) in found
