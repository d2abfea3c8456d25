"""The quick way to create events, and to check them before they are published.

It is for plainly valid events only: the thorough checks decide about all others. Its functions are compiled from source
for each class, like the `__init__` of a dataclass; loops over the fields would take twice as long.
"""

from __future__ import annotations

from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Final, TypeVar

from choria_lifecycle.events.event import EVENT_CONTRACTS, Event, type_name
from choria_lifecycle.events.options import GENERATED, OPTIONS, Option, enforces_contract, event_factory, is_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

    E = TypeVar("E", bound=Event)

__all__ = ["compile_test", "is_plain_event", "quick_factory"]

# No field begins with an underscore, so none hides another name.
_FACTORY: Final = """
def {type_name}(*_arguments, {parameters}, **_others):
    if {conditions} and not _others and not _arguments:
        _event = _Draft()
        {assignments}
        _event.__class__ = _cls
        return _event
    return _make_checked(*_arguments, {options}, **_others)
"""


def quick_factory(cls: type[E], defaults: Mapping[str, object]) -> Callable[..., E]:
    """Return a factory like that of `event_factory`, which takes half the time for plainly valid options."""
    make_checked, options = event_factory(cls, defaults), OPTIONS[cls]
    conditions = [_given_condition(option) for option in options.values()]
    if "" in conditions or not enforces_contract(cls):
        return make_checked
    absent = dict.fromkeys(options, "_MISSING") | dict.fromkeys(GENERATED, "None")
    absent |= {name: repr(default) for name, default in defaults.items()}
    values = {"protocol": "_protocol"} | {name: f"_{name}()" if name in GENERATED else name for name in options}
    source = _FACTORY.format(
        type_name=type_name(cls),
        parameters=", ".join(f"{name}={value}" for name, value in absent.items()),
        conditions=" and ".join(conditions),
        assignments="; ".join(f"_event.{name} = {value}" for name, value in values.items()),
        options=", ".join(f"{name}={name}" for name in options),
    )
    # The __init__ of a frozen dataclass calls object.__setattr__ for each field. Filling an object of a mutable class
    # with the same slots, and changing its class, takes a sixth of the time.
    draft = type("_Draft", (), {"__slots__": tuple(values)})
    own = {"_Draft": draft, "_cls": cls, "_make_checked": make_checked, "_protocol": EVENT_CONTRACTS[cls].protocol}
    names: dict[str, Any] = _GLOBALS | own
    exec(_compiled(source, "exec"), names)  # noqa: S102
    factory: Callable[..., E] = names[type_name(cls)]
    return factory


def is_plain_event(event: Event) -> bool:
    """Return True if `parse` accepts what `encode` makes of an event; if False, only `parse` can tell.

    The size is up to the caller.
    """
    return _TESTS[type(event)](event)


class _Tests(dict[type[Any], "Callable[[Event], bool]"]):
    """The tests of `is_plain_event` by class, each made on first use."""

    def __missing__(self, cls: type[Any]) -> Callable[[Event], bool]:
        conditions = [""]
        if cls in OPTIONS and enforces_contract(cls):
            protocol = Option(name="protocol", kind=str, required=True, choices=(EVENT_CONTRACTS[cls].protocol,))
            conditions = [_condition(option, f"event.{option.name}") for option in (protocol, *OPTIONS[cls].values())]
        self[cls] = test = compile_test("event", conditions if all(conditions) else ["False"])
        return test


_TESTS: Final = _Tests()


def compile_test(parameters: str, conditions: Iterable[str], **names: object) -> Callable[..., Any]:
    """Return a function whose result is true if all conditions hold, which are given as source.

    Args:
        parameters: the parameters of the function, as source.
        conditions: the conditions.
        **names: the values of other names in them.
    """
    source = f"lambda {parameters}: {' and '.join(conditions) or True}"
    test: Callable[..., Any] = eval(_compiled(source, "eval"), _GLOBALS | names)  # noqa: S307
    return test


def _compiled(source: str, mode: str) -> CodeType:
    """Compile source, under the name of this file.

    Running text instead would make Python forget that a KeyboardInterrupt ends the process, if a service checks its
    shutdown event then: the exit code would be 1.
    """
    code: CodeType = compile(source, __file__, mode)
    return code


def _condition(option: Option, value: str) -> str:
    """Return a condition under which a value keeps to the contract, as source; empty if no expression can tell."""
    if not option.required or option.kind is None or (option.choices and option.kind is int):
        return ""
    if option.kind is int:
        return f"_type({value}) is _int and {option.low} <= {value} <= {option.high}"
    valid = f"{value} in {option.choices}" if option.choices else f"{value} != ''"
    return f"_type({value}) is _str and {valid}"


def _given_condition(option: Option) -> str:
    """Return a condition under which an option is valid or absent, as source; empty if only `Option.check` can tell."""
    name = option.name
    if name in GENERATED:
        return f"{name} is None"
    if option.kind is not str or option.choices or not option.required:
        return _condition(option, name)
    plain = f"_is_token({name})" if name == "component" else f"({name} in _plain_texts or _is_plain({name}))"
    return f"_type({name}) is _str and {plain}"


# A fleet has few texts and many events: looking a text up takes a fifth of the time of its check.
_plain_texts: Final[set[str]] = set()


def _is_plain(text: str) -> bool:
    """Return True if a text is printable, without spaces; remember it, within bounds."""
    if not text or not text.isprintable() or " " in text:
        return False
    if len(text) <= _MAX_REMEMBERED_LENGTH:
        if len(_plain_texts) >= _MAX_REMEMBERED:
            _plain_texts.clear()
        _plain_texts.add(text)
    return True


_MAX_REMEMBERED: Final = 4096
_MAX_REMEMBERED_LENGTH: Final = 128

_GLOBALS: Final[dict[str, Any]] = {
    "_MISSING": MISSING,
    "_int": int,
    "_is_plain": _is_plain,
    "_is_token": is_token,
    "_plain_texts": _plain_texts,
    "_str": str,
    "_type": type,
    **{f"_{name}": generate for name, generate in GENERATED.items()},
}
