"""The `lifecycle` command: arguments, output, exit codes and signals.

`program` lists the subcommands. Each is a module of this package, imported when it is called.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from choria_lifecycle.cli.output import abandon, flush_or_abandon, open_missing

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command with the arguments of the process, and exit with its exit code."""
    if os.getpid() == 1:
        # The kernel drops signals for process 1 that have no handler: a container stopped at once would run on.
        signal.signal(signal.SIGTERM, _handle_sigterm)
    open_missing()
    try:
        code = _run()
    except KeyboardInterrupt:  # outside a subcommand, which handles signals itself
        abandon(sys.stdout)
        code = _INTERRUPTED
    # The interpreter would retry a failed write at exit, and replace the exit code.
    for stream in (sys.stdout, sys.stderr):
        flush_or_abandon(stream)
    sys.exit(code)


def _handle_sigterm(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of handlers
    """Exit as on SIGTERM; a subcommand installs its own handler."""
    sys.exit(128 + number)


def _run() -> int:
    try:
        import click
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        from choria_lifecycle.errors import MissingExtra

        return _fail(str(MissingExtra("the command", extra="cli")), 2)
    from choria_lifecycle.cli.program import program

    try:
        code: int | None = program.main(prog_name="lifecycle", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        try:
            error.show()
        except OSError:
            abandon(sys.stderr)
        return error.exit_code
    except click.Abort:  # Ctrl-C before a subcommand has started
        return _INTERRUPTED
    except BrokenPipeError:
        abandon(sys.stdout)
        return 0
    except OSError as error:  # --help or --version, written to a full disk
        abandon(sys.stdout)
        return _fail(str(error.strerror or error), 1)
    return code or 0


def _fail(message: str, code: int) -> int:
    try:
        print(f"lifecycle: error: {message}", file=sys.stderr)  # noqa: T201
    except OSError:
        abandon(sys.stderr)
    return code
