"""The options that events are made of: what they may be, and how an event comes from them.

The schemas ask for text where an event needs a name that can be found again, and for nothing at all about the tokens of
a subject. Choria documents the stricter rules and enforces none; here they hold for every event that is made, and for
none that is only read.
"""

from __future__ import annotations

import re
import time
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict, TypeVar, get_args, get_type_hints

from choria_lifecycle.errors import OptionError
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.text import quoted, safe
from choria_schemas.lifecycle.v1.governor import Governor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from choria_schemas.lifecycle.v1.alive import Alive
    from choria_schemas.lifecycle.v1.provisioned import Provisioned
    from choria_schemas.lifecycle.v1.shutdown import Shutdown
    from choria_schemas.lifecycle.v1.startup import Startup
    from choria_schemas.lifecycle.v1.upgraded import Upgraded

    E = TypeVar("E", Alive, Governor, Provisioned, Shutdown, Startup, Upgraded)

__all__ = [
    "GOVERNOR_EVENT_TYPES",
    "BaseOptions",
    "GovernorOptions",
    "UpgradedOptions",
    "VersionOptions",
    "check_component",
    "event_factory",
    "is_token",
    "option_names",
]


class BaseOptions(TypedDict):
    """The options that every event has.

    Attributes:
        identity: the name of the node or of the instance of a service, often its host name.
        component: the kind of software that speaks, for example `server`. It becomes a token of the subject and is
            therefore limited to 1 to 128 of the characters A-Z, a-z, 0-9, `_` and `-`.
        id: unique for this event; a random UUID by default.
        timestamp: Unix time in whole seconds, UTC; now by default.
    """

    identity: str
    component: str
    id: NotRequired[str | None]
    timestamp: NotRequired[int | None]


class VersionOptions(BaseOptions):
    """The options of startup and alive.

    Attributes:
        version: the version of the component that is running.
    """

    version: str


class UpgradedOptions(VersionOptions):
    """The options of upgraded, whose `version` is the one that was running before.

    Attributes:
        new_version: the version that was installed.
    """

    new_version: str


class GovernorOptions(BaseOptions):
    """The options of governor.

    Attributes:
        governor: the name of the governor; a governor limits how many nodes do something at once.
        event_type: `enter` (a slot was obtained), `exit` (it was left), `timeouts` (none could be had in time) or
            `eviction` (it was taken away).
        sequence: the number of the slot; 0, the default, where there is none.
    """

    governor: str
    event_type: Literal["enter", "exit", "timeouts", "eviction"]
    sequence: NotRequired[int | None]


# The options that may be absent or None, and what is filled in then.
_DEFAULTS: Final[Mapping[str, Callable[[], object]]] = {
    "id": uuid4,
    "timestamp": lambda: int(time.time()),
    "sequence": lambda: 0,
}

_find_control = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
_match_token = re.compile(r"[A-Za-z0-9_-]{1,128}").fullmatch
GOVERNOR_EVENT_TYPES: Final[tuple[str, ...]] = get_args(get_type_hints(Governor)["event_type"])
"""What a governor event can be about, in the words of the contract."""


# A fleet has few components and many events: a hit costs a third of the expression (`make bench`).
@lru_cache(maxsize=256)
def is_token(text: str) -> bool:
    """Tell whether `check_component` finds nothing wrong with a text."""
    return _match_token(text) is not None


def check_component(component: object) -> str | None:
    """Return what is wrong with a component as a token of a subject, or None."""
    wrong = _check_text(component)
    if wrong or (isinstance(component, str) and is_token(component)):
        return wrong
    return (
        f"must be 1 to 128 of the characters A-Z a-z 0-9 _ -, to be one token of the subject, not {quoted(component)}"
    )


