from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from choria_lifecycle.cli.program import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
