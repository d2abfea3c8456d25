"""Connecting like Choria's own client: with its files on disk, to brokers that authenticate strictly."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import choria_lifecycle as lifecycle
from choria_lifecycle.config.tokens import public_key
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from tests.bed import puppet, servers
from tests.bed.certificates import LOOPBACK, Authority
from tests.bed.choria import choria_broker
from tests.bed.tokens import Token, client_token, verify_signature, write_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.bed.choria import Broker

EVENT = lifecycle.shutdown(identity="n1.example.net", component="server")
EMIT = ["emit", "shutdown", "--identity", "n1.example.net", "--component", "server"]
SUBJECT = "choria.lifecycle.event.shutdown.server"
MONITORED = f'http: "{LOOPBACK}:-1"'

OURS = Authority.create("Puppet CA: ours.example.net")
OTHER = Authority.create("Another CA")
OLD = Authority.create("Puppet CA: old.example.net", old_puppet=True)


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with Choria's files.

    Attributes:
        root: the folder that stands for /.
        environ: the environment of its user alice.
    """

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home" / "alice"

    def config(self, keys: Mapping[str, object], plugin: Mapping[str, object] | None = None) -> Path:
        """Write client.conf and plugin.d/choria.cfg."""
        folder = self.root / "etc" / "choria"
        (folder / "plugin.d").mkdir(parents=True, exist_ok=True)
        _write(folder / "plugin.d" / "choria.cfg", plugin or {})
        return _write(folder / "client.conf", keys)

    def puppet(self, authority: Authority = OURS, name: str = "alice.mcollective", **more: Any) -> puppet.SslFolder:
        folder = self.home / ".puppetlabs" / "etc" / "puppet" / "ssl"
        return puppet.write_ssldir(folder, authority, name, issued=authority.issue(name, **more))


def _write(path: Path, keys: Mapping[str, object]) -> Path:
    path.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    return path


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, {"USER": "alice"})
    made.home.mkdir(parents=True)
    made.environ["HOME"] = str(made.home)
    monkeypatch.chdir(tmp_path)  # project files are searched for in the parent folders
    return made


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the tests do not run as root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@contextmanager
def guarded(folder: Path, authority: Authority = OURS, **certificate: Any) -> Iterator[embedded.Server]:
    """Run a nats-server that requires certificates of the authority, and shows one for localhost."""
    folder.mkdir(exist_ok=True)
    shown = authority.issue("localhost", **certificate)
    settings = [MONITORED, servers.tls(folder, shown, clients=authority)]
    with embedded.nats_server("\n".join(settings), jetstream=False) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    with guarded(tmp_path_factory.mktemp("mutual")) as running:
        yield running


def client_of(server: embedded.Server, name: str) -> dict[str, Any]:
    """Return what the server reports about the connection with this name."""
    ports = next(server.log.parent.glob("*.ports"))
    port = int(json.loads(ports.read_bytes())["monitoring"][0].rpartition(":")[2])
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/connz?auth=true")
        told = json.loads(connection.getresponse().read())["connections"]
    finally:
        connection.close()
    return next(each for each in told if each.get("name") == name)


def hosts(server: embedded.Server, name: str = "localhost") -> dict[str, str]:
    return {"middleware_hosts": f"{name}:{server.port}"}


async def round_trip(**options: Any) -> None:
    """Publish an event and receive it."""
    async with connect(**options) as middleware, middleware.events() as events:
        await middleware.publish(EVENT)
        assert (await anext(events)).identity == "n1.example.net"


async def refused(kind: type[lifecycle.LifecycleError], **options: Any) -> str:
    with pytest.raises(lifecycle.LifecycleError) as raised:
        await connect(**options).__aenter__()
    assert type(raised.value) is kind, raised.value
    return str(raised.value)


