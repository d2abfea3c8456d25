"""A pytest run like that of another project which has choria-lifecycle installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PytestResult", "run_pytest"]


class PytestResult(NamedTuple):
    """The result of a pytest run.

    Attributes:
        passed: the number of tests that passed.
        failed: the number of tests that failed.
        text: the complete output.
    """

    passed: int
    failed: int
    text: str


def run_pytest(folder: Path, files: Mapping[str, str], *options: str, autoload: bool = False) -> PytestResult:
    """Run pytest on these files in a folder.

    Args:
        folder: an empty folder.
        files: text by name.
        *options: command-line options for pytest.
        autoload: let pytest discover plugins, instead of loading only this project's.
    """
    site, work = folder / "site", folder / "work"
    info = site / "choria_lifecycle-0.1.0.dist-info"
    if not info.exists():
        info.mkdir(parents=True)
        [(name, module)] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
            "pytest11"
        ].items()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: choria-lifecycle\nVersion: 0.1.0\n")
        info.joinpath("entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    work.mkdir(exist_ok=True)
    for name, text in files.items():
        (work / name).write_text(text)
    path = os.pathsep.join(map(str, (site, ROOT / "generated", ROOT / "lifecycle")))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    for variable in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_CURRENT_TEST"):
        environment.pop(variable, None)
    if not autoload:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = ("-p", "choria_lifecycle.testing.pytest_plugin", *options)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    ran = subprocess.run([*command, *options], cwd=work, env=environment, capture_output=True, text=True, timeout=100)
    counts = dict.fromkeys(("passed", "failed", "error"), 0)
    counts |= {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|error)", ran.stdout)}
    return PytestResult(counts["passed"], counts["failed"] + counts["error"], ran.stdout + ran.stderr)
