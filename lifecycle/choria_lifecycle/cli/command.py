"""What all commands share: how they end."""

from __future__ import annotations

import shutil
import sys
from typing import IO, Any, Final

import click

from choria_lifecycle.cli.messages import format_line, library_log, printing, verbosity, verbosity_options
from choria_lifecycle.cli.output import abandon
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.signals import Signals
from choria_lifecycle.cli.wrapping import wrap
from choria_lifecycle.errors import (
    AddressInUse,
    ConfigError,
    ConnectionFailed,
    LifecycleError,
    MissingExtra,
    NoStream,
    NotAuthorised,
    OptionError,
)
from choria_lifecycle.support.text import safe

__all__ = ["Command", "Failure"]

_CODES: Final[dict[type[LifecycleError], int]] = {
    ConfigError: 2,
    MissingExtra: 2,
    NoStream: 2,
    ConnectionFailed: 3,
    NotAuthorised: 4,
    AddressInUse: 5,
}


class Failure(click.ClickException):
    """The end of a command: one line on standard error, and an exit code.

    Args:
        message: what went wrong; foreign text in it is made safe to show.
        code: the exit code.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(safe(message))
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class
        self._line = format_line(f"lifecycle: error: {self.message}", "error")

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line."""
        text = self._line
        if file is None and sys.stderr.isatty():
            text = wrap(text, shutil.get_terminal_size().columns)
        click.echo(text, file=file, err=file is None)


class Command(click.Command):
    """A command with -v and -q, whose function returns an exit code or nothing.

    The function may take the context's `obj`, a `Signals`, to run coroutines; library errors, signals and a closed
    pipe end it as the exit codes in `program` say.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        verbosity_options(self)

    def invoke(self, ctx: click.Context) -> None:
        """Run the function and end the context with its exit code."""
        stop = ctx.obj = Signals()
        try:
            with stop.handling(), printing(ctx) as printer, library_log():
                try:
                    code = super().invoke(ctx)
                    sys.stdout.flush()
                    printer.flush(printer.reader_timeout)
                    printer.check()
                finally:
                    printer.close(READER_TIMEOUT if stop.signal else printer.reader_timeout)
        except KeyboardInterrupt:
            abandon(sys.stdout)
            code = stop.exit_code
        except BrokenPipeError:
            abandon(sys.stdout)
            code = 0
        except OptionError as error:
            raise click.UsageError(str(error), ctx) from error
        except LifecycleError as error:
            _trace(error)
            raise Failure(str(error), _CODES.get(type(error), 1)) from error
        except OSError as error:
            _trace(error)
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror or error}") from error
        ctx.exit(code or 0)


def _trace(error: Exception) -> None:
    if verbosity() > 1:
        import traceback

        # Line by line, and none at the left edge: a message in it may be foreign and have lines of its own.
        for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
            click.echo(safe(f"  {line}"), err=True)
