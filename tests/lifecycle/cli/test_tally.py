"""Usage errors of `lifecycle tally`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from choria_lifecycle.cli.program import program


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--election", ""], "--election needs a name; leave it out for a tally that is alone"),
        (["--candidate", "n1"], "--candidate is for an election: give --election too"),
        (["--stream", "X", "--replay", "off"], "give either --stream or --replay off"),
        (["--demo", "--server", "nats://127.0.0.1:1"], "--demo has a private nats-server, and takes no --server"),
        (["--demo", "--election", "T", "--stream", "X"], "--demo has a private nats-server, and takes no --election, "),
        (["--port", "0", "--web.listen-address", ":0"], "give --port, or --web.listen-address with a port in it"),
    ],
)
def test_arguments_that_would_be_ignored_are_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(program, ["tally", *arguments])
    assert (result.exit_code, f"Error: {said}" in result.output) == (2, True), result.output
