"""The URLs of servers, without credentials in messages."""

from __future__ import annotations

from typing import Any

import pytest

from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.config.urls import read_urls, redact
from choria_lifecycle.errors import ConfigError

SECRET = "s3cret"


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
    assert resolve(given, environ={}).servers == servers
    if isinstance(given, str):
        assert not any("@" in server for server in resolve(given, environ={}).servers)
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
        resolve(url, environ={})
    assert SECRET not in str(raised.value)
    assert SECRET not in caplog.text
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("password", [f"x,{SECRET}", f"x@{SECRET}", f"{SECRET},x", f"1,{SECRET}", f"{SECRET},"])
def test_passwords_that_look_like_servers(password: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = resolve(f"nats://u:{password}@a:1,nats://b,c", environ={})
    assert settings.servers == ("nats://a:1", "nats://b:4222", "nats://c:4222")
    assert (settings.user, settings.password) == ("u", password)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("servers", [b"a", [b"a"], [1]])
def test_servers_that_are_not_text(servers: Any) -> None:
    with pytest.raises(ConfigError, match="must be a str"):
        resolve(servers, environ={})


def test_different_users_in_urls() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(f"nats://a:{SECRET}@a,nats://b:{SECRET}@b", environ={})
    assert SECRET not in str(raised.value)


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


@pytest.mark.parametrize(
    ("servers", "credentials"),
    [
        ("nats://a,b", None),
        ("nats://@a", None),
        ("nats://:@a", {"user": "", "password": ""}),
        ("nats://t%40ken@a", {"token": "t@ken"}),
        ("nats://u%3A:p%2Fw@a,b", {"user": "u:", "password": "p/w"}),
        ("nats://u:p@a,nats://u:p@b", {"user": "u", "password": "p"}),
    ],
)
def test_credentials_are_separated_from_the_urls(servers: str, credentials: dict[str, str] | None) -> None:
    urls, found = read_urls(servers)
    assert found == credentials
    assert all(url in ("nats://a:4222", "nats://b:4222") for url in urls)
