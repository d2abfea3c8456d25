from __future__ import annotations

import dataclasses
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import OptionError
from choria_schemas.lifecycle.v1 import Alive, Governor, Provisioned, Shutdown, Startup, Upgraded
from tests.bed.samples import BASE, OPTIONS, every_type

CLASSES = {
    "alive": Alive,
    "governor": Governor,
    "provisioned": Provisioned,
    "shutdown": Shutdown,
    "startup": Startup,
    "upgraded": Upgraded,
}


def test_event_types() -> None:
    assert lifecycle.EVENT_TYPES == ("alive", "governor", "provisioned", "shutdown", "startup", "upgraded")


@every_type
def test_protocol_id_and_timestamp_are_filled_in(name: str) -> None:
    before = int(time.time())
    event = getattr(lifecycle, name)(**OPTIONS[name])
    assert type(event) is CLASSES[name]
    assert event.protocol == f"io.choria.lifecycle.v1.{name}"
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
    assert CLASSES[name](**values) == event
    assert hash(CLASSES[name](**values)) == hash(event)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.identity = "other"


@every_type
def test_one_error_names_every_missing_option(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        getattr(lifecycle, name)()
    assert set(caught.value.missing) == set(OPTIONS[name])
    assert all(option in str(caught.value) for option in OPTIONS[name])
    for option in OPTIONS[name]:
        rest = {given: value for given, value in OPTIONS[name].items() if given != option}
        with pytest.raises(OptionError, match=rf"^cannot create the {name} event: missing {option}$") as caught:
            lifecycle.new(name, **rest)
        assert caught.value.missing == (option,)


def test_an_option_of_another_event_is_reported_with_its_events() -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.shutdown(**BASE, version="1", new_version="2", event_type="enter")
    assert caught.value.unexpected == ("version", "new_version", "event_type")
    assert "version belongs to alive, startup, upgraded" in str(caught.value)
    assert "new_version belongs to upgraded" in str(caught.value)
    assert "event_type belongs to governor" in str(caught.value)


def test_a_misspelt_option_is_reported_with_the_likely_one() -> None:
    with pytest.raises(OptionError, match="unknown option identiy, did you mean identity\\?") as caught:
        lifecycle.startup(identiy="n1", component="server", version="1")  # type: ignore[call-arg]
    assert caught.value.unexpected == ("identiy",)
    assert caught.value.missing == ("identity",)
    with pytest.raises(OptionError, match=r"unknown option protocol$"):
        lifecycle.startup(**OPTIONS["startup"], protocol="io.choria.lifecycle.v1.alive")


def test_one_error_reports_all_problems() -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.new("startup", identity="", component="a.b", sequence=1)
    assert caught.value.missing == ("version",)
    assert caught.value.unexpected == ("sequence",)
    assert caught.value.invalid == ("identity", "component")


@pytest.mark.parametrize("option", ["identity", "component", "version", "new_version", "id"])
@pytest.mark.parametrize(
    "value", ["", " ", "\t\n", "\u2003", "a\nb", "a\x00", "\x1b[2J", "a\x7f", "a\x9b", "\ud800", 5, True, b"x", ["x"]]
)
def test_unusable_strings_are_rejected(option: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.new("upgraded", **OPTIONS["upgraded"] | {option: value})
    assert caught.value.invalid == (option,)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("option", ["identity", "component", "version"])
def test_none_is_not_a_string(option: str) -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.new("startup", **OPTIONS["startup"] | {option: None})
    assert caught.value.invalid == (option,)


@pytest.mark.parametrize("identity", ["n1", "é", "漢字", "a b", "a\u2028b", "<>&", '"', "\\", "😀", "a\xa0b"])
def test_all_other_strings_are_accepted(identity: str) -> None:
    assert lifecycle.shutdown(identity=identity, component="server").identity == identity


@pytest.mark.parametrize("component", ["server", "provision_mode_server", "CLI", "a-b", "A0_", "x" * 128])
def test_components_that_are_valid_tokens(component: str) -> None:
    assert lifecycle.shutdown(identity="n1", component=component).component == component


@pytest.mark.parametrize("component", ["a.b", "*", ">", "a b", "é", "x" * 129, "a\n", "a/b", "."])
def test_components_that_are_not_valid_tokens(component: str) -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.shutdown(identity="n1", component=component)
    assert caught.value.invalid == ("component",)


@pytest.mark.parametrize("value", ["1", 1.0, True, 2**63, -(2**63) - 1, [1]])
def test_timestamps_are_64_bit_integers(value: object) -> None:
    with pytest.raises(OptionError) as caught:
        lifecycle.new("shutdown", **BASE, timestamp=value)
    assert caught.value.invalid == ("timestamp",)


def test_governor_options() -> None:
    assert lifecycle.governor(**OPTIONS["governor"]).sequence == 0
    assert lifecycle.governor(**OPTIONS["governor"], sequence=10).sequence == 10
    assert lifecycle.governor(**OPTIONS["governor"], sequence=None).sequence == 0
    for wrong in (-1, True, "1", 1.0, 2**63):
        with pytest.raises(OptionError, match="sequence must") as caught:
            lifecycle.new("governor", **OPTIONS["governor"], sequence=wrong)
        assert caught.value.invalid == ("sequence",)
    for stage in ("enter", "exit", "timeouts", "eviction"):
        assert lifecycle.governor(**OPTIONS["governor"] | {"event_type": stage}).event_type == stage
    for unknown in ("timeout", "", None, 1, ["enter"]):
        with pytest.raises(OptionError, match="must be one of enter, exit, timeouts, eviction"):
            lifecycle.new("governor", **OPTIONS["governor"] | {"event_type": unknown})


@pytest.mark.parametrize("name", ["Startup", "", "start", None, 3, [], "governor "])
def test_new_lists_the_types_when_the_type_is_unknown(name: Any) -> None:
    with pytest.raises(
        OptionError, match="type must be one of alive, governor, provisioned, shutdown, startup, upgraded, not "
    ):
        lifecycle.new(name, **BASE)


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


def test_event_time() -> None:
    def at(timestamp: int) -> datetime:
        return lifecycle.event_time(lifecycle.shutdown(**BASE, timestamp=timestamp))

    assert at(1795336436) == datetime(2026, 11, 22, 8, 33, 56, tzinfo=UTC)
    assert at(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert at(-62135596800) == datetime(1, 1, 1, tzinfo=UTC)
    assert at(253402300799) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for beyond in (-62135596801, 253402300800, 2**63 - 1, -(2**63)):
        with pytest.raises(lifecycle.InvalidEvent, match=f"years 1 to 9999.* not {beyond}") as caught:
            at(beyond)
        assert (caught.value.path, caught.value.rule) == ("$.timestamp", "timestamp")
        assert caught.value.value == beyond


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


def test_invisible_text_is_rejected() -> None:
    for invisible in ("\u200b", "\u202e\u2066", "\ufeff"):
        with pytest.raises(OptionError, match="must contain visible characters"):
            lifecycle.shutdown(identity=invisible, component="server")


def test_objects_that_are_not_events_raise_a_type_error() -> None:
    for function in (lifecycle.event_type, lifecycle.event_time, lifecycle.subject, lifecycle.describe):
        with pytest.raises(TypeError, match="dict is not a lifecycle event"):
            function({})  # type: ignore[arg-type]
