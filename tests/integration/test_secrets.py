"""Secrets are never shown: each place for a secret holds a marker, and all output is searched for it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.parameters import CONNECTION_FLAGS
from choria_lifecycle.cli.program import program
from choria_lifecycle.config.resolve import choria_configuration, resolve
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from tests.bed import servers
from tests.bed.certificates import LOOPBACK, Authority
from tests.bed.tokens import client_token, write_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# With characters that URLs, base64 and JSON encode differently.
MARKER = 'Zq7+s3cr3t/w0rd&"Xk9'
WINDOW = 12
INFO = (
    b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true,"auth_required":true,"nonce":"abc"'
)
EMIT = ["emit", "shutdown", "--identity", "n1.example.net", "--component", "server"]


@dataclass(slots=True)
class Given:
    """A secret in one of its places.

    Attributes:
        options: the arguments of `connect`.
        environ: the environment.
        secrets: the values that must not be shown.
    """

    options: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=lambda: [MARKER])

    def arguments(self, folder: Path) -> list[str] | None:
        """Return the options as the command's flags; None if it lacks a flag for one."""
        arguments: list[str] = []
        for name, value in self.options.items():
            flag = CONNECTION_FLAGS.get(name)
            if flag is None:
                return None
            if name == "tls":
                arguments.append(flag)
            else:
                arguments += [flag, str(_file(folder, "password", value) if name == "password" else value)]
        return arguments


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def _config(folder: Path, port: int, *lines: str) -> Given:
    """Write a Choria configuration without TLS, for servers on this machine."""
    common = (f"plugin.choria.middleware_hosts = {LOOPBACK}:{port}", f"plugin.choria.ssldir = {folder}")
    file = _file(folder, "client.conf", "".join(f"{line}\n" for line in (*common, *lines)))
    return Given({"config": file, "tls": False}, {"USER": "alice", "HOME": str(folder)})


def _url(port: int) -> dict[str, str]:
    return {"servers": f"nats://{LOOPBACK}:{port}"}


def _creds(folder: Path, port: int) -> Given:
    path = servers.Operator().creds(folder / "alice.creds")
    _, jwt, _, _, _, seed, *_ = path.read_text().splitlines()
    return Given({**_url(port), "creds": path}, {}, [jwt, seed])


def _creds_elsewhere(folder: Path, port: int) -> Given:
    made = _creds(folder, port)
    return Given(_url(port), {"MCOLLECTIVE_NATS_CREDENTIALS": str(made.options["creds"])}, made.secrets)


def _nkey(folder: Path, port: int) -> Given:
    servers.nkey(folder / "seed")
    return Given(_url(port), {"NATS_NKEY": str(folder / "seed")}, [(folder / "seed").read_text().strip()])


def _nkey_argument(folder: Path, port: int) -> Given:
    made = _nkey(folder, port)
    return Given({**_url(port), "nkey": folder / "seed"}, {}, made.secrets)


ISSUER = Ed25519PrivateKey.generate()


def _choria(folder: Path, port: int, **more: Any) -> Given:
    token = client_token(ISSUER, **more)
    written = write_credentials(folder, token)
    made = _config(
        folder,
        port,
        "plugin.security.provider = choria",
        f"plugin.security.choria.token_file = {written.token_file}",
        f"plugin.security.choria.seed_file = {written.seed_file}",
    )
    # The payload of a token is public; only its signature is secret.
    made.secrets = [token.seed, token.jwt.rpartition(".")[2]]
    return made


def _choria_and_user(folder: Path, port: int) -> Given:
    made = _choria(folder, port)
    made.environ |= {"MCOLLECTIVE_NATS_USERNAME": "alice", "MCOLLECTIVE_NATS_PASSWORD": MARKER}
    made.secrets.append(MARKER)
    return made


def _choria_lines(folder: Path, port: int, token: str, seed: str) -> Given:
    made = _choria(folder, port)
    _file(folder, "token.jwt", token)
    _file(folder, "private.key", seed)
    made.secrets = [MARKER]
    return made


def _certificate(folder: Path, port: int) -> Given:
    cert, key = Authority.create("Our CA").issue("alice").write(folder, "client")
    lines = key.read_text().splitlines()[1:-1]
    return Given({"servers": f"tls://{LOOPBACK}:{port}", "cert": cert, "key": key}, {}, lines)


