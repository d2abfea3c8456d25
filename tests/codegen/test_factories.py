"""The hand-written library is compared with the contracts, also with those that cannot be translated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.codegen.conftest import Project

FOO = "choria/lifecycle/v1/foo.json"
NEEDED = {"id": "string", "identity": "string", "component": "string", "timestamp": "integer"}
FACTORIES = """
def new(type, /, **options): ...
@_makes(Ping)
def ping(*, id, identity, component, timestamp, name): ...
@_makes(Pong)
def pong(*, id): ...
"""
REMOVE_PONG = (
    "events/factories.py: has a factory for `pong`, which is not an event type: remove it, its class in the imports, "
    "and its name in lifecycle/choria_lifecycle/__init__.py"
)


@pytest.fixture
def library(project: Project, make_event: Callable[..., dict[str, Any]]) -> Project:
    """A project with a library that has a factory too many, and whose contract has all fields that it needs."""
    folder = project.root / "lifecycle" / "choria_lifecycle"
    (folder / "events").mkdir(parents=True)
    (folder / "events" / "factories.py").write_text(FACTORIES)
    (folder / "__init__.py").write_text('__all__ = ["new", "parse", "ping", "pong"]\n')
    schema = make_event(**{name: {"type": type_} for name, type_ in NEEDED.items()})
    schema["required"] += [*NEEDED]
    project.publish(schema)
    project.describe(schema)
    return project


def to_do(text: str) -> list[str]:
    return [line.removeprefix("to do: ") for line in text.splitlines() if line.startswith("to do: ")]


def test_a_factory_without_an_event_type_is_reported(library: Project) -> None:
    assert library.generate().status == 0
    drift = library.run("drift")
    assert (drift.status, drift.out) == (1, f"{REMOVE_PONG}\n")
    assert to_do(library.sync().out) == to_do(library.run("generate").out) == [REMOVE_PONG]


@pytest.mark.parametrize("name", ["new", "parse"])
def test_a_type_with_another_public_name_needs_no_factory(
    library: Project, make_event: Callable[..., dict[str, Any]], name: str
) -> None:
    path = f"choria/lifecycle/v1/{name}.json"
    schema = make_event(path, **{field: {"type": type_} for field, type_ in NEEDED.items()})
    schema["required"] += [*NEEDED]
    library.publish(schema, path)
    library.describe(schema, path)
    assert library.generate().status == 0
    assert library.run("drift").out == f"{REMOVE_PONG}\n"


@pytest.mark.parametrize(
    ("name", "member", "required"),
    [
        ("identity", {"type": "string"}, False),
        ("component", {"type": ["string", "null"]}, True),
        ("timestamp", {"type": "number"}, True),
        ("id", {"$ref": "#/definitions/number"}, True),
        ("id", None, False),
    ],
)
def test_a_field_that_the_library_needs_in_every_event_is_reported(
    library: Project, make_event: Callable[..., dict[str, Any]], name: str, member: Any, required: bool
) -> None:
    fields = {field: {"type": type_} for field, type_ in NEEDED.items()} | {name: member}
    schema = make_event(**{field: value for field, value in fields.items() if value})
    schema["required"] += [field for field in NEEDED if field != name or required]
    schema["definitions"] = {"number": {"type": "integer"}}
    library.publish(schema)
    library.describe(schema)
    problem = (
        f"choria/lifecycle/v1/ping.json#/properties/{name}: must be required, and of the type {NEEDED[name]!r}, on "
        "which choria_lifecycle relies: correct it in corrections.toml, or ignore the file in upstream.lock"
    )
    assert problem in to_do(library.sync("--check").out)


@pytest.mark.parametrize("missing", ["properties", "title", "id", "required", "type"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_schema_that_lacks_a_part_does_not_stop_the_report(
    library: Project, make_event: Callable[..., dict[str, Any]], missing: str, output: str
) -> None:
    schema = make_event(FOO)
    del schema[missing]
    if missing == "properties":
        del schema["required"]
    library.publish(schema, FOO)
    found = library.sync("--check", "--output", output)
    assert (found.status, found.err) == (1, "")
    assert "has no factory" not in found.out  # it has problems of its own first
    assert "`pong`" in found.out


def test_a_circular_reference_does_not_stop_the_report(
    library: Project, make_event: Callable[..., dict[str, Any]]
) -> None:
    schema = make_event(FOO, id={"$ref": "#/definitions/a"})
    schema["definitions"] = {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}
    library.publish(schema, FOO)
    assert "is a circular reference" in library.sync("--check").out
