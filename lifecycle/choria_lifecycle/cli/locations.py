"""`--at`: where events lie within other documents, and the findings that say what to give it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from choria_lifecycle.wire.locations import Location

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import Finding

__all__ = ["AT", "advise", "with_option"]


def _parse(ctx: click.Context, param: click.Parameter, value: str | None) -> Location | None:
    try:
        return None if value is None else Location.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


AT: Final = click.option(
    "--at",
    metavar="PATH",
    callback=_parse,
    help="Read the event at this place in each document, such as $.message or $.hits[*]['_source']: an object, or its "
    "JSON text, base64 or byte values. auto: the place that each document shows.",
)
"""The option `--at`, as the parameter `at`: a `Location`, or None."""

_FOUND: Final = re.compile(r"; an event is in (\$.*), as (?:an object|text|base64|byte values)\Z")


def with_option(message: str) -> str:
    """Return a message with the option that reads the event which it names.

    >>> with_option("protocol is missing; an event is in $.log, as text")
    "protocol is missing; an event is in $.log, as text: --at '$.log'"
    """
    found = _FOUND.search(message)
    return message if found is None else f"{message}: --at {shlex.quote(found[1])}"


def advise(finding: Finding) -> Finding:
    """Return a finding whose message has the option; see `with_option`."""
    if "; an event is in $" not in finding.message:  # nearly always
        return finding
    return replace(finding, message=with_option(finding.message))
