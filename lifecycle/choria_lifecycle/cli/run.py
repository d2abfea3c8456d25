"""`lifecycle run`: a program in any language that announces itself, as the command of a supervisor or a container."""

from __future__ import annotations

import errno
import logging
import os
import sys
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import click

from choria_lifecycle.cli.command import Command, Failure
from choria_lifecycle.cli.messages import log_format_option, printer_of, verbosity
from choria_lifecycle.cli.parameters import ConnectionArguments, connection_options, duration
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.events.factories import startup
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.cloudevents import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.service.child import Child

__all__ = ["command"]

_HELP: Final = f"""{COMMANDS["run"]}

Publishes startup when the program has been started, alive while it runs, and shutdown when it has ended, however that
was. The program is started at once, with or without a broker; its input, output and environment are its own, it gets
every signal that is sent to this command, and its exit code, or the signal that has killed it, is passed on.

On standard error there is a warning where the announcement fails, and with -q nothing.

\b
  lifecycle run --component billing --version 1.4.2 -- billing --port 8080
"""

# After the program has ended.
_CLOSE_TIMEOUT: Final = 5.0
# The start waits for nothing, and a service cannot be told so in other words.
_NO_WAIT: Final = 0.001

_NOT_FOUND: Final = {errno.ENOENT, errno.ENOTDIR}


@click.command("run", cls=Command, help=_HELP, context_settings={"allow_interspersed_args": False})
@click.argument("program", metavar="[--] PROGRAM [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--component", required=True, help="The kind of software the program is; required.")
@click.option("--version", required=True, help="Its version; required.")
@click.option("--identity", help="The node that it runs on.  [default: this one, named as Choria names it]")
@click.option("--interval", type=duration, default="30m", show_default=True, help="How long between two alive events.")
@click.option(
    "--format",
    "wire_format",
    type=click.Choice([each.value for each in Format]),
    default=Format.CHORIA.value,
    show_default=True,
    help="How to write the events.",
)
@log_format_option
@partial(connection_options, without=("timeout",))
@click.pass_context
def command(
    ctx: click.Context,
    /,
    program: tuple[str, ...],
    component: str,
    version: str,
    identity: str | None,
    interval: float,
    wire_format: str,
    connection: ConnectionArguments,
) -> int:
    """Run the program to its end, and end as it did."""
    if sys.platform == "win32":
        raise Failure("lifecycle run is for Linux and macOS: a program on Windows announces itself, as a Service", 2)
    startup(component=component, version=version, identity="checked" if identity is None else identity)
    if verbosity() < 0:
        logger.setLevel(logging.CRITICAL + 1)  # somebody may read what the program writes there, and nothing else
    child = _start(program)

    def announce(over: Event) -> None:
        # Only now, when the program runs: this takes longer than all the rest.
        from choria_lifecycle.service.service import Service

        options = connection.arguments()
        del options["timeout"]
        form = Format(wire_format)
        with Service(component, version, identity, interval=interval, format=form, timeout=_NO_WAIT, **options):
            over.wait()

    announcement = _Announcement(announce, child.wake)
    code = child.wait()
    announcement.ended.set()
    told = child.wait_until(announcement.done.is_set, _CLOSE_TIMEOUT)
    printer_of(ctx).flush(READER_TIMEOUT)
    from choria_lifecycle.service.child import propagate_exit

    code = propagate_exit(code)
    if not told:
        os._exit(code)  # past what would wait for the announcement once more
    return code


def _start(program: tuple[str, ...]) -> Child:
    from choria_lifecycle.service.child import Child

    try:
        return Child(program)
    except OSError as error:
        reason = error.strerror if error.errno != errno.ENOEXEC else "neither a program nor a script with a #! line"
        code = 127 if error.errno in _NOT_FOUND else 126
        raise Failure(f"{quoted(program[0])} was not started: {reason}", code) from error


class _Announcement:
    """What is said of the program, in a thread of its own; whatever goes wrong there, the program runs on.

    Args:
        announce: says it; returns when the event that it gets is set, and all has been said.
        wake: called when that has been done.

    Attributes:
        ended: to be set once the program has ended.
        done: nothing is left to say.
    """

    def __init__(self, announce: Callable[[Event], None], wake: Callable[[], object]) -> None:
        self.ended = Event()
        self.done = Event()
        self._announce = announce
        self._wake = wake
        try:
            Thread(target=self._run, name="lifecycle-run", daemon=True).start()
        except RuntimeError as error:  # there are too many threads
            self._warn(error)
            self.done.set()

    def _run(self) -> None:
        try:
            self._announce(self.ended)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._warn(error)
        finally:
            self.done.set()
            self._wake()

    @staticmethod
    def _warn(error: Exception) -> None:
        logger.warning("the program runs, and is not announced: %s", error)