def _check_text(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be text, not {quoted(value)}"
    if not any(char.isprintable() and char != " " for char in value):
        return "must not be empty" if not value.strip() else f"must have something visible, unlike {quoted(value)}"
    if _find_control(value):
        return f"must not hold control characters or lone surrogates, as {quoted(value)} does"
    return None


def _check_integer(value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"must be an integer, not {quoted(value)}"
    return None if -(2**63) <= value < 2**63 else "must fit into 64 bits"


def _check_sequence(value: object) -> str | None:
    wrong = _check_integer(value)
    return wrong or ("must not be negative" if isinstance(value, int) and value < 0 else None)


def _check_event_type(value: object) -> str | None:
    return (
        None
        if value in GOVERNOR_EVENT_TYPES
        else f"must be one of {', '.join(GOVERNOR_EVENT_TYPES)}, not {quoted(value)}"
    )


_CHECKS: Final[Mapping[str, Callable[[object], str | None]]] = {
    "id": _check_text,
    "identity": _check_text,
    "component": check_component,
    "timestamp": _check_integer,
    "version": _check_text,
    "new_version": _check_text,
    "governor": _check_text,
    "sequence": _check_sequence,
    "event_type": _check_event_type,
}


def option_names(cls: type) -> tuple[str, ...]:
    """Return the names of the options of an event class: its fields without the protocol, which is no choice."""
    return tuple(field.name for field in fields(cls) if field.name != "protocol")


def event_factory(cls: type[E], protocol: str, siblings: Iterable[type]) -> Callable[[dict[str, Any]], E]:
    """Return the function that makes an event of a class from a dictionary of options, or raises one OptionError.

    Args:
        cls: a generated event class.
        protocol: what its events carry.
        siblings: all event classes, to say where an option belongs that `cls` does not have.
    """
    names = option_names(cls)
    texts = tuple(name for name in names if name not in _DEFAULTS)
    owners = {name: [other.__name__.lower() for other in siblings if name in option_names(other)] for name in _CHECKS}

    def thorough(options: Mapping[str, object]) -> E:
        """Make an event of options of which nothing is known, or say everything that is wrong with them."""
        given = {name: value for name, value in options.items() if value is not None or name not in _DEFAULTS}
        missing = tuple(name for name in texts if name not in given)
        unexpected = tuple(name for name in given if name not in names)
        invalid = {name: wrong for name in names if name in given and (wrong := _CHECKS[name](given[name]))}
        if missing or unexpected or invalid:
            wrongs = [f"{', '.join(missing)} missing"] if missing else []
            wrongs += [_unexpected_option(name, owners.get(name, [])) for name in unexpected]
            wrongs += [f"{name} {wrong}" for name, wrong in invalid.items()]
            message = f"a {cls.__name__.lower()} event cannot be made: {'; '.join(wrongs)}"
            raise OptionError(message, missing=missing, unexpected=unexpected, invalid=tuple(invalid))
        values: dict[str, Any] = {name: given[name] if name in given else _DEFAULTS[name]() for name in names}
        values["protocol"] = protocol
        return cls(**values)

    take, count = itemgetter(*texts), len(texts)
    # The __init__ of a frozen dataclass goes through object.__setattr__ for each field. Its slots' own descriptors set
    # the same slots in half the time, which is what lets making events keep up with Go (`make bench`).
    set_protocol, set_id, set_timestamp = (getattr(cls, name).__set__ for name in ("protocol", "id", "timestamp"))
    set_identity, set_component, *set_others = (getattr(cls, name).__set__ for name in texts)
    others = tuple(enumerate(set_others, start=2))
    set_sequence = getattr(cls, "sequence").__set__ if "sequence" in names else None  # noqa: B009 - only one has it
    create, clock = object.__new__, time.time

    def make(options: dict[str, Any]) -> E:
        """Make an event of options that are plainly right, the short way; of others the thorough way."""
        try:
            values = take(options)
            joined = "".join(values)
        except (KeyError, TypeError):
            return thorough(options)
        given, sequence = len(options), 0
        if set_sequence is not None:  # a governor event has two options that are more than text
            sequence = options.get("sequence", 0)
            given -= "sequence" in options
            if (
                type(sequence) is not int
                or not 0 <= sequence < 2**63
                or options["event_type"] not in GOVERNOR_EVENT_TYPES
            ):
                return thorough(options)
        plain = given == count and joined.isprintable() and " " not in joined and all(values)
        if not plain or not is_token(values[1]):
            return thorough(options)
        event = create(cls)
        set_protocol(event, protocol)
        set_id(event, uuid4())
        set_timestamp(event, int(clock()))
        set_identity(event, values[0])
        set_component(event, values[1])
        for index, set_other in others:
            set_other(event, values[index])
        if set_sequence is not None:
            set_sequence(event, sequence)
        return event

    return make


def _unexpected_option(option: str, owners: list[str]) -> str:
    if owners:
        return f"{option} belongs to {', '.join(owners)}"
    close = get_close_matches(option, _CHECKS, n=1)
    return f"no event has an option {safe(option, 60)}" + (f", did you mean {close[0]}?" if close else "")
