"""A Choria broker in front of a nats-server: it requires a token over TLS and enforces the token's permissions.

It sends a plain-text INFO with a nonce, changes to TLS, reads CONNECT, and verifies the token and the nonce's signature
as go-choria's broker does (broker/network/choria_auth.go, v0.30.2). Then it relays each operation to the nats-server
behind it, which must not require authentication. That server's own INFO is not relayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .background import accept, background
from .certificates import server_context
from .permissions import allowed, covers
from .tokens import (
    Credentials,
    Refused,
    Token,
    client_token,
    verify_signature,
    verify_token,
    write_credentials,
)
from .wire import LIMIT, close, first_byte, operation, streams

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from .background import Background
    from .certificates import Authority, IssuedCertificate
    from .tokens import Issuer

__all__ = ["Broker", "Credentials", "Token", "choria_broker", "client_token", "write_credentials"]

_HANDSHAKE = b"\x16"
_SECRETS = {"auth_token", "jwt", "sig", "nkey", "user", "pass"}


class Broker:
    """A running broker. Its records only grow; `until` waits for them.

    Attributes:
        port: its port on 127.0.0.1; the host name to use depends on its certificate.
        issuer: the key that must have signed the tokens; may be replaced.
        context: its TLS context; assign another `server_context` to renew its certificate without a restart.
        refusals: why clients were turned away, and what they were later not permitted to do, in order.
        plain: every byte received without TLS, from all connections.
        connects: the CONNECT of each client, including secrets.
        nonces: the nonce of each connection; empty without one.
        subscriptions: each subject that a client successfully subscribed to.
        published: each subject that a client successfully published to.
        open: the number of clients connected now.
    """

    def __init__(
        self, here: Background, issuer: Issuer, context: ssl.SSLContext, target_port: int, greeting: dict[str, bool]
    ) -> None:
        self.issuer = issuer
        self.context = context
        self.refusals: list[str] = []
        self.plain = bytearray()
        self.connects: list[dict[str, Any]] = []
        self.nonces: list[str] = []
        self.subscriptions: list[str] = []
        self.published: list[str] = []
        self.open = 0
        self.until = here.wait_until
        self._here = here
        self._target_port = target_port
        self._greeting = greeting
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def url(self, host: str = "localhost") -> str:
        """Return the URL for the host name or address that the certificate is for."""
        return f"nats://{host}:{self.port}"

    async def listen(self) -> None:
        """Serve clients until cancelled."""
        await accept(self._listening, self._serve)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        nonce = secrets.token_urlsafe(11) if self._greeting["nonce"] else ""
        self._record(self.nonces, nonce)
        try:
            await loop.sock_sendall(connection, self._info(nonce))
            encrypted = await first_byte(connection) == _HANDSHAKE
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                return
            raise
        try:
            reader, writer = await streams(connection, self.context if encrypted else None)
        except OSError as error:  # includes SSLError
            self._refuse(f"TLS: {error!r}")
            return
        try:
            if encrypted:
                await self._serve_client(reader, writer, nonce)
            else:
                await self._record_plain(reader, writer)
        except (OSError, EOFError):
            pass  # one of the two sides disconnected
        else:
            await close(writer)
        finally:
            with contextlib.suppress(AttributeError):  # see choria_lifecycle.nats.tcp.Socket.abort
                writer.transport.abort()

    def _info(self, nonce: str) -> bytes:
        info: dict[str, object] = {
            "server_id": "NCHORIA",
            "server_name": "choria",
            "version": "2.14.2",
            "proto": 1,
            "host": "127.0.0.1",
            "port": self.port,
            "headers": True,
            "max_payload": 1048576,
            "jetstream": True,
        }
        if nonce:
            info["nonce"] = nonce
        # Go omits false values.
        info |= {name: True for name in ("auth_required", "tls_required") if self._greeting[name]}
        return b"INFO %s \r\n" % json.dumps(info, separators=(",", ":")).encode()

    async def _record_plain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Record all that arrives, and refuse the client after its first line."""
        told = False
        while data := await reader.read(65536):
            self.plain += data
            self._here.notify()
            if not told and b"\n" in data:
                told = True
                self._refuse("no TLS")
                required = self._greeting["tls_required"]
                await _error(writer, "Secure Connection - TLS Required" if required else "Authorization Violation")
                writer.write_eof()

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nonce: str) -> None:
        line = await reader.readuntil(b"\n")
        try:
            connect = _connect(line)
            self._record(self.connects, connect)
            claims = self._verify(connect, nonce)
        except Refused as error:
            self._refuse(str(error))
            await _error(writer, "Authorization Violation")
            return
        behind = await asyncio.open_connection("127.0.0.1", self._target_port, limit=LIMIT)
        await behind[0].readline()  # the server's INFO
        plain = {name: value for name, value in connect.items() if name not in _SECRETS} | {"tls_required": False}
        behind[1].write(b"CONNECT %s\r\n" % json.dumps(plain).encode())
        tasks = {
            asyncio.create_task(self._to_server(reader, writer, behind[1], claims)),
            asyncio.create_task(_to_client(behind[0], writer)),
        }
        self.open += 1
        self._here.notify()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.open -= 1
            self._here.notify()
            behind[1].transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _verify(self, connect: dict[str, Any], nonce: str) -> dict[str, Any]:
        if not connect.get("auth_token"):
            raise Refused("token: there is none")
        claims = verify_token(connect["auth_token"], self.issuer)
        verify_signature(connect.get("sig", ""), nonce, claims["public_key"])
        return claims

    async def _to_server(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamWriter,
        claims: dict[str, Any],
    ) -> None:
        pubs, subs = allowed(claims)
        while True:
            verb, arguments, whole = await operation(reader)
            if verb in ("PUB", "HPUB") and not self._is_permitted(arguments[0], pubs, self.published):
                await self._forbid(writer, f'Publish to "{arguments[0]}"')
            elif verb == "SUB" and not self._is_permitted(arguments[0], subs, self.subscriptions):
                queue = f' using queue "{arguments[1]}"' if len(arguments) == 3 else ""
                await self._forbid(writer, f'Subscription to "{arguments[0]}"{queue}')
            else:
                behind.write(whole)
                await behind.drain()

    def _is_permitted(self, subject: str, patterns: list[str], granted: list[str]) -> bool:
        if not any(covers(pattern, subject) for pattern in patterns):
            return False
        self._record(granted, subject)
        return True

    async def _forbid(self, writer: asyncio.StreamWriter, what: str) -> None:
        self._refuse(f"permission: {what}")
        await _error(writer, f"Permissions Violation for {what}")

    def _refuse(self, why: str) -> None:
        self._record(self.refusals, why)

    def _record(self, where: list[Any], what: object) -> None:
        where.append(what)
        self._here.notify()