def _broken_key(folder: Path, port: int) -> Given:
    cert, _ = Authority.create("Our CA").issue("alice").write(folder, "client")
    key = _file(folder, "broken.key", f"-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----\n")
    return Given({"servers": f"tls://{LOOPBACK}:{port}", "cert": cert, "key": key})


def _password(folder: Path, port: int) -> Given:
    return Given({**_url(port), "user": "alice", "password": MARKER})


PLACES: dict[str, Callable[[Path, int], Given]] = {
    "password": _password,
    "token": lambda folder, port: Given({**_url(port), "token": MARKER}),
    "NATS_TOKEN": lambda folder, port: Given(_url(port), {"NATS_TOKEN": MARKER}),
    "token file": lambda folder, port: Given({**_url(port), "token_file": _file(folder, "token", f"{MARKER}\n")}),
    "NATS_TOKEN_FILE": lambda folder, port: Given(
        _url(port), {"NATS_TOKEN_FILE": str(_file(folder, "token", f"{MARKER}\n"))}
    ),
    "password in a URL": lambda folder, port: Given(
        {"servers": f"nats://alice:{quote(MARKER, safe='')}@{LOOPBACK}:{port}"}
    ),
    "token in a URL": lambda folder, port: Given({"servers": f"nats://{quote(MARKER, safe='')}@{LOOPBACK}:{port}"}),
    "NATS_URL": lambda folder, port: Given(
        {}, {"NATS_URL": f"nats://alice:{quote(MARKER, safe='')}@{LOOPBACK}:{port},nats://{LOOPBACK}:{port}"}
    ),
    "NATS_PASSWORD": lambda folder, port: Given(_url(port), {"NATS_USER": "alice", "NATS_PASSWORD": MARKER}),
    "MCOLLECTIVE_NATS_PASSWORD": lambda folder, port: Given(
        _url(port), {"MCOLLECTIVE_NATS_USERNAME": "alice", "MCOLLECTIVE_NATS_PASSWORD": MARKER}
    ),
    "plugin.nats.pass": lambda folder, port: _config(
        folder, port, "plugin.nats.user = alice", f"plugin.nats.pass = {MARKER}"
    ),
    "creds": _creds,
    "MCOLLECTIVE_NATS_CREDENTIALS": _creds_elsewhere,
    "NATS_NKEY": _nkey,
    "nkey": _nkey_argument,
    "Choria token": _choria,
    "Choria token and password": _choria_and_user,
    "private key": _certificate,
}

