"""`lifecycle demo`: show a simulated fleet on a private nats-server."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command, Failure
from choria_lifecycle.cli.messages import printer_of, say
from choria_lifecycle.cli.output import has_colors
from choria_lifecycle.cli.parameters import COLOR, duration
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.cli.view import Screen
from choria_lifecycle.connection import open_transport
from choria_lifecycle.demo.embedded import nats_server
from choria_lifecycle.demo.fleet import Totals, publish_schedule, simulate
from choria_lifecycle.middleware.selection import EventFilter
from choria_lifecycle.support.text import safe
from choria_lifecycle.view.viewer import Style, View

if TYPE_CHECKING:
    from choria_lifecycle.cli.printer import Printer
    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.middleware.subscription import Deliveries

__all__ = ["command"]

_HELP = f"""{COMMANDS["demo"]}

The nodes start, run, upgrade and stop, and publish events in both formats; a few messages are malformed. Everything
goes through a real nats-server, which is stopped at the end. A table of totals follows. The exit code is 1 if the
messages received differ from those published.
"""

# Extra time for all messages to arrive on a busy machine.
_LATE_SECONDS = 15.0


@click.command("demo", cls=Command, help=_HELP)
@click.option("--nodes", type=click.IntRange(1, 1000), default=50, show_default=True, help="Number of nodes.")
@click.option("--for", "seconds", type=duration, default="10s", show_default=True, help="Duration.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the simulation.")
@COLOR
@click.pass_context
def command(ctx: click.Context, nodes: int, seconds: float, seed: int, color: str) -> None:
    """Show the fleet, then the totals."""
    signals: Signals = ctx.obj
    printer = printer_of(ctx)
    printer.reader_timeout = READER_TIMEOUT
    colors = has_colors(color)
    style = Style(color=colors, color_rejected=color == "always" or (colors and sys.stderr.isatty()))
    totals = Totals(simulate(nodes, seconds, seed=seed, start=int(time.time())))
    screen = Screen(View(EventFilter(), style), printer)
    with nats_server(jetstream=False) as server:
        say(f"simulating {nodes} nodes for {seconds:g} s on a private nats-server, {server.url}")
        with screen.summary_on_exit():
            signals.run(_simulate(screen, totals, server.url, seconds))
    _print_totals(totals, printer)
    if not totals.matches:
        raise Failure("the messages received differ from those published")
    say("each published event was received once, unchanged and in its format")


async def _simulate(screen: Screen, totals: Totals, url: str, seconds: float) -> None:
    # The user's environment describes another server.
    transport = await open_transport(url, timeout=5, name="lifecycle demo", environ={})
    async with (
        lifecycle.Middleware(transport) as publisher,
        lifecycle.connect(url, name="lifecycle demo", environ={}) as viewer,
        viewer.deliveries() as received,
    ):
        screen.subscription = received
        with screen.printer.cancel_on_failure():
            publishing = asyncio.create_task(publish_schedule(totals.published, publisher, transport))
            receiving = asyncio.create_task(_receive(screen, totals, received))
            try:
                done, _ = await asyncio.wait(
                    {publishing, receiving}, timeout=seconds + _LATE_SECONDS, return_when=asyncio.FIRST_EXCEPTION
                )
                for task in done:
                    task.result()
            finally:
                publishing.cancel()
                receiving.cancel()
                await asyncio.gather(publishing, receiving, return_exceptions=True)


async def _receive(screen: Screen, totals: Totals, subscription: Deliveries) -> None:
    async for delivery in subscription:
        screen.show(delivery)
        totals.count(delivery)
        await screen.printer.wait_writable()
        if totals.deliveries == len(totals.published):
            return


def _print_totals(totals: Totals, printer: Printer) -> None:
    printer.line("")
    printer.line(f"{'TYPE':<12} {'COMPONENT':<22} {'VERSION':<16} {'PUBLISHED':>10} {'RECEIVED':>10}")
    for name, component, version, published, received in totals.rows():
        printer.line(f"{name:<12} {safe(component):<22} {safe(version):<16} {published:>10} {received:>10}")
