from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_schemas.lifecycle.v1 import Startup
from choria_schemas.registry import CONTRACTS
from tests.bed.samples import OPTIONS, every_type, make_event
from tests.interop import record

# What Go's viewer shows, but for characters that are not plainly visible, which are escaped here.
_, EVENTS = record.load(record.EVENTS)
LINES = [case for case in EVENTS if "text" in case and "text" not in case.get("reasons", {})]


@pytest.mark.parametrize("case", LINES, ids=[case["name"] for case in LINES])
def test_descriptions_are_those_of_choria(case: dict[str, Any]) -> None:
    event = CONTRACTS[case["fields"]["protocol"]].cls(**case["fields"])
    assert lifecycle.describe(event) == case["text"]


@every_type
def test_every_type_is_described_with_its_name_and_node(name: str) -> None:
    assert lifecycle.describe(make_event(name)).startswith(f"[{name}] n1.example.net: ")


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
