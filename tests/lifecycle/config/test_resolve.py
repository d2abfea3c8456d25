"""Settings from arguments and the environment, without secrets in messages."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from choria_lifecycle.config import resolve as resolving
from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.config.urls import redact
from choria_lifecycle.errors import ConfigError

SECRET = "s3cret"


def resolve(*args: Any, environ: dict[str, str] | None = None, **options: Any) -> ConnectionSettings:
    return resolving.resolve(*args, environ=environ or {}, **options)


def test_defaults() -> None:
    settings = resolve()
    assert settings == ConnectionSettings()
    assert settings.servers == ("nats://127.0.0.1:4222",)
    assert not settings.tls


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("broker.example.net", ("nats://broker.example.net:4222",)),
        ("broker.example.net:4333", ("nats://broker.example.net:4333",)),
        ("tls://broker.example.net", ("tls://broker.example.net:4222",)),
        ("nats://[::1]:4333", ("nats://[::1]:4333",)),
        ("a, b:1 ,", ("nats://a:4222", "nats://b:1")),
        (["a", "nats://b"], ("nats://a:4222", "nats://b:4222")),
        (("a,b", "c"), ("nats://a:4222", "nats://b:4222", "nats://c:4222")),
        ("tls://a:1,tls://b:2,c", ("tls://a:1", "tls://b:2", "nats://c:4222")),
        ("nats://u:p@a,b, nats://u:p@c", ("nats://a:4222", "nats://b:4222", "nats://c:4222")),
        ("[::1]:1,[::2]", ("nats://[::1]:1", "nats://[::2]:4222")),
    ],
)
def test_servers(given: Any, servers: tuple[str, ...]) -> None:
    assert resolve(given).servers == servers
    if isinstance(given, str):
        assert not any("@" in server for server in resolve(given).servers)
        assert resolve(environ={"NATS_URL": given}).servers == servers


@pytest.mark.parametrize(
    "url",
    [
        "",
        " , ",
        "nats://",
        "http://a",
        "ws://a",
        "nats://a:port",
        "nats://a:70000",
        "nats://a/path",
        "nats://a?x=1",
        "nats://[::1",
        "a b",
        f"nats://u:{SECRET}/x@a:4222",
        f"u:{SECRET}#@a",
        f"nats://u:{SECRET}@",
        "nats://a:0",
        f"nats://u:{SECRET}",
        f"u:1{SECRET}",
        f"u:{SECRET},a",
        f"nats://u:x,{SECRET}:1",
        f"nats://u:{SECRET},x@a@b",
        f"nats://u:x@{SECRET},x@a",
        f"u:{SECRET}@a,u:{SECRET}@b",
        f"nats://u:x@y,{SECRET}@a",
        f"http://u:x,{SECRET}@a",
        f"nats://u:x,{SECRET}/@a",
    ],
)
def test_unusable_urls(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(url)
    assert SECRET not in str(raised.value)
    assert SECRET not in caplog.text
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("password", [f"x,{SECRET}", f"x@{SECRET}", f"{SECRET},x", f"1,{SECRET}", f"{SECRET},"])
def test_passwords_that_look_like_servers(password: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = resolve(f"nats://u:{password}@a:1,nats://b,c")
    assert settings.servers == ("nats://a:1", "nats://b:4222", "nats://c:4222")
    assert (settings.user, settings.password) == ("u", password)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("servers", [b"a", [b"a"], [1]])
def test_servers_that_are_not_text(servers: Any) -> None:
    with pytest.raises(ConfigError, match="must be a str"):
        resolve(servers)


@pytest.mark.parametrize("option", ["creds", "nkey", "token", "user", "password"])
def test_empty_credentials_are_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} is empty"):
        resolve(environ=ENVIRON, **{option: ""})


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
    for option in ("creds", "nkey", "token"):
        settings = resolve(environ={**ENVIRON, "NATS_CREDS": "env"}, **{option: "arg"})
        assert str(getattr(settings, option)) == "arg"
        assert (settings.user, settings.password) == (None, None)


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
        resolve(**options)


def test_a_user_in_a_url_works_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings = resolve(f"nats://alice:{SECRET}%40@a,b", environ={"NATS_USER": "env", "NATS_PASSWORD": "env"})
    assert settings.servers == ("nats://a:4222", "nats://b:4222")
    assert (settings.user, settings.password) == ("alice", f"{SECRET}@")
    assert "nats://***@a holds credentials" in caplog.text
    assert SECRET not in caplog.text
    assert resolve(f"nats://{SECRET}@a").token == SECRET
    assert resolve(f"nats://x:{SECRET}@a", user="u", password="p").user == "u"


def test_different_users_in_urls() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(f"nats://a:{SECRET}@a,nats://b:{SECRET}@b")
    assert SECRET not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    for settings in (resolve(user="u", password=SECRET), resolve(token=SECRET)):
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://a:4222", "nats://a:4222"),
        ("nats://u:p@a:4222", "nats://***@a:4222"),
        ("nats://u:p@ss@a", "nats://***@a"),
        ("u:p@a", "***@a"),
        ("nats://u:p\n@a", "nats://***@a"),
        ("a\x1b[2J", r"a\x1b[2J"),
        ("u:p", "u:***"),
        ("nats://u:1p", "nats://u:***"),
        ("nats://a:4222/", "nats://a:4222/"),
        ("nats://[::1]:4222", "nats://[::1]:4222"),
    ],
)
def test_redacted(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_the_home_of_an_unknown_user_is_an_error() -> None:
    with pytest.raises(ConfigError, match="home directory of an unknown user"):
        resolve(creds="~no-such-user/x.creds", environ={})