def lifecycle_command(host: Host, *arguments: object, **more: str) -> subprocess.Popen[str]:
    """Start `lifecycle` as alice on this machine."""
    return subprocess.Popen(
        [sys.executable, "-m", "choria_lifecycle", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=host.root,
        env={"PATH": os.environ["PATH"], **host.environ, **more},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, out, err


def viewed_and_emitted(host: Host, viewer: list[object], emitter: list[object]) -> None:
    """Check that one process views what another emits."""
    view = lifecycle_command(host, "view", "--count", 1, "--for", "20s", "--output", "json", *viewer)
    try:
        assert view.stderr is not None
        assert view.stderr.readline().startswith("Waiting for events from topic ")
        emit = lifecycle_command(host, *EMIT, *emitter)
        assert ended(emit) == (0, "", "")
    finally:
        code, out, _ = ended(view)
    assert code == 0
    assert json.loads(out)["subject"] == SUBJECT


# Puppet


@pytest.fixture(params=["HOME", "ssldir", "puppet"])
def ssldir(request: pytest.FixtureRequest, host: Host, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the settings for each way to find Puppet's certificates."""
    folder = host.puppet().ssldir
    if request.param == "ssldir":
        return {"plugin.choria.ssldir": str(folder)}
    privileged = request.param == "puppet"
    monkeypatch.setattr(os, "geteuid", lambda: 0 if privileged else 1000)
    if privileged:
        program = host.root / "bin" / "puppet"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\ntest \"$*\" = 'apply --environment production --configprint ssldir' && echo {folder}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return {}


async def test_puppet(ssldir: dict[str, str], host: Host, mutual: embedded.Server) -> None:
    config = host.config(ssldir, hosts(mutual))
    async with connect(config=config, environ=host.environ) as middleware, middleware.events() as events:
        await middleware.publish(EVENT)
        assert (await anext(events)).identity == "n1.example.net"
        assert middleware.server == f"nats://localhost:{mutual.port}"
        told = client_of(mutual, "alice.mcollective")
    assert told["tls_version"] == "1.3"
    assert told["tls_peer_certs"][0]["subject"] == "CN=alice.mcollective"


@pytest.mark.parametrize("name", [".choriarc", ".mcollective"])
async def test_a_file_in_the_home_directory_is_found(
    name: str, host: Host, mutual: embedded.Server, unprivileged: None
) -> None:
    host.puppet()
    _write(host.home / name, {f"plugin.choria.{key}": value for key, value in hosts(mutual).items()})
    await round_trip(environ=host.environ)


async def test_the_file_of_a_project_takes_precedence(host: Host, mutual: embedded.Server) -> None:
    config = host.config({"plugin.choria.ssldir": host.puppet().ssldir}, {"middleware_hosts": "localhost:1"})
    _write(host.root / "choria.conf", {f"plugin.choria.{key}": value for key, value in hosts(mutual).items()})
    await round_trip(config=config, environ=host.environ)


async def test_puppet_by_another_name(host: Host, mutual: embedded.Server) -> None:
    layout = host.puppet(name="bob.privileged.mcollective")
    config = host.config({"plugin.choria.ssldir": layout.ssldir}, hosts(mutual))
    environ = host.environ | {"MCOLLECTIVE_CERTNAME": "bob.privileged.mcollective"}
    async with connect(config=config, environ=environ):
        told = client_of(mutual, "bob.privileged.mcollective")
    assert told["tls_peer_certs"][0]["subject"] == "CN=bob.privileged.mcollective"


async def test_puppet_without_certificates(host: Host) -> None:
    config = host.config({"plugin.choria.ssldir": host.root / "nowhere"}, {"middleware_hosts": "localhost:1"})
    message = await refused(lifecycle.ConfigError, config=config, environ=host.environ)
    assert message.startswith(f"cannot read {host.root}/nowhere/certs/ca.pem (provider puppet, ssldir of {config}:1, ")
    message = await refused(lifecycle.ConfigError, config=config, environ={"HOME": str(host.home)})
    assert message == "USER is not set, so the client has no name: set it, or MCOLLECTIVE_CERTNAME"


@pytest.mark.parametrize("authority", [OURS, OLD], ids=["authority", "old authority"])
@pytest.mark.parametrize(
    ("provider", "accepted"), [("puppet", True), ("file", False), ("file, legacy", True), ("plain NATS", False)]
)
async def test_certificate_without_names(
    provider: str, accepted: bool, authority: Authority, host: Host, tmp_path: Path
) -> None:
    """Old Puppet authorities omitted alternative names; Choria's providers handle that differently."""
    layout = host.puppet(authority)
    with guarded(tmp_path / "server", authority, san=False) as server:
        options: dict[str, Any] = {"environ": host.environ}
        if provider == "puppet":
            options["config"] = host.config({"plugin.choria.ssldir": layout.ssldir}, hosts(server))
        elif provider == "plain NATS":
            options |= {"ca": layout.ca, "cert": layout.certificate, "key": layout.key}
            options["servers"] = f"tls://localhost:{server.port}"
        else:
            keys = files_of(layout) | {"plugin.security.support_legacy_certificates": "legacy" in provider}
            options["config"] = host.config(keys, hosts(server))
        if accepted:
            await round_trip(**options)
        else:
            message = await refused(lifecycle.ConnectionFailed, **options)
            assert "certificate is not valid for 'localhost'" in message


async def test_common_name_of_another_host(host: Host, tmp_path: Path) -> None:
    """The common name replaces alternative names, but is still verified."""
    layout = host.puppet()
    shown = OURS.issue("broker.example.net", san=False)
    (tmp_path / "server").mkdir()
    settings = servers.tls(tmp_path / "server", shown, clients=OURS)
    with embedded.nats_server(settings, jetstream=False) as server:
        config = host.config({"plugin.choria.ssldir": layout.ssldir}, hosts(server))
        message = await refused(lifecycle.ConnectionFailed, config=config, environ=host.environ)
        assert "certificate is not valid for 'localhost'" in message


@pytest.mark.parametrize("provider", ["puppet", "file", "plain NATS"])
async def test_old_authority_under_strict_verification(
    provider: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 verifies strictly by default, which Puppet's old certificates do not pass."""
    original = ssl.create_default_context

    def strict(**arguments: Any) -> ssl.SSLContext:
        context = original(**arguments)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    layout = host.puppet(OLD)
    with guarded(tmp_path / "server", OLD) as server:
        options: dict[str, Any] = {"environ": host.environ}
        if provider == "plain NATS":
            options |= {"ca": layout.ca, "cert": layout.certificate, "key": layout.key}
            options["servers"] = f"tls://localhost:{server.port}"
        else:
            keys = files_of(layout) if provider == "file" else {"plugin.choria.ssldir": layout.ssldir}
            options["config"] = host.config(keys, hosts(server))
        await round_trip(**options)
        # Other certificates are still refused.
        layout.ca.write_bytes(OTHER.pem)
        message = await refused(lifecycle.ConnectionFailed, **options)
        assert "certificate not trusted" in message
        assert f"in {layout.ca} (" in message


def test_puppet_in_processes(host: Host, mutual: embedded.Server) -> None:
    config = host.config({"plugin.choria.ssldir": host.puppet().ssldir}, hosts(mutual))
    viewed_and_emitted(host, ["--config", config], ["--config", config])


# Files


def files_of(layout: puppet.SslFolder) -> dict[str, object]:
    return {
        "plugin.security.provider": "file",
        "plugin.security.file.certificate": layout.certificate,
        "plugin.security.file.key": layout.key,
        "plugin.security.file.ca": layout.ca,
    }


@pytest.mark.parametrize(
    ("uid", "certname", "name"),
    [
        (1000, None, "alice.mcollective"),
        (0, None, "n9.example.net"),
        (1000, "bob.mcollective", "bob.mcollective"),
        (0, "bob.mcollective", "bob.mcollective"),
    ],
)
async def test_file(
    uid: int,
    certname: str | None,
    name: str,
    host: Host,
    mutual: embedded.Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    config = host.config({"identity": "n9.example.net", **files_of(host.puppet())}, hosts(mutual))
    environ = host.environ | ({"MCOLLECTIVE_CERTNAME": certname} if certname else {})
    async with connect(config=config, environ=environ) as middleware:
        await middleware.publish(EVENT)
        assert client_of(mutual, name)["tls_peer_certs"][0]["subject"] == "CN=alice.mcollective"


@pytest.mark.parametrize("missing", ["certificate", "key", "ca"])
async def test_file_without_a_setting(missing: str, host: Host) -> None:
    keys = {key: value for key, value in files_of(host.puppet()).items() if not key.endswith(f".{missing}")}
    config = host.config(keys, {"middleware_hosts": "localhost:1"})
    message = await refused(lifecycle.ConfigError, config=config, environ=host.environ)
    assert f"the security provider file needs plugin.security.file.{missing}" in message


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("pkcs11", "plugin.security.file.certificate and plugin.security.file.key"),
        ("certmanager", "plugin.security.file.certificate = SSLDIR/cert.pem"),
        ("kerberos", "is not one of puppet, file, "),
    ],
)
def test_an_unsupported_provider(provider: str, words: str, host: Host) -> None:
    config = host.config({"plugin.security.provider": provider}, {"middleware_hosts": "localhost:1"})
    code, out, said = ended(lifecycle_command(host, "view", "--count", 1, "--config", config))
    assert (code, out) == (2, "")
    assert words in said
    if provider != "kerberos":
        assert f"the security provider {provider} is not supported here" in said
        assert "plugin.security.provider = file" in said


# Choria's tokens

ISSUER = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """Run a Choria broker in front of a nats-server with a stream; its records cover all tests."""
    with (
        embedded.nats_server() as behind,
        choria_broker(ISSUER, OURS.issue("localhost"), behind.port, clients=OURS) as running,
    ):
        yield running


def with_token(
    host: Host, broker: Broker | embedded.Server, token: Token, more: Mapping[str, object] | None = None, **names: str
) -> dict[str, Any]:
    """Return the arguments of `connect` for a host with this token."""
    written = write_credentials(host.home / ".config" / "choria", token, **names)
    keys = {
        "plugin.security.provider": "choria",
        "plugin.security.choria.token_file": written.token_file,
        "plugin.security.choria.seed_file": written.seed_file,
    }
    plugin = {"middleware_hosts": f"localhost:{broker.port}"}
    return {"config": host.config(keys | dict(more or {}), plugin), "environ": host.environ}


EVERYTHING = {"pub_subjects": ["choria.lifecycle.>"]}


async def test_choria(host: Host, broker: Broker) -> None:
    await round_trip(**with_token(host, broker, client_token(ISSUER, **EVERYTHING)))
    told = broker.connects[-1]
    assert told["name"] == "alice"
    assert "=" not in told["sig"]


@pytest.mark.parametrize("auth_required", [False, True])
async def test_a_choria_broker_that_may_not_announce_authentication(
    auth_required: bool, host: Host, server: embedded.Server
) -> None:
    """Choria sets up its authentication so late that INFO may not announce it."""
    shown = OURS.issue("localhost")
    with choria_broker(ISSUER, shown, server.port, auth_required=auth_required) as broker:
        await round_trip(**with_token(host, broker, client_token(ISSUER, **EVERYTHING)))


async def test_choria_files_written_by_hand(host: Host, broker: Broker) -> None:
    """A final line feed and capital letters are accepted."""
    token = client_token(ISSUER, **EVERYTHING)
    await round_trip(**with_token(host, broker, Token(f"{token.jwt}\n", f"{token.seed.upper()}\n")))


async def test_choria_with_certificates(host: Host, broker: Broker) -> None:
    layout = host.puppet()
    own = {f"plugin.security.choria.{key}": path for key, path in (("ca", layout.ca), ("key", layout.key))}
    own["plugin.security.choria.certificate"] = layout.certificate
    options = with_token(host, broker, client_token(ISSUER, **EVERYTHING), own)
    await round_trip(**options)
    # With an authority the broker's certificate is verified; without one it is not.
    layout.ca.write_bytes(OTHER.pem)
    assert "certificate not trusted" in await refused(lifecycle.ConnectionFailed, **options)


USER = {"plugin.nats.user": "alice", "plugin.nats.pass": "s3cret"}


async def test_choria_with_a_user(host: Host, broker: Broker) -> None:
    """Choria's client sends both; its broker may require both."""
    token = client_token(ISSUER, **EVERYTHING)
    for more in (USER, USER | {"plugin.security.choria.ca": host.puppet().ca}):
        await round_trip(**with_token(host, broker, token, more))
        told = broker.connects[-1]
        assert (told["auth_token"], told["user"], told["pass"]) == (token.jwt, "alice", "s3cret")
        verify_signature(told["sig"], broker.nonces[-1], public_key(bytes.fromhex(token.seed)))


@pytest.mark.parametrize("verified", [False, True])
@pytest.mark.parametrize("nonce", [False, True])
async def test_the_user_beside_a_token_selects_the_account(
    nonce: bool, verified: bool, host: Host, tmp_path: Path
) -> None:
    """A nats-server ignores the token; it sends a nonce if a user has an nkey."""
    (tmp_path / "server").mkdir()
    known = {name: [{"user": name, "password": "s3cret"}] for name in ("alice", "bob")}
    if nonce:
        known["keys"] = [{"nkey": servers.nkey(tmp_path / "seed")}]
    settings = [
        MONITORED,
        servers.tls(tmp_path / "server", OURS.issue("localhost")),
        f"accounts {json.dumps({account: {'users': users} for account, users in known.items()})}",
    ]
    token = client_token(ISSUER)
    ca = {"plugin.security.choria.ca": host.puppet().ca} if verified else {}
    with embedded.nats_server("\n".join(settings), jetstream=False) as server:
        for user in ("alice", "bob"):
            async with connect(**with_token(host, server, token, ca | USER | {"plugin.nats.user": user})):
                assert client_of(server, "alice")["account"] == user
        await refused(lifecycle.NotAuthorised, **with_token(host, server, token, ca))
        wrong = ca | USER | {"plugin.nats.pass": "wrong"}
        message = await refused(lifecycle.NotAuthorised, **with_token(host, server, token, wrong))
        assert "Are user and password right (" in message


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (client_token(Ed25519PrivateKey.generate()), "from an issuer that the broker trusts"),
        (client_token(ISSUER)._replace(seed="ab" * 32), "private.key its seed"),
        (client_token(ISSUER, claims={"public_key": "cd" * 32}), "private.key its seed"),
    ],
    ids=["unknown issuer", "another seed", "another key"],
)
async def test_choria_token_that_the_broker_refuses(token: Token, words: str, host: Host, broker: Broker) -> None:
    options = with_token(host, broker, token)
    message = await refused(lifecycle.NotAuthorised, **options)
    assert message.startswith(f"cannot connect to nats://localhost:{broker.port}: the server refused the credentials.")
    assert words in message


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (client_token(ISSUER, expires=-60), "expired on "),
        (client_token(ISSUER, claims={"issexp": 1_700_000_000}), "expired on 2023-11-14 22:13 UTC"),
        (client_token(ISSUER, valid_in=600), "is not valid before "),
    ],
    ids=["expired", "issuer expired", "not yet valid"],
)
async def test_choria_token_out_of_time(token: Token, words: str, host: Host, broker: Broker) -> None:
    seen = len(broker.connects)
    message = await refused(lifecycle.NotAuthorised, **with_token(host, broker, token))
    assert words in message
    assert len(broker.connects) == seen


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (Token("no.token", "ab" * 32), "token.jwt is not a token"),
        (Token("", "ab" * 32), "token.jwt is not a token"),
        (client_token(ISSUER, claims={"purpose": "choria_provisioning"}), 'is for "choria_provisioning"'),
        (client_token(ISSUER)._replace(seed="short"), "private.key is not an ed25519 seed"),
        (client_token(ISSUER)._replace(seed=""), "private.key is not an ed25519 seed"),
    ],
    ids=["no token", "empty token", "another purpose", "no seed", "empty seed"],
)
async def test_choria_unusable_files(token: Token, words: str, host: Host, broker: Broker) -> None:
    assert words in await refused(lifecycle.ConfigError, **with_token(host, broker, token))


