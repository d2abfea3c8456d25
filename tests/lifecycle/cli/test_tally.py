"""Usage errors of `lifecycle tally`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from choria_lifecycle.cli.program import program


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--election", ""], "--election needs a name; omit it for a single tally"),
        (["--candidate", "n1"], "--candidate requires --election"),
        (["--stream", "X", "--replay", "off"], "--stream cannot be combined with --replay off"),
        (
            ["--demo", "--server", "nats://127.0.0.1:1"],
            "--demo uses a private nats-server and cannot be combined with --server",
        ),
        (
            ["--demo", "--election", "T", "--stream", "X"],
            "--demo uses a private nats-server and cannot be combined with --election, ",
        ),
        (
            ["--port", "0", "--web.listen-address", ":0"],
            "use either --port or --web.listen-address, which has the port in it",
        ),
    ],
)
def test_arguments_that_would_be_ignored_are_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(program, ["tally", *arguments])
    assert (result.exit_code, f"Error: {said}" in result.output) == (2, True), result.output
