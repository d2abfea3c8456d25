"""`lifecycle view`: show events as they happen, or from a file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command, Failure
from choria_lifecycle.cli.inputs import STDIN, read_error_text
from choria_lifecycle.cli.locations import AT, with_option
from choria_lifecycle.cli.messages import printer_of, say
from choria_lifecycle.cli.output import has_colors
from choria_lifecycle.cli.parameters import (
    COLOR,
    CONNECTION_PARAMETERS,
    ConnectionArguments,
    connection_options,
    duration,
)
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.cli.receiving import (
    SINCE,
    STREAM,
    UNTIL,
    announce_stream,
    announcing_end_of_history,
    check_selection,
    missing,
    replay_arguments,
    subject_option,
    unstored,
)
from choria_lifecycle.cli.reporting import STANDARD_INPUT
from choria_lifecycle.cli.signals import open_input
from choria_lifecycle.middleware.selection import EventFilter
from choria_lifecycle.view.recording import read_deliveries
from choria_lifecycle.view.viewer import Style, View, ViewFormat

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.events.event import EventType
    from choria_lifecycle.middleware.delivery import Delivery
    from choria_lifecycle.middleware.subscription import Deliveries
    from choria_lifecycle.wire.locations import Location

__all__ = ["Screen", "command"]

_HELP = f"""{COMMANDS["view"]}

Lines look like those of Choria's own viewer, with the receive time, or with the event's own time if read from a file.
For each invalid event, a line on standard error gives the reason. The last line on standard error is the total:
received = shown + filtered + rejected + dropped; lines before it say what may be missing, and why.

\b
  lifecycle view --type startup --type shutdown --identity '*.example.net'
  lifecycle view --since 1h --component server
  lifecycle view --output json > events.ndjson
  lifecycle view --input events.ndjson --component server

With --count, the exit code is 1 if fewer events were shown:

\b
  lifecycle view --type startup --component billing --count 1 --for 30s
