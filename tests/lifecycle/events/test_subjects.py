from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import OptionError
from tests.bed.samples import BASE, OPTIONS, every_type


@every_type
def test_subjects(name: str) -> None:
    event = lifecycle.new(name, **OPTIONS[name])
    assert lifecycle.subject(event) == f"choria.lifecycle.event.{name}.server"


@pytest.mark.parametrize("component", ["", "a.b", "*", ">", "a b", 5, None, ["a"]])
def test_an_event_with_an_invalid_component_has_no_subject(component: Any) -> None:
    event = dataclasses.replace(lifecycle.shutdown(**BASE), component=component)
    with pytest.raises(OptionError, match="component must") as caught:
        lifecycle.subject(event)
    assert caught.value.invalid == ("component",)
