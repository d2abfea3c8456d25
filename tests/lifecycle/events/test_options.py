from __future__ import annotations

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import OptionError
from choria_lifecycle.events.options import OPTIONS as EVENT_OPTIONS
from choria_schemas.lifecycle.v1 import Startup
from tests.bed.samples import BASE, LIFECYCLE, OPTIONS, every_type


def test_the_options_are_the_fields_that_vary() -> None:
    assert tuple(EVENT_OPTIONS[Startup]) == ("id", "identity", "component", "timestamp", "version")


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
    for option in caught.value.unexpected:
        owners = [name for name in lifecycle.EVENT_TYPES if option in OPTIONS[name]]
        assert f"{option} belongs to {', '.join(owners)}" in str(caught.value)
    assert "new_version belongs to upgraded" in str(caught.value)


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
    assert lifecycle.governor(**OPTIONS["governor"], sequence=2**64 - 1).sequence == 2**64 - 1
    for wrong in (-1, True, "1", 1.0, 2**64):
        with pytest.raises(OptionError, match="sequence must") as caught:
            lifecycle.new("governor", **OPTIONS["governor"], sequence=wrong)
        assert caught.value.invalid == ("sequence",)
    stages = LIFECYCLE["governor"].schema()["properties"]["event_type"]["enum"]
    for stage in stages:
        assert lifecycle.governor(**OPTIONS["governor"] | {"event_type": stage}).event_type == stage
    for unknown in ("timeout", "", None, 1, ["enter"]):
        with pytest.raises(OptionError, match=f"must be one of {', '.join(stages)}"):
            lifecycle.new("governor", **OPTIONS["governor"] | {"event_type": unknown})


def test_invisible_text_is_rejected() -> None:
    for invisible in ("\u200b", "\u202e\u2066", "\ufeff"):
        with pytest.raises(OptionError, match="must contain visible characters"):
            lifecycle.shutdown(identity=invisible, component="server")
