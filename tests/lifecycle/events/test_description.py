from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_schemas.lifecycle.v1 import Startup
from tests.bed.samples import OPTIONS

LINES = [
    ("startup", {}, "[startup] n1.example.net: server version 0.30.2"),
    ("alive", {}, "[alive] n1.example.net: server version 0.30.2"),
    ("upgraded", {}, "[upgraded] n1.example.net: server version 0.30.1 to 0.30.2"),
    ("shutdown", {}, "[shutdown] n1.example.net: server"),
    ("provisioned", {}, "[provisioned] n1.example.net: server"),
    ("governor", {"sequence": 10}, "[governor] n1.example.net: obtained slot 10 on PUPPET"),
    ("governor", {}, "[governor] n1.example.net: obtained slot on PUPPET"),
    ("governor", {"event_type": "exit", "sequence": 10}, "[governor] n1.example.net: vacated slot 10 on PUPPET"),
    ("governor", {"event_type": "exit"}, "[governor] n1.example.net: vacated PUPPET"),
    ("governor", {"event_type": "timeouts"}, "[governor] n1.example.net: failed to obtain a slot on PUPPET"),
    ("governor", {"event_type": "eviction", "sequence": 1}, "[governor] n1.example.net: evicted from slot 1 on PUPPET"),
    ("governor", {"event_type": "eviction"}, "[governor] n1.example.net: evicted from PUPPET"),
]


@pytest.mark.parametrize(("name", "options", "line"), LINES)
def test_descriptions_are_those_of_choria(name: str, options: dict[str, Any], line: str) -> None:
    assert lifecycle.describe(lifecycle.new(name, **OPTIONS[name] | options)) == line


def test_a_description_stays_on_one_line() -> None:
    event = Startup(
        protocol="io.choria.lifecycle.v1.startup",
        id="1",
        identity="a\n10:00:00 [startup] b: server",
        component="\x1b[2J",
        timestamp=0,
        version="\u202e",
    )
    assert lifecycle.describe(event) == ("[startup] a\\n10:00:00 [startup] b: server: \\x1b[2J version \\u202e")


def test_a_governor_event_type_outside_of_the_contract_is_described() -> None:
    event = dataclasses.replace(lifecycle.governor(**OPTIONS["governor"]), event_type="x")  # type: ignore[arg-type]
    assert lifecycle.describe(event) == "[governor] n1.example.net: unknown stage on Governor PUPPET"


@pytest.mark.parametrize("value", [None, 5, float("nan"), [], {}, "\x1b", object()])
@pytest.mark.parametrize("field", ["identity", "component", "governor", "sequence", "event_type", "timestamp"])
def test_values_that_no_factory_accepts_are_described_safely(field: str, value: Any) -> None:
    event = dataclasses.replace(lifecycle.governor(**OPTIONS["governor"]), **{field: value})
    assert lifecycle.describe(event).isprintable()
    try:
        lifecycle.event_time(event)
    except lifecycle.InvalidEvent as error:
        assert field == "timestamp"
        assert str(error).isprintable()
