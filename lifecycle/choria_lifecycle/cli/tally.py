"""`lifecycle tally`: the nodes by component and version, for Prometheus and for people."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.messages import log_format_option, say
from choria_lifecycle.cli.parameters import CONNECTION_PARAMETERS, ConnectionArguments, connection_options, duration
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.cli.receiving import SINCE_HELP, STREAM, parse_since, subject_option
from choria_lifecycle.support.choria import ELECTION_BUCKET
from choria_lifecycle.support.duration import compact, minutes
from choria_lifecycle.tally.defaults import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_REPLAY,
    EXPIRY,
    METRIC_PREFIX,
    METRICS_PATH,
)
from choria_lifecycle.tally.limits import LIMITS, Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.tally.daemon import TallyOptions

__all__ = ["command"]

_HELP: Final = f"""{COMMANDS["tally"]}

Nodes are counted by component and version: a startup or alive event adds a node, a shutdown event or
{minutes(EXPIRY)} of silence removes it. The metrics have the names of Choria's own tally. A page for people is at /,
its data as JSON at /api/v1/status, and health checks are at /-/healthy and /-/ready.

\b
  lifecycle tally --component server --port 8080 --prefix lifecycle_tally
  lifecycle tally --web.listen-address :8080   # on all interfaces
  lifecycle tally --demo                       # a simulated fleet
