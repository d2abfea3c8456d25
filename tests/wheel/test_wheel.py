"""The wheel, installed with only its declared requirements, and without the sources."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from choria_schemas.registry import CONTRACTS
from tests.bed.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [made] = folder.glob("*.whl")
    return made


class Environment:
    """A virtual environment with the wheel and the requirements of some of its extras.

    Tests have no network access, so the requirements are linked from the environment that runs the tests.
    """

    def __init__(self, folder: Path, wheel: Path, extras: set[str]) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        self.python = folder / "venv" / "bin" / "python"
        command = [sys.executable, "-m", "pip", "--quiet", "--python", str(self.python), "install"]
        subprocess.run([*command, "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
        [self.site] = (folder / "venv" / "lib").glob("python*/site-packages")
        self._link([distribution("choria-lifecycle")], extras, set())

    def _link(self, distributions: list[Distribution], extras: set[str], seen: set[str]) -> None:
        for each in distributions:
            for requirement in each.requires or []:
                name, marker = re.match(r"([A-Za-z0-9._-]+)[^;]*(?:;(.*))?", requirement).groups()  # type: ignore[union-attr]
                wanted = re.search(r"extra == ['\"](.*?)['\"]", marker or "")
                if name in seen or (marker and not (wanted and wanted[1] in extras)):
                    continue
                seen.add(name)
                found = distribution(name)
                for top in {Path(file).parts[0] for file in found.files or [] if ".." not in Path(file).parts}:
                    target = self.site / top
                    if not target.exists() and top != "__pycache__":
                        target.symlink_to(Path(str(found.locate_file(top))))
                self._link([found], set(), seen)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": str(self.python.parent), "HOME": str(self.folder)}
        return subprocess.run(
            [str(self.python), "-I", *arguments],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            text=True,
            check=check,
        )


@pytest.fixture(scope="module")
def library(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("library"), wheel, set())


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("command"), wheel, {"cli"})


def test_it_contains_exactly_both_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "choria_lifecycle",
        "choria_schemas",
    }
    assert {"choria_schemas/py.typed", "choria_lifecycle/py.typed"} <= set(names)
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    required = re.findall(r"^Requires-Dist: ([a-z0-9-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert sorted(required) == ["fastjsonschema", "msgspec", "nats-py"]


def test_an_event_is_published_and_received_without_extras(library: Environment) -> None:
    code = """
import asyncio, choria_lifecycle as lifecycle, choria_schemas
assert "site-packages" in lifecycle.__file__ and "site-packages" in choria_schemas.__file__

async def main():
    transport = lifecycle.InMemoryTransport()
    async with lifecycle.Middleware(transport) as middleware, middleware.events() as events:
        sent = lifecycle.startup(identity="n1", component="server", version="1")
        await middleware.publish(sent, format=lifecycle.Format.CLOUDEVENTS)
        async for event in events:
            assert event == sent
            break

asyncio.run(main())
assert lifecycle.validate(b"{}")[0].code == "schema-required"
from choria_lifecycle.testing import assert_valid
assert assert_valid(lifecycle.encode(lifecycle.shutdown(identity="n1", component="server"))).identity == "n1"
import choria_lifecycle.connection, choria_lifecycle.nats
print(choria_schemas.schema("io.choria.lifecycle.v1.startup")["title"])
"""
    assert library.run("-c", code).stdout == "io.choria.lifecycle.v1.startup\n"


def test_every_generated_module_can_be_imported(library: Environment) -> None:
    code = """
from choria_schemas.registry import CONTRACTS
for contract in CONTRACTS.values():
    assert contract.violations({}) and contract.cls and contract.schema()
print(len(CONTRACTS))
"""
    assert int(library.run("-c", code).stdout) == len(CONTRACTS)


def test_without_its_extra_the_command_reports_what_to_install(library: Environment) -> None:
    ran = library.run("-m", "choria_lifecycle", "--help", check=False)
    assert ran.returncode == 2
    assert "pip install 'choria-lifecycle[cli]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_command_runs(command: Environment) -> None:
    script = command.folder / "venv" / "bin" / "lifecycle"
    assert command.run(str(script), "--version").stdout.strip().endswith(distribution("choria-lifecycle").version)
    options = ["--identity", "n1", "--component", "server", "--version", "1", "--dry-run"]
    ran = command.run("-m", "choria_lifecycle", "emit", "startup", *options)
    assert "choria.lifecycle.event.startup.server" in ran.stdout
    listed = command.run("-m", "choria_lifecycle", "schema", "show", "io.choria.lifecycle.v1.alive", "--output", "json")
    assert json.loads(listed.stdout)


def test_the_demo_reports_what_to_install(command: Environment) -> None:
    ran = command.run("-m", "choria_lifecycle", "demo", check=False)
    assert ran.returncode == 2
    assert "pip install 'choria-lifecycle[demo]'" in ran.stderr