async def test_choria_permissions(host: Host, broker: Broker) -> None:
    async with connect(**with_token(host, broker, client_token(ISSUER))) as middleware:
        with pytest.raises(lifecycle.NotAuthorised, match=f"publish to {SUBJECT}"):
            await middleware.publish(EVENT)
        async with middleware.events():
            pass  # the connection still works
    async with connect(**with_token(host, broker, client_token(ISSUER, permissions=["governor"]))) as middleware:
        with pytest.raises(lifecycle.NotAuthorised, match=r"subscribe to choria\.lifecycle\.event\.>"):
            async with middleware.events():
                pytest.fail("subscribed")


@pytest.fixture
async def stream(broker: Broker) -> None:
    """Store lifecycle events as a Choria broker does."""
    client = await nats_py.connect(f"nats://{LOOPBACK}:{broker._target_port}")
    await client.jetstream().add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.>"])
    await client.close()


@pytest.mark.parametrize("collective", [None, "production"])
async def test_acknowledgements_arrive_in_an_inbox_of_the_caller(
    collective: str | None, stream: None, host: Host, broker: Broker
) -> None:
    token = client_token(ISSUER, callerid="up=alice", **EVERYTHING)
    more = {"main_collective": collective} if collective else {}
    async with connect(**with_token(host, broker, token, more)) as middleware:
        await middleware.publish(EVENT, stored=True)
    md5_of_caller = "9ff94a8781520105e44481be68e5d47f"
    assert broker.subscriptions[-1].startswith(f"{collective or 'choria'}.reply.{md5_of_caller}.")