"""

# One run of the simulated fleet; runs repeat.
_DEMO_NODES: Final = 100
_DEMO_SECONDS: Final = 120.0


def _parse_replay(text: str) -> float:
    if text == "off":
        return 0.0
    since = parse_since(text)
    return since.total_seconds() if isinstance(since, timedelta) else max(time.time() - since.timestamp(), 1.0)


@click.command("tally", cls=Command, help=_HELP)
@click.option(
    "--component", "components", multiple=True, help="A component to count, * for all; may be repeated.  [default: *]"
)
@subject_option()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"The port to listen on, at {DEFAULT_HOST}.  [default: {DEFAULT_PORT}]",
)
@click.option(
    "--web.listen-address",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="HOST:PORT to listen on, or :PORT for all interfaces; may be repeated.  "
    f"[default: {DEFAULT_HOST}:{DEFAULT_PORT}]",
)
@click.option("--web.telemetry-path", "path", default=METRICS_PATH, show_default=True, help="The path of the metrics.")
@click.option("--prefix", default=METRIC_PREFIX, show_default=True, help="The prefix of the metrics' names.")
@click.option(
    "--expiry",
    type=duration,
    default=compact(EXPIRY),
    show_default=True,
    help="How long a node may be silent before it expires.",
)
@click.option(
    "--replay",
    "--since",
    "replay",
    type=_parse_replay,
    default=compact(DEFAULT_REPLAY),
    show_default=True,
    metavar="DURATION|TIME|off",
    help=f"{SINCE_HELP}, to know all nodes at once; without a stream, counting begins now. off disables the replay.",
)
@STREAM
@click.option(
    "--election",
    metavar="NAME",
    help="The election in which several tallies choose the active one; the others stand by. It is held in the bucket "
    f"{ELECTION_BUCKET}.  [default: none]",
)
@click.option(
    "--candidate",
    metavar="NAME",
    help="The name of this tally in the election; must be unique.  [default: the host's name]",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="How much to keep; names beyond a limit count as `other`. Names and defaults: "
    f"{', '.join(f'{each.name}={each.default}' for each in fields(Limits))}; may be repeated.",
)
@click.option("--demo", is_flag=True, help="Tally a simulated fleet on a private nats-server.")
@log_format_option
@connection_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    components: tuple[str, ...],
    port: int | None,
    addresses: tuple[str, ...],
    path: str,
    limits: tuple[str, ...],
    demo: bool,
    connection: ConnectionArguments,
    **options: Any,
) -> int:
    """Tally until a signal arrives."""
    for package in ("aiohttp", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise lifecycle.MissingExtra("lifecycle tally", extra="cli")
    from choria_lifecycle.tally.daemon import TallyOptions
    from choria_lifecycle.tally.web.http import check_path
    from choria_lifecycle.tally.web.listening import bind, url

    stop: Signals = ctx.obj
    _check_options(ctx, options, demo=demo)
    for name in ("subject", "election", "candidate"):
        options[name] = options[name] or ""
    if demo:
        options["replay"] = 0.0  # the private server has no history
    tally_options = TallyOptions(
        components=() if "*" in components else tuple(name for name in components if name),
        limits=Limits(**dict(map(_parse_limit, limits))),
        **options,
    )
    check_path(path)
    if port is not None and addresses:
        raise click.UsageError("use either --port or --web.listen-address, which includes the port", ctx)
    with ExitStack() as stack:
        # Before anything else starts: a port in use is the most likely error.
        listen_on = addresses or (f"{DEFAULT_HOST}:{DEFAULT_PORT if port is None else port}",)
        sockets = [stack.enter_context(closing(each)) for each in bind(listen_on)]
        arguments = stack.enter_context(_demo_server()) if demo else connection.arguments()
        for each in sockets:
            hint = "" if addresses else "; for all interfaces: --web.listen-address :PORT"
            say(f"lifecycle: metrics at {url(each).rstrip('/')}{path}, a page at {url(each)}{hint}")
        try:
            stop.run(_run(tally_options, sockets, path, arguments, demo=demo))
        except KeyboardInterrupt:
            if not stop.terminated:
                raise
    return 0


def _check_options(ctx: click.Context, options: dict[str, Any], *, demo: bool) -> None:
    """Reject options that would have no effect, such as an empty election name from an unset variable."""
    if options["election"] == "":
        raise click.UsageError("--election needs a name; omit it for a single tally", ctx)
    if options["candidate"] is not None and options["election"] is None:
        raise click.UsageError("--candidate requires --election", ctx)
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if "stream" in given and not options["replay"]:
        raise click.UsageError("--stream cannot be combined with --replay off", ctx)
    if demo and (conflicting := given & {"election", "stream", "subject", "replay", *CONNECTION_PARAMETERS}):
        flags = ", ".join(sorted(each.opts[0] for each in ctx.command.params if each.name in conflicting))
        raise click.UsageError(f"--demo uses a private nats-server and cannot be combined with {flags}", ctx)


def _parse_limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in LIMITS or not number.isascii() or not number.isdigit():
        raise click.UsageError(f"--limit {text}: expected NAME=NUMBER, where NAME is one of {', '.join(LIMITS)}")
    return name, int(number)


@contextmanager
def _demo_server() -> Generator[dict[str, Any]]:
    """Run a private nats-server within the block, which gets the arguments of `connect`."""
    from choria_lifecycle.demo.embedded import nats_server

    with nats_server() as server:
        # The user's environment names another server.
        yield {"servers": server.url, "environ": {}, "name": "lifecycle tally"}


async def _run(
    options: TallyOptions, sockets: list[socket.socket], path: str, arguments: dict[str, Any], *, demo: bool
) -> None:
    from choria_lifecycle.tally.daemon import Tally
    from choria_lifecycle.tally.web.http import serve

    async with lifecycle.connect(**arguments) as middleware:
        tally = Tally(middleware, options, notify=lambda text: say(f"lifecycle: {text}"))
        async with serve(tally, sockets, path):
            say(f"lifecycle: tallying {', '.join(options.components) or 'all components'} on {middleware.server}")
            if not demo:
                await tally.run()
                return
            fleet = asyncio.create_task(_run_demo_fleet(arguments["servers"]))
            try:
                await tally.run()
            finally:
                fleet.cancel()
                await asyncio.gather(fleet, return_exceptions=True)


async def _run_demo_fleet(url: str) -> None:
    """Publish the events of the simulated fleet, one run after another."""
    from choria_lifecycle.connection import open_transport
    from choria_lifecycle.demo.fleet import publish_schedule, simulate

    transport = await open_transport(url, timeout=5, name="lifecycle tally", environ={})
    async with lifecycle.Middleware(transport) as publisher:
        seed = 0
        while True:
            seed += 1
            await publish_schedule(
                simulate(_DEMO_NODES, _DEMO_SECONDS, seed=seed, start=int(time.time())), publisher, transport
            )
