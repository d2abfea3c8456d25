"""The one-line description of an event."""

from __future__ import annotations

from choria_lifecycle.events.event import Alive, Event, Governor, Startup, Upgraded, event_type
from choria_lifecycle.support.text import quoted, safe

__all__ = ["describe"]


def describe(event: Event) -> str:
    """Return the line that Choria's viewers show for an event, with untrusted text escaped.

    The wording is that of go-choria (the String methods in lifecycle/*.go), which people and scripts know.

    >>> describe(shutdown(identity="n1.example.net", component="server"))
    '[shutdown] n1.example.net: server'
    """
    line = f"[{event_type(event)}] {_shown(event.identity)}: "
    match event:
        case Startup() | Alive():
            return f"{line}{_shown(event.component)} version {_shown(event.version)}"
        case Upgraded():
            return f"{line}{_shown(event.component)} version {_shown(event.version)} to {_shown(event.new_version)}"
        case Governor():
            return line + _governor_text(event)
        case _:
            return line + _shown(event.component)


def _governor_text(event: Governor) -> str:
    name = _shown(event.governor)
    # Constructors check nothing: any value may be of any type.
    sequence: object = event.sequence
    slot = f"slot {sequence} on " if isinstance(sequence, int) and sequence > 0 else ""
    stages = {
        "enter": f"obtained {slot or 'slot on '}{name}",
        "exit": f"vacated {slot}{name}",
        "timeouts": f"failed to obtain a slot on {name}",
        "eviction": f"evicted from {slot}{name}",
    }
    return stages.get(str(event.event_type), f"unknown stage on Governor {name}")


def _shown(value: object) -> str:
    return safe(value) if isinstance(value, str) else quoted(value)
