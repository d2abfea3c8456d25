"""A Choria client's settings, from files, the environment and arguments."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.config.choria.configuration import read_configuration
from choria_lifecycle.config.node import configured_identity
from choria_lifecycle.config.resolve import choria_configuration, resolve
from choria_lifecycle.config.settings import ConnectionSettings, Verify
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.nats.tls import tls_context
from tests.bed.machine import make_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.config.choria.configuration import Configuration

ALICE = {"USER": "alice", "HOME": "/home/alice"}
PUPPET = {"plugin.choria.ssldir": "/ssl", "plugin.choria.middleware_hosts": "broker1:4222, broker2:4223"}
FILES = {"ca": "/ssl/certs/ca.pem", "cert": "/ssl/certs/alice.mcollective.pem"}


@pytest.fixture
def resolved(configured: Callable[..., Configuration]) -> Callable[..., ConnectionSettings]:
    def run(
        keys: Mapping[str, str],
        servers: str | None = None,
        *,
        environ: Mapping[str, str] = {},
        facter: str | None = None,
        **options: Any,
    ) -> ConnectionSettings:
        environ = ALICE | dict(environ)
        return resolve(
            servers,
            configuration=configured(keys, environ),
            environ=environ,
            machine=make_machine(facter=facter),
            **options,
        )

    return run


def test_a_puppet_client_needs_no_arguments(resolved: Callable[..., ConnectionSettings]) -> None:
    settings = resolved(PUPPET)
    assert settings.servers == ("nats://broker1:4222", "nats://broker2:4223")
    assert settings.tls
    assert settings.verify is Verify.COMMON_NAME
    assert (str(settings.ca), str(settings.cert)) == (FILES["ca"], FILES["cert"])
    assert str(settings.key) == "/ssl/private_keys/alice.mcollective.pem"
    assert (settings.name, settings.inbox) == ("alice.mcollective", "mcollective.reply")
    assert settings.origins["servers"].endswith("client.conf:2")
    assert settings.origins["name"] == "environment USER"
    assert "alice.mcollective (environment USER)" in settings.origins["cert"]


MCOLLECTIVE = {"MCOLLECTIVE_NATS_USERNAME": "mco", "MCOLLECTIVE_NATS_PASSWORD": "mco-pw"}
NATS = {"NATS_USER": "env", "NATS_PASSWORD": "env-pw"}
IN_FILE = {"plugin.nats.user": "file", "plugin.nats.pass": "file-pw"}


@pytest.mark.parametrize(
    ("keys", "environ", "options", "user"),
    [
        ({}, {}, {}, (None, None)),
        (IN_FILE, {}, {}, ("file", "file-pw")),
        (IN_FILE, MCOLLECTIVE, {}, ("mco", "mco-pw")),
        # Choria would need the keys in a file first.
        ({}, MCOLLECTIVE, {}, ("mco", "mco-pw")),
        (IN_FILE, MCOLLECTIVE | NATS, {}, ("env", "env-pw")),
        (IN_FILE, MCOLLECTIVE | NATS, {"user": "arg", "password": "arg-pw"}, ("arg", "arg-pw")),
        (IN_FILE, NATS, {"user": "arg"}, ("arg", "env-pw")),
        (IN_FILE, NATS, {"servers": "nats://url:url-pw@h"}, ("url", "url-pw")),
        # The environment completes a file, as in Choria.
        ({"plugin.nats.user": "file"}, {"MCOLLECTIVE_NATS_PASSWORD": "mco-pw"}, {}, ("file", "mco-pw")),
        # Choria uses neither without the other.
        ({"plugin.nats.user": "file"}, {}, {}, (None, None)),
        (IN_FILE, MCOLLECTIVE, {"creds": "/c"}, (None, None)),
        (IN_FILE, {"NATS_CREDS": "/c"}, {}, (None, None)),
    ],
)
def test_precedence_of_users(
    resolved: Callable[..., ConnectionSettings],
    keys: Mapping[str, str],
    environ: Mapping[str, str],
    options: dict[str, Any],
    user: tuple[str | None, str | None],
) -> None:
    settings = resolved(PUPPET | dict(keys), environ=environ, **options)
    assert (settings.user, settings.password) == user


@pytest.mark.parametrize("environ", [{}, {"MCOLLECTIVE_NATS_CREDENTIALS": "/env.creds"}, {"NATS_CREDS": "/nats.creds"}])
def test_credentials(resolved: Callable[..., ConnectionSettings], environ: dict[str, str]) -> None:
    settings = resolved(PUPPET | {"plugin.nats.credentials": "/file.creds"}, environ=environ)
    assert str(settings.creds) == next(iter(environ.values()), "/file.creds")
    origin = settings.origins["creds"]
    assert origin == f"environment {next(iter(environ))}" if environ else origin.endswith("client.conf:3")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (MCOLLECTIVE, {"user": "mco", "password": "mco-pw"}),
        (MCOLLECTIVE | NATS, {"user": "env", "password": "env-pw"}),
        ({"MCOLLECTIVE_NATS_CREDENTIALS": "/c"}, {"creds": Path("/c")}),
    ],
)
def test_chorias_variables_apply_without_its_files(environ: dict[str, str], expected: dict[str, Any]) -> None:
    settings = resolve("h", environ=environ)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        ({}, {}, FILES),
        ({"NATS_CA": "/env/ca"}, {}, FILES | {"ca": "/env/ca"}),
        ({"NATS_CA": "/env/ca"}, {"ca": "/arg/ca"}, FILES | {"ca": "/arg/ca"}),
        ({"NATS_CERT": "/env/c", "NATS_KEY": "/env/k"}, {}, FILES | {"cert": "/env/c"}),
        (
            {"NATS_CERT": "/env/c", "NATS_KEY": "/env/k"},
            {"cert": "/arg/c", "key": "/arg/k"},
            FILES | {"cert": "/arg/c"},
        ),
    ],
)
def test_certificates(
    resolved: Callable[..., ConnectionSettings],
    environ: dict[str, str],
    options: dict[str, str],
    expected: dict[str, str],
) -> None:
    settings = resolved(PUPPET, environ=environ, **options)
    assert {"ca": str(settings.ca), "cert": str(settings.cert)} == expected
    assert settings.verify is Verify.COMMON_NAME


CHORIA = {
    "plugin.security.provider": "choria",
    "plugin.security.choria.token_file": "/t",
    "plugin.security.choria.seed_file": "/s",
    "plugin.choria.middleware_hosts": "broker1:4222",
}


def test_choria_tokens(resolved: Callable[..., ConnectionSettings]) -> None:
    settings = resolved(CHORIA)
    assert (str(settings.jwt), str(settings.seed), settings.name) == ("/t", "/s", "alice")
    assert (settings.tls, settings.verify, settings.inbox) == (True, Verify.NOTHING, "choria.reply")
    # Naming an authority turns verification on.
    assert resolved(CHORIA, ca="/ca").verify is Verify.FULL
    # Other credentials replace the token.
    settings = resolved(CHORIA, creds="/c")
    assert (settings.jwt, settings.seed, str(settings.creds)) == (None, None, "/c")


def test_a_token_and_a_user_of_choria_go_together(resolved: Callable[..., ConnectionSettings], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    verified = CHORIA | {"plugin.security.choria.ca": str(tmp_path / "ca.pem")}
    for keys, verify in ((verified, Verify.FULL), (CHORIA, Verify.NOTHING)):
        settings = resolved(keys | IN_FILE)
        assert (str(settings.jwt), settings.user, settings.password) == ("/t", "file", "file-pw")
        assert settings.verify is verify
        settings = resolved(keys, environ=MCOLLECTIVE)
        assert (str(settings.jwt), settings.user, settings.password) == ("/t", "mco", "mco-pw")


@pytest.mark.parametrize("options", [{"user": "u", "password": "p"}, {"token": "t"}, {"creds": "/c"}])
def test_other_credentials_are_sent_only_to_verified_brokers(
    resolved: Callable[..., ConnectionSettings], options: dict[str, str]
) -> None:
    aaa = {
        "plugin.security.provider": "file",
        "plugin.security.client_anon_tls": "true",
        "plugin.choria.security.request_signer.token_file": "/t",
        "plugin.choria.security.request_signer.service": "true",
        "plugin.choria.middleware_hosts": "broker1:4222",
    }
    for keys in (CHORIA, aaa):
        settings = resolved(keys, **options)
        assert (settings.jwt, settings.verify, settings.tls) == (None, Verify.FULL, True)


@pytest.mark.parametrize("path", ["/etc/passwd/ca.pem", "{loop}", "a\0b"])
def test_an_unreadable_authority_is_not_missing(
    resolved: Callable[..., ConnectionSettings], path: str, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    settings = resolved(CHORIA | {"plugin.security.choria.ca": path.replace("{loop}", str(tmp_path / "loop"))})
    assert settings.verify is Verify.FULL
    with pytest.raises(ConfigError, match="cannot read"):
        tls_context(settings)


def test_a_missing_authority_is_warned_about(
    resolved: Callable[..., ConnectionSettings], caplog: pytest.LogCaptureFixture
) -> None:
    assert resolved(CHORIA | {"plugin.security.choria.ca": "/nowhere"}).verify is Verify.NOTHING
    assert "/nowhere does not exist, so brokers are not verified" in caplog.text
    assert resolved(CHORIA | IN_FILE, environ=NATS).jwt is None


@pytest.mark.parametrize(
    ("keys", "inbox"),
    [
        ({}, "mcollective.reply"),
        ({"collectives": "one,two"}, "one.reply"),
        ({"collectives": "one,two", "main_collective": "two"}, "two.reply"),
    ],
)
def test_inboxes(resolved: Callable[..., ConnectionSettings], keys: dict[str, str], inbox: str) -> None:
    assert resolved(PUPPET | keys).inbox == inbox


SSL = {"plugin.choria.ssldir": "/ssl"}
FEDERATED = SSL | {"plugin.choria.federation.collectives": "fed"}


@pytest.mark.parametrize(
    ("keys", "environ", "facter", "servers", "srv"),
    [
        (SSL, {}, "", ("nats://puppet:4222",), ()),
        (SSL | {"plugin.choria.use_srv": "no"}, {}, None, ("nats://puppet:4222",), ()),
        (SSL, {}, "facts.net", ("nats://puppet:4222",), ("server._tcp.facts.net", "mcollective._tcp.facts.net")),
        (
            SSL | {"plugin.choria.srv_domain": "file.net"},
            {},
            None,
            ("nats://puppet:4222",),
            ("server._tcp.file.net", "mcollective._tcp.file.net"),
        ),
        (
            SSL | {"plugin.choria.srv_domain": "file.net"},
            {"CHORIA_SRV_DOMAIN": "env.net"},
            None,
            ("nats://puppet:4222",),
            ("server._tcp.env.net", "mcollective._tcp.env.net"),
        ),
        (PUPPET, {"CHORIA_SRV_DOMAIN": "env.net"}, None, ("nats://broker1:4222", "nats://broker2:4223"), ()),
        (PUPPET, {"NATS_URL": "h"}, None, ("nats://h:4222",), ()),
        (
            FEDERATED | {"plugin.choria.federation_middleware_hosts": "fed1:4222"},
            {},
            None,
            ("nats://fed1:4222",),
            (),
        ),
        (PUPPET | FEDERATED, {}, "net", (), ("federation_server._tcp.net", "mcollective_federation._tcp.net")),
        (
            PUPPET,
            {"CHORIA_FED_COLLECTIVE": "fed"},
            "net",
            (),
            ("federation_server._tcp.net", "mcollective_federation._tcp.net"),
        ),
        (
            SSL | {"plugin.choria.middleware_hosts": "tls://a:1,nats://u:p@b:2,c:3"},
            {},
            None,
            ("tls://a:1", "nats://b:2", "nats://c:3"),
            (),
        ),
        (SSL | {"plugin.choria.middleware_hosts": "ws://a:1,c:3,wss://b:2"}, {}, None, ("nats://c:3",), ()),
        (SSL | {"plugin.choria.middleware_hosts": "[::1]:4222"}, {}, None, ("nats://[::1]:4222",), ()),
    ],
)
def test_brokers(
    resolved: Callable[..., ConnectionSettings],
    keys: dict[str, str],
    environ: dict[str, str],
    facter: str | None,
    servers: tuple[str, ...],
    srv: tuple[str, ...],
) -> None:
    settings = resolved(keys, environ=environ, facter=facter)
    assert settings.servers == servers
    assert len(settings.srv) == len(srv)
    assert all(name.endswith(end) for name, end in zip(settings.srv, srv, strict=True))
    assert (settings.user, settings.password) == (None, None)


def test_srv_names(resolved: Callable[..., ConnectionSettings]) -> None:
    assert resolved(SSL, facter="net").srv == ("_mcollective-server._tcp.net", "_x-puppet-mcollective._tcp.net")
    assert resolved(FEDERATED, facter="net").srv == (
        "_mcollective-federation_server._tcp.net",
        "_x-puppet-mcollective_federation._tcp.net",
    )


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            {"plugin.choria.middleware_hosts": "broker1"},
            r"client\.conf:2: .* has broker1: a broker needs a port number",
        ),
        ({"plugin.choria.middleware_hosts": "tls://broker1"}, "needs a port number"),
        ({"plugin.choria.middleware_hosts": "broker1:x"}, r"broker1:\*\*\*: a broker needs a port number"),
        ({"plugin.choria.middleware_hosts": "broker1:0"}, "port 0"),
        ({"plugin.choria.middleware_hosts": "wss://broker1:1"}, "names no usable broker"),
        ({"plugin.choria.middleware_hosts": "http://broker1:1"}, "only nats:// and tls:// URLs"),
        ({"plugin.choria.federation.collectives": "f"}, "a federated client has no other brokers"),
    ],
)
def test_brokers_that_cannot_be_used(
    resolved: Callable[..., ConnectionSettings], keys: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolved(SSL | keys, facter="")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"plugin.choria.network.connect_timeout": "121"}, r"client\.conf:3: .*at most 120"),
        ({"plugin.security.provider": "pupet"}, r"client\.conf:3: .*not one of puppet"),
        ({"plugin.security.client_anon_tls": "1"}, r"client\.conf:3: .*request_signer\.service"),
    ],
)
def test_a_configuration_that_choria_refuses_is_refused(
    resolved: Callable[..., ConnectionSettings], keys: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolved(PUPPET | keys)


def test_websockets_are_warned_about(
    resolved: Callable[..., ConnectionSettings], caplog: pytest.LogCaptureFixture
) -> None:
    resolved(SSL | {"plugin.choria.middleware_hosts": "ws://a:1,c:3"})
    assert "ws://a:1 is skipped: WebSockets are not supported" in caplog.text


LOCAL = {"plugin.choria.ssldir": "/ssl", "plugin.choria.middleware_hosts": "localhost:4222,127.0.0.1:1,[::1]:1"}
WITHOUT = r"in the clear: remove tls=False"


@pytest.mark.parametrize(
    ("keys", "options", "environ", "reason"),
    [
        (PUPPET, {}, {}, ""),
        (PUPPET, {}, {"NATS_CA": "/ca", "NATS_CERT": "/c", "NATS_KEY": "/k"}, ""),
        (LOCAL, {"user": "u", "password": "p"}, {}, ""),
        (LOCAL | IN_FILE, {}, {}, ""),
        (PUPPET, {"user": "u", "password": "p"}, {}, f"a user would cross the network {WITHOUT}"),
        (PUPPET | IN_FILE, {}, {}, WITHOUT),
        (PUPPET, {}, MCOLLECTIVE, WITHOUT),
        (PUPPET, {"token": "t"}, {}, f"a token would cross the network {WITHOUT}"),
        (PUPPET, {"creds": "/c"}, {}, WITHOUT),
        (PUPPET, {"nkey": "/c"}, {}, WITHOUT),
        (CHORIA, {}, {}, WITHOUT),
        (CHORIA | {"plugin.choria.middleware_hosts": "localhost:4222"}, {}, {}, ""),
        (LOCAL, {"servers": "localhost,elsewhere", "user": "u", "password": "p"}, {}, WITHOUT),
        (SSL | {"plugin.choria.srv_domain": "localhost"}, {"user": "u", "password": "p"}, {}, WITHOUT),
        (PUPPET, {"ca": "/ca"}, {}, "contradicts"),
        (PUPPET, {"cert": "/ca", "key": "/k"}, {}, "contradicts"),
        (PUPPET, {"servers": "tls://localhost"}, {}, "contradicts"),
    ],
)
def test_without_tls(
    resolved: Callable[..., ConnectionSettings],
    keys: dict[str, str],
    options: dict[str, Any],
    environ: dict[str, str],
    reason: str,
) -> None:
    if reason:
        with pytest.raises(ConfigError, match=reason):
            resolved(keys, environ=environ, tls=False, **options)
        return
    settings = resolved(keys, environ=environ, tls=False, **options)
    assert not settings.tls
    assert (settings.ca, settings.cert, settings.key) == (None, None, None)
    assert settings.origins["tls"] == "argument tls"


@pytest.mark.parametrize(
    ("servers", "options", "tls"),
    [
        ("h", {}, False),
        ("h", {"tls": True}, True),
        ("h", {"tls": False}, False),
        ("tls://h", {}, True),
        ("h", {"ca": "/ca"}, True),
        ("h", {"user": "u", "password": "p"}, False),
        ("localhost", {"user": "u", "password": "p", "tls": False}, False),
    ],
)
def test_tls_without_choria(servers: str, options: dict[str, Any], tls: bool) -> None:
    assert resolve(servers, environ={}, **options).tls is tls


def test_plain_nats_sends_no_credentials_without_tls() -> None:
    with pytest.raises(ConfigError, match=WITHOUT):
        resolve("h", environ={}, user="u", password="p", tls=False)


def test_other_settings(resolved: Callable[..., ConnectionSettings]) -> None:
    keys = {
        "plugin.choria.network.connect_timeout": "7",
        "plugin.security.cipher_suites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, NONE",
    }
    settings = resolved(PUPPET | keys, name="mine")
    assert (settings.connect_timeout, settings.name) == (7.0, "mine")
    assert settings.ciphers == ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "NONE")
    assert resolved(PUPPET).connect_timeout is None


# Which machines are Choria clients.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "work" / "deeper").mkdir(parents=True)
    return tmp_path


def in_force(
    root: Path, servers: str | None = None, config: Path | None = None, **environ: str
) -> Configuration | None:
    return choria_configuration(servers, config=config, environ=environ, root=root, directory=root / "work" / "deeper")


def client(root: Path, text: str = "identity = n5\n") -> Path:
    file = root / "etc" / "choria" / "client.conf"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_no_files_no_choria(root: Path) -> None:
    assert in_force(root) is None
    assert resolve(configuration=None, environ={}) == ConnectionSettings()


def test_a_file_makes_a_client(root: Path) -> None:
    file = client(root)
    found = in_force(root)
    assert found is not None
    assert found.initial == file
    assert configured_identity(found, make_machine()) == "n5"


def test_naming_servers_means_plain_nats(root: Path) -> None:
    client(root)
    assert in_force(root, "h") is None
    assert in_force(root, NATS_URL="h") is None
    assert in_force(root, NATS_URL="") is not None
    assert in_force(root, NATS_CREDS="/c") is not None


def test_a_named_file_applies_with_named_servers(root: Path) -> None:
    found = in_force(root, "h", client(root), NATS_URL="h")
    assert found is not None
    settings = resolve("h", configuration=found, environ=ALICE, machine=make_machine())
    assert (settings.servers, settings.tls) == (("nats://h:4222",), True)


def test_a_named_file_must_exist(root: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        in_force(root, config=root / "missing")


def test_a_domain_makes_a_client(root: Path) -> None:
    found = in_force(root, CHORIA_SRV_DOMAIN="example.net")
    assert found is not None
    settings = resolve(configuration=found, environ=ALICE, machine=make_machine())
    assert settings.srv[0] == "_mcollective-server._tcp.example.net"


def test_a_project_file_alone_does_not_make_a_client(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "work" / "choria.conf").write_text("identity = n6\n")
    with caplog.at_level(logging.WARNING):
        assert in_force(root) is None
    assert str(root / "work" / "choria.conf") in caplog.text
    client(root)
    found = in_force(root)
    assert found is not None
    assert configured_identity(found, make_machine()) == "n6"


def test_identity_is_derived_without_one(root: Path) -> None:
    assert configured_identity(None, make_machine()) == "n1.example.net"
    client(root, "loglevel = warn\n")
    assert configured_identity(in_force(root), make_machine()) == "n1.example.net"


def test_settings_show_no_secret(configured: Callable[..., Configuration]) -> None:
    configuration = configured(PUPPET | {"plugin.nats.user": "u", "plugin.nats.pass": "marker-pw"})
    settings = resolve(configuration=configuration, environ=ALICE, machine=make_machine())
    assert settings.password == "marker-pw"
    assert "marker" not in f"{settings!r} {configuration!r} {settings.origins}"


def test_reading_is_pure(root: Path) -> None:
    assert read_configuration(environ={}, root=root, directory=root).initial is None
