"""The generated classes: plain frozen data, with the fields in wire order."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import pickle
import sys
import tomllib
from importlib import import_module
from typing import get_args

import pytest

import choria_schemas.lifecycle.v1 as lifecycle
from choria_schemas.lifecycle.v1 import Governor, Shutdown, Startup
from choria_schemas.machine.watcher.nagios.v1.state import History, NagiosState, Perfdata
from tests.bed.paths import ROOT

BASE = ["protocol", "id", "identity", "component", "timestamp"]
MACHINE = ["protocol", "identity", "id", "version", "timestamp"]
WATCHER = [*MACHINE, "type", "machine", "name"]

# The order in which Go's encoder writes the fields.
GO_ORDER = {
    "Startup": [*BASE, "version"],
    "Shutdown": BASE,
    "Provisioned": BASE,
    "Alive": [*BASE, "version"],
    "Upgraded": [*BASE, "version", "new_version"],
    "Governor": [*BASE, "governor", "sequence", "event_type"],
    "Transition": [*MACHINE, "machine", "transition", "from_state", "to_state"],
    "ArchiveState": [*WATCHER, "source", "creates", "previous_outcome", "previous_run_time"],
    "CcmManifestState": [*WATCHER, "previous_outcome", "previous_run_time"],
    "ExecState": [*WATCHER, "command", "previous_outcome", "previous_run_time"],
    "ExpressionState": [*WATCHER, "previous_outcome"],
    "FileState": [*WATCHER, "path", "previous_outcome"],
    "GossipState": [*WATCHER, "previous_subject", "previous_payload", "previous_gossip"],
    "HttpswitchState": [*WATCHER, "status", "is_on", "annotations"],
    # Go writes the key before the mode; it is optional, and optional fields come last.
    "KvState": [*WATCHER, "state", "bucket", "mode", "key"],
    "MachinesState": [*WATCHER, "machines", "previous_outcome", "previous_run_time"],
    "MetricState": [*WATCHER, "metrics"],
    "PluginsState": [*WATCHER, "plugins", "previous_outcome", "previous_run_time"],
    "ScheduleState": [*WATCHER, "state"],
    "TimerState": [*WATCHER, "state", "timer"],
    # The schema makes history optional, and optional fields come last.
    "NagiosState": [
        *(*WATCHER, "plugin", "status", "status_code", "output", "check_time", "perfdata", "runtime"),
        *("annotations", "history"),
    ],
}


def module_of(contract):
    return import_module(contract.cls.__module__)


def test_every_class_is_at_the_path_of_its_schema(contract):
    path = contract.path.removeprefix("choria/").removesuffix(".json").replace("/", ".")
    assert contract.cls.__module__ == f"choria_schemas.{path}"
    assert contract.cls.__name__ in GO_ORDER


def test_every_class_is_listed_here():
    from choria_schemas.registry import CONTRACTS

    assert {contract.cls.__name__ for contract in CONTRACTS.values()} == set(GO_ORDER)


def test_the_union_of_a_family_has_the_class_of_each_contract():
    from choria_schemas.registry import CONTRACTS

    for family in {contract.family for contract in CONTRACTS.values()}:
        events = import_module(f"choria_schemas.{family}.events")
        union = getattr(events, f"{family.capitalize()}Event")
        assert set(get_args(union)) == {
            contract.cls for contract in CONTRACTS.values() if contract.path.startswith(f"choria/{family}/")
        }


def test_the_types_of_lifecycle_events_are_the_last_parts_of_their_protocols():
    from choria_schemas.lifecycle.events import LifecycleEventType
    from choria_schemas.registry import CONTRACTS

    names = [contract.protocol.split(".")[-1] for contract in CONTRACTS.values() if contract.family == "lifecycle"]
    assert get_args(LifecycleEventType) == tuple(sorted(set(names)))


def test_fields_are_in_the_order_of_go(contract, document):
    names = [field.name for field in dataclasses.fields(contract.cls)]
    assert names == GO_ORDER[contract.cls.__name__]
    if contract.cls is not NagiosState:
        assert names == list(document)


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
    tree = ast.parse(inspect.getsource(module_of(contract)))
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
    assert lifecycle.__all__ == ["Alive", "Governor", "Provisioned", "Shutdown", "Startup", "Upgraded"]
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
