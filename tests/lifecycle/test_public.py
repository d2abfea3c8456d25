"""The public interface, as users and their type checkers see it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import choria_lifecycle as lifecycle
from choria_schemas.registry import CONTRACTS, Contract
from tests.bed.sources import tree

PROMISED = frozenset(
    """
    new EVENT_TYPES event_type subject describe event_time Format detect_format encode parse validate validate_many
    connect publish_once Event Delivery Finding Middleware InMemoryTransport __version__ LifecycleError InvalidEvent
    UnknownProtocol OptionError ConfigError ConnectionFailed NotAuthorised DeliveryFailed NoStream MissingExtra
    AddressInUse Service codec testing identity
    """.split()  # noqa: SIM905 - a column of quotes would hide the names
)


def test_the_package_exports_exactly_the_promised_names_and_a_factory_for_each_type() -> None:
    promised = PROMISED.union(lifecycle.EVENT_TYPES)
    assert set(lifecycle.__all__) == promised, "export them in choria_lifecycle/__init__.py"
    assert len(lifecycle.__all__) == len(promised)
    for name in lifecycle.__all__:
        assert getattr(lifecycle, name) is not None


@pytest.mark.parametrize("package", [lifecycle, lifecycle.testing])
def test_dir_is_the_public_interface(package: ModuleType) -> None:
    assert dir(package) == sorted(package.__all__)


@pytest.mark.parametrize("package", [lifecycle, lifecycle.testing])
@pytest.mark.parametrize("name", ["nothing", "Nothing", "_nothing"])
def test_unknown_names_are_attribute_errors(package: ModuleType, name: str) -> None:
    assert not hasattr(package, name)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute '{name}'"):
        getattr(package, name)


def test_python_suggests_a_similar_name() -> None:
    ran = subprocess.run([sys.executable, "-c", "import choria_lifecycle as l; l.startupp"], capture_output=True)
    assert b"Did you mean: 'startup'?" in ran.stderr


@pytest.mark.parametrize("contract", list(dict.fromkeys(CONTRACTS.values())), ids=lambda contract: contract.protocol)
def test_a_generated_class_is_an_import_error_that_names_its_package(contract: Contract) -> None:
    package, name = contract.cls.__module__.rpartition(".")[0], contract.class_name
    expected = f"{name} is in {package}: from {package} import {name}"
    with pytest.raises(ImportError) as attribute:
        getattr(lifecycle, name)
    with pytest.raises(ImportError) as imported:
        exec(f"from choria_lifecycle import {name}")
    assert (str(attribute.value), str(imported.value)) == (expected, expected)
    exec(f"from {package} import {name}")


def test_a_class_of_several_versions_names_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from choria_lifecycle.testing import FakeClock

    startup = CONTRACTS["io.choria.lifecycle.v1.startup"]
    newer = SimpleNamespace(class_name="Startup", cls=FakeClock)
    monkeypatch.setattr("choria_schemas.registry.CONTRACTS", {"1": startup, "": startup, "2": newer})
    expected = (
        "Startup is in choria_schemas.lifecycle.v1 and choria_lifecycle.testing: "
        "from choria_schemas.lifecycle.v1 import Startup"
    )
    with pytest.raises(ImportError, match=f"^{expected}$"):
        _ = lifecycle.Startup


@pytest.mark.parametrize(
    ("expression", "module"),
    [("codec.decode", "choria_lifecycle.wire.codec"), ("testing.FakeClock", "choria_lifecycle.testing.fake_clock")],
)
def test_submodules_are_attributes_of_the_package(expression: str, module: str) -> None:
    code = f"import choria_lifecycle; print(choria_lifecycle.{expression}.__module__)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == f"{module}\n"


def test_type_checkers_and_python_see_the_same_names() -> None:
    module = tree(Path(lifecycle.__file__))
    seen = {
        alias.name: f"{node.module}.{alias.name}" if alias.name in lifecycle._SUBMODULES else node.module
        for block in module.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {name: module for module, names in lifecycle._MODULES.items() for name in names} | lifecycle._SUBMODULES
    assert seen == {name: f"choria_lifecycle.{module}" for name, module in modules.items()}
    assert {*seen, "__version__"} == set(lifecycle.__all__)


def test_all_errors_derive_from_lifecycle_error() -> None:
    for name in PROMISED:
        thing = getattr(lifecycle, name)
        if isinstance(thing, type) and issubclass(thing, Exception):
            assert issubclass(thing, lifecycle.LifecycleError)


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert lifecycle.__version__ == version("choria-lifecycle")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import choria_lifecycle", "msgspec asyncio nats click logging json"),
        ("from choria_lifecycle import parse, startup, encode, validate", "asyncio nats click logging fastjsonschema"),
        (
            # Importing dataclasses runs text, and a signal that interrupts that ends the process.
            'import choria_lifecycle as it; it.validate(\'{"protocol":"io.choria.machine.v1.transition"}\')',
            "asyncio nats click logging choria_schemas.machine.v1.transition",
        ),
        ("from choria_lifecycle import Middleware, InMemoryTransport", "nats click"),
        ("from choria_lifecycle import *", "nats click pytest"),
    ],
)
def test_unneeded_modules_are_not_imported(statement: str, unwanted: str) -> None:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & set(unwanted.split())


WRONG = """
import choria_lifecycle as lifecycle
import choria_lifecycle.testing
from choria_lifecycle import Servcie  # misspelt
from choria_lifecycle import Startup  # in choria_schemas
from choria_lifecycle.testing import FakeClok  # misspelt

