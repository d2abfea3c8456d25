"""The settings in force and where they come from, without secrets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.choria.configuration import read_configuration
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.choria.reading import DEFAULT
from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.config.table import DEFAULT_NAME, DEFAULT_SERVER
from choria_lifecycle.doctor.effective import FILE, Setting, list_settings
from tests.bed.machine import make_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from choria_lifecycle.config.choria.configuration import Configuration

SECRET = "m4rker"
ENVIRON = {"USER": "alice", "HOME": "/home/alice"}


def by_name(settings: list[Setting]) -> dict[str, tuple[str, str]]:
    return {name: (value, origin) for name, value, origin in settings}


def test_without_choria() -> None:
    shown = list_settings(resolve(environ={}), None)
    assert {name: value for name, value, _ in shown if value} == {
        "servers": DEFAULT_SERVER,
        "tls": "false",
        "verify": "authority and host name",
        "name": DEFAULT_NAME,
        "inbox": "_INBOX",
    }
    assert {origin for _, _, origin in shown} == {DEFAULT}


@pytest.mark.parametrize(
    ("options", "environ", "name", "value", "origin"),
    [
        ({"servers": "a,tls://b:1"}, {}, "servers", "nats://a:4222, tls://b:1", "argument servers"),
        ({}, {"NATS_URL": "a"}, "servers", "nats://a:4222", "environment NATS_URL"),
        ({"servers": f"u:{SECRET}@a"}, {}, "servers", "nats://a:4222", "argument servers"),
        ({"servers": f"u:{SECRET}@a"}, {}, "user", "u", "URL of a server"),
        ({"servers": f"u:{SECRET}@a"}, {}, "password", "***", "URL of a server"),
        ({"servers": f"{SECRET}@a"}, {}, "token", "***", "URL of a server"),
        ({"token": SECRET}, {}, "token", "***", "argument token"),
        ({"user": "u"}, {"NATS_PASSWORD": SECRET}, "password", "***", "environment NATS_PASSWORD"),
        ({"creds": "/a.creds"}, {}, "creds", "/a.creds", "argument creds"),
        ({}, {"NATS_NKEY": "/a.nk"}, "nkey", "/a.nk", "environment NATS_NKEY"),
        ({}, {"NATS_CA": "/ca.pem"}, "ca", "/ca.pem", "environment NATS_CA"),
        ({}, {"NATS_CA": "/ca.pem"}, "tls", "true", DEFAULT),
        ({"tls": True}, {}, "tls", "true", "argument tls"),
        ({"name": "a\x1b[2J"}, {}, "name", "a\\x1b[2J", "argument name"),
    ],
)
def test_the_connection(options: dict[str, str], environ: dict[str, str], name: str, value: str, origin: str) -> None:
    shown = list_settings(resolve(**options, environ=environ), None)
    assert by_name(shown)[name] == (value, origin)
    assert SECRET not in str(shown)


def test_choria(configured: Callable[..., Configuration], tmp_path: Path) -> None:
    configuration = configured(
        {
            "plugin.choria.middleware_hosts": f"nats://u:{SECRET}@a:1, b:2",
            "plugin.choria.federation_middleware_hosts": f"{SECRET}@c:1",
            "plugin.choria.security.request_signer.url": f"https://u:{SECRET}@signer.example.net/sign",
            "plugin.choria.ssldir": "/ssl",
            "plugin.choria.network.connect_timeout": "1500ms",
            "plugin.nats.user": "bob",
            "plugin.nats.pass": SECRET,
            "plugin.security.cipher_suites": "TLS_RSA_WITH_AES_128_CBC_SHA",
        },
        {"CHORIA_SRV_DOMAIN": "example.net"},
    )
    settings = resolve(configuration=configuration, environ=ENVIRON, machine=make_machine())
    shown = list_settings(settings, configuration)
    assert SECRET not in str(shown)
    file = f"{tmp_path}/client.conf"
    puppet = f"provider puppet, ssldir of {file}:4, for alice.mcollective (environment USER)"
    found = by_name(shown)
    for name, value, origin in (
        ("servers", "nats://a:1, nats://b:2", f"{file}:1"),
        ("srv", "", DEFAULT),
        ("tls", "true", "Choria's connections are encrypted"),
        ("ca", "/ssl/certs/ca.pem", puppet),
        ("name", "alice.mcollective", "environment USER"),
        ("inbox", "mcollective.reply", DEFAULT),
        ("user", "bob", f"{file}:6"),
        ("password", "***", f"{file}:7"),
        ("connect_timeout", "1.5s", f"{file}:5"),
        (FILE, file, "the initial file"),
        ("plugin.choria.middleware_hosts", "nats://***@a:1, b:2", f"{file}:1"),
        ("plugin.choria.federation_middleware_hosts", "***@c:1", f"{file}:2"),
        ("plugin.choria.security.request_signer.url", "https://***@signer.example.net/sign", f"{file}:3"),
        ("plugin.choria.network.connect_timeout", "1.5s", f"{file}:5"),
        ("plugin.nats.pass", "***", f"{file}:7"),
        ("plugin.choria.srv_domain", "example.net", "environment CHORIA_SRV_DOMAIN"),
        ("plugin.choria.use_srv", "true", DEFAULT),
        ("plugin.security.client_anon_tls", "false", DEFAULT),
    ):
        assert found[name] == (value, origin), name


def test_every_key_is_listed_without_a_connection(configured: Callable[..., Configuration]) -> None:
    configuration = configured({"plugin.security.provider": "pkcs11", "plugin.nats.pass": SECRET})
    shown = list_settings(None, configuration)
    assert [each.name for each in shown] == [FILE, *KEYS]
    assert SECRET not in str(shown)


def test_files_in_ascending_precedence(tmp_path: Path) -> None:
    names = (
        "etc/choria/client.conf",
        "etc/choria/plugin.d/choria.cfg",
        "etc/choria/plugin.d/nats.cfg",
        "a/choria.conf",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = y\n")
    configuration = read_configuration(environ={}, root=tmp_path, directory=tmp_path / "a")
    assert [(value, why) for name, value, why in list_settings(None, configuration) if name == FILE] == [
        (str(tmp_path / names[0]), "the initial file"),
        (str(tmp_path / names[1]), "beside the initial file"),
        (str(tmp_path / names[2]), "beside the initial file"),
        (str(tmp_path / names[3]), "a project file"),
    ]


def test_nothing_is_logged(configured: Callable[..., Configuration], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    list_settings(resolve(environ={}), configured({}))
    assert not caplog.records
