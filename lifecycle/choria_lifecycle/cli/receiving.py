"""Options and messages of the commands that receive events: from where, and what may be missing."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from choria_lifecycle.cli.messages import say
from choria_lifecycle.cli.parameters import duration
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.middleware.selection import Selection, check_interval
from choria_lifecycle.middleware.selection import parse_since as to_start
from choria_lifecycle.middleware.transport import check_pattern, check_stream
from choria_lifecycle.support.choria import EVENT_STREAM
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Deliveries

    _Command = TypeVar("_Command", bound="click.Command | Callable[..., Any]")

__all__ = [
    "SINCE",
    "SINCE_HELP",
    "STREAM",
    "UNTIL",
    "announce_stream",
    "announcing_end_of_history",
    "check_selection",
    "missing",
    "parse_since",
    "replay_arguments",
    "subject_option",
    "unstored",
]

_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"
# Intervals that are shown at the end.
_MAX_GAPS: Final = 5
# The clocks of server and machine may differ by so much before a stream is said to begin later than requested.
_MAX_SKEW: Final = 60.0


def parse_since(text: str) -> datetime | timedelta:
    """Return the start or the end of a replay: a duration back from now, or a time; for use as a parameter's type.

    Raises:
        click.BadParameter: the text is neither, or a time without its zone.
    """
    if text[4:5] != "-":
        return timedelta(seconds=duration(text))
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{quoted(text)} is not a time; write one like 2026-11-22T12:00:00Z") from None
    if since.tzinfo is None:
        remedy = f"write {since.isoformat()}Z for UTC, or an offset such as +01:00 instead of Z"
        raise click.BadParameter(f"{quoted(text)} has no time zone; {remedy}")
    return since


SINCE_HELP: Final = "Read what the stream has stored since then, a duration ago or a time like 2026-11-22T12:00:00Z"
"""The help of --since, to be completed."""

SINCE: Final = click.option(
    "--since", type=parse_since, metavar="DURATION|TIME", help=f"{SINCE_HELP}, then new events.  [default: only new]"
)

UNTIL: Final = click.option(
    "--until",
    type=parse_since,
    metavar="DURATION|TIME",
    help="With --since, end once everything was read that the stream had stored before then, in the same forms; a time "
    "in the future counts as the present.",
)

STREAM: Final = click.option(
    "--stream",
    default="",
    metavar="NAME",
    help=f"The JetStream stream to read.  [default: {EVENT_STREAM}, else the one that stores the events]",
)


def subject_option(condition: str = "") -> Callable[[_Command], _Command]:
    """Return the option --subject, whose default may hold under a condition."""
    return click.option(
        "--subject",
        help="The subject to read, wildcards allowed; a stream may keep the events under another one.  "
        f"[default{condition}: {SUBJECT_PREFIX}.>]",
    )


def check_selection(subject: str | None = None, stream: str = "", **selected: Any) -> None:
    """Check arguments of `Middleware.deliveries` before connecting.

    Raises:
        OptionError: the subject, the stream, the interval, or another argument cannot be used.
    """
    if selected.get("until") is not None:
        check_interval(to_start(selected["since"]), to_start(selected["until"]))
    if stream:
        check_stream(stream)
    if subject is None:
        Selection.events(selected.get("type"), selected.get("component"))
    else:
        check_pattern(subject, "")


def replay_arguments(
    ctx: click.Context,
    since: datetime | timedelta | None,
    stream: str,
    until: datetime | timedelta | None = None,
) -> dict[str, Any]:
    """Return the arguments of `Middleware.deliveries` for --since, --until and --stream.

    Raises:
        click.UsageError: --until or --stream was given without --since.
    """
    for flag, value in (("--until", until), ("--stream", stream)):
        if since is None and value:
            raise click.UsageError(f"{flag} needs --since, the time to read from", ctx)
    if since is None:
        return {}
    return {"since": since, "stream": stream} | ({} if until is None else {"until": until})


def announce_stream(
    received: Deliveries, since: datetime | timedelta | None, until: datetime | timedelta | None = None
) -> None:
    """Say which stream is read, from when on, and until when, if one is.

    Args:
        received: the subscription, entered.
        since: the requested start.
        until: the requested end.
    """
    stream, begin = received.stream, received.begin
    if stream is None or begin is None or since is None:
        return
    now = time.time()
    asked, end = (
        each.timestamp() if isinstance(each, datetime) else now - (each or timedelta(0)).total_seconds()
        for each in (since, until)
    )
    if until and end <= begin:
        say(f"Nothing to read: {stream} begins at {datetime.fromtimestamp(begin, UTC):{_TIME}}, after this interval")
        return
    older = ", its beginning," if begin - asked > _MAX_SKEW else ""
    # All that is stored has no end to show.
    to = f" to {datetime.fromtimestamp(end, UTC):{_TIME}}" if until and end < now else ""
    say(f"Reading {stream} from {datetime.fromtimestamp(begin, UTC):{_TIME}}{older}{to}".removesuffix(","))


@asynccontextmanager
async def announcing_end_of_history(
    received: Deliveries, summary: Callable[[], str], *, follow: bool = True, check: bool = False
) -> AsyncGenerator[Callable[[], None]]:
    """Say within the block once all stored messages have been handed out, also if there were none, and new ones follow.

    The block gets a function that says so, to call before handling a new message.

    Args:
        received: the subscription, iterated in the block.
        summary: returns the number and kind of messages, such as `12 events shown`.
        follow: whether new ones follow.
        check: count what the stream has discarded of the history as gaps, even if the block ends meanwhile.
    """
    announced = received.stream is None or not follow

    def announce() -> None:
        nonlocal announced
        if not announced:
            announced = True
            say(f"{summary()} out of {received.counters.replayed:,} stored; waiting for new ones")

    async def wait() -> None:
        await received.replayed()
        announce()
        if check:
            await received.check_history()

    task = asyncio.create_task(wait())
    try:
        yield announce
        if not received.replaying:
            announce()
    finally:
        if received.replaying or not check:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def missing(middleware: Middleware, received: Deliveries, noun: str, *, enough: bool) -> list[str]:
    """Return lines that say which messages may be missing.

    Call it before leaving the block of the subscription.

    Args:
        middleware: the connection.
        received: the subscription.
        noun: the name of the messages.
        enough: as many arrived as were requested; the rest of the history is of no interest.
    """
    count, gaps, stream = received.counters.gaps, received.gaps[-_MAX_GAPS:], received.stream
    lines = [f"{noun} may have been missed in {count:,} intervals, the last:"] if count > len(gaps) else []
    lines += [f"{noun} may have been missed {gap}" for gap in gaps]
    if not middleware.server:
        lines.append(f"the connection is still lost: {noun} published since may have been missed")
    elif stream is not None and not stream.verified:
        lines.append(f"{noun} published while the connection was lost may have been missed: not all were read")
    elif stream is not None and stream.only and stream.fault:
        lines.append(f"{noun} may have been missed of late, as {stream} has a fault: {stream.fault}")
    if received.replaying and not enough:
        lines.append(f"not all stored {noun} were read")
    return lines


def unstored(received: Deliveries, noun: str) -> list[str]:
    """Return a line about messages that the stream should have stored and has not, if there are any."""
    count = received.counters.unstored
    return [f"{count:,} {noun} arrived live that the stream has not stored; they are included"] if count else []
