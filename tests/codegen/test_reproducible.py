"""The repository's schemas render to the same bytes on any machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from codegen import contract, files
from codegen.problems import ContractError
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import hashlib, json
from codegen import __main__, contract, package
rendered = package.render(contract.load(__main__.ROOT / "schemas"))
print(json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in rendered.items()}))
"""
# Without UTF-8 mode, the locale decides how Python reads a file.
LEGACY = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def committed() -> dict[str, str]:
    """Return the digest of each file below generated/choria_schemas."""
    folder = ROOT / "generated" / "choria_schemas"
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def rendered(root: Path, *options: str, cwd: Path | None = None, **environment: str) -> dict[str, str]:
    """Return the digest of each file that a checkout renders, in a process of its own."""
    completed = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        cwd=cwd or root,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    return json.loads(completed.stdout)


def other_locale() -> str:
    """Return a locale with rules of its own if one is installed, such as Turkish with its letter i."""
    installed = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    return next((name for name in ("tr_TR.utf8", "de_DE.utf8") if name in installed), "C.UTF-8")


def copy_checkout(target: Path) -> Path:
    """Copy what `generate` reads."""
    for name in ("codegen", "schemas"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def convert(paths: list[Path]) -> None:
    """Give text files Windows line endings."""
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def test_another_hash_seed_and_the_c_locale() -> None:
    assert rendered(ROOT, PYTHONHASHSEED="0", LC_ALL="C", TZ="UTC", **LEGACY) == committed()


def test_another_locale_time_zone_and_current_folder(tmp_path: Path) -> None:
    environment = {"PYTHONHASHSEED": "1", "LC_ALL": other_locale(), "TZ": "Asia/Kathmandu", **LEGACY}
    assert rendered(ROOT, "-OO", cwd=tmp_path, **environment) == committed()


def test_a_read_only_checkout_behind_a_symlink(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "a checkout")
    for path in (checkout, *checkout.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    link = tmp_path / "link"
    link.symlink_to(checkout, target_is_directory=True)
    assert rendered(link, PYTHONHASHSEED="2") == committed()


def test_sources_and_toml_with_windows_line_endings(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path)
    convert([*checkout.rglob("*.py"), *checkout.rglob("*.toml"), checkout / "schemas" / "upstream.lock"])
    assert rendered(checkout, PYTHONHASHSEED="3") == committed()


def test_schemas_with_windows_line_endings_are_refused(tmp_path: Path) -> None:
    schemas = copy_checkout(tmp_path) / "schemas"
    converted = sorted(schemas.rglob("*.json"))
    convert(converted)
    with pytest.raises(ContractError) as caught:
        contract.load(schemas)
    way_out = "keep .gitattributes, and check it out again with core.autocrlf=false"
    assert [str(problem) for problem in caught.value.problems] == [
        f"{path.relative_to(schemas).as_posix()}: {files.CRLF}: {way_out}" for path in converted
    ]
