"""The generated classes: plain frozen data, with the fields in wire order."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import json
import pickle
import sys
import tomllib
from importlib import import_module
from typing import get_args

import pytest

import choria_schemas.lifecycle.v1 as lifecycle
from choria_schemas.lifecycle.events import LifecycleEventType
from choria_schemas.lifecycle.v1 import Governor, Shutdown, Startup
from choria_schemas.machine.watcher.nagios.v1.state import History, Perfdata
from tests.bed.paths import ROOT
from tests.bed.samples import ALL_CONTRACTS
from tests.bed.sources import parse
from tests.interop import record

_, EVENTS = record.load(record.EVENTS)
# The names of the fields in the order in which Go's encoder writes them.
GO_ORDER = {
    event["protocol"]: list(event)
    for case in EVENTS
    if case["name"].endswith(": plain")
    for body in [json.loads(case["body"])]
    for event in [body.get("data", body)]
}


def module_of(contract):
    return import_module(contract.cls.__module__)


def test_every_class_is_at_the_path_of_its_schema(contract):
    path = contract.path.removeprefix("choria/").removesuffix(".json").replace("/", ".")
    assert contract.cls.__module__ == f"choria_schemas.{path}"


def test_the_union_of_a_family_has_the_class_of_each_contract():
    for family in {contract.family for contract in ALL_CONTRACTS}:
        events = import_module(f"choria_schemas.{family}.events")
        union = getattr(events, f"{family.capitalize()}Event")
        assert set(get_args(union)) == {
            contract.cls for contract in ALL_CONTRACTS if contract.path.startswith(f"choria/{family}/")
        }


def test_the_types_of_lifecycle_events_are_the_last_parts_of_their_protocols():
    names = {contract.protocol.split(".")[-1] for contract in ALL_CONTRACTS if contract.family == "lifecycle"}
    assert get_args(LifecycleEventType) == tuple(sorted(names))


def test_fields_are_in_the_order_of_go(contract, document):
    assert list(document) == GO_ORDER.get(contract.protocol, list(document))
    fields = dataclasses.fields(contract.cls)
    optional = {field.name for field in fields if field.default is None}
    # Python demands that optional fields come last.
    assert [field.name for field in fields] == sorted(document, key=optional.__contains__)


def test_required_fields_have_no_default_and_optional_ones_are_none(contract):
    required = set(contract.schema()["required"])
    for field in dataclasses.fields(contract.cls):
        assert field.default_factory is dataclasses.MISSING
        assert field.default is (dataclasses.MISSING if field.name in required else None)


@pytest.mark.parametrize("cls", [Perfdata, History])
def test_nested_classes_are_frozen_too(cls):
    assert cls.__dataclass_params__.frozen
    assert cls.__slots__ == tuple(field.name for field in dataclasses.fields(cls))


def test_is_frozen_slotted_and_keyword_only(contract, document):
    made = contract.cls(**document)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.id = "other"
    assert not hasattr(made, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        made.new = 1
    with pytest.raises(TypeError, match="positional"):
        contract.cls(*document.values())
    with pytest.raises(TypeError, match="protocol"):
        contract.cls(**{name: value for name, value in document.items() if name != "protocol"})


def test_is_plain_data(contract):
    own = {name for name in vars(contract.cls) if not name.startswith("__")}
    assert own == {field.name for field in dataclasses.fields(contract.cls)}
    assert contract.cls.__bases__ == (object,)


def test_protocol_accepts_every_spelling_and_the_module_names_the_current_one(contract):
    module, enum = module_of(contract), contract.schema()["properties"]["protocol"]["enum"]
    annotation = next(field.type for field in dataclasses.fields(contract.cls) if field.name == "protocol")
    assert set(annotation.__args__) == set(enum)
    assert module.PROTOCOL == module.PROTOCOLS[0] == contract.protocol == contract.schema()["title"]
    assert set(module.PROTOCOLS) == set(enum)
    assert len(module.PROTOCOLS) == len(enum)
    assert module.SCHEMA_ID == contract.schema_id == contract.schema()["id"]
    assert set(module.__all__) >= {"PROTOCOL", "PROTOCOLS", "SCHEMA_ID", contract.cls.__name__}


def test_every_class_and_field_has_a_docstring(contract):
    tree = parse(inspect.getsource(module_of(contract)))
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            assert ast.get_docstring(statement)
            _, configuration, *members = statement.body
            assert ast.unparse(configuration) == (
                "if not TYPE_CHECKING:\n    __pydantic_config__ = {'use_attribute_docstrings': True}"
            )
            assert members
            for field, text in zip(members[::2], members[1::2], strict=True):
                assert isinstance(field, ast.AnnAssign)
                assert isinstance(text, ast.Expr)


def test_the_header_names_the_source_and_how_to_change_it(contract):
    head = inspect.getsource(module_of(contract)).splitlines()[:3]
    assert contract.path in head[0]
    locked = tomllib.loads((ROOT / "schemas" / "upstream.lock").read_text("utf-8"))["files"]
    blobs = {entry["path"]: entry["blob"] for entry in locked}
    local = contract.source == "local"
    assert head[1] == f"# {'which upstream does not publish' if local else f'upstream blob {blobs[contract.path]}'}."
    assert head[2] == "# Do not edit: change the source and run `python -m codegen generate`."


def test_the_shutdown_module_does_not_mention_a_start():
    assert "start" not in inspect.getsource(sys.modules[Shutdown.__module__])


def test_compares_hashes_copies_and_pickles(contract, document, event):
    made = event
    assert made == dataclasses.replace(event)
    assert made != dataclasses.replace(made, identity="other")
    assert copy.copy(made) == copy.deepcopy(made) == made
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(made, protocol)) == made
    assert dataclasses.asdict(made) == document
    assert repr(made).startswith(f"{contract.cls.__name__}(protocol=")
    if hasattr(copy, "replace"):
        assert copy.replace(made, identity="other") == dataclasses.replace(made, identity="other")


def test_events_can_be_keys(contract, document):
    if all(not isinstance(value, (list, dict)) for value in document.values()):
        assert {contract.cls(**document): 1}[contract.cls(**document)] == 1


def test_events_work_in_a_match_statement():
    event = Governor(
        protocol="io.choria.lifecycle.v1.governor",
        id="i",
        identity="n1",
        component="CLI",
        timestamp=1,
        governor="G",
        sequence=0,
        event_type="enter",
    )
    match event:
        case Startup():
            found = "startup"
        case Governor(identity=identity, event_type="enter" | "exit"):
            found = identity
        case _:
            found = ""
    assert found == "n1"


def test_a_folder_exports_its_classes_and_nothing_else():
    of_folder = {each.class_name for each in ALL_CONTRACTS if each.path.startswith("choria/lifecycle/v1/")}
    assert lifecycle.__all__ == sorted(of_folder)
    assert set(lifecycle.__all__) <= set(dir(lifecycle))
    for name in lifecycle.__all__:
        assert getattr(lifecycle, name).__name__ == name
    with pytest.raises(AttributeError, match=r"module 'choria_schemas.lifecycle.v1' has no attribute 'Gone'"):
        _ = lifecycle.Gone
    with pytest.raises(ImportError):
        from choria_schemas.lifecycle.v1 import Gone  # noqa: F401


def test_a_module_of_a_folder_can_be_imported_by_name():
    from choria_schemas.lifecycle.v1 import startup

    assert startup.Startup is Startup
