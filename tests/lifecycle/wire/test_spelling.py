from __future__ import annotations

import pytest

from choria_lifecycle.wire import spelling
from choria_lifecycle.wire.spelling import claims_choria, closest_field, closest_protocol, closest_value
from choria_schemas.registry import CONTRACTS

STARTUP = "io.choria.lifecycle.v1.startup"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("io.choria.lifecycle.v1.startpu", STARTUP),
        ("io.choria.lifecycle.v1.Startup", STARTUP),
        ("io.choria.lifecycle.v2.startup", STARTUP),
        ("io.choria.lifecycle.V2.STARTPU", STARTUP),
        ("io.choria.lifecyle.v1.startup", STARTUP),
        ("startup", STARTUP),
        ("start-up", STARTUP),
        ("choria:lifecycle:startpu:1", STARTUP),
        ("choria:lifecycle:startup:2", STARTUP),
        ("io.choria.machine.v1.transitoin", "io.choria.machine.v1.transition"),
        ("io.choria.machine.watcher.exce.v1.state", "io.choria.machine.watcher.exec.v1.state"),
        ("io.choria.lifecycle.v1.reconfigured", None),
        ("io.choria.lifecycle", None),
        ("", None),
        ("com.example.billing.v1.started", None),
        ("choria:transport:1", None),
        ("choria:adapters:choria_streams:output:1", None),
        ("io.choria.registration.v1.inventory", None),
        ("x" * 100_000, None),
    ],
)
def test_the_closest_protocol(name: str, near: str | None) -> None:
    assert closest_protocol(name) == near
    if near is not None:
        assert claims_choria(name)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_every_protocol_is_claimed_in_any_case(name: str) -> None:
    assert claims_choria(name)
    assert claims_choria(name.upper())
    assert closest_protocol(name) == CONTRACTS[name].protocol


@pytest.mark.parametrize("name", ["", " ", "io.choria.lifecycle", "IO.CHORIA.MACHINE.x", "Choria:Lifecycle:x"])
def test_names_that_claim_the_namespace(name: str) -> None:
    assert claims_choria(name)


@pytest.mark.parametrize(
    "name", ["/billing", "com.example", "choria:transport:1", "io.choria.registration.v1.inventory", "x" * 100_000]
)
def test_names_of_others(name: str) -> None:
    assert not claims_choria(name)


def test_the_closest_field_ignores_case_and_separators() -> None:
    known = frozenset({"identity", "new_version", "id"})
    for name, near in (("Identity", "identity"), ("newVersion", "new_version"), ("identty", "identity"), ("pid", None)):
        assert closest_field(name, known) == near


@pytest.mark.parametrize(
    ("value", "near"),
    [("evict", "eviction"), ("Enter", "enter"), ("timeout", "timeouts"), ("left", None), ("e" * 100_000, None)],
)
def test_the_closest_value(value: str, near: str | None) -> None:
    assert closest_value(value, ["enter", "exit", "timeouts", "eviction"]) == near


def test_long_names_are_not_kept() -> None:
    spelling._closest_protocol.cache_clear()
    spelling._closest_value.cache_clear()
    for number in range(3):
        long = f"io.choria.lifecycle.v1.{number}{'x' * 1000}"
        assert closest_protocol(long) is closest_value(long, ["enter"]) is None
    assert spelling._closest_protocol.cache_info().currsize == spelling._closest_value.cache_info().currsize == 0
