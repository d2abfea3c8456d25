"""The command's front: what `lifecycle --help` shows, and which module each command is in."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click
from click.exceptions import Exit

from choria_lifecycle import __version__
from choria_lifecycle.cli.messages import verbosity_options
from choria_lifecycle.cli.output import abandon

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["COMMANDS", "program"]

COMMANDS: Final = {
    "emit": "Publish one event.",
    "run": "Announce a program for as long as it runs.",
    "view": "Show events as they happen, or out of a file.",
    "validate": "Say which events break the contract, where and why.",
    "tally": "Count the nodes, for Prometheus and for people.",
    "schema": "Show the contracts in force.",
    "config": "Show the settings in force, and find what is wrong with them.",
    "demo": "Show a simulated fleet on a private nats-server.",
    "completion": "Print the completion script for a shell.",
}
"""The commands, each in the module of its name, with the first sentence of its help."""

_EPILOG: Final = """\b
Exit codes:
    0  fine; also when a view, or the validation of messages, without --count
       is ended by SIGTERM or SIGHUP, or the reader of the output goes away
    1  errors found, not delivered, an awaited event not seen, numbers that do
       not agree, or output that cannot be written
    2  wrong usage, or settings or input that cannot be read
    3  cannot connect
    4  not authorised
    5  another program listens on the address that was to be listened on
  130  ended by Ctrl-C (143, 129: by SIGTERM or SIGHUP, before it was done)
  run has those of the program, 127 if that is not found, 126 if it cannot run

\b
Environment:
  NATS_URL                    servers, separated by commas
  NATS_CREDS, NATS_NKEY       files with credentials
  NATS_USER, NATS_PASSWORD    a user and its password
  NATS_CA                     authorities to trust
  NATS_CERT, NATS_KEY         the client's certificate and its key
  MCOLLECTIVE_CERTNAME        the client's name, and that of its certificate
  MCOLLECTIVE_NATS_USERNAME, MCOLLECTIVE_NATS_PASSWORD
                              a user and its password, as for Choria
  MCOLLECTIVE_NATS_CREDENTIALS
                              a file with credentials, as for Choria
  CHORIA_SRV_DOMAIN           the domain in which DNS is asked for brokers
  CHORIA_FED_COLLECTIVE       collectives of a federation to connect to
  NO_COLOR                    if not empty, no colours
"""


@contextmanager
def _exit_on_broken_pipe() -> Generator[None]:
    """Within this, a closed pipe is a good end, of --help and --version too; click makes it one with exit code 1."""
    try:
        yield
    except BrokenPipeError:
        abandon(sys.stdout)
        raise Exit(0) from None


class _Program(click.Group):
    """A group that imports a command when it is called, and not to list it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = import_module(f"choria_lifecycle.cli.{name}").command
        return name, command, rest

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _exit_on_broken_pipe():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with _exit_on_broken_pipe():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # in the order in which people need them


program = _Program(
    name="lifecycle",
    help="Choria lifecycle events: publish them, watch them, check them, look up their contracts.",
    epilog=_EPILOG,
    commands={name: click.Command(name, help=text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="%(prog)s %(version)s")(program)
verbosity_options(program)
