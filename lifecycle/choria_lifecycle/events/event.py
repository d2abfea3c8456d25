"""The event types, and the type and time of an event."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args, get_origin

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted
from choria_schemas.lifecycle.events import LifecycleEvent as Event
from choria_schemas.lifecycle.events import LifecycleEventType as EventType
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_schemas.registry import Contract

__all__ = [
    "EVENT_CONTRACTS",
    "EVENT_TYPES",
    "TYPE_NAMES",
    "Event",
    "EventType",
    "classes_of",
    "event_time",
    "event_type",
    "from_unix",
    "type_name",
]

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
"""The names of the event types, sorted."""

EVENT_CONTRACTS: Final[Mapping[type[Any], Contract]] = {
    contract.cls: contract for contract in CONTRACTS.values() if contract.family == "lifecycle"
}
"""The contracts of lifecycle events by class, sorted by version and type."""

TYPE_NAMES: Final[Mapping[type, EventType]] = {
    cls: cast("EventType", contract.type_name) for cls, contract in EVENT_CONTRACTS.items()
}
"""The name of the event type of each class."""


def event_type(event: Event) -> EventType:
    """Return the name of the event's type, for example `startup`; it is one token of the subject.

    Raises:
        TypeError: event is not a lifecycle event.
    """
    return type_name(type(event))


def type_name(cls: type) -> EventType:
    """Return the name of the event type of a class; raises TypeError for other classes."""
    try:
        return TYPE_NAMES[cls]
    except KeyError:
        raise TypeError(f"{cls.__name__} is not a lifecycle event") from None


def classes_of(type: EventType, *texts: str) -> tuple[type[Any], ...]:  # noqa: A002
    """Return the classes of an event type, in every version, the oldest first.

    Args:
        type: the event type.
        *texts: fields that a class must have, as required strings; another version may lack them.
    """
    return tuple(cls for cls in EVENT_CONTRACTS if TYPE_NAMES[cls] == type and set(texts) <= _required_texts(cls))


def _required_texts(cls: type[Any]) -> set[str]:
    # Generated modules do not postpone the evaluation of annotations.
    return {
        field.name
        for field in fields(cls)
        if field.default is MISSING and (field.type is str or get_origin(field.type) is Literal)
    }


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
