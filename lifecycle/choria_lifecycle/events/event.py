"""The event types, and the type and time of an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted
from choria_schemas.lifecycle.v1.alive import Alive
from choria_schemas.lifecycle.v1.governor import Governor
from choria_schemas.lifecycle.v1.provisioned import Provisioned
from choria_schemas.lifecycle.v1.shutdown import Shutdown
from choria_schemas.lifecycle.v1.startup import Startup
from choria_schemas.lifecycle.v1.upgraded import Upgraded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EVENT_CLASSES",
    "EVENT_TYPES",
    "PROTOCOL_PREFIX",
    "Alive",
    "Event",
    "Governor",
    "Provisioned",
    "Shutdown",
    "Startup",
    "Upgraded",
    "event_time",
    "event_type",
    "from_unix",
    "type_name",
]

Event = Alive | Governor | Provisioned | Shutdown | Startup | Upgraded
"""A lifecycle event: one of the six generated dataclasses."""

EVENT_CLASSES: Final = (Alive, Governor, Provisioned, Shutdown, Startup, Upgraded)
"""The classes of lifecycle events, sorted by name."""

_TYPE_NAMES: Final[Mapping[type, str]] = {cls: cls.__name__.lower() for cls in EVENT_CLASSES}

EVENT_TYPES: Final = tuple(_TYPE_NAMES.values())
"""The names of the event types, sorted."""

PROTOCOL_PREFIX: Final = "io.choria.lifecycle.v1."
"""The start of the protocols of lifecycle events; the event type follows."""


def event_type(event: Event) -> str:
    """Return the name of the event's type, for example `startup`; it is one token of the subject.

    Raises:
        TypeError: event is not a lifecycle event.
    """
    return type_name(type(event))


def type_name(cls: type[Event]) -> str:
    """Return the name of the event type of a class; raises TypeError for other classes."""
    try:
        return _TYPE_NAMES[cls]
    except KeyError:
        raise TypeError(f"{cls.__name__} is not a lifecycle event") from None


def event_time(event: Event) -> datetime:
    """Return the event's timestamp as a datetime in UTC.

    All alive events of a Choria server have the time at which its process started: Choria creates that event once.

    Raises:
        InvalidEvent: the timestamp is outside the years 1 to 9999.
    """
    event_type(event)
    return from_unix(event.timestamp)


def from_unix(timestamp: int) -> datetime:
    """Return Unix seconds as a datetime in UTC; raises InvalidEvent outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=timestamp)
    except (OverflowError, TypeError, ValueError):
        message = f"timestamp must be Unix seconds in the years 1 to 9999, not {quoted(timestamp)}"
        raise InvalidEvent(message, path="$.timestamp", rule="timestamp", value=timestamp) from None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
