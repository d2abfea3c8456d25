"""`lifecycle emit`: publish one event, for shell scripts and cron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.messages import say
from choria_lifecycle.cli.parameters import ConnectionArguments, connection_options
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.events.options import GOVERNOR_EVENT_TYPES

if TYPE_CHECKING:
    from choria_lifecycle.cli.signals import Signals

__all__ = ["command"]

_HELP = f"""{COMMANDS["emit"]}

The exit code is 0 if the server confirmed the event, and 1 if it did not; the error message then says whether the event
may still arrive. The event is never sent twice.

\b
  lifecycle emit startup --component backup --version 1.4.2
  lifecycle emit upgraded --component backup --version 1.4.2 \\
      --new-version 1.5.0
  lifecycle emit governor --component backup --governor NIGHTLY \\
      --event-type enter --sequence 3
"""


@click.command("emit", cls=Command, help=_HELP)
@click.argument("event_name", metavar="TYPE", type=click.Choice(lifecycle.EVENT_TYPES))
@click.option("--identity", help="The node.  [default: this one, as Choria names it]")
@click.option("--component", help="The component, such as server; required.")
@click.option("--version", help="The version, for startup and alive; for upgraded, the old version.")
@click.option("--new-version", help="The new version, for upgraded.")
@click.option("--governor", help="The name of the governor, for governor.")
@click.option(
    "--event-type",
    type=click.Choice(GOVERNOR_EVENT_TYPES),
    help="The kind of governor event, for governor.",
)
@click.option("--sequence", type=int, help="The number of the slot, for governor.  [default: 0]")
@click.option("--id", help="The unique ID of the event.  [default: a random UUID]")
@click.option("--timestamp", type=int, help="The time of the event, in Unix seconds.  [default: now]")
@click.option(
    "--format",
    "wire_format",
    type=click.Choice([each.value for each in lifecycle.Format]),
    default=lifecycle.Format.CHORIA.value,
    show_default=True,
    help="The format of the event.",
)
@click.option("--stored", is_flag=True, help="Wait until a JetStream stream has stored the event.")
@click.option("--dry-run", is_flag=True, help="Print the subject and the payload instead of publishing.")
@connection_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    event_name: str,
    wire_format: str,
    stored: bool,
    dry_run: bool,
    connection: ConnectionArguments,
    **options: Any,
) -> None:
    """Publish the event, or print it."""
    signals: Signals = ctx.obj
    given = {name: value for name, value in options.items() if value is not None}
    if "identity" not in given:
        given["identity"] = connection.identity()
    event = lifecycle.new(event_name, **given)
    subject, form = lifecycle.subject(event), lifecycle.Format(wire_format)
    if dry_run:
        click.echo(subject)
        click.echo(lifecycle.encode(event, format=form))
        return
    signals.run(_publish(event, form, stored, connection))
    say(f"published on {subject}: {lifecycle.describe(event)}", at=1)


async def _publish(
    event: lifecycle.Event, form: lifecycle.Format, stored: bool, connection: ConnectionArguments
) -> None:
    async with lifecycle.connect(**connection.arguments()) as middleware:
        await middleware.publish(event, format=form, stored=stored, timeout=connection.timeout)
