"""Durations, and the options of a connection as arguments of the library, there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from choria_lifecycle.cli.parameters import (
    CONNECTION_FLAGS,
    MENTIONS,
    connection_options,
    duration,
    translate,
)
from choria_lifecycle.config.table import CONNECT_TIMEOUT, SETTINGS
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


# The names that users rely on: a rename breaks their programs, units and scripts. None: not settable that way.
PUBLIC = {
    "servers": ("NATS_URL", "--server"),
    "config": (None, "--config"),
    "tls": (None, "--no-tls"),
    "creds": ("NATS_CREDS", "--creds"),
    "nkey": ("NATS_NKEY", None),
    "token": ("NATS_TOKEN", None),
    "token_file": ("NATS_TOKEN_FILE", "--token-file"),
    "user": ("NATS_USER", "--user"),
    "password": ("NATS_PASSWORD", "--password-file"),
    "ca": ("NATS_CA", "--tlsca"),
    "cert": ("NATS_CERT", "--tlscert"),
    "key": ("NATS_KEY", "--tlskey"),
    "name": (None, None),
    "js_domain": ("NATS_JS_DOMAIN", "--js-domain"),
    "js_prefix": (None, "--js-prefix"),
    "timeout": (None, "--timeout"),
}


def test_arguments_variables_and_flags_keep_their_names() -> None:
    arguments = {*CONNECTION_FLAGS, *(name for name, spec in SETTINGS.items() if spec.argument)}
    assert {
        name: ((SETTINGS[name].variable or None) if name in SETTINGS else None, CONNECTION_FLAGS.get(name))
        for name in arguments
    } == PUBLIC


def given(*arguments: object) -> dict[str, Any]:
    """Return the arguments of `connect` for flags."""
    found: list[dict[str, Any]] = []
    command = click.Command("x", callback=connection_options(lambda connection: found.append(connection.arguments())))
    command.params = getattr(command.callback, "__click_params__", [])
    command.main([str(each) for each in arguments], standalone_mode=False)
    return found[0]


def test_options_that_are_not_given_are_left_to_the_library() -> None:
    assert given() == {**dict.fromkeys(CONNECTION_FLAGS), "timeout": CONNECT_TIMEOUT}


def test_only_no_tls_turns_tls_off() -> None:
    assert given("--no-tls")["tls"] is False


@pytest.mark.parametrize("text", ["secret", "secret\n", "secret\r\n"])
def test_a_password_is_the_first_line_of_its_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(text.encode())
    assert given("--password-file", file)["password"] == "secret"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="password") as caught:
        given("--password-file", file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("argument", CONNECTION_FLAGS)
def test_every_flag_sets_the_argument_that_it_stands_for_in_messages(argument: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("1s")
    flag = CONNECTION_FLAGS[argument]
    value = {"password": [tmp_path / "password"], "tls": []}.get(argument, ["1s"])
    assert {name for name, each in given(flag, *value).items() if each != given()[name]} == {argument}
    assert MENTIONS["tls=False" if argument == "tls" else f"{argument}="] == flag


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
