from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.program import program
from tests.bed.validated import BAD, FOREIGN, GOOD, WARNED, WRAPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run `lifecycle` in this process, with an empty home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def invoke(*arguments: object, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(program, [str(each) for each in arguments], stdin, prog_name="lifecycle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> Callable[..., Result]:
    """Run a command that raises, logs or returns."""

    def invoke(action: Callable[[], int | None], *arguments: str) -> Result:
        module = type(sys)("choria_lifecycle.cli.probe")
        module.command = Command("probe", callback=action)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(program.commands, "probe", click.Command("probe"))
        return run(*(arguments or ["probe"]))

    return invoke


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an empty folder the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mixed(empty_folder: None) -> str:
    """A file with a valid event, one with an error, one with a warning, an unknown protocol, and a line of garbage."""
    Path("mixed.ndjson").write_bytes(b"\n".join([GOOD, BAD, WARNED, FOREIGN, WRAPPED, b"nonsense", b""]))
    return "mixed.ndjson"
