"""Checks of brokers: real ones, and misbehaving ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import dns.asyncresolver
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from choria_lifecycle import doctor
from choria_lifecycle.config import discovery
from choria_lifecycle.config import resolve as resolving
from choria_lifecycle.demo import embedded
from choria_lifecycle.errors import ConfigError, ConnectionFailed, MissingExtra, NotAuthorised
from tests.bed.certificates import Authority
from tests.bed.choria import choria_broker, client_token, write_credentials
from tests.bed.dns import dns_server
from tests.bed.puppet import write_ssldir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from choria_lifecycle.doctor import Check

SECRET = "m4rkerm4rker"
NOBODY = "nats://127.0.0.1:1"
VIEW = "choria.lifecycle.event.>"
CA = Authority.create("Doctor CA")
ISSUER = Ed25519PrivateKey.generate()
SHOWN = CA.issue("localhost", addresses=["127.0.0.1"])

USERS = """
authorization {{ users = [
    {{ user: good, password: {secret} }}
    {{ user: publisher, password: {secret}, permissions: {{ publish: ">", subscribe: {{ deny: ">" }} }} }}
] }}
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[embedded.Server]:
    """Run a server with users."""
    with embedded.nats_server(USERS.format(secret=SECRET), jetstream=False) as running:
        yield running


@contextmanager
def encrypted(folder: Path, authority: Authority) -> Iterator[embedded.Server]:
    """Run a server that requires client certificates of the authority, and shows one of the same."""
    cert, key = authority.issue("localhost", addresses=["127.0.0.1"]).write(folder, "server")
    (folder / "authority.pem").write_bytes(authority.pem)
    config = f"tls {{ cert_file: '{cert}', key_file: '{key}', ca_file: '{folder}/authority.pem', verify: true }}"
    with embedded.nats_server(config, jetstream=False) as running:
        yield running


def configuration(folder: Path, **keys: object) -> Path:
    """Write a client.conf; `__` in a name stands for a dot."""
    file = folder / "client.conf"
    file.write_text("".join(f"plugin.{key.replace('__', '.')} = {value}\n" for key, value in keys.items()))
    return file


async def found(*servers: str, environ: dict[str, str] | None = None, **options: Any) -> list[Check]:
    return await doctor.check_connection(list(servers) or None, environ={"USER": "alice", **(environ or {})}, **options)


def of(checks: list[Check], step: str) -> list[tuple[str, str, Any]]:
    return [(each.severity, each.subject, each.error) for each in checks if each.step == step]


def said(checks: list[Check]) -> str:
    return "\n".join(f"{each.severity} {each.subject}: {each.message}" for each in checks)


async def test_a_server_that_admits_everyone(server: embedded.Server) -> None:
    checks = await found(server.url)
    assert of(checks, "broker") == [("ok", server.url, None), ("ok", server.url, None)]
    connected, allowed = checks[-2:]
    assert "NATS 2." in connected.message
    assert "not encrypted" in connected.message
    assert allowed.message == f"allows this user to view {VIEW}"


async def test_each_broker_is_checked_separately(server: embedded.Server, guarded: embedded.Server) -> None:
    checks = await found(NOBODY, guarded.url, server.url)
    assert of(checks, "broker") == [
        ("error", NOBODY, ConnectionFailed),
        ("error", guarded.url, NotAuthorised),
        ("ok", server.url, None),
        ("ok", server.url, None),
    ]
    assert f"{NOBODY}: connection refused" in said(checks)


async def test_passwords_and_permissions(guarded: embedded.Server) -> None:
    good = await found(guarded.url, user="good", password=SECRET)
    assert [severity for severity, *_ in of(good, "broker")] == ["ok", "ok"]
    publisher = await found(guarded.url, user="publisher", password=SECRET)
    assert of(publisher, "broker") == [("ok", guarded.url, None), ("error", guarded.url, NotAuthorised)]
    assert f"does not allow this user to subscribe to {VIEW}" in said(publisher)
    bad = await found(guarded.url, user="good", password="wrong" + SECRET)
    assert of(bad, "broker") == [("error", guarded.url, NotAuthorised)]
    assert SECRET not in said(good + publisher + bad) + repr(good + publisher + bad)


async def test_a_silent_broker_only_uses_up_its_own_timeout(
    server: embedded.Server, fake_server: Callable[..., Any]
) -> None:
    async with fake_server(None) as silent:
        began = time.monotonic()
        checks = await found(silent.url, server.url, timeout=0.5)
        assert time.monotonic() - began < 5
    assert [severity for severity, *_ in of(checks, "broker")] == ["error", "ok", "ok"]


