"""`lifecycle config`: the settings in force and where they come from, and what is wrong with them."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import click

from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.messages import printer_of, say, verbosity
from choria_lifecycle.cli.output import has_colors
from choria_lifecycle.cli.parameters import COLOR, OUTPUT, ConnectionArguments, connection_options, translate
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.errors import ConnectionFailed, NotAuthorised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.doctor.checks import Check
    from choria_lifecycle.doctor.effective import Setting

__all__ = ["command"]

_WIDTH: Final = 80
_COLORS: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}

_SHOW: Final = """Show every setting in force, and where it comes from.

First the connection's settings, then the files of Choria's configuration that were read, in ascending precedence, then
each of its keys. Secrets are shown as ***.

\b
  lifecycle config show
  lifecycle config show --config /etc/choria/client.conf --output json
"""

_CHECK: Final = """Check the settings and files, and connect to each broker.

Checks Choria's configuration, certificates, keys, tokens and DNS; then connects to the brokers one by one and
subscribes to lifecycle events. Publishes nothing.

\b
Exit codes, by the worst problem found:
  0  no errors; there may be warnings
  1  errors, but a broker accepted the client
  2  settings, or files they name, cannot be used
  3  no broker could be reached
  4  no broker accepted the client: one refused it, or the token has expired
"""


@click.group("config", help=COMMANDS["config"])
def command() -> None:
    """Group the subcommands."""


@command.command("show", cls=Command, help=_SHOW)
@OUTPUT
@connection_options
@click.pass_context
def show(ctx: click.Context, output: str, connection: ConnectionArguments) -> None:
    """Print the settings."""
    from choria_lifecycle.doctor import effective_settings
    from choria_lifecycle.doctor.effective import ERROR, FILE

    arguments = connection.arguments()
    del arguments["timeout"]
    settings = [
        each._replace(value=translate(each.value)) if each.name == ERROR else each
        for each in effective_settings(**arguments)
    ]
    printer = printer_of(ctx)
    for line in _lines(settings) if output == "text" else (json.dumps(each._asdict()) for each in settings):
        printer.line(line)
    if not any(each.name == FILE for each in settings):
        say("lifecycle: Choria's configuration is not used: a server is named, or this machine is not a Choria client")


def _lines(settings: Sequence[Setting]) -> Iterator[str]:
    """Yield the connection's settings, the files, the keys that are set, and those at their default."""
    from choria_lifecycle.config.choria.keys import KEYS
    from choria_lifecycle.config.choria.reading import DEFAULT
    from choria_lifecycle.doctor.effective import FILE

    keys = [each for each in settings if each.name in KEYS]
    connection = [each for each in settings if each.name not in KEYS and each.name != FILE]
    yield "The connection"
    width = max(len(each.name) for each in connection)
    for setting in connection:
        if setting.value:
            yield from _setting(setting, width)
    yield from _folded("not set:", [each.name for each in connection if not each.value])
    for title, part in (
        (
            "Choria's configuration: the files, in ascending precedence",
            [each for each in settings if each.name == FILE],
        ),
        ("Choria's configuration: the keys that are set", [each for each in keys if each.origin != DEFAULT]),
        ("Choria's configuration: the keys at their default", [each for each in keys if each.origin == DEFAULT]),
    ):
        if part:
            yield ""
            yield title
        for setting in part:
            yield from _setting(setting, 0)  # Choria's keys are too long to align


def _setting(setting: Setting, width: int) -> Iterator[str]:
    """Yield a setting with its origin in parentheses, on a second line if they do not fit in one."""
    from choria_lifecycle.config.choria.reading import DEFAULT

    line = f"  {setting.name:{width}} = {setting.value}".rstrip()
    origin = f"({setting.origin})" if setting.origin and setting.origin != DEFAULT else ""
    if origin and len(line) + 2 + len(origin) > _WIDTH:
        yield line
        yield f"  {'':{width}}   {origin}"
    else:
        yield f"{line}  {origin}".rstrip()


def _folded(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield from textwrap.wrap(f"{title} {', '.join(names)}", _WIDTH, initial_indent="  ", subsequent_indent="    ")


@command.command("check", cls=Command, help=_CHECK)
@OUTPUT
@COLOR
@connection_options
@click.pass_context
def check(ctx: click.Context, output: str, color: str, connection: ConnectionArguments) -> int:
    """Print each finding, and count them at the end."""
    stop: Signals = ctx.obj
    colors = output == "text" and has_colors(color)
    found: list[Check] = []

    async def run() -> None:
        from choria_lifecycle.doctor import iter_checks

        async with aclosing(iter_checks(**connection.arguments())) as checks:
            async for one in checks:
                found.append(one)
                if verbosity() < -1 and one.severity != "error":
                    continue
                shown = one._replace(message=translate(one.message))
                printer_of(ctx).line(_text(shown, colors=colors) if output == "text" else _json(shown))

    stop.run(run())
    counts = Counter(one.severity for one in found)
    parts = [
        f"{counts[kind]} {kind}{'s' * (counts[kind] != 1)}" for kind in ("error", "warning", "note") if counts[kind]
    ]
    say(f"lifecycle: {', '.join(parts) or 'all is well'}")
    return _exit_code(found)


def _text(one: Check, *, colors: bool) -> str:
    mark = f"{one.severity:7}"
    return f"{click.style(mark, fg=_COLORS[one.severity]) if colors else mark}  {one.subject}: {one.message}"


def _json(one: Check) -> str:
    return json.dumps({"severity": one.severity, "step": one.step, "subject": one.subject, "message": one.message})


def _exit_code(found: Sequence[Check]) -> int:
    errors = [one for one in found if one.severity == "error"]
    if not errors:
        return 0
    if any(one.step == "broker" and one.severity == "ok" for one in found):
        return 1
    kinds = {one.error for one in errors} - {None}
    if NotAuthorised in kinds:
        return 4
    return 3 if ConnectionFailed in kinds else 2
