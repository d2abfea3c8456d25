"""The broker authenticates clients and enforces the permissions of their tokens."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from contextlib import closing, contextmanager
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from choria_lifecycle.demo import embedded

from .certificates import Authority, server_context
from .choria import Broker, choria_broker, client_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tokens import Token

SECONDS = 10
ISSUER = Ed25519PrivateKey.generate()
TRUSTED = Authority.create("Bed CA")
SHOWN = TRUSTED.issue("localhost", addresses=["127.0.0.1"])
TOKEN = client_token(ISSUER)
REPLY = f"mcollective.reply.{md5(b'up=ripienaar').hexdigest()}.1"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with embedded.nats_server(jetstream=False) as server:
        yield server.port


@pytest.fixture
def broker(port: int) -> Iterator[Broker]:
    with choria_broker(ISSUER, SHOWN, port) as running:
        yield running


class Client:
    """A minimal NATS client that sends what the test dictates."""

    def __init__(self, stream: socket.socket, info: dict[str, Any]) -> None:
        self.info = info
        self._stream = stream
        self._lines = stream.makefile("rb")

    def close(self) -> None:
        self._lines.close()

    def send(self, *lines: str) -> None:
        self._stream.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def line(self) -> str:
        return self._lines.readline().decode().removesuffix("\r\n")

    def connect(self, token: Token = TOKEN, **others: object) -> None:
        """Send CONNECT as nats.go does; None as a value omits a key."""
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(token.seed))
        signed = key.sign(self.info.get("nonce", "").encode())
        fields = {
            "auth_token": token.jwt,
            "jwt": token.jwt,
            "sig": base64.urlsafe_b64encode(signed).rstrip(b"=").decode(),
            "verbose": False,
            "headers": True,
            "no_responders": True,
            "protocol": 1,
            **others,
        }
        self.send("CONNECT " + json.dumps({k: v for k, v in fields.items() if v is not None}), "PING")


@contextmanager
def client(broker: Broker, *, tls: bool = True, trust: Authority = TRUSTED) -> Iterator[Client]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trust.pem.decode())
    with socket.create_connection(("127.0.0.1", broker.port), timeout=SECONDS) as plain:
        line = b""
        while not line.endswith(b"\n"):
            line += plain.recv(1)
        info = json.loads(line.removeprefix(b"INFO "))
        if not tls:
            with closing(Client(plain, info)) as greeted:
                yield greeted
            return
        with (
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
            closing(Client(encrypted, info)) as greeted,
        ):
            yield greeted


def refusal(broker: Broker, token: Token = TOKEN, **others: object) -> str:
    """Connect unsuccessfully; return the reason."""
    with client(broker) as refused:
        refused.connect(token, **others)
        assert refused.line() == "-ERR 'Authorization Violation'"
        assert refused.line() == ""
    assert broker.open == 0
    assert len(broker.refusals) == 1
    return broker.refusals[0]


def test_the_greeting(port: int) -> None:
    with choria_broker(ISSUER, SHOWN, port) as running, client(running) as one, client(running) as other:
        assert one.info["tls_required"] is True
        assert "auth_required" not in one.info
        assert one.info["nonce"] != other.info["nonce"]
        assert len(one.info["nonce"]) == 15
        running.until(lambda: len(running.nonces) == 2)
    unlike = choria_broker(ISSUER, SHOWN, port, auth_required=True, tls_required=False, nonce=False)
    with unlike as running, client(running) as greeted:
        assert greeted.info["auth_required"] is True
        assert "tls_required" not in greeted.info
        assert "nonce" not in greeted.info


def test_a_valid_client_is_admitted_and_events_come_through(broker: Broker, port: int) -> None:
    with client(broker) as viewer, socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as publisher:
        viewer.connect()
        assert viewer.line() == "PONG"
        viewer.send("SUB choria.lifecycle.event.> 1", f"SUB {REPLY}.* 2", "PING")
        assert viewer.line() == "PONG"
        tricky = "-ERR 'no error'\\r\\nPING\\r\\n"
        publisher.sendall(f"CONNECT {{}}\r\nPUB choria.lifecycle.event.x {len(tricky)}\r\n{tricky}\r\n".encode())
        while (line := viewer.line()) == "PING":  # the server's own
            viewer.send("PONG")
        assert line == f"MSG choria.lifecycle.event.x 1 {len(tricky)}"
        assert viewer.line() == tricky
        assert broker.open == 1
    broker.until(lambda: broker.open == 0)
    assert broker.refusals == []
    assert broker.plain == b""
    assert broker.subscriptions == ["choria.lifecycle.event.>", f"{REPLY}.*"]
    assert broker.connects[0]["auth_token"] == TOKEN.jwt


@pytest.mark.parametrize(
    ("token", "others", "reason"),
    [
        (TOKEN, {"auth_token": None}, "token: there is none"),
        (TOKEN, {"auth_token": "nonsense"}, "token: no JWT"),
        (client_token(ISSUER, expires=-60), {}, "token: expired"),
        (client_token(ISSUER, valid_in=3600), {}, "token: not yet valid"),
        (client_token(Ed25519PrivateKey.generate()), {}, "token: not signed by the issuer"),
        (client_token(ISSUER, claims={"purpose": "choria_server"}), {}, 'token: its purpose is "choria_server"'),
        (client_token(ISSUER)._replace(seed="07" * 32), {}, "signature: not of this nonce by the token's key"),
        (TOKEN, {"sig": None}, "signature: there is none"),
        (TOKEN, {"sig": "A" * 86}, "signature: not of this nonce by the token's key"),
    ],
)
def test_invalid_clients_are_refused(broker: Broker, token: Token, others: dict[str, object], reason: str) -> None:
    assert refusal(broker, token, **others) == reason


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "padded"])
def test_signatures_in_another_base64_alphabet_are_refused(broker: Broker, encode: Callable[[bytes], bytes]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(TOKEN.seed))
    with client(broker) as refused:
        signature = encode(key.sign(refused.info["nonce"].encode())).decode()
        refused.connect(sig=signature)
        assert refused.line() == "-ERR 'Authorization Violation'"
    assert broker.refusals == ["signature: not in unpadded URL-safe base64"]


def test_the_signature_of_another_connection_is_refused(broker: Broker) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(TOKEN.seed))
    with client(broker) as first:
        signature = base64.urlsafe_b64encode(key.sign(first.info["nonce"].encode())).rstrip(b"=").decode()
    assert refusal(broker, sig=signature).startswith("signature: not of this nonce")


def test_without_a_nonce_clients_are_refused(port: int) -> None:
    with choria_broker(ISSUER, SHOWN, port, nonce=False) as running:
        assert refusal(running) == "signature: there was no nonce to sign"


@pytest.mark.parametrize(
    ("required", "answer"),
    [(True, "-ERR 'Secure Connection - TLS Required'"), (False, "-ERR 'Authorization Violation'")],
)
def test_without_tls_clients_are_refused_and_all_is_recorded(port: int, required: bool, answer: str) -> None:
    with choria_broker(ISSUER, SHOWN, port, tls_required=required) as running:
        with client(running, tls=False) as careless:
            careless.connect(name="s3cret")
            assert careless.line() == answer
            assert careless.line() == ""
        assert running.refusals == ["no TLS"]
        assert TOKEN.jwt.encode() in running.plain
        assert b"s3cret" in running.plain
        assert running.connects == []
        if not required:
            with client(running) as careful:
                careful.connect()
                assert careful.line() == "PONG"


def test_permissions(broker: Broker) -> None:
    with client(broker) as viewer:
        viewer.connect()
        assert viewer.line() == "PONG"
        viewer.send("SUB > 1", "SUB choria.node.> workers 2", "SUB *.reply.other.> 3")
        viewer.send(
            "PUB choria.lifecycle.event.x 5", "hello", "HPUB choria.lifecycle.event.y 12 14", "NATS/1.0\r\n\r\nhi"
        )
        viewer.send("PUB $SYS.REQ.USER.INFO 0", "", "PING")
        assert [viewer.line() for _ in range(6)] == [
            "-ERR 'Permissions Violation for Subscription to \">\"'",
            '-ERR \'Permissions Violation for Subscription to "choria.node.>" using queue "workers"\'',
            "-ERR 'Permissions Violation for Subscription to \"*.reply.other.>\"'",
            "-ERR 'Permissions Violation for Publish to \"choria.lifecycle.event.x\"'",
            "-ERR 'Permissions Violation for Publish to \"choria.lifecycle.event.y\"'",
            "PONG",
        ]
    assert broker.published == ["$SYS.REQ.USER.INFO"]
    assert [why.partition(" ")[0] for why in broker.refusals] == ["permission:"] * 5


@pytest.mark.parametrize(
    "options", [{"permissions": ["org_admin"]}, {"pub_subjects": ["choria.lifecycle.>"], "sub_subjects": ["choria.>"]}]
)
def test_more_permissions(broker: Broker, options: dict[str, Any]) -> None:
    with client(broker) as trusted:
        trusted.connect(client_token(ISSUER, **options))
        trusted.send("SUB choria.lifecycle.event.* 1", "PUB choria.lifecycle.event.z 2", "hi", "PING")
        lines = [trusted.line() for _ in range(4)]
    assert lines == ["PONG", "MSG choria.lifecycle.event.z 1 2", "hi", "PONG"]


def test_a_certificate_that_the_client_does_not_trust(broker: Broker) -> None:
    with pytest.raises(ssl.SSLCertVerificationError), client(broker, trust=Authority.create("Another")):
        pass
    broker.until(lambda: broker.refusals)
    assert broker.refusals[0].startswith("TLS: ")
    broker.context = server_context(Authority.create("Another").issue("localhost"))
    with client(broker, trust=Authority.create("Another")) as served:
        served.connect()
        assert served.line() == "PONG"


def test_a_new_issuer(broker: Broker) -> None:
    broker.issuer = Ed25519PrivateKey.generate()
    assert refusal(broker) == "token: not signed by the issuer"


@pytest.mark.parametrize("said", ["", "PING", "CONNECT nonsense", "CONNECT []"])
def test_malformed_connects(broker: Broker, said: str) -> None:
    with client(broker) as strange:
        strange.send(said)
        assert strange.line() == "-ERR 'Authorization Violation'"
    assert broker.refusals == ["no CONNECT"]


def test_nothing_is_left_behind(port: int) -> None:
    with choria_broker(ISSUER, SHOWN, port) as running, client(running) as idle, client(running):
        idle.connect()
        assert idle.line() == "PONG"
        running.until(lambda: len(running.nonces) == 2)
        with socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS):
            running.until(lambda: len(running.nonces) == 3)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS)
    assert "test bed" not in [thread.name for thread in threading.enumerate()]
