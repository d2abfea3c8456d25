"""`lifecycle run`: run and announce a program in any language, for supervisors and containers."""

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
from choria_lifecycle.support.choria import SERVICE_INTERVAL
from choria_lifecycle.support.duration import compact
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.cloudevents import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.service.child import Child

__all__ = ["command"]

_HELP: Final = f"""{COMMANDS["run"]}

Publishes startup once the program has started, alive while it runs, and shutdown when it has ended for any reason. The
program starts at once, even if no broker is reachable. Its input, output and environment are passed through unchanged,
every signal sent to this command is forwarded to it, and this command ends with its exit code or signal.

A warning on standard error reports an announcement that fails; -q suppresses it.

\b
  lifecycle run --component billing --version 1.4.2 -- billing --port 8080
"""

# Seconds after the program has ended.
_CLOSE_TIMEOUT: Final = 5.0
# A service's timeout must be above 0; the start must not wait.
_NO_WAIT: Final = 0.001

_NOT_FOUND: Final = {errno.ENOENT, errno.ENOTDIR}


@click.command("run", cls=Command, help=_HELP, context_settings={"allow_interspersed_args": False})
@click.argument("program", metavar="[--] PROGRAM [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--component", required=True, help="The kind of software.")
@click.option("--version", required=True, help="The program's version.")
@click.option("--identity", help="The node that it runs on.  [default: this node's name, as Choria derives it]")
@click.option(
    "--interval",
    type=duration,
    default=compact(SERVICE_INTERVAL),
    show_default=True,
    help="The time between two alive events.",
)
@click.option(
    "--format",
    "wire_format",
    type=click.Choice([each.value for each in Format]),
    default=Format.CHORIA.value,
    show_default=True,
    help="The wire format of the events.",
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
    """Run the program, and end with its exit code or signal."""
    if sys.platform == "win32":
        raise Failure("lifecycle run needs Linux or macOS; on Windows, use choria_lifecycle.Service in the program", 2)
    startup(component=component, version=version, identity="checked" if identity is None else identity)
    if verbosity() < 0:
        logger.setLevel(logging.CRITICAL + 1)  # leaves standard error to the program
    child = _start(program)

    def announce(ended: Event) -> None:
        # Imported only after the program has started, because this takes longer than everything else.
        from choria_lifecycle.service.service import Service

        options = connection.arguments()
        form = Format(wire_format)
        with Service(component, version, identity, interval=interval, format=form, timeout=_NO_WAIT, **options):
            ended.wait()

    announcement = _Announcement(announce, child.wake)
    code = child.wait()
    announcement.ended.set()
    announced = child.wait_until(announcement.done.is_set, _CLOSE_TIMEOUT)
    printer_of(ctx).flush(READER_TIMEOUT)
    from choria_lifecycle.service.child import propagate_exit

    code = propagate_exit(code)
    if not announced:
        os._exit(code)  # skips the exit hooks, which would wait for the announcement again
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
    """A thread that announces the program; its failures are logged and do not affect the program.

    Args:
        announce: announces the program until the event it is called with is set, and then its shutdown.
        wake: called when `announce` has returned or raised.

    Attributes:
        ended: set this once the program has ended.
        done: set when `announce` has returned or raised.
    """

    def __init__(self, announce: Callable[[Event], None], wake: Callable[[], object]) -> None:
        self.ended = Event()
        self.done = Event()
        self._announce = announce
        self._wake = wake
        try:
            Thread(target=self._run, name="lifecycle-run", daemon=True).start()
        except RuntimeError as error:  # no more threads can be started
            self._warn(error)
            self.done.set()

    def _run(self) -> None:
        try:
            self._announce(self.ended)
        except Exception as error:  # noqa: BLE001 - the program must keep running
            self._warn(error)
        finally:
            self.done.set()
            self._wake()

    @staticmethod
    def _warn(error: Exception) -> None:
        logger.warning("the program runs, but is not announced: %s", error)
