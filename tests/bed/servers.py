"""Configurations for `choria_lifecycle.demo.embedded.nats_server`, and files for its clients.

Each function returns a part of a configuration; join parts with newlines. To renew the certificates of a server,
restart it with the same `port` and another `tls`.
"""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import nkeys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .certificates import Authority, IssuedCertificate

__all__ = ["Operator", "User", "nkey", "tls", "users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the server.

    Attributes:
        name: the user name, or with certificates the name in the certificate.
        password: in plain text; None with an nkey or a certificate.
        nkey: the public key, instead of name and password.
        publish: the permitted subjects for publishing; None is all, () is none.
        subscribe: the permitted subjects for subscriptions; None and () as above.
    """

    name: str | None = None
    password: str | None = None
    nkey: str | None = None
    publish: Sequence[str] | None = None
    subscribe: Sequence[str] | None = None

    def _entry(self) -> dict[str, Any]:
        fields = {"user": self.name, "password": self.password, "nkey": self.nkey}
        permissions = {
            what: {"allow": list(subjects)} if subjects else {"deny": [">"]}
            for what, subjects in (("publish", self.publish), ("subscribe", self.subscribe))
            if subjects is not None
        }
        entry: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        return entry | ({"permissions": permissions} if permissions else {})


def users(*known: User) -> str:
    """Return the part that admits only these users."""
    return f"authorization {{ users = {json.dumps([user._entry() for user in known])} }}"


def tls(
    folder: Path,
    certificate: IssuedCertificate,
    *,
    clients: Authority | None = None,
    mapped: bool = False,
    first: bool = False,
    timeout: float = 2.0,
) -> str:
    """Write a certificate into the folder and return the part that enables TLS with it.

    Args:
        folder: the destination; every server needs its own.
        certificate: the server's certificate.
        clients: the authority that client certificates must come from; None requests none.
        mapped: authenticate a client as the user in its certificate: common name ("CN=alice") or alternative name.
        first: clients may start the handshake before INFO; the others receive INFO after 50 ms.
        timeout: the timeout of the handshake, in seconds.
    """
    cert, key = certificate.write(folder, "server")
    block: dict[str, object] = {"cert_file": str(cert), "key_file": str(key), "timeout": timeout}
    if first:
        block["handshake_first"] = "auto"
    if clients is not None:
        (folder / "clients.pem").write_bytes(clients.pem)
        block |= {"ca_file": str(folder / "clients.pem"), "verify_and_map" if mapped else "verify": True}
    return f"tls {json.dumps(block)}"


def nkey(path: Path) -> str:
    """Write the seed of a new user to a file; return the public key, for `User.nkey`."""
    key, seed = _key(nkeys.PREFIX_BYTE_USER)
    path.touch(mode=0o600)
    path.write_bytes(seed + b"\n")
    return _public(key)


class Operator:
    """An operator with one account, for servers that authenticate users by JWT, and their creds files.

    Attributes:
        config: the part of the configuration.
    """

    def __init__(self) -> None:
        operator, _ = _key(nkeys.PREFIX_BYTE_OPERATOR)
        self._account, _ = _key(nkeys.PREFIX_BYTE_ACCOUNT)
        account = _public(self._account)
        unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
        own = _jwt(operator, _public(operator), "bed", {"type": "operator", "version": 2})
        limits = {"type": "account", "version": 2, "limits": unlimited | {"wildcards": True}}
        self.config = "\n".join(
            [
                f"operator: {own}",
                "resolver: MEMORY",
                f"resolver_preload: {{ {account}: {_jwt(operator, account, 'account', limits)} }}",
            ]
        )

    def creds(self, path: Path, user: User | None = None, *, expires: float | None = None) -> Path:
        """Write the creds file of a new user.

        Args:
            path: the file.
            user: name and permissions; default "alice", without restrictions.
            expires: seconds from now; None is never.
        """
        user = user or User(name="alice")
        key, seed = _key(nkeys.PREFIX_BYTE_USER)
        claims: dict[str, Any] = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}
        for claim, subjects in (("pub", user.publish), ("sub", user.subscribe)):
            if subjects is not None:
                claims[claim] = {"allow": list(subjects)} if subjects else {"deny": [">"]}
        jwt = _jwt(self._account, _public(key), user.name or "alice", claims, expires)
        path.touch(mode=0o600)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n",
            encoding="ascii",
        )
        return path


def _key(kind: int) -> tuple[Any, bytes]:
    seed = nkeys.encode_seed(os.urandom(32), kind)
    return nkeys.from_seed(bytearray(seed)), seed


def _public(key: Any) -> str:
    return str(key.public_key, "ascii")


def _jwt(signer: Any, subject: str, name: str, nats: dict[str, Any], expires: float | None = None) -> str:
    now = int(time.time())
    body = {"iat": now, "iss": _public(signer), "sub": subject, "name": name, "nats": nats}
    if expires is not None:
        body["exp"] = int(now + expires)
    body["jti"] = base64.b32encode(sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, body))
    return f"{signed}.{_encode(signer.sign(signed.encode()))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