async def test_acknowledgements_with_a_certificate(host: Host, tmp_path: Path) -> None:
    user = servers.User(name="CN=alice.mcollective", publish=["choria.lifecycle.>"], subscribe=["mcollective.reply.>"])
    (tmp_path / "server").mkdir()
    settings = servers.tls(tmp_path / "server", OURS.issue("localhost"), clients=OURS, mapped=True)
    anyone = servers.User(name="CN=stream.mcollective")
    with embedded.nats_server(f"{settings}\n{servers.users(user, anyone)}") as server:
        layout = host.puppet(name="stream.mcollective")
        context = ssl.create_default_context(cafile=layout.ca)
        context.load_cert_chain(layout.certificate, layout.key)
        client = await nats_py.connect(f"tls://localhost:{server.port}", tls=context)
        await client.jetstream().add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.>"])
        await client.close()
        config = host.config({"plugin.choria.ssldir": host.puppet().ssldir}, hosts(server))
        async with connect(config=config, environ=host.environ) as middleware:
            await middleware.publish(EVENT, stored=True)
            with pytest.raises(lifecycle.NotAuthorised, match="subscribe to "):
                async with middleware.events():
                    pytest.fail("subscribed")


def test_choria_in_processes(host: Host, broker: Broker) -> None:
    options = with_token(host, broker, client_token(ISSUER, **EVERYTHING))
    viewed_and_emitted(host, ["--config", options["config"]], ["--config", options["config"]])


