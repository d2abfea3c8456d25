"""Make lifecycle events, and say what one is.

Each factory returns the generated dataclass of its type, with `protocol`, a random `id` and the current `timestamp`
filled in and every option checked; `options.py` has the rules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import InvalidEvent, OptionError
from choria_lifecycle.events.options import event_factory
from choria_lifecycle.support.text import quoted, safe
from choria_schemas.lifecycle.v1 import alive as _alive
from choria_schemas.lifecycle.v1 import governor as _governor
from choria_schemas.lifecycle.v1 import provisioned as _provisioned
from choria_schemas.lifecycle.v1 import shutdown as _shutdown
from choria_schemas.lifecycle.v1 import startup as _startup
from choria_schemas.lifecycle.v1 import upgraded as _upgraded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from choria_lifecycle.events.options import BaseOptions, GovernorOptions, UpgradedOptions, VersionOptions

__all__ = [
    "EVENT_TYPES",
    "Event",
    "alive",
    "describe",
    "event_time",
    "event_type",
    "from_unix",
    "governor",
    "new",
    "provisioned",
    "shutdown",
    "startup",
    "type_name",
    "upgraded",
]

Alive = _alive.Alive
Governor = _governor.Governor
Provisioned = _provisioned.Provisioned
Shutdown = _shutdown.Shutdown
Startup = _startup.Startup
Upgraded = _upgraded.Upgraded

Event = Alive | Governor | Provisioned | Shutdown | Startup | Upgraded
"""A lifecycle event: one of the six generated dataclasses."""

_NAMES: Final[Mapping[type, str]] = {
    cls: cls.__name__.lower() for cls in (Alive, Governor, Provisioned, Shutdown, Startup, Upgraded)
}

EVENT_TYPES: Final = tuple(_NAMES.values())
"""The names of the event types, sorted."""

_make_alive = event_factory(Alive, _alive.PROTOCOL, _NAMES)
_make_governor = event_factory(Governor, _governor.PROTOCOL, _NAMES)
_make_provisioned = event_factory(Provisioned, _provisioned.PROTOCOL, _NAMES)
_make_shutdown = event_factory(Shutdown, _shutdown.PROTOCOL, _NAMES)
_make_startup = event_factory(Startup, _startup.PROTOCOL, _NAMES)
_make_upgraded = event_factory(Upgraded, _upgraded.PROTOCOL, _NAMES)


def startup(**options: Unpack[VersionOptions]) -> Startup:
    """Make the event that a component publishes when it has started.

    Args:
        **options: identity, component and version; id and timestamp where they must not be filled in.

    Raises:
        OptionError: options are missing, belong to other events, or cannot be used. One error names them all.

    >>> startup(identity="n1.example.net", component="server", version="0.30.2").version
    '0.30.2'
    """
    return _make_startup(options)  # type: ignore[arg-type]  # a TypedDict is a dict


def shutdown(**options: Unpack[BaseOptions]) -> Shutdown:
    """Make the event that a component publishes when it is about to stop.

    Args:
        **options: identity and component; id and timestamp where they must not be filled in.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_shutdown(options)  # type: ignore[arg-type]


def provisioned(**options: Unpack[BaseOptions]) -> Provisioned:
    """Make the event that a component publishes when it has been provisioned, before it restarts with its new settings.

    Args:
        **options: identity and component; id and timestamp where they must not be filled in.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_provisioned(options)  # type: ignore[arg-type]


def alive(**options: Unpack[VersionOptions]) -> Alive:
    """Make the event that a component publishes at intervals while it runs; Choria's own servers do every 30 minutes.

    Args:
        **options: identity, component and version; id and timestamp where they must not be filled in.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_alive(options)  # type: ignore[arg-type]


def upgraded(**options: Unpack[UpgradedOptions]) -> Upgraded:
    """Make the event that a component publishes when it has replaced its own software.

    Args:
        **options: identity, component, version and new_version; id and timestamp where they must not be filled in.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_upgraded(options)  # type: ignore[arg-type]


def governor(**options: Unpack[GovernorOptions]) -> Governor:
    """Make the event that a node publishes when it enters or leaves a governor, or is kept out of one.

    Args:
        **options: identity, component, governor and event_type; sequence, which is 0 by default; id and timestamp where
            they must not be filled in.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_governor(options)  # type: ignore[arg-type]


_MAKERS: Final[Mapping[str, Callable[[dict[str, Any]], Event]]] = {
    "alive": _make_alive,
    "governor": _make_governor,
    "provisioned": _make_provisioned,
    "shutdown": _make_shutdown,
    "startup": _make_startup,
    "upgraded": _make_upgraded,
}


def new(type: str, **options: Any) -> Event:  # noqa: A002 - the name that the options of Choria's tools have
    """Make an event of the type with this name.

    Args:
        type: one of `EVENT_TYPES`.
        **options: those of the factory with the same name.

    Raises:
        OptionError: there is no such type; or as for `startup`.
    """
    if type not in EVENT_TYPES:
        raise OptionError(f"{quoted(type)} is no event type; there are {', '.join(EVENT_TYPES)}", invalid=("type",))
    return _MAKERS[type](options)


def event_type(event: Event) -> str:
    """Return the name of the event's type, for example `startup`; it is a token of the subject.

    Raises:
        TypeError: it is no lifecycle event.
    """
    return type_name(type(event))


def type_name(cls: type[Event]) -> str:
    """Return the name of the type whose events have this class; raises TypeError for any other class."""
    try:
        return _NAMES[cls]
    except KeyError:
        raise TypeError(f"{cls.__name__} is no lifecycle event") from None


def event_time(event: Event) -> datetime:
    """Return the time that the event states for itself, in UTC.

    The alive events of a Choria server all state when its process started: Choria makes that event once.

    Raises:
        InvalidEvent: the timestamp lies outside the years 1 to 9999.
    """
    event_type(event)
    return from_unix(event.timestamp)


def from_unix(timestamp: int) -> datetime:
    """Return Unix seconds as a time in UTC; raises InvalidEvent outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=timestamp)
    except (OverflowError, TypeError, ValueError):
        message = f"timestamp must be Unix seconds in the years 1 to 9999, not {quoted(timestamp)}"
        raise InvalidEvent(message, path="$.timestamp", rule="timestamp", value=timestamp) from None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def describe(event: Event) -> str:
    """Return the event as the line that Choria's viewers show, with foreign text made safe to show.

    The wording is that of go-choria (lifecycle/*.go, the String methods), for the eyes and scripts that know it.

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
            return line + _stage(event)
        case _:
            return line + _shown(event.component)


def _stage(event: Governor) -> str:
    name = _shown(event.governor)
    # A constructor checks nothing, so that each value may be any.
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
