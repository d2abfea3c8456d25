"""docs/testing.md matches the code: each example runs in an empty folder, in its own pytest process."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.testing import Announcements, pytest_plugin
from tests.bed.inner_pytest import run_pytest
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
PASSING = sorted(name for name in FILES if name.startswith("test_") and name != "test_failing.py")


def test_every_example_has_a_name() -> None:
    assert len(FILES) == PAGE.count("```python")
    assert set(FILES) == {"billing.py", "conftest.py", "test_failing.py", *PASSING}


def test_the_examples_pass(tmp_path: Path) -> None:
    """All in one suite, with the conftest.py that keeps every test away from a broker."""
    files = {name: text for name, text in FILES.items() if name != "test_failing.py"}
    ran = run_pytest(tmp_path, files)
    tests = sum(len(re.findall(r"^ *def test_", text, re.MULTILINE)) for text in files.values())
    assert (ran.passed, ran.failed) == (tests, 0), ran.text


@pytest.mark.parametrize("name", PASSING)
def test_each_example_needs_only_the_program(tmp_path: Path, name: str) -> None:
    ran = run_pytest(tmp_path, {"billing.py": FILES["billing.py"], name: FILES[name]})
    assert ran.passed > 0, ran.text
    assert not ran.failed, ran.text


def test_the_failure_looks_as_the_page_shows(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, {name: FILES[name] for name in ("billing.py", "test_failing.py")})
    assert ran.failed == 1
    shown = re.findall(r"^    E +(.*)$", PAGE, re.MULTILINE)
    assert [line for line in re.findall(r"^E +(.*)$", ran.text, re.MULTILINE) if line] == shown


def test_the_example_for_unittest_runs_without_pytest(tmp_path: Path) -> None:
    for name in ("billing.py", "test_unittest.py"):
        (tmp_path / name).write_text(FILES[name])
    command = [sys.executable, "-W", "error", "test_unittest.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 0, ran.stderr
    assert "Ran 1 test" in ran.stderr


def test_the_table_and_the_links_are_correct() -> None:
    methods = re.findall(r"^\| `(?:await )?(\w+)", PAGE, re.MULTILINE)
    public = [name for name, _ in inspect.getmembers(Announcements, inspect.isfunction) if not name.startswith("_")]
    assert sorted(methods) == sorted([*public, "clock"])
    assert set(re.findall(r"`(lifecycle_\w+)`", PAGE)) == set(pytest_plugin.__all__)
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
