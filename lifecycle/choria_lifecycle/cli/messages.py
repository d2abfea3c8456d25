"""What a command says about itself, always on standard error: -v, -q, and the library's log."""

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
    """Within this, what is said goes through the printer of the context."""
    from choria_lifecycle.cli.printer import Printer  # --help does without it

    printer = context.meta[_PRINTER] = Printer()
    try:
        yield printer
    finally:
        del context.meta[_PRINTER]


def printer_of(context: click.Context) -> Printer:
    """Return the printer of a context whose command runs."""
    printer: Printer = context.meta[_PRINTER]
    return printer


def verbosity_options(command: _Command) -> _Command:
    """Add -v and -q, which count from zero in opposite directions, before and after the name of a command alike."""
    command = click.option(
        "-q", "--quiet", count=True, expose_value=False, callback=_lower_verbosity, help="Say nothing but errors."
    )(command)
    return click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_raise_verbosity,
        help="Say more; twice also shows where an error comes from.",
    )(command)


def verbosity() -> int:
    """How much to say: below 0 errors only, 0 as usual, 1 and 2 more."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_VERBOSITY, 0) if context is not None else 0


def log_format_option(command: _Command) -> _Command:
    """Add --log-format, for a command that runs under a supervisor which reads its standard error."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=_set_format,
        help="How to write what is said on standard error; json is one object a line.",
    )(command)


def format_line(text: str, level: str) -> str:
    """Return a line of standard error in the format that was asked for."""
    context = click.get_current_context(silent=True)
    if context is None or context.meta.get(_FORMAT) != "json":
        return text
    import json
    from datetime import UTC, datetime

    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    message = text.removeprefix("lifecycle: ").removeprefix(f"{level}: ")
    return json.dumps({"time": moment, "level": level, "message": message})


def say(text: str, *, at: int = 0, level: str = "info") -> None:
    """Write a line on standard error.

    Args:
        text: the line, safe to show.
        at: the verbosity from which on it is said.
        level: what a log calls it.
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
    """Within this, say what the library logs: warnings as usual, information with -v, everything with -v -v."""
    import logging

    from choria_lifecycle.support.text import safe

    context = click.get_current_context(silent=True)

    class Saying(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            level = record.levelname.lower()
            with _current_context(context):
                say(
                    f"lifecycle: {level}: {safe(record.getMessage())}", at=_MIN_VERBOSITY[record.levelname], level=level
                )

    logger, handler = logging.getLogger("choria_lifecycle"), Saying()
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
    """Within this, a context is the current one of this thread: a service logs in one of its own."""
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
