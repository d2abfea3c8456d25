from __future__ import annotations

import dataclasses
import enum
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle import Format
from choria_lifecycle.events import event as events
from choria_lifecycle.events import options, quick
from choria_lifecycle.middleware import middleware
from choria_schemas.lifecycle.v1 import Startup
from tests.bed import strategies
from tests.bed.near_misses import BOUNDED
from tests.bed.samples import make_event

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = tuple(events.EVENT_CONTRACTS)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Name(enum.StrEnum):
    SERVER = "server"


class Impostor:
    """An object that equals a text without being one."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return other == self.text


TEXTS = ("", " ", "n1", "n 1", " n1 ", "a.b", "é", "\u200b", "\ud800", "\x00", "x" * 129, "x" * 65536, "enter", "exits")
OTHERS = (None, True, False, 1.0, b"n1", ["n1"], {}, Text("n1"), Text(""), Text("\ud800"), Name.SERVER, Impostor("n1"))
NUMBERS = (0, 5, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**400, Number(5), Number(2**70))
VALUES = st.one_of(st.sampled_from((*TEXTS, *OTHERS, *NUMBERS)), strategies.TEXTS, strategies.INTEGERS)
USUAL = {"id": "5", "identity": "n1", "timestamp": 1795336436, "sequence": 3, "event_type": "enter"}


@st.composite
def changed_events(draw: st.DrawFn) -> Any:
    """Return an event of any class, in which up to two fields have any value."""
    cls = draw(st.sampled_from(CLASSES))
    names = [field.name for field in dataclasses.fields(cls)]
    usual = {name: USUAL.get(name, "server") for name in names} | {"protocol": events.EVENT_CONTRACTS[cls].protocol}
    changes = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=2))
    if draw(st.booleans()):
        every = [spelling for contract in events.EVENT_CONTRACTS.values() for spelling in contract.protocols]
        changes["protocol"] = draw(st.sampled_from(every))
    return cls(**usual | changes)


def outcome(function: Callable[[], object]) -> object:
    """Return the result of a function, or its error with everything that callers can see of it."""
    try:
        return function()
    except (lifecycle.LifecycleError, TypeError) as error:
        return type(error), str(error), {name: repr(value) for name, value in vars(error).items()}


@given(changed_events(), st.sampled_from(Format))
@BOUNDED
def test_a_plain_event_is_accepted_once_encoded(event: Any, format: Format) -> None:
    if not quick.is_plain_event(event):
        return
    try:
        data = lifecycle.encode(event, format)
    except lifecycle.InvalidEvent:
        return
    assert lifecycle.parse(data, max_size=len(data)) == event


@given(changed_events(), st.sampled_from(Format))
@BOUNDED
def test_publishing_refuses_exactly_what_receivers_reject(event: Any, format: Format) -> None:
    def read_again() -> object:
        data = lifecycle.encode(event, format)
        lifecycle.parse(data)
        return lifecycle.subject(event), data

    assert outcome(lambda: middleware._message(event, format)) == outcome(read_again)


@pytest.mark.parametrize("cls", CLASSES)
def test_usual_events_are_plain(cls: type[Any]) -> None:
    event = make_event(events.type_name(cls))
    assert quick.is_plain_event(event)
    for field in dataclasses.fields(cls):
        for value in (None, True, "", -(2**63) - 1, Text("n1"), Number(5)):
            assert not quick.is_plain_event(dataclasses.replace(event, **{field.name: value}))


def test_an_event_with_its_protocol_in_the_old_spelling_is_not_plain() -> None:
    protocol: Any = "choria:lifecycle:startup:1"
    assert not quick.is_plain_event(dataclasses.replace(make_event(), protocol=protocol))


@given(st.data())
@BOUNDED
def test_the_quick_factory_agrees_with_the_thorough_one(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from(CLASSES))
    defaults = {name: 7 for name in ("sequence",) if name in options.OPTIONS[cls]}
    names = [name for name in options.OPTIONS[cls] if name not in options.GENERATED]
    given_options: dict[str, Any] = {name: USUAL.get(name, "server") for name in names if name not in defaults}
    for name in data.draw(st.sets(st.sampled_from(names), max_size=1)):
        given_options.pop(name, None)
    given_options |= data.draw(
        st.dictionaries(st.sampled_from([*names, "id", "timestamp", "other"]), VALUES, max_size=2)
    )
    outcomes = [
        outcome(lambda factory=factory: dataclasses.asdict(factory(**given_options)))
        for factory in (quick.quick_factory(cls, defaults), options.event_factory(cls, defaults))
    ]
    for found in outcomes:
        for name in options.GENERATED:
            if isinstance(found, dict) and given_options.get(name) is None:
                assert type(found.pop(name)) in (str, int)
    assert outcomes[0] == outcomes[1]


def test_texts_are_remembered_within_bounds() -> None:
    for number in range(quick._MAX_REMEMBERED + 10):
        lifecycle.shutdown(identity=f"n{number}.example.net", component="server")
    assert 0 < len(quick._plain_texts) <= quick._MAX_REMEMBERED
    long = "x" * (quick._MAX_REMEMBERED_LENGTH + 1)
    assert lifecycle.shutdown(identity=long, component="server").identity == long
    assert long not in quick._plain_texts


def test_fields_may_have_the_names_of_builtins_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = dict.fromkeys(("protocol", "id", "component", "event", "type", "time"), str)
    fields = [*texts.items(), ("str", Literal["a"]), ("int", int), ("timestamp", int)]
    odd = dataclasses.make_dataclass("Odd", fields, frozen=True, kw_only=True, slots=True)
    contract = dataclasses.replace(events.EVENT_CONTRACTS[Startup], bounds=())
    monkeypatch.setitem(events.EVENT_CONTRACTS, odd, contract)  # type: ignore[arg-type]
    monkeypatch.setitem(events.TYPE_NAMES, odd, "odd")  # type: ignore[arg-type]
    monkeypatch.setitem(options.OPTIONS, odd, options._derive(odd))  # type: ignore[arg-type]
    values: dict[str, Any] = {"component": "server", "event": "e", "type": "t", "str": "a", "int": 5, "time": "x"}
    event: Any = quick.quick_factory(odd, {})(**values)  # type: ignore[type-var]
    assert type(event) is odd
    assert dataclasses.asdict(event).items() >= values.items()
    assert event.timestamp <= time.time()
    assert quick.is_plain_event(event)
    assert not quick.is_plain_event(dataclasses.replace(event, int="5"))
