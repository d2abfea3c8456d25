"""Factories for lifecycle events.

Each returns the generated dataclass of its type, checks every option by the rules in `options.py`, and fills in
`protocol`, a random `id` and the current `timestamp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import EVENT_TYPES, Alive, Event, Governor, Provisioned, Shutdown, Startup, Upgraded
from choria_lifecycle.events.options import event_factory
from choria_lifecycle.support.text import quoted
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

__all__ = ["alive", "governor", "new", "provisioned", "shutdown", "startup", "upgraded"]

_make_alive = event_factory(Alive, _alive.PROTOCOL)
_make_governor = event_factory(Governor, _governor.PROTOCOL)
_make_provisioned = event_factory(Provisioned, _provisioned.PROTOCOL)
_make_shutdown = event_factory(Shutdown, _shutdown.PROTOCOL)
_make_startup = event_factory(Startup, _startup.PROTOCOL)
_make_upgraded = event_factory(Upgraded, _upgraded.PROTOCOL)


def startup(**options: Unpack[VersionOptions]) -> Startup:
    """Create the event that a component publishes when it has started.

    Args:
        **options: identity, component and version; optionally id and timestamp.

    Raises:
        OptionError: options are missing, belong to other events, or are invalid; one error reports them all.

    >>> startup(identity="n1.example.net", component="server", version="0.30.2").version
    '0.30.2'
    """
    return _make_startup(options)  # type: ignore[arg-type]  # a TypedDict is a dict


def shutdown(**options: Unpack[BaseOptions]) -> Shutdown:
    """Create the event that a component publishes when it is about to stop.

    Args:
        **options: identity and component; optionally id and timestamp.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_shutdown(options)  # type: ignore[arg-type]


def provisioned(**options: Unpack[BaseOptions]) -> Provisioned:
    """Create the event that a component publishes once it is provisioned, before it restarts with its new settings.

    Args:
        **options: identity and component; optionally id and timestamp.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_provisioned(options)  # type: ignore[arg-type]


def alive(**options: Unpack[VersionOptions]) -> Alive:
    """Create the event that a component publishes at intervals while it runs; Choria's servers do so every 30 minutes.

    Args:
        **options: identity, component and version; optionally id and timestamp.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_alive(options)  # type: ignore[arg-type]


def upgraded(**options: Unpack[UpgradedOptions]) -> Upgraded:
    """Create the event that a component publishes when it has upgraded its own software.

    Args:
        **options: identity, component, version and new_version; optionally id and timestamp.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_upgraded(options)  # type: ignore[arg-type]


def governor(**options: Unpack[GovernorOptions]) -> Governor:
    """Create the event that a node publishes when it enters or leaves a governor, is evicted, or times out waiting.

    Args:
        **options: identity, component, governor and event_type; optionally sequence (0 by default), id and timestamp.

    Raises:
        OptionError: as for `startup`.
    """
    return _make_governor(options)  # type: ignore[arg-type]


_FACTORIES: Final[Mapping[str, Callable[[dict[str, Any]], Event]]] = {
    "alive": _make_alive,
    "governor": _make_governor,
    "provisioned": _make_provisioned,
    "shutdown": _make_shutdown,
    "startup": _make_startup,
    "upgraded": _make_upgraded,
}


def new(type: str, **options: Any) -> Event:  # noqa: A002 - the option's name in Choria's tools
    """Create an event of a type given by name.

    Args:
        type: one of `EVENT_TYPES`.
        **options: the options of the factory of that name.

    Raises:
        OptionError: the type is unknown, or as for `startup`.
    """
    if type not in EVENT_TYPES:
        raise OptionError(f"type must be one of {', '.join(EVENT_TYPES)}, not {quoted(type)}", invalid=("type",))
    return _FACTORIES[type](options)