@pytest.mark.parametrize(
    ("token", "code", "words"),
    [
        (client_token(ISSUER), 4, f"the server does not allow this user to publish to {SUBJECT}"),
        (client_token(Ed25519PrivateKey.generate()), 4, "the server refused the credentials"),
        (client_token(ISSUER, expires=-60), 4, "expired on "),
        (client_token(ISSUER)._replace(seed="short"), 2, "is not an ed25519 seed"),
    ],
    ids=["not allowed", "unknown issuer", "expired", "no seed"],
)
def test_choria_exit_codes(token: Token, code: int, words: str, host: Host, broker: Broker) -> None:
    config = with_token(host, broker, token)["config"]
    arguments = [*EMIT, "--config", config]
    ended_with, out, said = ended(lifecycle_command(host, *arguments))
    assert (ended_with, out, said.count("\n")) == (code, "", 1)
    assert words in said


# Clients of Choria's AAA service


@pytest.mark.parametrize("kind", ["EdDSA", "RS256"])
@pytest.mark.parametrize("provider", ["file", "puppet"])
async def test_token_of_the_request_signer(
    provider: str, kind: str, host: Host, server: embedded.Server, unprivileged: None
) -> None:
    """The token of `choria login` authenticates the client, over TLS without verifying the broker."""
    issuer = ISSUER if kind == "EdDSA" else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = client_token(issuer, callerid="okta=alice@example.net", **EVERYTHING)
    written = write_credentials(host.home / ".choria", token, token_name="token", seed_name="token.key")
    keys = {
        "plugin.security.provider": provider,
        "plugin.security.client_anon_tls": "true",
        "plugin.choria.security.request_signer.token_file": "~/.choria/token",
        "plugin.choria.security.request_signer.service": "true",
    }
    assert written.token_file == host.home / ".choria" / "token"
    with choria_broker(issuer, OTHER.issue("elsewhere.example.net"), server.port) as broker:
        config = host.config(keys, {"middleware_hosts": f"localhost:{broker.port}"})
        await round_trip(config=config, environ=host.environ)
        assert broker.connects[-1]["name"] == "alice.mcollective"


