"""Messages on standard error: the options -v, -q and --log-format, and the library's log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.globals import pop_context, push_context

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from choria_lifecycle.cli.printer import Printer

    _Command = TypeVar("_Command", bound="click.Command | Callable[..., Any]")

__all__ = [
    "format_line",
    "library_log",
    "log_format_option",
    "printer_of",
    "printing",
    "say",
    "verbosity",
    "verbosity_options",
]

_VERBOSITY: Final = "choria_lifecycle.verbosity"
_PRINTER: Final = "choria_lifecycle.printer"
_FORMAT: Final = "choria_lifecycle.log_format"


@contextmanager
def printing(context: click.Context) -> Generator[Printer]:
    """Send messages through a printer of the context within the block."""
    from choria_lifecycle.cli.printer import Printer  # not needed by --help

    printer = context.meta[_PRINTER] = Printer()
    try:
        yield printer
    finally:
        del context.meta[_PRINTER]


def printer_of(context: click.Context) -> Printer:
    """Return the printer of a context whose command is running."""
    printer: Printer = context.meta[_PRINTER]
    return printer


def verbosity_options(command: _Command) -> _Command:
    """Add -v and -q, which raise and lower the verbosity, both before and after the name of a subcommand."""
    command = click.option(
        "-q",
        "--quiet",
        count=True,
        expose_value=False,
        callback=_lower_verbosity,
        help="Suppress all messages except errors.",
    )(command)
    return click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_raise_verbosity,
        help="Log more; -vv adds debug messages and tracebacks.",
    )(command)


def verbosity() -> int:
    """Return the verbosity: 0 by default, below 0 for errors only, 1 for information, 2 for debug messages."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_VERBOSITY, 0) if context is not None else 0


def log_format_option(command: _Command) -> _Command:
    """Add --log-format, for commands whose standard error is read by a supervisor."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=_set_format,
        help="Format of messages on standard error; json is one object per line.",
    )(command)


def format_line(text: str, level: str) -> str:
    """Return a message in the format of --log-format."""
    context = click.get_current_context(silent=True)
    if context is None or context.meta.get(_FORMAT) != "json":
        return text
    import json
    from datetime import UTC, datetime

    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    message = text.removeprefix("lifecycle: ").removeprefix(f"{level}: ")
    return json.dumps({"time": time, "level": level, "message": message})


def say(text: str, *, at: int = 0, level: str = "info") -> None:
    """Write a message to standard error.

    Args:
        text: one line, safe to show.
        at: the lowest verbosity at which it is written.
        level: its level in a log.
    """
    if verbosity() < at:
        return
    text = format_line(text, level)
    context = click.get_current_context(silent=True)
    printer: Printer | None = context.meta.get(_PRINTER) if context is not None else None
    if printer is not None:
        printer.say(text)
    else:
        click.echo(text, err=True)


@contextmanager
def library_log() -> Generator[None]:
    """Write the library's log to standard error within the block: warnings, information with -v, all with -vv."""
    import logging

    from choria_lifecycle.cli.parameters import translate
    from choria_lifecycle.support.text import safe

    context = click.get_current_context(silent=True)

    class MessageHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            level, at = record.levelname.lower(), _MIN_VERBOSITY[record.levelname]
            message = safe(translate(record.getMessage()))
            with _current_context(context):
                say(f"lifecycle: {level}: {message}", at=at, level=level)

    logger, handler = logging.getLogger("choria_lifecycle"), MessageHandler()
    before = logger.level
    logger.addHandler(handler)
    if verbosity() > 0:
        logger.setLevel(logging.DEBUG if verbosity() > 1 else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def _current_context(context: click.Context | None) -> Generator[None]:
    """Make a context the current one of this thread within the block: a service logs from its own thread."""
    if context is None:
        yield
        return
    push_context(context)
    try:
        yield
    finally:
        pop_context()


_MIN_VERBOSITY: Final = {"DEBUG": 2, "INFO": 1, "WARNING": 0, "ERROR": -9, "CRITICAL": -9}


def _set_format(context: click.Context, parameter: click.Parameter, value: str) -> None:  # noqa: ARG001
    context.meta[_FORMAT] = value


def _raise_verbosity(context: click.Context, parameter: click.Parameter, count: int) -> None:  # noqa: ARG001 - click's signature
    context.meta[_VERBOSITY] = context.meta.get(_VERBOSITY, 0) + count


def _lower_verbosity(context: click.Context, parameter: click.Parameter, count: int) -> None:
    _raise_verbosity(context, parameter, -count)