async def test_puppet(tmp_path: Path) -> None:
    layout = write_ssldir(tmp_path / "ssl", CA, "alice.mcollective")
    with encrypted(tmp_path, CA) as running:
        url = f"nats://localhost:{running.port}"
        file = configuration(
            tmp_path, choria__middleware_hosts=url.removeprefix("nats://"), choria__ssldir=layout.ssldir
        )
        checks = await found(config=file)
        assert {each.severity for each in checks} == {"ok"}, said(checks)
        assert of(checks, "broker") == [("ok", url, None), ("ok", url, None)]
        assert "TLSv1.3, with the certificate of CN=localhost by CN=Doctor CA, until 20" in said(checks)
        assert "to nats://localhost:" in said(checks)
        assert "as alice.mcollective (environment USER)" in said(checks)

        layout.key.unlink()
        checks = await found(config=file)
        assert of(checks, "broker") == []
        assert ("error", str(layout.key), None) in of(checks, "files")
        assert of(checks, "files")[-1] == ("error", "connection", ConfigError)
        assert "'choria enroll' gets one for alice.mcollective" in said(checks)


@pytest.mark.parametrize("stranger", ["broker", "client"])
async def test_certificates_of_another_authority(stranger: str, tmp_path: Path) -> None:
    other = Authority.create("Other doctor CA")
    ours = write_ssldir(
        tmp_path / "ssl", CA, "alice.mcollective", issued=(other if stranger == "client" else CA).issue("a")
    )
    with encrypted(tmp_path, other if stranger == "broker" else CA) as running:
        file = configuration(tmp_path, choria__middleware_hosts=f"localhost:{running.port}", choria__ssldir=ours.ssldir)
        checks = await found(config=file)
    assert of(checks, "broker") == [("error", f"nats://localhost:{running.port}", ConnectionFailed)]
    assert ("warning", str(ours.certificate), None) in of(checks, "files") or stranger == "broker"


def choria(folder: Path, host: str, token: Any, **keys: object) -> Path:
    files = write_credentials(folder, token)
    (folder / "ca.pem").write_bytes(CA.pem)
    return configuration(
        folder,
        choria__middleware_hosts=host,
        security__provider="choria",
        security__choria__token_file=files.token_file,
        security__choria__seed_file=files.seed_file,
        **keys,
    )


async def test_choria_tokens(server: embedded.Server, tmp_path: Path) -> None:
    with choria_broker(ISSUER, SHOWN, server.port) as broker:
        host = f"localhost:{broker.port}"
        verified = {"security__choria__ca": tmp_path / "ca.pem"}
        checks = await found(config=choria(tmp_path, host, client_token(ISSUER), **verified))
        assert {each.severity for each in checks} == {"ok"}, said(checks)
        assert [severity for severity, *_ in of(checks, "broker")] == ["ok", "ok"]

        checks = await found(config=choria(tmp_path, host, client_token(ISSUER)))
        assert ("warning", "verify", None) in of(checks, "settings")

        token = client_token(ISSUER, permissions=["governor"])
        checks = await found(config=choria(tmp_path, host, token, **verified))
        assert [each.severity for each in checks if each.severity != "ok"] == ["note", "error"]
        assert of(checks, "broker")[1][2] is NotAuthorised

        token = client_token(Ed25519PrivateKey.generate())
        checks = await found(config=choria(tmp_path, host, token, **verified))
        assert [kind for _, _, kind in of(checks, "broker")] == [NotAuthorised]

        before = len(broker.nonces)
        checks = await found(config=choria(tmp_path, host, client_token(ISSUER, expires=-60), **verified))
        assert of(checks, "broker") == []
        assert of(checks, "files")[-1] == ("error", "connection", NotAuthorised)
        assert len(broker.nonces) == before


