from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.config.settings import ConnectionSettings, check_options
from choria_lifecycle.errors import ConfigError, OptionError

SECRET = "s3cret"


@pytest.mark.parametrize(
    "options",
    [
        {"user": "u"},
        {"password": "p"},
        {"cert": "c"},
        {"key": "k"},
        {"creds": "c", "nkey": "n"},
        {"creds": "c", "user": "u", "password": "p"},
        {"token": "t", "nkey": "n"},
        {"environ": {"NATS_CREDS": "c", "NATS_USER": "u", "NATS_PASSWORD": "p"}},
        {"environ": {"NATS_PASSWORD": "p"}},
    ],
)
def test_contradictions(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        resolve(**{"environ": {}, **options})


@pytest.mark.parametrize(
    ("options", "environ", "listed"),
    [
        (
            {},
            {"NATS_CREDS": "c", "NATS_USER": "u", "NATS_PASSWORD": "p"},
            "creds (environment NATS_CREDS) and a user (environment NATS_USER)",
        ),
        (
            {},
            {"NATS_CREDS": "c", "NATS_NKEY": "n", "NATS_TOKEN": SECRET},
            "creds (environment NATS_CREDS), an nkey (environment NATS_NKEY) and a token (environment NATS_TOKEN)",
        ),
        (
            {},
            {"NATS_TOKEN": SECRET, "NATS_TOKEN_FILE": "f"},
            "a token (environment NATS_TOKEN) and a token from a file (environment NATS_TOKEN_FILE)",
        ),
        (
            {"token": SECRET, "token_file": "f"},
            {"NATS_TOKEN_FILE": "g"},
            "a token (argument token) and a token from a file (argument token_file)",
        ),
        (
            {"token": SECRET, "nkey": "n"},
            {"NATS_USER": "u"},
            "an nkey (argument nkey) and a token (argument token)",
        ),
    ],
)
def test_a_contradiction_names_the_places(options: dict[str, Any], environ: dict[str, str], listed: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(environ=environ, **options)
    assert str(raised.value) == f"{listed} cannot be combined: connect with one of them"


def test_secrets_are_not_shown() -> None:
    for settings in (resolve(user="u", password=SECRET, environ={}), resolve(token=SECRET, environ={})):
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)


def test_a_choria_token_may_come_with_a_user() -> None:
    settings = ConnectionSettings(jwt=Path("/jwt"), seed=Path("/seed"), user="u", password="p")
    settings.check()
    with pytest.raises(ConfigError, match=r"^creds, a token and a user cannot be combined: connect with one of them$"):
        replace(settings, creds=Path("/c")).check()


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({"creds": Path("/c")}, "creds"),
        ({"nkey": Path("/n")}, "an nkey"),
        ({"token": "t"}, "a token"),
        ({"token_file": Path("/t")}, "a token from a file"),
        ({"jwt": Path("/j"), "seed": Path("/s")}, "a token"),
        ({"user": "u", "password": "p"}, "a user"),
    ],
)
def test_credentials_without_tls_stay_on_this_machine(options: dict[str, Any], method: str) -> None:
    remote = ConnectionSettings(servers=("nats://broker.example.net:4222",), **options)
    remote.check()  # the server may require TLS
    with pytest.raises(ConfigError, match=f"^without TLS, {method} would cross the network in the clear: remove tls="):
        remote.check(no_tls=True)
    replace(remote, servers=("nats://127.0.0.1:4222",)).check(no_tls=True)
    ConnectionSettings(servers=remote.servers).check(no_tls=True)


@pytest.mark.parametrize(
    ("servers", "local"),
    [
        (["nats://127.0.0.1:4222", "tls://127.1.2.3:1", "nats://[::1]:4222", "nats://localhost:4222"], True),
        (["nats://127.0.0.1:4222", "nats://10.0.0.1:4222"], False),
        (["nats://localhost.example.net:4222"], False),
        (["nats://0.0.0.0:4222"], False),
    ],
)
def test_servers_on_this_machine(servers: list[str], local: bool) -> None:
    settings = ConnectionSettings(servers=tuple(servers))
    assert settings.local is local
    assert not replace(settings, srv=("_x._tcp.example.net",)).local


def test_origins_do_not_make_settings_differ() -> None:
    assert ConnectionSettings(origins={"name": "argument name"}) == ConnectionSettings()


def test_unknown_options_are_refused_with_the_known_ones() -> None:
    check_options(["ca", "tls", "timeout"], "timeout")
    with pytest.raises(OptionError) as raised:
        check_options(["ca", "timeouts", "a\x1b"], "timeout")
    assert raised.value.unexpected == ("timeouts", "a\x1b")
    assert str(raised.value).startswith(
        'unknown option "timeouts", "a\\u001b"; the options are timeout, config, tls, creds, user'
    )
