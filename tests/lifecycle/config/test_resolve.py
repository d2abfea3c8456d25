"""Settings from arguments and the environment, without secrets in messages."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from choria_lifecycle.config import resolve as resolving
from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.errors import ConfigError

SECRET = "s3cret"


def resolve(*args: Any, environ: dict[str, str] | None = None, **options: Any) -> ConnectionSettings:
    return resolving.resolve(*args, environ=environ or {}, **options)


def test_defaults() -> None:
    settings = resolve()
    assert settings == ConnectionSettings()
    assert settings.servers == ("nats://127.0.0.1:4222",)
    assert not settings.tls


def test_an_empty_user_in_a_url_is_ignored() -> None:
    settings = resolve("nats://@a", environ={"NATS_USER": "env", "NATS_PASSWORD": "pw"})
    assert (settings.servers, settings.user, settings.password) == (("nats://a:4222",), "env", "pw")


def test_no_servers() -> None:
    with pytest.raises(ConfigError):
        resolve([])


ENVIRON = {
    "NATS_URL": "tls://env:1",
    "NATS_USER": "env",
    "NATS_PASSWORD": "env-password",
    "NATS_CA": "ca.env",
    "NATS_CERT": "cert.env",
    "NATS_KEY": "key.env",
}


def test_environment() -> None:
    settings = resolve(environ=ENVIRON)
    assert settings.servers == ("tls://env:1",)
    assert (settings.user, settings.password) == ("env", "env-password")
    assert (settings.ca, settings.cert, settings.key) == (Path("ca.env"), Path("cert.env"), Path("key.env"))
    assert settings.tls
    assert resolve(environ={"NATS_CREDS": "~/x.creds"}).creds == Path.home() / "x.creds"
    assert resolve(environ={"NATS_NKEY": "seed"}).nkey == Path("seed")
    assert resolve(environ=dict.fromkeys(ENVIRON, "")) == ConnectionSettings()


def test_arguments_override_the_environment() -> None:
    settings = resolve("a", user="arg", password="pw", ca="ca.arg", cert="cert.arg", key="key.arg", environ=ENVIRON)
    assert (settings.servers, settings.user, settings.password) == (("nats://a:4222",), "arg", "pw")
    assert (settings.ca, settings.cert, settings.key) == (Path("ca.arg"), Path("cert.arg"), Path("key.arg"))
    assert resolve(user="arg", environ=ENVIRON).password == "env-password"
    for option in ("creds", "nkey", "token", "token_file"):
        settings = resolve(environ={**ENVIRON, "NATS_CREDS": "env"}, **{option: "arg"})
        assert str(getattr(settings, option)) == "arg"
        assert (settings.user, settings.password) == (None, None)


def test_a_user_in_a_url_works_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings = resolve(f"nats://alice:{SECRET}%40@a,b", environ={"NATS_USER": "env", "NATS_PASSWORD": "env"})
    assert settings.servers == ("nats://a:4222", "nats://b:4222")
    assert (settings.user, settings.password) == ("alice", f"{SECRET}@")
    assert "nats://***@a holds credentials" in caplog.text
    assert SECRET not in caplog.text
    assert resolve(f"nats://{SECRET}@a").token == SECRET
    assert resolve(f"nats://x:{SECRET}@a", user="u", password="p").user == "u"


def test_the_home_of_an_unknown_user_is_an_error() -> None:
    with pytest.raises(ConfigError, match="home directory of an unknown user"):
        resolve(creds="~no-such-user/x.creds", environ={})
