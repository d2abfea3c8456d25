"""`lifecycle emit`: publish one event, for shell scripts and cron."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.messages import say
from choria_lifecycle.cli.parameters import ConnectionArguments, connection_options
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.events.event import TYPE_NAMES
from choria_lifecycle.events.options import OPTIONS
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.events.event import EventType
    from choria_lifecycle.events.options import Option

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


# Keeps the names of fields apart from those of the other parameters.
_PREFIX: Final = "field_"

# An option that is not listed here is described by its name.
_OPTION_HELP: Final = {
    "identity": "The node.  [default: this one, as Choria names it]",
    "component": "The component, such as server; required.",
    "version": "The version, for {types}; for upgraded, the old one.",
    "new_version": "The new version, for {types}.",
    "governor": "The name of the governor, for {types}.",
    "event_type": "The kind of governor event, for {types}.",
    "sequence": "The number of the slot, for {types}.  [default: 0]",
    "id": "The unique ID of the event.  [default: a random UUID]",
    "timestamp": "The time of the event, in Unix seconds.  [default: now]",
}


class _JsonValue(click.ParamType[Any, Any]):
    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return json.loads(value)
        except ValueError as error:
            self.fail(f"{quoted(value)} is not JSON: {error}", param, ctx)


_VALUES: Final[Mapping[type[str | int] | None, click.ParamType[Any, Any]]] = {
    str: click.STRING,
    int: click.INT,
    None: _JsonValue(),
}


class _ByEventType(click.ParamType[Any, Any]):
    """The value of a field that event types declare differently; `given` converts it once the type is known."""

    name = "value"

    def __init__(self, types: Mapping[str, click.ParamType[Any, Any]]) -> None:
        self.types = types

    def given(self, ctx: click.Context, param: click.Parameter, event_name: str, value: str) -> Any:
        """Return the value for an event type; `new` reports a field that this type does not have."""
        type_ = self.types.get(event_name)
        return value if type_ is None else type_.convert(value, param, ctx)


@click.command("emit", cls=Command, help=_HELP)
@click.argument("event_name", metavar="TYPE", type=click.Choice(lifecycle.EVENT_TYPES))
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
    event_name: EventType,
    wire_format: str,
    stored: bool,
    dry_run: bool,
    connection: ConnectionArguments,
    **options: Any,
) -> None:
    """Publish the event, or print it."""
    signals: Signals = ctx.obj
    # None may be JSON's null, which a required field can have.
    given = {
        name.removeprefix(_PREFIX): value
        for name, value in options.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    for param in ctx.command.params:
        name = str(param.name).removeprefix(_PREFIX)
        if isinstance(param.type, _ByEventType) and name in given:
            given[name] = param.type.given(ctx, param, event_name, given[name])
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
    arguments = connection.arguments()
    async with lifecycle.connect(**arguments) as middleware:
        await middleware.publish(event, format=form, stored=stored, timeout=arguments["timeout"])


def _event_option(name: str, flag: str) -> click.Option:
    """Return the option for a field of the events."""
    # The oldest version of a type decides, which is the one that `new` creates.
    uses: dict[str, Option] = {}
    for cls, options in OPTIONS.items():
        if name in options:
            uses.setdefault(TYPE_NAMES[cls], options[name])
    kinds = {option.kind for option in uses.values()}
    type_: Any = _ByEventType({event_name: _VALUES[option.kind] for event_name, option in uses.items()})
    if all(option.choices for option in uses.values()):
        type_ = click.Choice(dict.fromkeys(str(choice) for option in uses.values() for choice in option.choices))
    elif len(kinds) == 1:
        type_ = _VALUES[kinds.pop()]
    text = _OPTION_HELP.get(name, f"The {name.replace('_', ' ')}, for {{types}}.")
    return click.Option([flag, _PREFIX + name], type=type_, help=text.format(types=", ".join(sorted(uses))))


def _event_options(taken: Collection[str]) -> list[click.Option]:
    """Return the options for all fields; one whose flag another option has becomes `--event-NAME`."""
    order = [*_OPTION_HELP]
    names = dict.fromkeys(name for options in OPTIONS.values() for name in options)
    in_order = sorted(names, key=lambda name: (order.index(name if name in order else "id"), name in order))
    flags = {name: f"--{name.replace('_', '-')}" for name in in_order}
    for name, flag in flags.items():
        while flags[name] in taken or (flags[name] != flag and [*flags.values()].count(flags[name]) > 1):
            flags[name] = f"--event-{flags[name].removeprefix('--')}"
    return [_event_option(name, flag) for name, flag in flags.items()]


_TAKEN: Final = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
command.params[1:1] = _event_options({"--help", *_TAKEN})
