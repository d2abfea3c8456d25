"""TLS faults: each is detected within the timeout and named, and nothing is disclosed."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.parameters import CONNECTION_FLAGS, translate
from choria_lifecycle.cli.program import program
from choria_lifecycle.connection import connect, publish_once
from choria_lifecycle.demo import embedded
from choria_lifecycle.nats import client, reconnect, tcp, tls
from tests.bed.certificates import LOOPBACK, Authority, server_context
from tests.bed.tokens import client_token, write_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

EVENT = lifecycle.shutdown(identity="n1.example.net", component="server")
NOBODY = "nats://127.0.0.1:1"
USERS = 'authorization { users = [ { user: "alice", password: "s3cret" } ] }'
GREETING = {"server_id": "x", "version": "2.15.1", "max_payload": 1048576}
CODES = {lifecycle.ConfigError: 2, lifecycle.ConnectionFailed: 3}
# Above the duration of each of these, below the server's default timeout of five seconds.
SECONDS = 4.0

OURS = Authority.create("Our CA")
OTHER = Authority.create("Another CA")


class Files:
    """Certificates, keys and authorities as files in one folder, made on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ca(self, authority: Authority, name: str) -> Path:
        return self.written(f"{name}.pem", authority.pem)

    def pair(self, name: str, authority: Authority = OURS, **properties: Any) -> dict[str, Path]:
        """Return a client certificate as arguments of `connect`."""
        cert, key = authority.issue("alice.mcollective", **properties).write(self._folder, name)
        return {"cert": cert, "key": key}

    def server(self, name: str, authority: Authority = OURS, common: str = "localhost", **properties: Any) -> str:
        """Return the certificate part of a nats-server's TLS settings."""
        cert, key = authority.issue(common, **properties).write(self._folder, name)
        return f'cert_file: "{cert}", key_file: "{key}"'

    def written(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls-faults"))


@pytest.fixture(scope="module")
def running(files: Files) -> Iterator[Callable[[str], embedded.Server]]:
    """Return a function that starts a nats-server with a kind of certificate, once for all tests."""
    kinds: dict[str, Callable[[], str]] = {
        "good": lambda: files.server("good", addresses=[LOOPBACK]),
        "expired": lambda: files.server("expired", expired=True),
        "not yet valid": lambda: files.server("not-yet", not_yet=True),
        "elsewhere": lambda: files.server("elsewhere", common="broker.example.net", addresses=["192.0.2.1"]),
        "without names": lambda: files.server("nameless", san=False),
        "of an expired authority": lambda: files.server("late", Authority.create("Late CA", expired=True)),
        "mutual": lambda: (
            f'{files.server("mutual", addresses=[LOOPBACK])}, ca_file: "{files.ca(OURS, "ours")}", verify: true'
        ),
    }
    servers: dict[str, embedded.Server] = {}
    with ExitStack() as stack:

        def start(kind: str) -> embedded.Server:
            if kind not in servers:
                settings = f"tls {{ {kinds[kind]()} }}"
                servers[kind] = stack.enter_context(embedded.nats_server(settings, jetstream=False))
            return servers[kind]

        yield start


def emitting(url: str, *, config: Path | None = None, **options: Path) -> list[str]:
    """Return the arguments of `lifecycle` that match `publish_once`."""
    arguments = ["emit", "shutdown", "--identity", "n1.example.net", "--component", "server", "--server", url]
    arguments += [str(word) for name, path in options.items() for word in (CONNECTION_FLAGS[name], path)]
    return arguments + (["--config", str(config)] if config else [])


def failing(kind: type[lifecycle.LifecycleError], url: str, **options: Any) -> str:
    """Return the library's message for a connection that fails in time; the command shows the same with flags."""
    begun = time.monotonic()
    with pytest.raises(lifecycle.LifecycleError) as raised:
        publish_once(EVENT, url, environ={}, **options)
    assert type(raised.value) is kind
    assert time.monotonic() - begun < SECONDS
    assert "s3cret" not in str(raised.value)
    begun = time.monotonic()
    result = CliRunner().invoke(program, emitting(url, **options), prog_name="lifecycle")
    assert time.monotonic() - begun < SECONDS
    assert (result.exit_code, result.stdout) == (CODES[kind], "")
    assert result.stderr.startswith("lifecycle: error: ")
    assert len(result.stderr.splitlines()) == 1
    # With TLS 1.3, the server's reason may arrive too late.
    told, said = (
        re.sub(r"client certificate \([^)]*\)", "client certificate", text)
        for text in (str(raised.value), result.stderr.removeprefix("lifecycle: error: ").rstrip("\n"))
    )
    assert translate(told) == said
    return told


class Fault(NamedTuple):
    """A server certificate that must not be trusted."""

    server: str
    host: str
    cause: str
    advice: str
    authority: Authority | None = OURS


FAULTS = {
    "unknown authority": Fault(
        "good", "localhost", "unable to get local issuer certificate", "Trust the authority that signed it", OTHER
    ),
    "authorities of the system": Fault(
        "good", "localhost", "unable to get local issuer certificate", "by default the system's are trusted", None
    ),
    "wrong host name": Fault(
        "elsewhere",
        "localhost",
        "Hostname mismatch, certificate is not valid for 'localhost'",
        "Connect by a name that the server's certificate lists.",
    ),
    "wrong address": Fault(
        "elsewhere",
        LOOPBACK,
        f"IP address mismatch, certificate is not valid for '{LOOPBACK}'",
        "Connect by a name that the server's certificate lists.",
    ),
    "name only in the common name": Fault(
        "without names",
        "localhost",
        "Hostname mismatch, certificate is not valid for 'localhost'",
        "Connect by a name that the server's certificate lists.",
    ),
    "expired": Fault("expired", "localhost", "certificate has expired", "must be renewed"),
    "authority expired": Fault(
        "of an expired authority",
        "localhost",
        "certificate has expired",
        "must be renewed",
        Authority.create("Late CA", expired=True),
    ),
    "not yet valid": Fault(
        "not yet valid", "localhost", "certificate is not yet valid", "Is the clock of this machine right?"
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_untrusted_certificate_is_refused(name: str, running: Any, files: Files) -> None:
    fault = FAULTS[name]
    url = f"tls://{fault.host}:{running(fault.server).port}"
    options = {"ca": files.ca(fault.authority, f"ca-{name}")} if fault.authority else {}
    message = failing(lifecycle.ConnectionFailed, url, **options)
    assert message.startswith(f"cannot connect to {url}: certificate not trusted ({fault.cause}). ")
    assert fault.advice in message
    if "Trust" in message and options:
        assert f"{options['ca']} (argument ca)" in message


async def test_a_failed_handshake_is_not_awaited(running: Any, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio does not report the end of such a connection."""
    for module in (tcp, client):
        monkeypatch.setattr(module, "SOCKET_CLOSE_TIMEOUT", 60)
    urls = [f"tls://localhost:{running('good').port}", f"tls://{LOOPBACK}:{running('good').port}"]
    async with asyncio.timeout(SECONDS):
        with pytest.raises(lifecycle.ConnectionFailed):
            await connect(urls, ca=files.ca(OTHER, "other"), environ={}).__aenter__()
    assert len(asyncio.all_tasks()) == 1


async def test_a_trusted_certificate_is_accepted(running: Any, files: Files) -> None:
    for host in ("localhost", LOOPBACK):
        url = f"tls://{host}:{running('good').port}"
        async with connect(url, ca=files.ca(OURS, "ours"), environ={}) as middleware:
            await middleware.publish(EVENT)
            assert middleware._transport.peer.tls == "TLSv1.3"


async def test_intermediate_authority_is_enough(files: Files) -> None:
    """Certificates in the file are trusted even without the root above them."""
    between = OURS.intermediate("Our CA, below")
    settings = f"tls {{ {files.server('chained', between)} }}"
    with embedded.nats_server(settings, jetstream=False) as server:
        for authority in (between, OURS):
            ca = files.ca(authority, "some")
            async with connect(f"tls://localhost:{server.port}", ca=ca, environ={}) as middleware:
                await middleware.publish(EVENT)


CLIENTS: dict[str, tuple[Callable[[Files], dict[str, Path]], str, str]] = {
    "none": (
        lambda files: {},
        "the server requires a client certificate",
        "Set one with NATS_CERT and NATS_KEY, or cert= and key=.",
    ),
    "another authority": (
        lambda files: files.pair("foreign", OTHER),
        "the server does not accept the client certificate",
        "Has {cert} (argument cert) expired, or does the server trust another authority?",
    ),
    "expired": (
        lambda files: files.pair("stale", expired=True),
        "the server does not accept the client certificate",
        "Has {cert} (argument cert) expired, or does the server trust another authority?",
    ),
    "not yet valid": (
        lambda files: files.pair("early", not_yet=True),
        "the server does not accept the client certificate",
        "Has {cert} (argument cert) expired, or does the server trust another authority?",
    ),
}


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Limit the client's TLS version."""
    original = ssl.create_default_context

    def limited(**arguments: Any) -> ssl.SSLContext:
        context = original(**arguments)
        context.maximum_version = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[request.param]
        return context

    monkeypatch.setattr(ssl, "create_default_context", limited)
    return str(request.param)


async def test_client_certificate_is_shown(version: str, running: Any, files: Files) -> None:
    url = f"tls://localhost:{running('mutual').port}"
    async with connect(url, ca=files.ca(OURS, "ours"), **files.pair("client"), environ={}) as middleware:
        await middleware.publish(EVENT)
        assert middleware._transport.peer.tls == version


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_certificate_is_refused(name: str, version: str, running: Any, files: Files) -> None:
    make, cause, advice = CLIENTS[name]
    url = f"tls://localhost:{running('mutual').port}"
    options = {"ca": files.ca(OURS, "ours"), **make(files)}
    message = failing(lifecycle.ConnectionFailed, url, **options)
    assert message.startswith(f"cannot connect to {url}: {cause}")
    assert message.endswith(advice.format(**options))


@pytest.mark.parametrize("name", CLIENTS)
async def test_refused_certificates_have_the_same_message_every_time(
    name: str, version: str, running: Any, files: Files
) -> None:
    """With TLS 1.3 the client considers itself connected, and its data races with the server's refusal."""
    make, cause, advice = CLIENTS[name]
    url = f"tls://localhost:{running('mutual').port}"
    options = {"ca": files.ca(OURS, "ours"), **make(files)}

    async def attempt() -> str:
        with pytest.raises(lifecycle.LifecycleError) as raised:
            await connect(url, environ={}, **options).__aenter__()
        assert type(raised.value) is lifecycle.ConnectionFailed
        return str(raised.value)

    async with asyncio.timeout(30):
        messages = set(await asyncio.gather(*(attempt() for _ in range(20))))
    for message in messages:
        assert message.startswith(f"cannot connect to {url}: {cause}")
        assert message.endswith(advice.format(**options))
    assert len(asyncio.all_tasks()) == 1


def _encrypted(files: Files) -> dict[str, Path]:
    pair = files.pair("locked")
    key = load_pem_private_key(pair["key"].read_bytes(), None)
    pair["key"].write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    )
    return pair


def _mismatched(files: Files) -> dict[str, Path]:
    return {"cert": files.pair("one")["cert"], "key": files.pair("two")["key"]}


MATERIAL: dict[str, tuple[Callable[[Files], dict[str, Path]], str]] = {
    "encrypted key": (_encrypted, "the key {key} is encrypted; use a key without a passphrase"),
    "key of another certificate": (_mismatched, "{cert} and {key} are not a usable client certificate"),
    "authority empty": (
        lambda files: {"ca": files.written("empty.pem", b"")},
        "{ca} does not hold a usable certificate",
    ),
    "authority is not PEM": (
        lambda files: {"ca": files.written("broken.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n")},
        "{ca} does not hold a usable certificate",
    ),
    "authority missing": (
        lambda files: {"ca": files.written("x", b"").with_name("gone.pem")},
        "cannot read {ca} (argument ca): No such file or directory",
    ),
    "certificate missing": (
        lambda files: {**files.pair("half"), "cert": files.written("x", b"").with_name("gone.pem")},
        "cannot read {cert} (argument cert): No such file or directory",
    ),
    "certificate empty": (
        lambda files: {**files.pair("blank"), "cert": files.written("blank.pem", b"")},
        "{cert} and {key} are not a usable client certificate",
    ),
    "key missing": (
        lambda files: {**files.pair("keyless"), "key": files.written("x", b"").with_name("gone.key")},
        "cannot read {key} (argument key): No such file or directory",
    ),
    "certificate without key": (
        lambda files: {"cert": files.pair("alone")["cert"]},
        "a client certificate needs its key",
    ),
    "key without certificate": (lambda files: {"key": files.pair("alone")["key"]}, "and a key its certificate"),
}


@pytest.mark.parametrize("name", MATERIAL)
def test_an_unusable_file(name: str, files: Files) -> None:
    make, words = MATERIAL[name]
    options = make(files)
    assert words.format(**options) in failing(lifecycle.ConfigError, NOBODY, **options)


@pytest.mark.parametrize(("fault", "code"), [("unknown authority", 3), ("key of another certificate", 2)])
def test_the_command(fault: str, code: int, running: Any, files: Files) -> None:
    url, options = NOBODY, {}
    if fault in MATERIAL:
        options = MATERIAL[fault][0](files)
    else:
        url, options = f"tls://localhost:{running('good').port}", {"ca": files.ca(OTHER, "other")}
    command = [sys.executable, "-m", "choria_lifecycle", *emitting(url, **options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith("lifecycle: error: ")


@contextmanager
def greeting(context: ssl.SSLContext, greet: bytes) -> Iterator[int]:
    """Send INFO and continue in TLS, in a thread, as asyncio's servers send no alerts; yield the port."""

    def serve() -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = listening.accept()
                connection.settimeout(SECONDS)
                with connection, suppress(OSError):
                    connection.sendall(greet)
                    with (
                        context.wrap_socket(connection, server_side=True) as encrypted,
                        encrypted.makefile("rb") as lines,
                    ):
                        for line in lines:
                            if line == b"PING\r\n":
                                encrypted.sendall(b"PONG\r\n")

    listening = socket.create_server((LOOPBACK, 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()


def _info(**more: object) -> bytes:
    return b"INFO %s\r\n" % json.dumps(GREETING | more).encode()


def _old_context() -> ssl.SSLContext:
    """Return a context for TLS 1.1 only, like an outdated server's."""
    context = server_context(OURS.issue("localhost", key="rsa"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def test_tls_1_1_is_refused(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    with greeting(_old_context(), _info(tls_required=True)) as port:
        url, options = f"tls://localhost:{port}", {"ca": files.ca(OURS, "ours"), "environ": {}}
        begun = time.monotonic()
        with pytest.raises(lifecycle.ConnectionFailed) as raised:
            await connect(url, **options).__aenter__()
        assert time.monotonic() - begun < SECONDS
        assert str(raised.value).startswith(f"cannot connect to {url}: TLS failed (")
        assert "PROTOCOL" in str(raised.value)

        # The same server accepts a client that permits the old version, so the version is the reason for the refusal.
        def stooping(settings: Any) -> ssl.SSLContext:
            context = original(settings)
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1_1
            return context

        original = tls.tls_context
        monkeypatch.setattr("choria_lifecycle.nats.connection.tls_context", stooping)
        async with connect(url, **options) as middleware:
            await middleware.flush()
            assert middleware._transport.peer.tls == "TLSv1.1"


async def test_plain_text_before_the_handshake_is_ignored(files: Files) -> None:
    """A man in the middle can inject plain text before the encryption starts; it must not be trusted."""
    added = b"-ERR 'Authorization Violation'\r\n"
    context = server_context(OURS.issue("localhost"))
    with greeting(context, _info(tls_required=True) + added) as port:
        async with connect(f"tls://localhost:{port}", ca=files.ca(OURS, "ours"), environ={}) as middleware:
            await middleware.flush()


SEED = b"SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU\n"
CREDS = (
    b"-----BEGIN NATS USER JWT-----\neyJ0.header.s3cret\n------END NATS USER JWT------\n\n"
    b"-----BEGIN USER NKEY SEED-----\n" + SEED + b"------END USER NKEY SEED------\n"
)


def _choria(files: Files) -> dict[str, Any]:
    token = client_token(Ed25519PrivateKey.generate())
    written = write_credentials(files.written("x", b"").parent, token)
    lines = {
        "plugin.security.provider": "choria",
        "plugin.security.choria.token_file": written.token_file,
        "plugin.security.choria.seed_file": written.seed_file,
    }
    return {"config": _configured(files, "choria.conf", lines), "environ": {"USER": "alice"}}


def _file_provider(files: Files) -> dict[str, Any]:
    pair = files.pair("client")
    lines = {
        "plugin.security.provider": "file",
        "plugin.security.file.certificate": pair["cert"],
        "plugin.security.file.key": pair["key"],
        "plugin.security.file.ca": files.ca(OURS, "ours"),
    }
    return {"config": _configured(files, "file.conf", lines), "environ": {"USER": "alice"}}


def _configured(files: Files, name: str, lines: dict[str, Any]) -> Path:
    return files.written(name, "".join(f"{key} = {value}\n" for key, value in lines.items()).encode())


SECRETS: dict[str, Callable[[Files], dict[str, Any]]] = {
    "nothing": lambda files: {},
    "user": lambda files: {"user": "alice", "password": "s3cret"},
    "token": lambda files: {"token": "s3cret"},
    "creds": lambda files: {"creds": files.written("user.creds", CREDS)},
    "nkey": lambda files: {"nkey": files.written("seed", SEED)},
    "certificate": lambda files: files.pair("client"),
    "Choria token": _choria,
    "Puppet": _file_provider,
}


@pytest.mark.parametrize("auth", [False, True])
@pytest.mark.parametrize("secret", SECRETS)
async def test_a_server_without_tls_receives_nothing(fake_server: Any, secret: str, auth: bool, files: Files) -> None:
    options = {"environ": {}, **SECRETS[secret](files)}
    info = {**GREETING, "nonce": "abc", **({"auth_required": True} if auth else {})}
    async with fake_server(info) as plain:
        # Choria's connections are encrypted, whatever the URL's scheme.
        url = plain.url if "config" in options else plain.url.replace("nats://", "tls://")
        begun = time.monotonic()
        with pytest.raises(lifecycle.ConnectionFailed) as raised:
            await connect(url, **options).__aenter__()
        assert time.monotonic() - begun < SECONDS
        assert bytes(plain.received) == b""
    said = f"cannot connect to {url}: the server does not offer TLS, which is required; no credentials were sent."
    assert str(raised.value).startswith(said)
    assert ("tls=False" in str(raised.value)) == ("config" in options)


class Stripper:
    """A man in the middle that removes the TLS fields from the server's INFO."""

    def __init__(self, port: int) -> None:
        self.received = bytearray()
        self.connections: asyncio.Queue[None] = asyncio.Queue()
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.put_nowait(None)
        from_server, to_server = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            info = json.loads((await from_server.readline()).removeprefix(b"INFO "))
            assert info["tls_required"] is True
            kept = {name: value for name, value in info.items() if not name.startswith("tls_")}
            writer.write(b"INFO %s\r\n" % json.dumps(kept).encode())
            while data := await reader.read(65536):
                self.received += data
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            to_server.transport.abort()


@asynccontextmanager
async def stripper(port: int, own: int = 0) -> AsyncIterator[tuple[Stripper, int]]:
    between = Stripper(port)
    listener = await asyncio.start_server(between.serve, LOOPBACK, own, reuse_port=True)
    try:
        yield between, listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize("secret", SECRETS)
async def test_tls_stripped_by_a_man_in_the_middle(secret: str, running: Any, files: Files) -> None:
    options = {"environ": {}, **SECRETS[secret](files)}
    async with stripper(running("mutual").port) as (between, port):
        url = f"{'nats' if 'config' in options else 'tls'}://localhost:{port}"
        with pytest.raises(lifecycle.ConnectionFailed, match="does not offer TLS"):
            await connect(url, **options).__aenter__()
        assert between.connections.qsize() == 1
        assert bytes(between.received) == b""


async def test_tls_stripped_on_reconnect(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reconnect is as careful as the first connection."""
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.01)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 0.02)
    settings = f"{USERS}\ntls {{ {files.server('again')} }}"
    with embedded.nats_server(settings, jetstream=False) as first:
        options: dict[str, Any] = {"user": "alice", "password": "s3cret", "ca": files.ca(OURS, "ours"), "environ": {}}
        async with connect(f"tls://localhost:{first.port}", **options) as middleware:
            await middleware.publish(EVENT)
            first.kill()
            with embedded.nats_server(settings, jetstream=False) as behind:
                async with stripper(behind.port, first.port) as (between, _):
                    async with asyncio.timeout(20):
                        for _ in range(3):  # each ends before the next begins
                            await between.connections.get()
                    assert bytes(between.received) == b""
                    with pytest.raises(lifecycle.DeliveryFailed, match="does not offer TLS"):
                        await middleware.publish(EVENT, timeout=0.1)
            with embedded.nats_server(settings, jetstream=False, port=first.port):
                await middleware.publish(EVENT, timeout=20)
                assert middleware._transport.peer.tls == "TLSv1.3"


def test_a_plain_server_with_choria_settings(server: embedded.Server, files: Files) -> None:
    config = _file_provider(files)["config"]
    message = failing(lifecycle.ConnectionFailed, server.url, config=config)
    assert message == (
        f"cannot connect to {server.url}: the server does not offer TLS, which is required; no credentials were "
        "sent. Choria's configuration requires TLS; tls=False turns it off."
    )
    publish_once(EVENT, server.url, config=config, tls=False, environ={})
