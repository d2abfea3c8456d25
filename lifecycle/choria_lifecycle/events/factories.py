"""Make lifecycle events.

Each factory returns the generated dataclass of its type, with `protocol`, a random `id` and the current `timestamp`
filled in and every option checked; `options.py` has the rules.
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

_EVENT_CLASSES: Final = (Alive, Governor, Provisioned, Shutdown, Startup, Upgraded)

_make_alive = event_factory(Alive, _alive.PROTOCOL, _EVENT_CLASSES)
_make_governor = event_factory(Governor, _governor.PROTOCOL, _EVENT_CLASSES)
_make_provisioned = event_factory(Provisioned, _provisioned.PROTOCOL, _EVENT_CLASSES)
_make_shutdown = event_factory(Shutdown, _shutdown.PROTOCOL, _EVENT_CLASSES)
_make_startup = event_factory(Startup, _startup.PROTOCOL, _EVENT_CLASSES)
_make_upgraded = event_factory(Upgraded, _upgraded.PROTOCOL, _EVENT_CLASSES)


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


_FACTORIES: Final[Mapping[str, Callable[[dict[str, Any]], Event]]] = {
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
    return _FACTORIES[type](options)
