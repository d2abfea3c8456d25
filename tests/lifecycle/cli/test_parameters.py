"""Durations, and the options of a connection as arguments of the library, there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from choria_lifecycle.cli.parameters import (
    CONNECTION_PARAMETERS,
    MENTIONS,
    ConnectionArguments,
    connection_options,
    duration,
    translate,
)
from choria_lifecycle.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h", 3600), ("500ms", 0.5), ("1h30m", 5400), ("1.5s", 1.5), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "write for example 30s"),
        ("", "not a duration"),
        ("-1s", "not a duration"),
        ("1 s", "not a duration"),
        ("s", "not a duration"),
        ("1w", "not a duration"),
        ("1s\n", "not a duration"),
        ("٣s", "not a duration"),
        ("0s", "more than zero"),
        ("400d", "at most 366d"),
        ("9" * 400 + "s", "at most 366d"),
    ],
)
def test_other_texts_are_not_durations(text: str, hint: str) -> None:
    with pytest.raises(click.BadParameter, match=hint) as caught:
        duration(text)
    assert caught.value.message.isprintable()


def test_options_that_are_not_given_are_left_to_the_library() -> None:
    assert ConnectionArguments().arguments() == {
        "servers": None,
        "config": None,
        "tls": None,
        "creds": None,
        "user": None,
        "password": None,
        "ca": None,
        "cert": None,
        "key": None,
        "timeout": 5.0,
    }


def test_only_no_tls_turns_tls_off() -> None:
    assert ConnectionArguments(no_tls=True).arguments()["tls"] is False


@pytest.mark.parametrize("text", ["secret", "secret\n", "secret\r\n"])
def test_a_password_is_the_first_line_of_its_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(text.encode())
    assert ConnectionArguments(password_file=file).arguments()["password"] == "secret"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="password") as caught:
        ConnectionArguments(password_file=file).arguments()
    assert str(file) in str(caught.value)


def test_every_option_of_a_connection_translates_its_argument(tmp_path: Path) -> None:
    """What an option sets is the argument that its flag stands for in a message."""
    password = tmp_path / "password"
    password.write_text("secret")
    given: dict[str, Any] = {"server": ("a",), "no_tls": True, "timeout": 1.0, "password_file": password}

    def seen(**connection: Any) -> None: ...

    command = click.Command("x", params=[], callback=connection_options(seen))
    options = {option.name: option for option in getattr(command.callback, "__click_params__", [])}
    assert set(options) == set(CONNECTION_PARAMETERS)
    default = ConnectionArguments().arguments()
    flags = {flag: mention for mention, flag in MENTIONS.items()}
    for name in CONNECTION_PARAMETERS:
        arguments = ConnectionArguments(**{name: given.get(name, tmp_path)}).arguments()
        [changed] = [argument for argument in arguments if arguments[argument] != default[argument]]
        [flag] = options[name].opts
        assert flags[flag] == ("tls=False" if name == "no_tls" else f"{changed}=")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("remove tls=False", "remove --no-tls"),
        ("correct config=, or ca=.", "correct --config, or --tlsca."),
        ("(`cert=` and key=): both", "(`--tlscert` and --tlskey): both"),
        ("see choria_lifecycle.doctor.check_connection().", "see 'lifecycle config check'."),
        # Not of the library: paths, settings and longer words.
        ("ca=/etc/ca.pem", "ca=/etc/ca.pem"),
        ("/srv/ca= is a directory", "/srv/ca= is a directory"),
        ("tls=Falsehood, mytls=False, my-ca=, .ca=, tls=", "tls=Falsehood, mytls=False, my-ca=, .ca=, tls="),
    ],
)
def test_a_message_of_the_library_is_shown_with_flags(message: str, shown: str) -> None:
    assert translate(message) == shown
