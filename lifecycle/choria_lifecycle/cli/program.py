"""The command group: the text of `lifecycle --help`, and the commands with their modules."""

from __future__ import annotations

import sys
import textwrap
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
    "run": "Run a program and announce it.",
    "view": "Show events as they happen, or from a file.",
    "validate": "Check events against their contracts.",
    "tally": "Count the running nodes, for Prometheus and in a web page.",
    "schema": "Show the event contracts.",
    "config": "Show the connection settings, and check them.",
    "demo": "Show a simulated fleet on a private nats-server.",
    "completion": "Print the completion script for a shell.",
}
"""The commands, each in the module of its name, with the first sentence of its help."""

_EPILOG: Final = """\b
Exit codes:
    0  success; also if SIGTERM or SIGHUP ends a view or a validation of
       messages without --count, or if the reader of the output goes away
    1  errors found, event not delivered, awaited event not seen, totals
       differ, or output cannot be written
    2  wrong usage, unreadable settings or input, or messages that a
       validation dropped or may have missed
    3  cannot connect
    4  not authorised
    5  address already in use
  130  interrupted by Ctrl-C (143, 129: by SIGTERM or SIGHUP, unless 0)
  run exits with the code of its program; 127 if the program is not found,
  126 if it cannot be run
"""

# The variables that are neither settings of the table nor keys of Choria's.
_VARIABLES: Final = {
    "MCOLLECTIVE_CERTNAME": "The client's name, and that of its certificate under Puppet.",
    "NO_COLOR": "Disables colours unless empty.",
}


def _describe_variables() -> str:
    """Return the part of the help that lists the environment variables."""
    from choria_lifecycle.config.choria.keys import KEYS
    from choria_lifecycle.config.table import SETTINGS

    settings = {spec.variable: spec.description for spec in SETTINGS.values()}
    keys = {key.variable: key.description for key in KEYS.values()}
    lines = ["\b", "Environment:"]
    for name, text in (settings | keys | _VARIABLES).items():
        if name:
            lines += textwrap.wrap(f"  {name:28} {text}", 78, subsequent_indent=" " * 31)
    return "\n".join(lines)


@contextmanager
def _exit_on_broken_pipe() -> Generator[None]:
    """Exit with code 0 on a closed pipe, for --help and --version too; click exits with code 1."""
    try:
        yield
    except BrokenPipeError:
        abandon(sys.stdout)
        raise Exit(0) from None


class _Program(click.Group):
    """A group that imports a command only to call it, not to list it."""

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

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.epilog: str | None = f"{_EPILOG}\n{_describe_variables()}"
        super().format_epilog(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # not sorted


program: Final = _Program(
    name="lifecycle",
    help="Publish, view, check and count Choria lifecycle events.",
    commands={name: click.Command(name, help=text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="%(prog)s %(version)s")(program)
verbosity_options(program)