# Plain NATS


@pytest.fixture(scope="module")
def nats_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[embedded.Server, Path]]:
    """Run a server with one user by password and one by nkey; yield it with the seed file."""
    seed = tmp_path_factory.mktemp("nkey") / "seed"
    known = [servers.User(name="alice", password="s3cret"), servers.User(nkey=servers.nkey(seed))]
    with embedded.nats_server(f"{MONITORED}\n{servers.users(*known)}", jetstream=False) as running:
        yield running, seed


@pytest.mark.parametrize("prefix", ["NATS_USER NATS_PASSWORD", "MCOLLECTIVE_NATS_USERNAME MCOLLECTIVE_NATS_PASSWORD"])
@pytest.mark.parametrize("configured", [False, True])
async def test_password(prefix: str, configured: bool, nats_users: Any, host: Host) -> None:
    server, _ = nats_users
    environ = host.environ | dict(zip(prefix.split(), ("alice", "s3cret"), strict=True))
    options: dict[str, Any] = {"servers": server.url, "environ": environ}
    if configured:
        # The key is in no file; Choria would then ignore the variable, which is a defect of its own.
        options |= {"config": host.config({"plugin.choria.ssldir": host.puppet().ssldir}), "tls": False}
    await round_trip(**options)
    environ[prefix.split()[1]] = "wrong"
    message = await refused(lifecycle.NotAuthorised, **options)
    assert f"Are user and password right (environment {prefix.split()[0]})?" in message


async def test_password_from_a_file(nats_users: Any, host: Host) -> None:
    server, _ = nats_users
    keys = {"plugin.choria.ssldir": host.puppet().ssldir, "plugin.nats.user": "alice", "plugin.nats.pass": "s3cret"}
    config = host.config(keys, hosts(server))
    await round_trip(config=config, tls=False, environ=host.environ)
    # The environment overrides the file.
    environ = host.environ | {"MCOLLECTIVE_NATS_PASSWORD": "wrong"}
    await refused(lifecycle.NotAuthorised, config=config, tls=False, environ=environ)


async def test_password_and_certificate(host: Host, tmp_path: Path) -> None:
    """Both are sent if both are configured."""
    (tmp_path / "server").mkdir()
    settings = servers.tls(tmp_path / "server", OURS.issue("localhost"), clients=OURS)
    known = servers.users(servers.User(name="alice", password="s3cret"))
    with embedded.nats_server(f"{settings}\n{known}", jetstream=False) as server:
        config = host.config({"plugin.choria.ssldir": host.puppet().ssldir}, hosts(server))
        environ = host.environ | {"MCOLLECTIVE_NATS_USERNAME": "alice", "MCOLLECTIVE_NATS_PASSWORD": "s3cret"}
        await round_trip(config=config, environ=environ)
        await refused(lifecycle.NotAuthorised, config=config, environ=host.environ)


@pytest.mark.parametrize("variable", ["NATS_CREDS", "MCOLLECTIVE_NATS_CREDENTIALS"])
async def test_creds(variable: str, host: Host) -> None:
    operator = servers.Operator()
    creds = operator.creds(host.home / "alice.creds")
    with embedded.nats_server(operator.config, jetstream=False) as server:
        await round_trip(servers=server.url, environ=host.environ | {variable: str(creds)})
        keys = {"plugin.choria.ssldir": host.puppet().ssldir, "plugin.nats.credentials": creds}
        await round_trip(config=host.config(keys, hosts(server)), tls=False, environ=host.environ)
        expired = operator.creds(host.home / "expired.creds", expires=-60)
        message = await refused(
            lifecycle.NotAuthorised, servers=server.url, environ=host.environ | {variable: str(expired)}
        )
        assert f"the creds {expired} expired on " in message