# Invalid settings; their error messages must not show secrets either.
MISTAKES: dict[str, Callable[[Path, int], Given]] = {
    "URL with a slash in its password": lambda folder, port: Given({"servers": f"nats://alice:{MARKER}@{LOOPBACK}"}),
    "URL without a host": lambda folder, port: Given({"servers": f"nats://alice:{MARKER}"}),
    "URLs that differ": lambda folder, port: Given(
        {"servers": f"nats://a:{quote(MARKER, safe='')}@{LOOPBACK},nats://b:x@{LOOPBACK}"}
    ),
    "password without a user": lambda folder, port: Given({**_url(port), "password": MARKER}),
    "password and creds": lambda folder, port: Given(
        {**_url(port), "user": "alice", "password": MARKER, "creds": _creds(folder, port).options["creds"]}
    ),
    "password file that is not text": lambda folder, port: Given(
        {**_url(port), "user": "alice", "password": f"{MARKER}\udcff"}
    ),
    "NATS_TOKEN and NATS_PASSWORD": lambda folder, port: Given(
        _url(port), {"NATS_TOKEN": MARKER, "NATS_USER": "alice", "NATS_PASSWORD": MARKER}
    ),
    "NATS_TOKEN and NATS_TOKEN_FILE": lambda folder, port: Given(
        _url(port), {"NATS_TOKEN": MARKER, "NATS_TOKEN_FILE": str(_file(folder, "token", MARKER))}
    ),
    "token file that is not text": lambda folder, port: Given(
        {**_url(port), "token_file": _file(folder, "token", f"{MARKER}\udcff")}
    ),
    "token file of two lines": lambda folder, port: Given(
        {**_url(port), "token_file": _file(folder, "token", f"{MARKER}\n{MARKER}")}
    ),
    "NATS_TOKEN over the network": lambda folder, port: Given(
        {"servers": "broker.example.net", "tls": False}, {"NATS_TOKEN": MARKER}
    ),
    "password over the network": lambda folder, port: Given(
        {"servers": "broker.example.net", "user": "alice", "password": MARKER, "tls": False}
    ),
    "creds that are none": lambda folder, port: Given({**_url(port), "creds": _file(folder, "creds", MARKER)}),
    "creds with an invalid seed": lambda folder, port: Given(
        {
            **_url(port),
            "creds": _file(
                folder,
                "creds",
                f"-----BEGIN NATS USER JWT-----\n{MARKER}\n------END\n-----BEGIN USER NKEY SEED-----\n{MARKER}\n---\n",
            ),
        }
    ),
    "invalid nkey": lambda folder, port: Given(_url(port), {"NATS_NKEY": str(_file(folder, "seed", MARKER))}),
    "invalid authority": lambda folder, port: Given({**_url(port), "ca": _file(folder, "ca.pem", MARKER)}),
    "invalid private key": _broken_key,
    "invalid Choria token": lambda folder, port: _choria_lines(folder, port, MARKER, "ab" * 32),
    "Choria token with dots": lambda folder, port: _choria_lines(folder, port, f"a.{MARKER}.b", "ab" * 32),
    "invalid Choria seed": lambda folder, port: _choria_lines(folder, port, client_token(ISSUER).jwt, MARKER),
    "Choria token that has expired": lambda folder, port: _choria(folder, port, expires=-60),
    "key that is misspelt": lambda folder, port: _config(folder, port, f"plugin.nats.password = {MARKER}"),
    "line that is not a setting": lambda folder, port: _config(folder, port, f"plugin.nats.pass: {MARKER}", MARKER),
    "password without a user in a file": lambda folder, port: _config(folder, port, f"plugin.nats.pass = {MARKER}"),
    "password in a broker": lambda folder, port: _config(
        folder, port, f"plugin.choria.middleware_hosts = nats://alice:{quote(MARKER, safe='')}@{LOOPBACK}:{port}"
    ),
    "password in a broker without a port": lambda folder, port: _config(
        folder, port, f"plugin.choria.middleware_hosts = nats://alice:{quote(MARKER, safe='')}@{LOOPBACK}"
    ),
    "password in a broker, not quoted": lambda folder, port: _config(
        folder, port, f"plugin.choria.middleware_hosts = nats://alice:{MARKER}@{LOOPBACK}:{port}"
    ),
    "password in a broker of websockets": lambda folder, port: _config(
        folder, port, f"plugin.choria.middleware_hosts = ws://alice:{MARKER}@{LOOPBACK}:{port}, {LOOPBACK}:{port}"
    ),
    "password where a broker should be": lambda folder, port: _config(
        folder, port, f"plugin.choria.middleware_hosts = alice:{MARKER}"
    ),
}


def forms(secret: str) -> Iterator[str]:
    """Yield a secret in the encodings in which it might be shown."""
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield repr(secret)
    yield quote(raw, safe="")
    yield secret.replace('"', '\\"')
    yield raw.hex()
    for shift in range(3):  # within a longer text it may start at any offset of a group
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")[4:-4]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


def shown(text: str, secrets: list[str]) -> list[str]:
    """Return the encodings of the secrets that occur in the text."""
    parts = {
        form[at : at + WINDOW]
        for secret in secrets
        for form in forms(secret)
        for at in range(max(1, len(form) - WINDOW + 1))
    }
    return [text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1) if text[at : at + WINDOW] in parts]


def test_the_search_finds_encoded_secrets() -> None:
    for text in (
        MARKER,
        f"nats://a:{quote(MARKER, safe='')}@b",
        base64.b64encode(f"Basic alice:{MARKER}".encode()).decode(),
        base64.urlsafe_b64encode(f'{{"pass":"{MARKER}"}}'.encode()).decode(),
        MARKER.encode().hex(),
        repr({"password": MARKER}),
        f"cut after {MARKER[:WINDOW]}",
    ):
        assert shown(text, [MARKER]), text
    assert not shown("nats://***@b", [MARKER])


