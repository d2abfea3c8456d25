"""`lifecycle completion`: completion scripts for shells, as click generates them."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.program import COMMANDS, program

__all__ = ["command"]

_HELP = f"""{COMMANDS["completion"]}

\b
  bash   source <(lifecycle completion bash)           # in ~/.bashrc
  zsh    source <(lifecycle completion zsh)            # in ~/.zshrc
  fish   lifecycle completion fish > ~/.config/fish/completions/lifecycle.fish
"""


@click.command("completion", cls=Command, help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click supports all three
    click.echo(kind(program, {}, "lifecycle", "_LIFECYCLE_COMPLETE").source())
