# A declaration has no body: its decorator makes one.
# mypy: disable-error-code=empty-body
"""Factories for lifecycle events.

Each returns the generated dataclass of its type, checks every option by the rules in `options.py`, and fills in
`protocol`, a random `id` and the current `timestamp`. `new` makes every type in the contract; a function here adds the
type's options for type checkers and editors.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, TypeVar

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import EVENT_CONTRACTS, EVENT_TYPES, Event, EventType, type_name
from choria_lifecycle.events.quick import quick_factory
from choria_lifecycle.support.text import quoted
from choria_schemas.lifecycle.v1 import Alive, Governor, Provisioned, Shutdown, Startup, Upgraded

__all__ = ["alive", "governor", "new", "provisioned", "shutdown", "startup", "upgraded"]

P = ParamSpec("P")
E = TypeVar("E", bound=Event)

_FACTORIES: Final[dict[str, Callable[..., Event]]] = {}


def _makes(cls: type[E]) -> Callable[[Callable[P, E]], Callable[P, E]]:
    """Return a decorator that turns a declaration into the factory of a class.

    The parameters of the declaration are the options; defaults other than None replace options that are absent or None.
    """

    def decorate(declaration: Callable[P, E]) -> Callable[P, E]:
        defaults = {
            name: default for name, default in (declaration.__kwdefaults__ or {}).items() if default is not None
        }
        factory = wraps(declaration)(quick_factory(cls, defaults))
        _FACTORIES[type_name(cls)] = factory
        return factory

    return decorate


@_makes(Startup)
def startup(
    *,
    identity: str,
    component: str,
    version: str,
    id: str | None = None,
    timestamp: int | None = None,
) -> Startup:
    """Create the event that a component publishes when it has started.

    Args:
        identity: the name of the node or service instance, often its host name.
        component: the kind of software that publishes the event, for example `server`. It is one token of the subject:
            1 to 128 of the characters A-Z, a-z, 0-9, `_` and `-`.
        version: the running version of the component.
        id: a unique id; a random UUID by default.
        timestamp: Unix time in whole seconds, UTC; now by default.

    Raises:
        OptionError: options are missing, belong to other events, or are invalid; one error reports them all.

    >>> startup(identity="n1.example.net", component="server", version="0.30.2").version
    '0.30.2'
    """
    ...


@_makes(Shutdown)
def shutdown(*, identity: str, component: str, id: str | None = None, timestamp: int | None = None) -> Shutdown:
    """Create the event that a component publishes when it is about to stop.

    The options and errors are those of `startup`, without a version.
    """
    ...


@_makes(Provisioned)
def provisioned(*, identity: str, component: str, id: str | None = None, timestamp: int | None = None) -> Provisioned:
    """Create the event that a component publishes once it is provisioned, before it restarts with its new settings.

    The options and errors are those of `startup`, without a version.
    """
    ...


@_makes(Alive)
def alive(*, identity: str, component: str, version: str, id: str | None = None, timestamp: int | None = None) -> Alive:
    """Create the event that a component publishes at intervals while it runs; Choria's servers do so every 30 minutes.

    The options and errors are those of `startup`.
    """
    ...


@_makes(Upgraded)
def upgraded(
    *,
    identity: str,
    component: str,
    version: str,
    new_version: str,
    id: str | None = None,
    timestamp: int | None = None,
) -> Upgraded:
    """Create the event that a component publishes when it has upgraded its own software.

    `version` is the old version, `new_version` the installed one. The other options and the errors are those of
    `startup`.
    """
    ...


@_makes(Governor)
def governor(
    *,
    identity: str,
    component: str,
    governor: str,
    event_type: Literal["enter", "exit", "timeouts", "eviction"],
    sequence: int | None = 0,
    id: str | None = None,
    timestamp: int | None = None,
) -> Governor:
    """Create the event that a node publishes when it enters or leaves a governor, is evicted, or times out waiting.

    `governor` is the name of the governor, which limits how many nodes do something at once. `event_type` is `enter`
    (obtained a slot), `exit` (vacated it), `timeouts` (obtained none in time) or `eviction` (lost it); `sequence` is
    the number of the slot, 0 for none. The other options and the errors are those of `startup`.
    """
    ...


for _cls in EVENT_CONTRACTS:
    if type_name(_cls) not in _FACTORIES:
        _FACTORIES[type_name(_cls)] = quick_factory(_cls, {})


def new(type: EventType, /, **options: Any) -> Event:
    """Create an event of a type given by name.

    Args:
        type: one of `EVENT_TYPES`.
        **options: the options of the factory of that name; for a type without one, the fields of its class except
            the protocol.

    Raises:
        OptionError: the type is unknown, or as for `startup`.
    """
    if type not in EVENT_TYPES:
        raise OptionError(f"type must be one of {', '.join(EVENT_TYPES)}, not {quoted(type)}", invalid=("type",))
    return _FACTORIES[type](**options)
