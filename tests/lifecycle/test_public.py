"""The public interface, as users and their type checkers see it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import choria_lifecycle as lifecycle

PROMISED = frozenset(
    """
    startup shutdown provisioned alive upgraded governor new EVENT_TYPES event_type subject describe event_time Format
    detect_format encode parse validate connect publish_once Event Delivery Finding Middleware InMemoryTransport
    __version__ LifecycleError InvalidEvent UnknownProtocol OptionError ConfigError ConnectionFailed NotAuthorised
    DeliveryFailed NoStream MissingExtra AddressInUse Service
    """.split()  # noqa: SIM905 - a column of quotes would hide the names
)


def test_the_package_exports_exactly_the_promised_names() -> None:
    assert set(lifecycle.__all__) == PROMISED
    assert len(lifecycle.__all__) == len(PROMISED)
    for name in lifecycle.__all__:
        assert getattr(lifecycle, name) is not None
        assert name in dir(lifecycle)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lifecycle.nothing


def test_type_checkers_and_python_see_the_same_names() -> None:
    tree = ast.parse(Path(lifecycle.__file__).read_text("utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {name: f"choria_lifecycle.{module}" for module, names in lifecycle._MODULES.items() for name in names}
    assert seen == found
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
        ("from choria_lifecycle import Middleware, InMemoryTransport", "nats click"),
    ],
)
def test_unneeded_modules_are_not_imported(statement: str, unwanted: str) -> None:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & set(unwanted.split())


WRONG = """
import choria_lifecycle as lifecycle

lifecycle.startup(identity="n1", component="server")  # missing
lifecycle.shutdown(identity="n1", component="server", version="1")  # unexpected
lifecycle.alive(identity=1, component="server", version="1")  # type
lifecycle.encode(lifecycle.shutdown(identity="n1", component="server"), format="choria")  # format
"""
RIGHT = """
from typing import assert_type

import choria_lifecycle as lifecycle
from choria_schemas.lifecycle.v1 import Startup

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


async def main() -> None:
    async with lifecycle.connect(servers=["nats://127.0.0.1:4222"]) as middleware:
        await middleware.publish(event, format=lifecycle.Format.CLOUDEVENTS, stored=False, timeout=5)
        async with middleware.events(type="startup", component="server", queue="") as events:
            async for one in events:
                assert_type(one.identity, str)
        async with middleware.deliveries(subject="choria.machine.>") as deliveries:
            async for delivery in deliveries:
                assert_type(delivery, lifecycle.Delivery)
"""


def test_signatures_pass_and_fail_under_mypy_strict(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", "right.py", "wrong.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = [line for line in ran.stdout.splitlines() if ": error:" in line]
    wrong = [number for number, line in enumerate(WRONG.splitlines(), 1) if "  # " in line]
    assert [int(line.split(":")[1]) for line in lines if line.startswith("wrong.py")] == wrong, ran.stdout
    assert not [line for line in lines if not line.startswith("wrong.py")], ran.stdout
