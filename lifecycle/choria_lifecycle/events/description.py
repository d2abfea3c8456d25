"""The one-line description of an event."""

from __future__ import annotations

from typing import Any, Final

from choria_lifecycle.events.event import TYPE_NAMES, Event, classes_of, event_type
from choria_lifecycle.events.options import OPTIONS
from choria_lifecycle.support.text import quoted, safe

__all__ = ["describe"]

# Go's words where they are not the names of the fields.
_WORDS: Final = {("upgraded", "new_version"): "to"}

# The fields that follow the component, with their words, by class.
_OWN_FIELDS: Final = {
    cls: [
        (name, _WORDS.get((TYPE_NAMES[cls], name), name))
        for name in options
        if name not in ("id", "identity", "component", "timestamp")
    ]
    for cls, options in OPTIONS.items()
}

# The versions that have what Go's wording needs.
_GOVERNOR: Final = frozenset(
    cls for cls in classes_of("governor", "governor", "event_type") if "sequence" in OPTIONS[cls]
)


def describe(event: Event) -> str:
    """Return the line that Choria's viewers show for an event, with untrusted text escaped.

    The wording is that of go-choria (the String methods in lifecycle/*.go), which people and scripts know. For a type
    without wording there, names and values of its own fields follow the component.

    >>> describe(shutdown(identity="n1.example.net", component="server"))
    '[shutdown] n1.example.net: server'
    """
    name = event_type(event)
    line = f"[{name}] {_shown(event.identity)}: "
    if type(event) in _GOVERNOR:
        return line + _governor_text(event)
    line += _shown(event.component)
    for field, word in _OWN_FIELDS[type(event)]:
        value = getattr(event, field)
        if value is not None:
            line += f" {word} {_shown(value)}"
    return line


def _governor_text(event: Any) -> str:
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