"""

_FROM_CONNECTION = (*CONNECTION_PARAMETERS, "seconds", "since", "until", "stream", "subject")
_STYLE = Style()


def _check_time_format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        datetime.now(UTC).strftime(value)
    except ValueError as error:
        raise click.BadParameter(f"not a time format: {error}", ctx, param) from error
    return value


@dataclass(slots=True)
class Screen:
    """The output of a view: events on standard output, rejections on standard error.

    Attributes:
        view: renders the lines.
        printer: writes the lines.
        subscription: the source of the deliveries; None for a file, and before subscribing.
        remarks: lines about what may be missing, written before the totals.
    """

    view: View
    printer: Printer
    subscription: Deliveries | None = None
    remarks: list[str] = field(default_factory=list)

    def show(self, delivery: Delivery, location: str = "") -> None:
        """Show a delivery, unless the view filters it."""
        line = self.view.render(delivery, location)
        if line is None:
            return
        if line.rejected:
            say(with_option(line.text))
        else:
            self.printer.line(line.text, fit=self.view.style.output is ViewFormat.TEXT)

    @contextmanager
    def summary_on_exit(self) -> Generator[None]:
        """Write the totals at the end of the block, even if it raises, unless standard output is closed."""
        try:
            yield
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            self._print_summary(READER_TIMEOUT)
            raise
        except BaseException:
            self._print_summary(self.printer.reader_timeout)
            raise
        self._print_summary(self.printer.reader_timeout)
        self.printer.check()

    def _print_summary(self, timeout: float | None) -> None:
        self.printer.flush(timeout)
        counts = self.view.counts
        # Lines that the reader did not accept were not shown.
        counts.dropped += counts.shown - self.printer.out.lines_written
        counts.shown = self.printer.out.lines_written
        if isinstance(self.printer.out.failure, BrokenPipeError):
            return
        if self.subscription is not None:
            counts = counts.including(self.subscription.counters, self.subscription.queued)
        elif not self.view.style.own_time:  # subscribing failed
            return
        for line in (*self.remarks, str(counts)):
            say(line)


@click.command("view", cls=Command, help=_HELP)
@click.option("--component", "components", multiple=True, help="Show only this component; may be repeated.")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(lifecycle.EVENT_TYPES),
    help="Show only this event type; may be repeated.",
)
@click.option(
    "--identity", "identities", multiple=True, metavar="GLOB", help="Show only matching nodes; may be repeated."
)
@click.option(
    "--output",
    type=click.Choice([each.value for each in ViewFormat]),
    default=_STYLE.output.value,
    show_default=True,
    help="Output format. json: one object per line with received, subject, format and event. raw: the payload on one "
    "line, with control characters escaped on a terminal only.",
)
@SINCE
@UNTIL
@STREAM
@subject_option()
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many events.")
@click.option("--for", "seconds", type=duration, help="Stop after this time.")
@click.option("--utc", is_flag=True, help="Show times in UTC instead of local time.")
@click.option(
    "--time-format",
    default=_STYLE.time_format,
    show_default=True,
    callback=_check_time_format,
    help="Format of times, as for strftime.",
)
@COLOR
@click.option(
    "--input",
    "source",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Show events from a file, - for standard input: as from --output json or raw, or in any other layout that "
    "lifecycle validate reads, compressed or not.",
)
@AT
@connection_options
@click.pass_context
def command(
    ctx: click.Context,
    components: tuple[str, ...],
    types: tuple[EventType, ...],
    identities: tuple[str, ...],
    output: str,
    since: datetime | timedelta | None,
    until: datetime | timedelta | None,
    stream: str,
    subject: str | None,
    count: int | None,
    seconds: float | None,
    utc: bool,
    time_format: str,
    color: str,
    source: str | None,
    at: Location | None,
    connection: ConnectionArguments,
) -> int:
    """Show events until the count or the time is reached, or the file ends."""
    signals: Signals = ctx.obj
    view_format = ViewFormat(output)
    style = Style(
        output=view_format,
        color=has_colors(color),
        color_rejected=color == "always" or (has_colors(color) and sys.stderr.isatty()),
        utc=utc,
        time_format=time_format,
        own_time=source is not None,
        terminal=sys.stdout.isatty(),
    )
    view = View(EventFilter(types=types, components=components, identities=identities), style)
    printer = printer_of(ctx)
    screen = Screen(view, printer)
    if view_format is not ViewFormat.TEXT:
        printer.out.encoding = "utf-8"
    if seconds is not None:  # the time limit holds even if the reader is stuck
        printer.reader_timeout = READER_TIMEOUT
    try:
        if source is not None:
            _reject_live_options(ctx)
            _show_file(screen, source, at, count, signals)
        elif at is not None:
            raise click.UsageError("--at needs --input", ctx)
        else:
            # The view filters the events of a subject.
            selected = (
                {"subject": subject}
                if subject is not None
                else {"type": types or None, "component": components or None}
            )
            selected |= replay_arguments(ctx, since, stream, until)
            with screen.summary_on_exit():
                signals.run(_show_live(screen, connection, selected, count, seconds))
    except KeyboardInterrupt:
        if not signals.terminated:
            return signals.exit_code
    return 1 if count is not None and view.counts.shown < count else 0


def _reject_live_options(ctx: click.Context) -> None:
    for name in _FROM_CONNECTION:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "for" if name == "seconds" else name.replace("_", "-")
            raise click.UsageError(f"--{option} cannot be used with --input", ctx)


def _show_file(screen: Screen, source: str, at: Location | None, count: int | None, signals: Signals) -> None:
    counts, name = screen.view.counts, _display_name(source)
    with _open(source) as stream, screen.summary_on_exit():
        for number, delivery in _read(signals.reader(stream), source, at):
            with signals.deferred():
                screen.show(delivery, f"{name}:{number}")
            screen.printer.wait_writable_blocking()
            if counts.shown == count:
                break


def _display_name(source: str) -> str:
    return STANDARD_INPUT if source == STDIN else source


def _open(source: str) -> AbstractContextManager[IO[bytes]]:
    try:
        return open_input(source)
    except OSError as error:
        raise _unreadable(source, error) from error


def _read(stream: IO[bytes], source: str, at: Location | None) -> Iterator[tuple[int, Delivery]]:
    try:
        yield from read_deliveries(stream, at)
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: OSError) -> Failure:
    reason = read_error_text(error, source, "lifecycle view --input -")
    return Failure(f"cannot read {_display_name(source)}: {reason}", 2)


async def _show_live(
    screen: Screen,
    connection: ConnectionArguments,
    selected: dict[str, Any],
    count: int | None,
    seconds: float | None,
) -> None:
    check_selection(**selected)  # report errors before connecting
    async with (
        lifecycle.connect(**connection.arguments()) as middleware,
        middleware.deliveries(**selected) as received,
    ):
        say(f"Waiting for events from topic {received.subject} on {middleware.server}")
        announce_stream(received, selected.get("since"), selected.get("until"))
        screen.subscription = received
        try:
            with screen.printer.cancel_on_failure():
                await _follow(screen, received, count, seconds, ends="until" in selected)
        finally:
            enough = screen.view.counts.shown == count
            screen.remarks = missing(middleware, received, "events", enough=enough) + unstored(received, "events")


async def _follow(
    screen: Screen, subscription: Deliveries, count: int | None, seconds: float | None, *, ends: bool
) -> None:
    def progress() -> str:
        return f"{screen.view.counts.shown:,} events shown"

    with suppress(TimeoutError):
        async with (
            asyncio.timeout(seconds),
            announcing_end_of_history(subscription, progress, follow=not ends) as new,
        ):
            async for delivery in subscription:
                if not delivery.replayed:
                    new()
                screen.show(delivery)
                if screen.view.counts.shown == count:
                    break
                await screen.printer.wait_writable()
