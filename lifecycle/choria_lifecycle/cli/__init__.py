"""The command `lifecycle`: arguments, exit codes and signals. What it does is done by the packages beside this one.

`program` lists the commands; each is a module of its own here and is imported when it is called.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from choria_lifecycle.cli.output import abandon, flushed, open_missing

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command with the arguments of the process, and end the process with its exit code."""
    if os.getpid() == 1:
        # Of process 1 a signal without a handler is dropped, and a container that is stopped at once would start.
        signal.signal(signal.SIGTERM, _handle_sigterm)
    open_missing()
    try:
        code = _run()
    except KeyboardInterrupt:  # before or after a command, which handles signals itself
        abandon(sys.stdout)
        code = _INTERRUPTED
    # What cannot be written here, the interpreter would try to write once more, and end with an exit code of its own.
    for stream in (sys.stdout, sys.stderr):
        flushed(stream)
    sys.exit(code)


def _handle_sigterm(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of handlers
    """End the process before or after a command, which handles signals itself."""
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
    except click.Abort:  # Ctrl-C before a command has begun
        return _INTERRUPTED
    except BrokenPipeError:
        abandon(sys.stdout)
        return 0
    except OSError as error:  # the help or the version, written to a disk that is full
        abandon(sys.stdout)
        return _fail(str(error.strerror or error), 1)
    return code or 0


def _fail(message: str, code: int) -> int:
    try:
        print(f"lifecycle: error: {message}", file=sys.stderr)  # noqa: T201
    except OSError:
        abandon(sys.stderr)
    return code
