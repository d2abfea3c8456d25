"""The options of the event factories, and their checks.

The schemas permit empty names and components that are not valid subject tokens. Choria documents stricter rules without
enforcing them; here they are enforced for events that are created, not for events that are parsed.
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
from choria_lifecycle.events.event import EVENT_CLASSES, Governor, type_name
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.text import quoted, safe
from choria_schemas.lifecycle.v1.governor import PROTOCOL
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.events.event import Alive, Provisioned, Shutdown, Startup, Upgraded

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
    """The options of every event.

    Attributes:
        identity: the name of the node or service instance, often its host name.
        component: the kind of software that publishes the event, for example `server`. It is one token of the subject:
            1 to 128 of the characters A-Z, a-z, 0-9, `_` and `-`.
        id: a unique id; a random UUID by default.
        timestamp: Unix time in whole seconds, UTC; now by default.
    """

    identity: str
    component: str
    id: NotRequired[str | None]
    timestamp: NotRequired[int | None]


class VersionOptions(BaseOptions):
    """The options of startup and alive.

    Attributes:
        version: the running version of the component.
    """

    version: str


class UpgradedOptions(VersionOptions):
    """The options of upgraded, where `version` is the old version.

    Attributes:
        new_version: the version that was installed.
    """

    new_version: str


class GovernorOptions(BaseOptions):
    """The options of governor.

    Attributes:
        governor: the name of the governor, which limits how many nodes do something at once.
        event_type: `enter` (obtained a slot), `exit` (vacated it), `timeouts` (obtained none in time) or `eviction`
            (lost it).
        sequence: the number of the slot; 0, the default, for none.
    """

    governor: str
    event_type: Literal["enter", "exit", "timeouts", "eviction"]
    sequence: NotRequired[int | None]


# The options that may be absent or None, and their defaults.
_DEFAULTS: Final[Mapping[str, Callable[[], object]]] = {
    "id": uuid4,
    "timestamp": lambda: int(time.time()),
    "sequence": lambda: 0,
}

_find_control = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
_match_token = re.compile(r"[A-Za-z0-9_-]{1,128}").fullmatch
GOVERNOR_EVENT_TYPES: Final[tuple[str, ...]] = get_args(get_type_hints(Governor)["event_type"])
"""The values of `event_type` in a governor event."""

# Exact integers: a double has only 53 bits.
_BOUNDS: Final = {(name, keyword): bound for name, keyword, bound in CONTRACTS[PROTOCOL].bounds or ()}
_MIN_SEQUENCE: Final = _BOUNDS["sequence", "minimum"]
_MAX_SEQUENCE: Final = _BOUNDS["sequence", "maximum"]


# A fleet has few components and many events: a hit takes a third of the time of the match.
@lru_cache(maxsize=256)
def is_token(text: str) -> bool:
    """Return True if text is usable as one token of a subject."""
    return _match_token(text) is not None


def check_component(component: object) -> str | None:
    """Return the problem with a component as one token of a subject, or None."""
    problem = _check_text(component)
    if problem or (isinstance(component, str) and is_token(component)):
        return problem
    return f"must be one token of the subject, 1 to 128 of the characters A-Z a-z 0-9 _ -, not {quoted(component)}"


def _check_text(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a string, not {quoted(value)}"
    if not value.strip():
        return "must not be empty"
    if not any(char.isprintable() and char != " " for char in value):
        return f"must contain visible characters, not only {quoted(value)}"
    if _find_control(value):
        return f"must not contain control characters or lone surrogates, as {quoted(value)} does"
    return None


def _check_integer(value: object, high: float = 2**63 - 1) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"must be an integer, not {quoted(value)}"
    return None if -(2**63) <= value <= high else "must fit into 64 bits"


def _check_sequence(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value < _MIN_SEQUENCE:
        return "must not be negative"
    return _check_integer(value, _MAX_SEQUENCE)


def _check_event_type(value: object) -> str | None:
    if value in GOVERNOR_EVENT_TYPES:
        return None
    return f"must be one of {', '.join(GOVERNOR_EVENT_TYPES)}, not {quoted(value)}"


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
    """Return the names of an event class's options: all fields but the protocol, which is fixed."""
    return tuple(field.name for field in fields(cls) if field.name != "protocol")


def event_factory(cls: type[E], protocol: str) -> Callable[[dict[str, Any]], E]:
    """Return a function that creates an event from a dictionary of options, or reports all problems in one OptionError.

    Args:
        cls: a generated event class.
        protocol: the protocol of its events.
    """
    names = option_names(cls)
    texts = tuple(name for name in names if name not in _DEFAULTS)
    # The events that an unexpected option belongs to.
    owners = {name: [type_name(other) for other in EVENT_CLASSES if name in option_names(other)] for name in _CHECKS}

    def make_checked(options: Mapping[str, object]) -> E:
        """Check each option by itself and create the event, or raise OptionError with all problems."""
        given = {name: value for name, value in options.items() if value is not None or name not in _DEFAULTS}
        missing = tuple(name for name in texts if name not in given)
        unexpected = tuple(name for name in given if name not in names)
        invalid = {name: problem for name in names if name in given and (problem := _CHECKS[name](given[name]))}
        if missing or unexpected or invalid:
            problems = [f"missing {', '.join(missing)}"] if missing else []
            problems += [_unexpected_option(name, owners.get(name, [])) for name in unexpected]
            problems += [f"{name} {problem}" for name, problem in invalid.items()]
            message = f"cannot create the {cls.__name__.lower()} event: {'; '.join(problems)}"
            raise OptionError(message, missing=missing, unexpected=unexpected, invalid=tuple(invalid))
        values: dict[str, Any] = {name: given[name] if name in given else _DEFAULTS[name]() for name in names}
        values["protocol"] = protocol
        return cls(**values)

    get_texts, count = itemgetter(*texts), len(texts)
    # The __init__ of a frozen dataclass calls object.__setattr__ for each field; setting the slots through their
    # descriptors takes half the time.
    set_protocol, set_id, set_timestamp = (getattr(cls, name).__set__ for name in ("protocol", "id", "timestamp"))
    set_identity, set_component, *set_others = (getattr(cls, name).__set__ for name in texts)
    others = tuple(enumerate(set_others, start=2))
    set_sequence = getattr(cls, "sequence").__set__ if "sequence" in names else None  # noqa: B009 - only Governor has it
    create, clock = object.__new__, time.time

    def make(options: dict[str, Any]) -> E:
        """Create an event quickly from plainly valid options; leave all others to make_checked."""
        try:
            values = get_texts(options)
            joined = "".join(values)
        except (KeyError, TypeError):
            return make_checked(options)
        given, sequence = len(options), 0
        if set_sequence is not None:  # a governor event has two options that need more checks
            sequence = options.get("sequence", 0)
            given -= "sequence" in options
            if (
                type(sequence) is not int
                or not _MIN_SEQUENCE <= sequence <= _MAX_SEQUENCE
                or options["event_type"] not in GOVERNOR_EVENT_TYPES
            ):
                return make_checked(options)
        plain = given == count and joined.isprintable() and " " not in joined and all(values)
        if not plain or not is_token(values[1]):
            return make_checked(options)
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
    return f"unknown option {safe(option, 60)}" + (f", did you mean {close[0]}?" if close else "")
