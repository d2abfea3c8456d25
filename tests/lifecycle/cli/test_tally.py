"""Defaults and usage errors of `lifecycle tally`."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from choria_lifecycle.cli import tally
from choria_lifecycle.cli.program import program
from choria_lifecycle.support.choria import ELECTION_BUCKET, EVENT_STREAM
from choria_lifecycle.tally.daemon import TallyOptions
from choria_lifecycle.tally.defaults import DEFAULT_HOST, DEFAULT_PORT


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
            "use either --port or --web.listen-address, which includes the port",
        ),
    ],
)
def test_arguments_that_would_be_ignored_are_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(program, ["tally", *arguments])
    assert (result.exit_code, f"Error: {said}" in result.output) == (2, True), result.output


def test_the_defaults_are_those_of_the_library() -> None:
    # click keeps the names of the help option from the first context.
    context = tally.command.make_context("tally", [], **program.context_settings)
    default = TallyOptions()
    for name in ("prefix", "expiry", "replay", "stream"):
        assert context.params[name] == getattr(default, name), name
    texts = {
        parameter.name: str(parameter.help) for parameter in tally.command.params if isinstance(parameter, click.Option)
    }
    assert f"[default: {EVENT_STREAM}, else the one" in texts["stream"]
    assert f"[default: {DEFAULT_HOST}:{DEFAULT_PORT}]" in texts["addresses"]
    assert f"at {DEFAULT_HOST}.  [default: {DEFAULT_PORT}]" in texts["port"]
    assert f"the bucket {ELECTION_BUCKET}." in " ".join(texts["election"].split())
    limits = ", ".join(f"{each.name}={each.default}" for each in fields(default.limits))
    assert f"Names and defaults: {limits};" in texts["limits"]