class Server(threading.Thread):
    """A server that greets and then behaves in one of several manners, in a thread; one client at a time."""

    def __init__(self, manner: str) -> None:
        super().__init__(name=f"server that {manner}")
        self.manner = manner
        self.listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self.listening.getsockname()[1]
        self.heard = bytearray()

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                connection.settimeout(10)
                with connection, suppress(OSError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        demand = b',"tls_required":true,"tls_verify":true' if self.manner == "talks no TLS" else b""
        connection.sendall(INFO + demand + b"}\r\n")
        for line in connection.makefile("rb"):
            self.heard += line
            if self.manner == "refuses" and line.startswith(b"CONNECT"):
                connection.sendall(b"-ERR 'Authorization Violation'\r\n")
                return
            if self.manner == "hangs up" and line.startswith(b"CONNECT"):
                return
            if self.manner == "talks no TLS":
                connection.sendall(b"what?\r\n")
                return
            if self.manner == "forbids" and line.startswith((b"PUB", b"SUB")):
                what = b"Publish" if line.startswith(b"PUB") else b"Subscription"
                connection.sendall(b"-ERR 'Permissions Violation for %s to \"%s\"'\r\n" % (what, line.split()[1]))
            if line == b"PING\r\n":
                connection.sendall(b"PONG\r\n")


@contextmanager
def answering(manner: str) -> Iterator[Server]:
    server = Server(manner)
    server.start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.join()
        server.listening.close()


@pytest.fixture(scope="module")
def manners() -> Iterator[dict[str, int]]:
    """Run servers of all manners; yield their ports, and one without a server."""
    with (
        answering("accepts") as accepts,
        answering("refuses") as refuses,
        answering("forbids") as forbids,
        answering("hangs up") as hangs_up,
        answering("talks no TLS") as talks_no_tls,
    ):
        servers = (accepts, refuses, forbids, hangs_up, talks_no_tls)
        yield {each.manner: each.port for each in servers} | {"is not there": 1}


def said(given: Given, folder: Path, *command: str) -> tuple[int, str]:
    """Run a command; return its exit code and all output."""
    arguments = [*command, *(given.arguments(folder) or []), "-v", "-v", "--timeout", "300ms"]
    runner = CliRunner(env={"HOME": str(folder), **given.environ})
    result = runner.invoke(program, arguments, prog_name="lifecycle")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def commands(given: Given, folder: Path) -> list[list[str]]:
    """Return the commands that end on their own."""
    if given.arguments(folder) is None:
        return []
    return [
        EMIT,
        [*EMIT, "--stored"],
        ["view", "--for", "50ms"],
        ["validate", "--subject", "choria.lifecycle.event.>", "--for", "50ms"],
        ["config", "check"],
        ["config", "check", "--output", "json"],
    ]


# The exit code of publishing with each manner.
CODES = {"accepts": 0, "refuses": 4, "forbids": 4, "hangs up": 3, "talks no TLS": 3, "is not there": 3}
MANNERS = tuple(CODES)


@pytest.mark.parametrize("place", PLACES)
def test_commands(place: str, manners: dict[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index, manner in enumerate(MANNERS):
        given = PLACES[place](tmp_path, manners[manner])
        wanted = commands(given, tmp_path)
        # All places with a server that accepts and one that refuses; the others alternate.
        for command in wanted if index < 2 else wanted[index - 2 : index]:
            code, text = said(given, tmp_path, *command)
            assert shown(text, given.secrets) == [], (manner, command)
            if command == EMIT:
                assert code == (CODES[manner] if place != "private key" else 3)
    for output in ("text", "json"):
        if given.arguments(tmp_path) is not None:
            code, text = said(given, tmp_path, "config", "show", "--output", output)
            assert (code, shown(text, given.secrets)) == (0, [])
    assert shown(caplog.text, given.secrets) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_invalid_settings(mistake: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = MISTAKES[mistake](tmp_path, 1)
    for command in (*commands(given, tmp_path), ["config", "show"], ["config", "show", "--output", "json"]):
        _, text = said(given, tmp_path, *command)
        assert text
        assert shown(text, given.secrets) == [], command
    assert shown(caplog.text, given.secrets) == []


@pytest.mark.parametrize(
    ("place", "manner"),
    [*itertools.product(PLACES, MANNERS), *itertools.product(MISTAKES, ["is not there"])],
)
async def test_library(
    place: str, manner: str, manners: dict[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = (PLACES | MISTAKES)[place](tmp_path, manners[manner])
    event = lifecycle.shutdown(identity="n1.example.net", component="server")
    options = {**given.options, "environ": given.environ}
    texts: list[str] = []

    def keep(*objects: object) -> None:
        texts.extend(text for each in objects for text in (repr(each), str(each)))

    with caplog.at_level(logging.DEBUG):
        try:
            asked = {"servers": options.get("servers"), "environ": given.environ, "config": options.get("config")}
            configuration = choria_configuration(**asked)
            keep(configuration, *(configuration.values.items() if configuration else ()))
            keep(resolve(configuration=configuration, **options))
            async with asyncio.timeout(10), connect(**options, timeout=2) as middleware:
                keep(middleware, middleware._transport, middleware._transport._connection, middleware._transport.peer)
                for stored in (False, True):
                    try:
                        await middleware.publish(event, stored=stored, timeout=0.1)
                    except lifecycle.LifecycleError as error:
                        keep(error, vars(error), traceback.format_exception(error))
                async with middleware.events() as events:
                    keep(events)
        except lifecycle.LifecycleError as error:
            keep(error, vars(error), error.__cause__, error.__context__, traceback.format_exception(error))
    keep(*(each.getMessage() for each in caplog.records), *(each.args for each in caplog.records))
    assert shown("\n".join([*texts, caplog.text]), given.secrets) == []


@pytest.mark.parametrize("trusted", [True, False])
def test_private_key_that_is_used(trusted: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority.create("Our CA")
    given = _certificate(tmp_path, 1)
    clients = authority if trusted else Authority.create("Another CA")
    with embedded.nats_server(
        servers.tls(tmp_path, authority.issue("localhost"), clients=clients), jetstream=False
    ) as server:
        given.options |= {"servers": f"tls://localhost:{server.port}", "ca": _file(tmp_path, "ca.pem", "")}
        given.options["ca"].write_bytes(authority.pem)
        for command in commands(given, tmp_path):
            code, text = said(given, tmp_path, *command)
            assert shown(text + caplog.text, given.secrets) == [], command
            if command == EMIT:
                assert code == (0 if trusted else 3)


async def test_lost_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The logs while a connection is restored, or fails to be."""
    for place, make in PLACES.items():
        with answering("accepts") as server, caplog.at_level(logging.DEBUG):
            if place == "private key":
                continue  # the server cannot show a certificate
            given = make(tmp_path, server.port)
            async with asyncio.timeout(20), connect(**given.options, environ=given.environ) as middleware:
                server.manner = "refuses"
                lost = middleware._transport._connection.client.lost
                await middleware._transport._connection.client._process_op_err(ConnectionResetError())
                await asyncio.wait({lost})
                with pytest.raises(lifecycle.DeliveryFailed) as raised:
                    await middleware.publish(
                        lifecycle.shutdown(identity="n1.example.net", component="server"), timeout=0.2
                    )
            texts = [str(raised.value), *traceback.format_exception(raised.value), caplog.text]
            assert shown("\n".join(texts), given.secrets) == [], place
            caplog.clear()


@pytest.mark.parametrize(
    "place",
    [
        "NATS_PASSWORD",
        "NATS_TOKEN",
        "NATS_TOKEN_FILE",
        "plugin.nats.pass",
        "Choria token",
        "Choria token and password",
    ],
)
def test_processes(place: str, manners: dict[str, int], tmp_path: Path) -> None:
    for manner in ("accepts", "refuses"):
        given = PLACES[place](tmp_path, manners[manner])
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given.environ, "PYTHONASYNCIODEBUG": "1"}
        command = [sys.executable, "-X", "dev", "-m", "choria_lifecycle", *EMIT, "-v", "-v"]
        done = subprocess.run(
            [*command, *(given.arguments(tmp_path) or [])], capture_output=True, text=True, env=environ, timeout=30
        )
        assert done.returncode == (4 if manner == "refuses" else 0)
        assert shown(done.stdout + done.stderr, given.secrets) == []