async def test_nkey(nats_users: Any, host: Host) -> None:
    server, seed = nats_users
    await round_trip(servers=server.url, environ=host.environ | {"NATS_NKEY": str(seed)})
    servers.nkey(host.home / "other")
    environ = host.environ | {"NATS_NKEY": str(host.home / "other")}
    await refused(lifecycle.NotAuthorised, servers=server.url, environ=environ)


@pytest.fixture(scope="module")
def token_server() -> Iterator[embedded.Server]:
    """Run a server that admits clients with a token."""
    with embedded.nats_server('authorization { token: "s3cret" }', jetstream=False) as running:
        yield running


async def test_token(token_server: embedded.Server, host: Host) -> None:
    url = token_server.url
    await round_trip(servers=url, environ=host.environ | {"NATS_TOKEN": "s3cret"})
    await round_trip(servers=url, token="s3cret", environ=host.environ | {"NATS_TOKEN": "wrong"})
    # It replaces what Choria's configuration has.
    keys = {"plugin.choria.ssldir": host.puppet().ssldir, "plugin.nats.user": "alice", "plugin.nats.pass": "wrong"}
    config = host.config(keys, hosts(token_server))
    await round_trip(config=config, tls=False, environ=host.environ | {"NATS_TOKEN": "s3cret"})
    message = await refused(lifecycle.NotAuthorised, servers=url, environ=host.environ | {"NATS_TOKEN": "wrong"})
    assert message.endswith("the server refused the credentials. Is the token right (environment NATS_TOKEN)?")


async def test_token_file(token_server: embedded.Server, host: Host) -> None:
    file = host.home / ".nats.token"
    options = {"servers": token_server.url, "environ": host.environ | {"NATS_TOKEN_FILE": str(file)}}
    message = await refused(lifecycle.ConfigError, **options)
    assert message == (
        f"cannot read {file} (environment NATS_TOKEN_FILE): No such file or directory; write the token into it"
    )
    file.write_text("s3cret\n")
    await round_trip(**options)
    await round_trip(servers=token_server.url, token_file=file, environ=host.environ | {"NATS_TOKEN": "wrong"})
    file.write_text("wrong")
    message = await refused(lifecycle.NotAuthorised, **options)
    assert message.endswith(f"Is the token in {file} (environment NATS_TOKEN_FILE) right?")


def test_token_of_the_command(token_server: embedded.Server, host: Host) -> None:
    arguments = [*EMIT, "--server", token_server.url]
    file = host.home / ".nats.token"
    file.write_text("s3cret\n")
    for flags, environ in (
        ([], {"NATS_TOKEN": "s3cret"}),
        ([], {"NATS_TOKEN_FILE": str(file)}),
        (["--token-file", file], {"NATS_TOKEN": "wrong"}),
    ):
        assert ended(lifecycle_command(host, *arguments, *flags, **environ)) == (0, "", "")
    code, _, said = ended(lifecycle_command(host, *arguments, NATS_TOKEN="s3cret", NATS_TOKEN_FILE=str(file)))
    both = "a token (environment NATS_TOKEN) and a token from a file (environment NATS_TOKEN_FILE)"
    assert (code, said) == (2, f"lifecycle: error: {both} cannot be combined: connect with one of them\n")
    code, _, said = ended(lifecycle_command(host, *arguments, NATS_TOKEN="wrong"))
    assert (code, "the server refused the credentials. Is the token right" in said) == (4, True)


# Precedence


async def test_arguments_over_environment_over_files(fake_server: Any, host: Host) -> None:
    def asked(server: Any) -> dict[str, Any]:
        """Return the last client's CONNECT."""
        line = next(line for line in reversed(server.received.splitlines()) if line.startswith(b"CONNECT "))
        return dict(json.loads(line.removeprefix(b"CONNECT ")))

    info = {"max_payload": 1048576, "auth_required": True}
    async with AsyncExitStack() as stack:
        filed, named, argued = [await stack.enter_async_context(fake_server(info)) for _ in range(3)]
        keys = {"plugin.choria.ssldir": host.puppet().ssldir, "plugin.nats.user": "filed", "plugin.nats.pass": "1"}
        options: dict[str, Any] = {
            "config": host.config(keys, {"middleware_hosts": filed.url.removeprefix("nats://")}),
            "environ": dict(host.environ),
            "tls": False,
        }

        async def connected(**more: Any) -> str:
            async with connect(**options, **more) as middleware:
                return middleware.server

        assert await connected() == filed.url
        assert [asked(filed)[key] for key in ("name", "user", "pass")] == ["alice.mcollective", "filed", "1"]
        options["environ"] |= {"MCOLLECTIVE_NATS_USERNAME": "varied", "MCOLLECTIVE_NATS_PASSWORD": "2"}
        assert await connected() == filed.url
        assert [asked(filed)[key] for key in ("user", "pass")] == ["varied", "2"]
        options["environ"] |= {"NATS_URL": named.url, "NATS_USER": "named", "NATS_PASSWORD": "3"}
        assert await connected() == named.url
        assert [asked(named)[key] for key in ("name", "user", "pass")] == ["alice.mcollective", "named", "3"]
        more = {"servers": argued.url, "user": "argued", "password": "4", "name": "mine"}
        assert await connected(**more) == argued.url
        assert [asked(argued)[key] for key in ("name", "user", "pass")] == ["mine", "argued", "4"]


