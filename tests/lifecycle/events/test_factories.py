from __future__ import annotations

import dataclasses
import inspect
import time
import typing
import uuid
from typing import Any

import pydantic
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import OptionError
from choria_lifecycle.events import factories
from tests.bed.samples import BASE, LIFECYCLE, OPTIONS, every_type


def test_the_module_exports_a_factory_for_each_type() -> None:
    assert set(factories.__all__) == {"new", *lifecycle.EVENT_TYPES}


@every_type
def test_protocol_id_and_timestamp_are_filled_in(name: str) -> None:
    before = int(time.time())
    event = getattr(lifecycle, name)(**OPTIONS[name])
    assert type(event) is LIFECYCLE[name].cls
    assert event.protocol == LIFECYCLE[name].protocol
    assert uuid.UUID(event.id).version == 4
    assert before <= event.timestamp <= int(time.time())
    assert {option: getattr(event, option) for option in OPTIONS[name]} == OPTIONS[name]
    assert lifecycle.event_type(event) == name
    assert event != getattr(lifecycle, name)(**OPTIONS[name])


@every_type
def test_id_and_timestamp_can_be_given(name: str) -> None:
    make = getattr(lifecycle, name)
    event = make(**OPTIONS[name], id="my-id", timestamp=-5)
    assert (event.id, event.timestamp) == ("my-id", -5)
    filled = make(**OPTIONS[name], id=None, timestamp=None)
    assert uuid.UUID(filled.id)
    assert filled.timestamp > 0
    assert lifecycle.new(name, **OPTIONS[name], id="my-id", timestamp=-5) == event


@every_type
def test_factories_and_constructors_create_equal_events(name: str) -> None:
    event = getattr(lifecycle, name)(**OPTIONS[name])
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    constructed = LIFECYCLE[name].cls(**values)
    assert constructed == event
    assert hash(constructed) == hash(event)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.identity = "other"


@pytest.mark.parametrize("name", ["Startup", "", "start", None, 3, [], "governor "])
def test_new_lists_the_types_when_the_type_is_unknown(name: Any) -> None:
    with pytest.raises(OptionError, match=f"type must be one of {', '.join(lifecycle.EVENT_TYPES)}, not "):
        lifecycle.new(name, **BASE)


@every_type
def test_the_signature_has_the_fields_of_the_class_and_their_types(name: str) -> None:
    factory = getattr(lifecycle, name)
    cls = LIFECYCLE[name].cls
    signature = inspect.signature(factory)
    types = {field.name: field.type for field in dataclasses.fields(cls) if field.name != "protocol"}
    assert signature.parameters.keys() == types.keys()
    assert signature.return_annotation is cls
    assert typing.get_type_hints(factory)["return"] is cls
    for parameter in signature.parameters.values():
        expected = types[parameter.name]
        assert parameter.kind is parameter.KEYWORD_ONLY
        if parameter.name in OPTIONS[name]:
            assert (parameter.default, parameter.annotation) == (parameter.empty, expected)
        else:
            assert parameter.default in (None, 0)
            assert parameter.annotation == expected | None
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes keyword arguments only$"):
        factory("n1")
    assert pydantic.validate_call(factory)(**OPTIONS[name], timestamp="5").timestamp == 5
