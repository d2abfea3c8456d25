"""The subject of an event: `choria.lifecycle.event.<type>.<component>`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import Event, type_name
from choria_lifecycle.events.options import check_component

__all__ = ["SUBJECT_PREFIX", "subject"]

SUBJECT_PREFIX: Final = "choria.lifecycle.event"
"""The common prefix of the subjects of all lifecycle events (go-choria, lifecycle/lifecycle.go)."""


def subject(event: Event) -> str:
    """Return the subject that an event is published on.

    Raises:
        OptionError: the component is not usable as one token of a subject. Choria itself accepts dots, spaces and
            wildcards; such an event can be parsed, but not published.
        TypeError: event is not a lifecycle event.
    """
    cls: Any = type(event)
    try:
        return _cached_subject(cls, event.component)
    except (AttributeError, TypeError):  # not an event, or an unhashable component
        return _build_subject(cls, getattr(event, "component", None))


def _build_subject(cls: Any, component: Any) -> str:
    name = type_name(cls)
    problem = check_component(component)
    if problem:
        raise OptionError(f"component {problem}", invalid=("component",))
    return f"{SUBJECT_PREFIX}.{name}.{component}"


# A fleet has few components and many events: building the text takes three times as long as a cache hit.
_cached_subject = lru_cache(maxsize=1024)(_build_subject)
