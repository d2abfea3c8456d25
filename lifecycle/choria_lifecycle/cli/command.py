"""The class of all commands, which turns library errors and signals into exit codes."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from typing import IO, Any, Final

import click

from choria_lifecycle.cli.messages import format_line, library_log, printing, verbosity, verbosity_options
from choria_lifecycle.cli.output import abandon
from choria_lifecycle.cli.parameters import translate
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
    """A command's failure: one line on standard error, and an exit code.

    Args:
        message: what went wrong; untrusted text in it is escaped.
        code: the exit code.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(safe(message))
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class
        self._line = format_line(f"lifecycle: error: {self.message}", "error")

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line, wrapped on a terminal."""
        text = self._line
        if file is None and sys.stderr.isatty():
            text = wrap(text, shutil.get_terminal_size().columns)
        click.echo(text, file=file, err=file is None)


class Command(click.Command):
    """A command with -v and -q, whose function returns an exit code or None for 0.

    The function runs coroutines with the context's `obj`, a `Signals`. Library errors, signals and a closed pipe end
    the command with the exit codes that `lifecycle --help` lists.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        verbosity_options(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; an option that takes one value may be given only once."""
        given = list(args)  # the parser removes what it has read
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(given)
            for option, number in Counter(order).items():
                if number > 1 and isinstance(option, click.Option) and not _is_repeatable(option):
                    raise click.UsageError(f"{max(option.opts, key=len)} may be given only once", ctx)
        return rest

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
            raise click.UsageError(translate(str(error)), ctx) from error
        except LifecycleError as error:
            _trace(error)
            raise Failure(translate(str(error)), _CODES.get(type(error), 1)) from error
        except OSError as error:
            _trace(error)
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror or error}") from error
        ctx.exit(code or 0)


def _is_repeatable(option: click.Option) -> bool:
    return option.multiple or option.count or option.is_flag


def _trace(error: Exception) -> None:
    if verbosity() > 1:
        import traceback

        # Each line indented and escaped: an error's message may contain untrusted text with newlines.
        for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
            click.echo(safe(f"  {line}"), err=True)