lifecycle.startup(identity="n1", component="server")  # missing
lifecycle.shutdown(identity="n1", component="server", version="1")  # unexpected
lifecycle.alive(identity=1, component="server", version="1")  # type
lifecycle.encode(lifecycle.shutdown(identity="n1", component="server"), format="choria")  # format
lifecycle.startupp  # misspelt
lifecycle.codec.decoded  # misspelt
lifecycle.testing.FakeClok  # misspelt
choria_lifecycle.testing.anouncing  # misspelt
lifecycle.new("strtup")  # misspelt


async def receive(middleware: lifecycle.Middleware) -> None:
    middleware.events("starup")  # misspelt
    middleware.deliveries(type=["alive", "starup"])  # misspelt
"""
RIGHT = """
from typing import assert_type

import choria_lifecycle as lifecycle
from choria_schemas.lifecycle.v1 import Startup
from choria_schemas.machine.v1 import Transition

event = lifecycle.startup(identity="n1", component="server", version="1", timestamp=1)
assert_type(event, Startup)
assert_type(lifecycle.encode(event), bytes)
assert_type(lifecycle.validate(b"{}"), list[lifecycle.Finding])
parsed = lifecycle.parse(b"{}")
match parsed:
    case Startup(version=version):
        assert_type(version, str)
    case _:
        assert_type(parsed.identity, str)
assert_type(lifecycle.codec.parse(b"{}"), lifecycle.Event)
transition = lifecycle.codec.decode(b"{}")
if isinstance(transition, Transition):
    assert_type(transition.machine, str)
lifecycle.new("governor", identity="n1", component="a", governor="b", event_type="exit")
assert_type(lifecycle.testing.FakeClock().now(), float)


async def main() -> None:
    async with lifecycle.connect(servers=["nats://127.0.0.1:4222"]) as middleware:
        await middleware.publish(event, format=lifecycle.Format.CLOUDEVENTS, stored=False, timeout=5)
        async with middleware.events(type="startup", component="server", queue="") as events:
            assert_type(events.counters.received, int)
            async for one in events:
                assert_type(one.identity, str)
        async with middleware.deliveries(subject="choria.machine.>") as deliveries:
            async for delivery in deliveries:
                assert_type(delivery, lifecycle.Delivery)
"""
CHECKERS = {
    "mypy": ("mypy", "--strict", "--no-incremental", "--config-file="),
    "pyright": ("pyright", "--pythonpath", sys.executable),
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_type_checkers_accept_what_is_right_and_report_each_line_that_is_wrong(checker: str, tmp_path: Path) -> None:
    for name, text in {"right.py": RIGHT, "wrong.py": WRONG}.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", *CHECKERS[checker], "right.py", "wrong.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    reported = re.findall(r"(\w+\.py):(\d+)(?::\d+)?(?: -|:) error:", ran.stdout)
    wrong = [number for number, line in enumerate(WRONG.splitlines(), 1) if "  # " in line]
    assert list(dict.fromkeys(reported)) == [("wrong.py", str(number)) for number in wrong], ran.stdout
