"""The command `lifecycle`: arguments, exit codes and signals. What it does is done by the packages beside this one.

`program` lists the commands; each is a module of its own here and is imported when it is called.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command with the arguments of the process, and end the process with its exit code."""
    try:
        import click
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        from choria_lifecycle.errors import MissingExtra

        print(f"lifecycle: error: {MissingExtra('the command', extra='cli')}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    from choria_lifecycle.cli.program import program

    try:
        code: int | None = program.main(prog_name="lifecycle", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:  # Ctrl-C before a command has begun
        code = 130
    sys.exit(code)
