"""The unit tests have the tree of the product: one test file per module, named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PRODUCT: Final = ROOT / "lifecycle" / "choria_lifecycle"
TESTS: Final = ROOT / "tests" / "lifecycle"
MODULES: Final = {path.relative_to(PRODUCT) for path in PRODUCT.rglob("*.py") if path.name != "__init__.py"}
TESTED: Final = {
    path.relative_to(TESTS).with_name(path.name.removeprefix("test_")) for path in TESTS.rglob("test_*.py")
}

# Test files about several modules of a package.
ACROSS_MODULES: Final = {
    "config/resolve_choria",  # settings from Choria's files, the environment and arguments
    "middleware/replay",  # the same promises in memory and on a server
    "public",  # the names of the whole package
    "wire/examples",  # tests/examples, for every reader
    "type_hints",
    "verdicts",  # one verdict of all functions and the command
}

# Modules that mostly do I/O; tests/integration covers them against real servers and processes.
INTEGRATION: Final = {
    "__main__",
    "cli/demo",
    "cli/run",
    "connection",
    "doctor/brokers",
    "doctor/certificates",
    "doctor/doctor",
    "nats/api",
    "nats/client",
    "nats/connection",
    "nats/kv",
    "nats/replay",
    "nats/stream_choice",
    "nats/tls",
    "nats/transport",
    "service/child",
}


def names(paths: set[Path]) -> set[str]:
    return {path.with_suffix("").as_posix() for path in paths}


def test_every_test_file_is_named_after_a_module() -> None:
    assert names(TESTED - MODULES) == ACROSS_MODULES


def test_every_module_has_a_test_file() -> None:
    assert names(MODULES - TESTED) == INTEGRATION