async def _error(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"-ERR '{text}'\r\n".encode())
    await writer.drain()


def _connect(line: bytes) -> dict[str, Any]:
    verb, _, text = line.partition(b" ")
    try:
        connect = json.loads(text) if verb.upper() == b"CONNECT" else None
    except ValueError:
        connect = None
    if not isinstance(connect, dict):
        raise Refused("no CONNECT")
    return connect


async def _to_client(behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        verb, _, whole = await operation(behind)
        if verb != "INFO":
            writer.write(whole)
            await writer.drain()


@contextmanager
def choria_broker(
    issuer: Issuer,
    certificate: IssuedCertificate,
    target_port: int,
    *,
    clients: Authority | None = None,
    auth_required: bool = False,
    tls_required: bool = True,
    nonce: bool = True,
) -> Iterator[Broker]:
    """Run a broker within the block.

    Args:
        issuer: the key that must have signed the tokens: an ed25519 key, or an RSA key for tokens signed with RS256.
        certificate: its certificate.
        target_port: the port of the nats-server on 127.0.0.1.
        clients: the authority of the certificates that clients may present; those of another authority are refused.
        auth_required: the value in INFO. Choria's broker, which sets up its own authentication late, may omit it.
        tls_required: the value in INFO. If false, a client that encrypts anyway is accepted.
        nonce: send one; a Choria broker without issuers and signers does not.
    """
    context = server_context(certificate, clients=clients, optional=True)
    greeting = {"auth_required": auth_required, "tls_required": tls_required, "nonce": nonce}
    with background() as here:
        broker = Broker(here, issuer, context, target_port, greeting)
        here.start(broker.listen())
        yield broker