@pytest.mark.parametrize(
    ("first", "second", "severities"),
    [
        ("here", "NXDOMAIN", ["ok"]),
        ("EMPTY", "here", ["note", "ok"]),
        ("NXDOMAIN", "SERVFAIL", ["note", "note", "warning"]),
        ("TIMEOUT", "NXDOMAIN", ["note", "note", "warning"]),
    ],
)
async def test_dns(
    first: str,
    second: str,
    severities: list[str],
    server: embedded.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = [(0, 0, server.port, "localhost")]
    names = [f"{name}.example.net" for name in ("_mcollective-server._tcp", "_x-puppet-mcollective._tcp")]
    zone = {name: here if answer == "here" else answer for name, answer in zip(names, (first, second), strict=True)}
    layout = write_ssldir(tmp_path / "ssl", CA, "alice.mcollective")
    file = configuration(tmp_path, choria__srv_domain="example.net", choria__ssldir=layout.ssldir)
    with dns_server(zone) as answering:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [answering.address], answering.port
        monkeypatch.setattr(discovery, "Brokers", partial(discovery.Brokers, resolver=resolver))
        monkeypatch.setattr(resolving, "FALLBACK", NOBODY)
        checks = await found(config=file, timeout=0.5)
    asked = of(checks, "dns")
    assert [severity for severity, *_ in asked] == severities
    assert [subject for _, subject, _ in asked][:2] in ([f"SRV {name}" for name in names], [f"SRV {names[0]}"])
    tried = {subject for _, subject, _ in of(checks, "broker")}
    assert tried == ({NOBODY} if "warning" in severities else {f"nats://localhost:{server.port}"})


async def test_a_federation_without_brokers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = configuration(
        tmp_path, choria__federation__collectives="f", choria__srv_domain="example.net", choria__ssldir=tmp_path
    )
    with dns_server({}) as answering:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [answering.address], answering.port
        monkeypatch.setattr(discovery, "Brokers", partial(discovery.Brokers, resolver=resolver))
        checks = await found(config=file)
    assert of(checks, "dns")[-1] == ("error", "connection", ConnectionFailed)
    assert "do not cross a federation" in said(checks)


async def test_without_dnspython(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = discovery.importlib.util.find_spec
    monkeypatch.setattr(discovery.importlib.util, "find_spec", lambda name: None if name == "dns" else there(name))
    layout = write_ssldir(tmp_path / "ssl", CA, "alice.mcollective")
    file = configuration(tmp_path, choria__srv_domain="example.net", choria__ssldir=layout.ssldir)
    checks = await found(config=file)
    assert [kind for _, _, kind in of(checks, "dns")] == [MissingExtra]
    assert of(checks, "broker") == []


@pytest.mark.parametrize(
    ("environ", "keys", "severity", "subject", "words"),
    [
        ({"INSECURE_ANON_TLS": "true"}, {}, "warning", "environment INSECURE_ANON_TLS", "but ignored here"),
        ({"INSECURE_DISABLE_TLS": "true"}, {}, "warning", "environment INSECURE_DISABLE_TLS", "tls=False"),
        ({"INSECURE_YES_REALLY": "true"}, {}, "warning", "environment INSECURE_YES_REALLY", "but ignored here"),
        ({}, {"security__ecc_curves": "X25519"}, "note", "client.conf:3", "cannot select curves"),
        ({}, {"choria__middleware_host": "a"}, "warning", "client.conf:3", "middleware_hosts"),
        ({}, {"security__provider": "pkcs11"}, "error", "connection", "not possible: the security provider pkcs11"),
    ],
)
async def test_checks_without_a_broker(
    environ: dict[str, str], keys: dict[str, str], severity: str, subject: str, words: str, tmp_path: Path
) -> None:
    file = configuration(tmp_path, choria__middleware_hosts="localhost:1", choria__ssldir=tmp_path, **keys)
    checks = await found(config=file, environ=environ)
    assert any(
        each.severity == severity and each.subject.endswith(subject) and words in each.message for each in checks
    ), said(checks)


async def test_an_insecure_variable_other_than_true_is_not_a_warning(server: embedded.Server) -> None:
    checks = await found(server.url, environ={"INSECURE_YES_REALLY": "1"})
    assert {each.severity for each in checks} == {"ok", "note"}


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"config": "/nonexistent/client.conf"}, ConfigError),
        ({"servers": "http://a"}, ConfigError),
        ({"servers": "a", "user": "u"}, ConfigError),
        ({"servers": "a", "creds": __file__}, ConfigError),
        ({"servers": "a", "tls": True, "ca": __file__}, ConfigError),
    ],
)
async def test_unusable_settings_are_reported_instead_of_raised(options: dict[str, Any], kind: type) -> None:
    checks = await doctor.check_connection(**options, environ={"USER": "alice"})
    assert (checks[-1].severity, checks[-1].error) == ("error", kind)
    assert not of(checks, "broker")


def test_show_is_also_a_function(tmp_path: Path) -> None:
    file = configuration(tmp_path, choria__middleware_hosts="a:1", choria__ssldir=tmp_path, nats__pass=SECRET)
    shown = {each.name: each.value for each in doctor.effective_settings(config=file, environ={"USER": "alice"})}
    assert shown["servers"] == "nats://a:1"
    assert shown["plugin.nats.pass"] == "***"
    broken = doctor.effective_settings(config=file, environ={})
    assert broken[0].name == "error"
    assert "USER is not set" in broken[0].value
    with pytest.raises(ConfigError):
        doctor.effective_settings(config=tmp_path / "none", environ={})


@pytest.mark.parametrize(
    ("password", "code"),
    [(SECRET, 0), (f"wrong{SECRET}", 4)],
)
def test_the_command_against_a_real_server(password: str, code: int, guarded: embedded.Server, tmp_path: Path) -> None:
    url = guarded.url.replace("nats://", f"nats://good:{password}@")
    for more in ([], ["--output", "json"]):
        done = subprocess.run(
            [sys.executable, "-m", "choria_lifecycle", "config", "check", "-v", "-v", "--server", url, *more],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == code, done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert guarded.url in done.stdout
