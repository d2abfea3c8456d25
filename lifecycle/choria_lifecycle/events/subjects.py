"""The subject an event travels on: `choria.lifecycle.event.<type>.<component>`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import type_name
from choria_lifecycle.events.options import check_component

if TYPE_CHECKING:
    from choria_lifecycle.events.event import Event

__all__ = ["SUBJECT_PREFIX", "subject"]

SUBJECT_PREFIX: Final = "choria.lifecycle.event"
"""The tokens that the subjects of all lifecycle events begin with (go-choria, lifecycle/lifecycle.go)."""


def subject(event: Event) -> str:
    """Return the subject that an event is published on.

    Raises:
        OptionError: the component cannot be one token of a subject. Choria itself lets dots, spaces and wildcards pass;
            such an event is read like any other, and cannot be published from here.
        TypeError: it is no lifecycle event.
    """
    cls: Any = type(event)
    try:
        return _cached_subject(cls, event.component)
    except (AttributeError, TypeError):  # no event, or a component that is no text
        return _build_subject(cls, getattr(event, "component", None))


def _build_subject(cls: Any, component: Any) -> str:
    name = type_name(cls)
    wrong = check_component(component)
    if wrong:
        raise OptionError(f"component {wrong}", invalid=("component",))
    return f"{SUBJECT_PREFIX}.{name}.{component}"


# A fleet has few components and many events; making the text anew would cost three times as much (`make bench`).
_cached_subject = lru_cache(maxsize=1024)(_build_subject)
