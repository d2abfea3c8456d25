from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from choria_lifecycle.cli.program import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `lifecycle` within this process, apart from the environment of whoever runs the tests."""
    for name in ("URL", "CREDS", "NKEY", "USER", "PASSWORD", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"NATS_{name}", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")

    def invoke(*arguments: object, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(program, [str(each) for each in arguments], stdin, prog_name="lifecycle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke
