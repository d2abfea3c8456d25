"""The command's front: what `lifecycle --help` shows, and which module each command is in."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from choria_lifecycle import __version__
from choria_lifecycle.cli.talk import talk_options

__all__ = ["COMMANDS", "program"]

COMMANDS: Final = {
    "emit": "Publish one event.",
    "view": "Show events as they happen, or out of a file.",
    "schema": "Show the contracts in force.",
    "demo": "Show a simulated fleet on a private nats-server.",
    "completion": "Print the completion script for a shell.",
}
"""The commands, each in the module of its name, with the first sentence of its help."""

_EPILOG: Final = """\b
Exit codes:
    0  fine; also when a view is ended by SIGTERM, or its reader goes away
    1  not delivered, an awaited event not seen, or numbers that do not agree
    2  wrong usage, or settings or input that cannot be read
    3  cannot connect
    4  not authorised
  130  ended by Ctrl-C (143: by SIGTERM, before it was done)

\b
Environment:
  NATS_URL                    servers, separated by commas
  NATS_CREDS, NATS_NKEY       files with credentials
  NATS_USER, NATS_PASSWORD    a user and its password
  NATS_CA                     authorities to trust
  NATS_CERT, NATS_KEY         the client's certificate and its key
  NO_COLOR                    if not empty, no colours
"""


class _Program(click.Group):
    """A group that imports a command when it is called, and not to list it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = import_module(f"choria_lifecycle.cli.{name}").command
        return name, command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # in the order in which people need them


program = _Program(
    name="lifecycle",
    help="Choria lifecycle events: publish them, watch them, look up their contracts.",
    epilog=_EPILOG,
    commands={name: click.Command(name, help=text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="%(prog)s %(version)s")(program)
talk_options(program)
