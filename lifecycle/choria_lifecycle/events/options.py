"""The options of the event factories, and their checks.

The schemas permit empty names and components that are not valid subject tokens. Choria documents stricter rules without
enforcing them; here they are enforced for events that are created, not for events that are parsed.
"""

from __future__ import annotations

import re
import time
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args, get_origin

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.document import plain
from choria_lifecycle.events.event import EVENT_CONTRACTS, Event, type_name
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.text import quoted, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    E = TypeVar("E", bound=Event)

__all__ = ["GENERATED", "OPTIONS", "Option", "check_component", "enforces_contract", "event_factory", "is_token"]

_find_control = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
_match_token = re.compile(r"[A-Za-z0-9_-]{1,128}").fullmatch


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


def _check_integer(value: object, low: float, high: float) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"must be an integer, not {quoted(value)}"
    if low <= value <= high:
        return None
    if value < low == 0:
        return "must not be negative"
    wide = low in (-(2**63), 0) and high in (2**63 - 1, 2**64 - 1)
    return "must fit into 64 bits" if wide else f"must be {low} to {high}, not {quoted(value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of a factory, derived from a field of the event's class and the bounds in its contract.

    Attributes:
        name: the name of the field.
        kind: `str` or `int`; None for a type that only the contract describes, such as an object.
        required: whether the contract requires the field.
        choices: the permitted values; empty if there is no list.
        low: the lowest integer.
        high: the highest integer.
    """

    name: str
    kind: type[str | int] | None
    required: bool
    choices: tuple[object, ...] = ()
    low: int = -(2**63)
    high: int = 2**63 - 1

    def check(self, value: object) -> str | None:
        """Return the problem with a value, or None."""
        if self.choices:
            listed = ", ".join(map(str, self.choices))
            valid = value in self.choices and not isinstance(value, bool)
            return None if valid else f"must be one of {listed}, not {quoted(value)}"
        if self.kind is int:
            return _check_integer(value, self.low, self.high)
        if self.kind is None:
            return None
        return check_component(value) if self.name == "component" else _check_text(value)


def _derive(cls: type[Any]) -> Mapping[str, Option]:
    bounds: dict[str, dict[str, Any]] = {}
    for name, keyword, bound in EVENT_CONTRACTS[cls].bounds or ():
        bounds.setdefault(name, {})[{"minimum": "low", "maximum": "high"}.get(keyword, keyword)] = bound
    options: dict[str, Option] = {}
    for field in fields(cls):
        if field.name == "protocol":
            continue
        # Generated modules do not postpone the evaluation of annotations: `type` is a type.
        kind: Any = field.type
        required = field.default is MISSING
        if not required and NoneType in get_args(kind):
            kind = get_args(kind)[0]  # None stands for an absent field
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        kind = type(choices[0]) if choices else kind
        limits = bounds.get(field.name, {}) if kind is int else {}
        options[field.name] = Option(
            name=field.name,
            kind=kind if kind in (str, int) else None,
            required=required,
            choices=choices,
            **limits,
        )
    return options


OPTIONS: Final[Mapping[type[Any], Mapping[str, Option]]] = {cls: _derive(cls) for cls in EVENT_CONTRACTS}
"""The options of each event class by name: all fields but the protocol, which is fixed."""

GENERATED: Final[Mapping[str, Callable[[], object]]] = {"id": uuid4, "timestamp": lambda: int(time.time())}
"""Functions that return the values of options which the caller leaves out."""


def event_factory(cls: type[E], defaults: Mapping[str, object]) -> Callable[..., E]:
    """Return a function that creates an event from keyword arguments, or reports all problems in one OptionError.

    Args:
        cls: a generated event class.
        defaults: the values of options that may be absent, MISSING or None. An id and a timestamp are made for each
            event, and optional fields are left out.
    """
    contract, options = EVENT_CONTRACTS[cls], OPTIONS[cls]
    protocol = contract.protocol
    optional = {
        name for name, option in options.items() if name in GENERATED or name in defaults or not option.required
    }
    enforced = enforces_contract(cls)

    def make_checked(*arguments: object, **given: object) -> E:
        """Check each option by itself and create the event, or raise OptionError with all problems."""
        if arguments:
            raise TypeError(f"{type_name(cls)}() takes keyword arguments only")
        given = {
            name: value
            for name, value in given.items()
            if value is not MISSING and (value is not None or name not in optional)
        }
        missing = tuple(name for name in options if name not in given and name not in optional)
        unexpected = tuple(name for name in given if name not in options)
        problems = {
            name: problem
            for name, option in options.items()
            if name in given and (problem := option.check(given[name]))
        }
        values: dict[str, Any] = {"protocol": protocol}
        for name in options:
            if name in given:
                values[name] = given[name]
            elif name in GENERATED:
                values[name] = GENERATED[name]()
            elif name in defaults:
                values[name] = defaults[name]
        if not (enforced or missing or unexpected or problems):
            try:
                values = {name: plain(value) for name, value in values.items()}
            except ValueError as error:
                raise OptionError(f"cannot create the {type_name(cls)} event: {error}") from None
            problems = {
                _path(violation.name): str(violation.message).removeprefix(f"{violation.name} ")
                for violation in contract.violations(values)
            }
        if missing or unexpected or problems:
            texts = [f"missing {', '.join(missing)}"] if missing else []
            texts += [_unexpected_option(name, cls) for name in unexpected]
            texts += [f"{path} {problem}" for path, problem in problems.items()]
            message = f"cannot create the {type_name(cls)} event: {'; '.join(texts)}"
            invalid = tuple(dict.fromkeys(map(_top_level_name, problems)))
            raise OptionError(message, missing=missing, unexpected=unexpected, invalid=invalid)
        return cls(**values) if enforced else _convert(values, cls)

    return make_checked


def enforces_contract(cls: type[Any]) -> bool:
    """Return True if the checks of the options enforce the whole contract of an event class."""
    bounds, options = EVENT_CONTRACTS[cls].bounds, OPTIONS[cls]
    return bounds is not None and all(
        (keyword in ("minimum", "maximum") and options[name].kind is int) or (keyword, bound) == ("minLength", 1)
        for name, keyword, bound in bounds
    )


def _path(name: str) -> str:
    """Return the path of a violation, which the validator counts from `data`."""
    return name.removeprefix("data").removeprefix(".") or "event"


def _top_level_name(path: str) -> str:
    """Return the field of a path such as `check.name[0]`, where the validator found a violation."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _convert(values: dict[str, Any], cls: type[E]) -> E:
    """Create an event from valid values, with objects of the generated classes in place of dictionaries."""
    import msgspec  # here, because a program that only creates plain events does without

    try:
        return msgspec.convert(values, cls)
    except msgspec.ValidationError as error:  # JSON Schema takes 2.0 for an integer
        raise OptionError(f"cannot create the {type_name(cls)} event: {error}") from None


def _unexpected_option(option: str, cls: type[Any]) -> str:
    owners = {other: type_name(other) for other, options in OPTIONS.items() if option in options}
    if owners:
        # Another version of the type is named by its protocol.
        own = type_name(cls)
        names = {EVENT_CONTRACTS[other].protocol if name == own else name for other, name in owners.items()}
        return f"{option} belongs to {', '.join(sorted(names))}"
    close = get_close_matches(option, {name for options in OPTIONS.values() for name in options}, n=1)
    return f"unknown option {safe(option, 60)}" + (f", did you mean {close[0]}?" if close else "")
