"""Each import contract fails where a module that no list names breaks it, and not before; no import is out of sight."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bed.layers import CONTRACTS, PACKAGES
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# A module that breaks a rule, what it imports, and the rule.
FORBIDDEN = [
    ("choria_schemas/newcomer.py", "choria_lifecycle.errors", "The generated types"),
    ("choria_schemas/newcomer.py", "msgspec", "The generated types"),
    ("choria_lifecycle/wire/newcomer.py", "codegen.names", "Nothing that ships"),
    ("choria_lifecycle/cli/newcomer.py", "jsonschema", "Nothing that ships"),
    ("choria_lifecycle/election/newcomer.py", "nats.errors", "nats-py"),
    ("choria_lifecycle/tally/newcomer.py", "nats.errors", "nats-py"),
    ("choria_lifecycle/service/newcomer.py", "nats", "nats-py"),
    ("choria_lifecycle/support/newcomer.py", "nats.aio.client", "nats-py"),
    ("choria_schemas/newcomer.py", "nats", "nats-py"),
    ("choria_lifecycle/cli/newcomer.py", "choria_lifecycle.nats.client", "open connections"),
    ("choria_lifecycle/service/newcomer.py", "choria_lifecycle.nats", "open connections"),
    ("choria_lifecycle/tally/web/newcomer.py", "click", "click"),
    ("choria_lifecycle/doctor/newcomer.py", "click", "click"),
    ("choria_lifecycle/cli/newcomer.py", "aiohttp.web", "aiohttp and prometheus_client"),
    ("choria_lifecycle/view/newcomer.py", "prometheus_client", "aiohttp and prometheus_client"),
    ("choria_lifecycle/nats/newcomer.py", "choria_lifecycle.wire.codec", "NATS carries bytes"),
    ("choria_lifecycle/nats/newcomer.py", "choria_lifecycle.events.event", "NATS carries bytes"),
    ("choria_lifecycle/newcomer.py", "sys", "each package imports only those below it"),
]


def home(package: str) -> str:
    """Return a module that can be added to a package, or, of a module, that module itself."""
    folder = ROOT / "lifecycle" / "choria_lifecycle" / package
    return f"choria_lifecycle/{package}/newcomer.py" if folder.is_dir() else f"choria_lifecycle/{package}.py"


UPWARDS = [
    (home(lower), f"choria_lifecycle.{upper}", "each package imports only those below it")
    for above, below in itertools.pairwise(PACKAGES)
    for upper in above
    for lower in below
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contracts are about."""
    copy = tmp_path_factory.mktemp("imports")
    for folder in ("generated", "lifecycle", "codegen"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def broken(checkout: Path) -> str:
    """Return what the check says of the contracts that are broken; empty where it passes."""
    path = os.pathsep.join(str(checkout / folder) for folder in ("generated", "lifecycle", "."))
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "500"}
    ran = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=100)
    summary, _, details = ran.stdout.partition("Broken contracts")
    assert f"Contracts: {len(CONTRACTS)} kept" in summary or details, ran.stdout + ran.stderr
    assert bool(ran.returncode) == bool(details), ran.stdout
    return details


def test_they_are_kept(checkout: Path) -> None:
    assert broken(checkout) == ""


def test_a_forbidden_import_fails_wherever_it_is_added(checkout: Path) -> None:
    before: dict[Path, str | None] = {}
    for module, imported, _ in FORBIDDEN + UPWARDS:
        file = checkout / ("generated" if module.startswith("choria_schemas") else "lifecycle") / module
        if file not in before:
            before[file] = file.read_text("utf-8") if file.exists() else None
        with file.open("a", encoding="utf-8") as added:
            added.write(f"\nimport {imported}\n")
    try:
        details = broken(checkout)
    finally:
        for file, text in before.items():
            file.unlink() if text is None else file.write_text(text, "utf-8")
    for module, imported, rule in FORBIDDEN + UPWARDS:
        importer = module.removesuffix(".py").replace("/", ".")
        # External packages are seen as a whole.
        target = imported if imported.startswith(("choria_", "codegen")) else imported.partition(".")[0]
        found = f"{importer} -> {target}" if module != "choria_lifecycle/newcomer.py" else "newcomer"
        [section] = [text for text in re.split(r"\n(?=[^\n]+\n-{5,}\n)", details) if rule in text.partition("\n---")[0]]
        assert found in section, (found, section)


def test_only_the_command_group_imports_modules_by_name() -> None:
    # The contracts do not see such imports.
    package = ROOT / "lifecycle" / "choria_lifecycle"
    by_name = re.compile(r"\bimport_module\b|__import__|\bexec\(|\beval\(|\brunpy\b")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if by_name.search(path.read_text())}
    assert found == {"cli/program.py", "events/quick.py"}  # the latter compiles assignments and conditions only