def test_flags_over_environment_over_files(nats_users: Any, host: Host) -> None:
    server, _ = nats_users
    keys = {"plugin.choria.ssldir": host.puppet().ssldir, "plugin.nats.user": "alice", "plugin.nats.pass": "wrong"}
    config = host.config(keys, {"middleware_hosts": "localhost:1"})
    password = host.home / "password"
    password.write_text("s3cret\n")
    arguments = [*EMIT, "--no-tls", "--config", str(config)]
    code, _, said = ended(lifecycle_command(host, *arguments))
    assert (code, "localhost:1: connection refused" in said) == (3, True)
    code, _, said = ended(lifecycle_command(host, *arguments, NATS_URL=server.url))
    assert (code, "the server refused the credentials" in said) == (4, True)
    flags = ["--user", "alice", "--password-file", password]
    code, _, said = ended(lifecycle_command(host, *arguments, *flags, NATS_URL=server.url, NATS_PASSWORD="wrong"))
    assert (code, said) == (0, "")


async def test_certificates_of_arguments_environment_and_files(host: Host, mutual: embedded.Server) -> None:
    layout = host.puppet()
    config = host.config({"plugin.choria.ssldir": layout.ssldir}, hosts(mutual))
    environ = dict(host.environ)
    foreign = OTHER.issue("mallory").write(host.home, "mallory")
    good = OURS.issue("bob").write(host.home, "bob")
    await round_trip(config=config, environ=environ)
    environ |= {"NATS_CERT": str(foreign[0]), "NATS_KEY": str(foreign[1])}
    message = await refused(lifecycle.ConnectionFailed, config=config, environ=environ)
    assert f"Has {foreign[0]} (environment NATS_CERT) expired" in message
    async with connect(config=config, environ=environ, cert=good[0], key=good[1]):
        assert client_of(mutual, "alice.mcollective")["tls_peer_certs"][0]["subject"] == "CN=bob"


# Without TLS


@pytest.mark.parametrize("secret", ["password", "creds", "nkey", "token", "Choria token"])
@pytest.mark.parametrize("where", ["file", "argument"])
async def test_secrets_are_sent_without_tls_only_on_this_machine(
    secret: str, where: str, host: Host, broker: Broker
) -> None:
    far = "broker.example.net:4222"
    config = host.config({"plugin.choria.ssldir": host.puppet().ssldir}, {"middleware_hosts": far})
    options: dict[str, Any] = {"config": config, "environ": host.environ}
    if secret == "Choria token":
        options = with_token(host, broker, client_token(ISSUER), {"plugin.choria.middleware_hosts": far})
        _write(host.root / "etc" / "choria" / "plugin.d" / "choria.cfg", {})
    elif secret == "password":
        options |= {"user": "alice", "password": "s3cret"}
    elif secret == "token":
        options |= {"token": "s3cret"}
    else:
        path = host.home / secret
        (servers.Operator().creds if secret == "creds" else servers.nkey)(path)
        options[secret] = path
    if where == "argument":
        options["servers"] = f"nats://{far}"
    message = await refused(lifecycle.ConfigError, tls=False, **options)
    assert "would cross the network in the clear: remove tls=False" in message


async def test_no_tls_contradicts_tls(host: Host) -> None:
    layout = host.puppet()
    config = host.config({"plugin.choria.ssldir": layout.ssldir}, {"middleware_hosts": "localhost:1"})
    for more in (
        {"servers": "tls://localhost:1"},
        {"ca": layout.ca},
        {"cert": layout.certificate, "key": layout.key},
    ):
        message = await refused(lifecycle.ConfigError, config=config, environ=host.environ, tls=False, **more)
        assert "contradicts" in message


def test_no_tls_in_processes(host: Host, server: embedded.Server) -> None:
    config = host.config({"plugin.choria.ssldir": host.root / "nowhere"}, hosts(server))
    viewed_and_emitted(host, ["--config", config, "--no-tls"], ["--config", config, "--no-tls"])
    arguments = [*EMIT, "--config", config]
    config.write_text(f"plugin.choria.ssldir = {host.puppet().ssldir}\n")
    code, _, said = ended(lifecycle_command(host, *arguments))
    assert code == 3
    assert "no credentials were sent. Choria's configuration requires TLS; --no-tls turns it off." in said
