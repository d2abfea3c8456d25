"""Real nats-servers accept these configurations, and nats-py's clients are admitted or refused as configured.

nats-py also connects to the Choria broker and through the proxy, which the neighbouring tests drive by hand.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import nats.errors
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client

from choria_lifecycle.demo import embedded

from .certificates import Authority, IssuedCertificate
from .choria import choria_broker, client_token
from .faults import proxy
from .servers import Operator, User, nkey, tls, users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


TRUSTED = Authority.create("Bed CA")
SHOWN = TRUSTED.issue("localhost", addresses=["127.0.0.1"])


def context(trust: Authority = TRUSTED, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=trust.pem.decode())
    if shown:
        made.load_cert_chain(*shown)
    return made


@asynccontextmanager
async def connected(port: int, **options: Any) -> AsyncIterator[tuple[Client, asyncio.Queue[str]]]:
    """Yield a client, and the errors that it reports."""
    errors: asyncio.Queue[str] = asyncio.Queue()

    async def keep(error: Exception) -> None:
        errors.put_nowait(str(error))

    client: Any = Client()
    try:
        await client.connect(
            f"nats://localhost:{port}", allow_reconnect=False, error_cb=keep, connect_timeout=5, **options
        )
        await client.flush()
    except BaseException:
        # nats-py leaves the connection open, and may wait forever for its end.
        client._transport._io_writer.transport.abort()
        raise
    try:
        yield client, errors
    finally:
        await client.close()


async def next_error(errors: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(10):
        return await errors.get()


async def flush_all(client: Client) -> None:
    """Flush twice: nats-py's first PING overtakes pending data."""
    await client.flush()
    await client.flush()


async def refused(port: int, **options: Any) -> str:
    with pytest.raises((nats.errors.Error, OSError)) as raised:
        async with connected(port, **options):
            pytest.fail("connected")
    return str(raised.value)


async def test_passwords_and_permissions() -> None:
    alice = User(name="alice", password="s3cret", publish=["a.>"], subscribe=())
    with embedded.nats_server(users(alice, User(name="bob", password="other")), jetstream=False) as server:
        async with connected(server.port, user="alice", password="s3cret") as (client, errors):
            await client.publish("a.b")
            await client.publish("b.a")
            assert 'publish to "b.a"' in await next_error(errors)
            await client.subscribe("a.b")
            assert 'subscription to "a.b"' in await next_error(errors)
        async with connected(server.port, user="bob", password="other") as (client, errors):
            await client.publish("b.a")
            await flush_all(client)
        assert errors.empty()
        assert "Authorization" in await refused(server.port, user="alice", password="wrong")


async def test_nkeys(tmp_path: Path) -> None:
    config = users(User(nkey=nkey(tmp_path / "user.nk")))
    nkey(tmp_path / "stranger.nk")
    with embedded.nats_server(config, jetstream=False) as server:
        async with connected(server.port, nkeys_seed=str(tmp_path / "user.nk")):
            pass
        assert "Authorization" in await refused(server.port, nkeys_seed=str(tmp_path / "stranger.nk"))


async def test_creds(tmp_path: Path) -> None:
    operator = Operator()
    good = operator.creds(tmp_path / "alice.creds")
    viewer = operator.creds(tmp_path / "bob.creds", User(name="bob", publish=(), subscribe=["a"]))
    expired = operator.creds(tmp_path / "expired.creds", expires=-60)
    stranger = Operator().creds(tmp_path / "stranger.creds")
    with embedded.nats_server(operator.config, jetstream=False) as server:
        async with connected(server.port, user_credentials=str(good)) as (client, errors):
            await client.publish("anything")
            await flush_all(client)
        assert errors.empty()
        async with connected(server.port, user_credentials=str(viewer)) as (client, errors):
            await client.subscribe("a")
            await client.publish("a")
            assert 'publish to "a"' in await next_error(errors)
        for bad in (expired, stranger):
            assert "Authorization" in await refused(server.port, user_credentials=str(bad))


@pytest.mark.parametrize("mapped", [False, True])
async def test_client_certificates(tmp_path: Path, mapped: bool) -> None:
    alice = TRUSTED.issue("alice").write(tmp_path, "alice")
    stranger = Authority.create("Stranger").issue("alice").write(tmp_path, "stranger")
    config = tls(tmp_path, SHOWN, clients=TRUSTED, mapped=mapped)
    if mapped:
        config += f"\n{users(User(name='alice'))}"
    with embedded.nats_server(config, jetstream=False) as server:
        async with connected(server.port, tls=context(shown=alice)):
            pass
        await refused(server.port, tls=context(shown=stranger))
        await refused(server.port, tls=context())
        if mapped:
            bob = TRUSTED.issue("bob").write(tmp_path, "bob")
            assert "Authorization" in await refused(server.port, tls=context(shown=bob))


async def test_handshake_first(tmp_path: Path) -> None:
    with embedded_tls(tmp_path, SHOWN, first=True) as server:
        async with connected(server.port, tls=context(), tls_handshake_first=True):
            pass


def embedded_tls(folder: Path, certificate: IssuedCertificate, port: int = -1, **options: Any) -> Any:
    return embedded.nats_server(tls(folder, certificate, **options), jetstream=False, port=port)


async def test_a_restart_on_the_same_port_with_another_certificate(tmp_path: Path) -> None:
    other = Authority.create("Another")
    with embedded_tls(tmp_path, SHOWN) as server:
        port = server.port
        async with connected(port, tls=context()):
            pass
        assert "certificate verify failed" in await refused(port, tls=context(other))
    with embedded_tls(tmp_path, other.issue("localhost"), port) as server:
        assert server.port == port
        async with connected(port, tls=context(other)):
            pass
        assert "certificate verify failed" in await refused(port, tls=context())


def with_token(issuer: Ed25519PrivateKey, **options: Any) -> dict[str, Any]:
    token = client_token(issuer, **options)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(token.seed))

    def sign(nonce: str) -> bytes:
        return base64.urlsafe_b64encode(key.sign(nonce.encode())).rstrip(b"=")

    return {"token": token.jwt, "signature_cb": sign, "user_jwt_cb": token.jwt.encode, "tls": context()}


@pytest.mark.parametrize("slices", [0, 7])
async def test_nats_py_connects_to_a_choria_broker_through_the_proxy(slices: int) -> None:
    issuer = Ed25519PrivateKey.generate()
    with embedded.nats_server(jetstream=False) as server, choria_broker(issuer, SHOWN, server.port) as broker:
        async with proxy(broker.port) as between:
            between.slice(slices)
            options = with_token(issuer, pub_subjects=["choria.lifecycle.event.>"])
            async with connected(between.port, **options) as (client, errors):
                events = await client.subscribe("choria.lifecycle.event.>")
                await client.subscribe("choria.node.>")
                await client.publish("choria.lifecycle.event.startup", b"{}" * 500)
                assert (await events.next_msg(timeout=5)).data == b"{}" * 500
                assert 'subscription to "choria.node.>"' in await next_error(errors)
            assert "Authorization" in await refused(between.port, **with_token(issuer, expires=-1))
            assert options["token"].encode() not in between.sent
        assert broker.refusals == ['permission: Subscription to "choria.node.>"', "token: expired"]
        assert broker.plain == b""
