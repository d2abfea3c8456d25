"""Choria client tokens, valid and invalid, and their verification as in Choria's broker.

The claims are those of ClientIDClaims and StandardClaims in github.com/choria-io/tokens v0.0.4; the checks are those of
go-choria v0.30.2, broker/network/choria_auth.go.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "PURPOSE",
    "Credentials",
    "Refused",
    "Token",
    "client_token",
    "verify_signature",
    "verify_token",
    "write_credentials",
]

PURPOSE = "choria_client_id"
_HOUR = 3600.0
_RAW_URL = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?")

Issuer = Ed25519PrivateKey | RSAPrivateKey
"""The signer of tokens: EdDSA for an organisation's issuer, RS256 for the signer of an older AAA service."""


class Token(NamedTuple):
    """A token and its owner's seed.

    Attributes:
        jwt: the token.
        seed: the ed25519 seed of its `public_key`, as 64 hexadecimal digits.
    """

    jwt: str
    seed: str


class Credentials(NamedTuple):
    """The files of a token and its seed."""

    token_file: Path
    seed_file: Path


class Refused(Exception):
    """The reason for which the broker refuses a client."""


def client_token(
    issuer: Issuer,
    *,
    callerid: str = "up=ripienaar",
    permissions: Iterable[str] = ("events_viewer",),
    pub_subjects: Iterable[str] = (),
    sub_subjects: Iterable[str] = (),
    expires: float = _HOUR,
    valid_in: float = 0.0,
    seed: str | None = None,
    claims: Mapping[str, object] | None = None,
    now: float | None = None,
) -> Token:
    """Return a token as made by `choria jwt client`.

    For an invalid one, pass `expires=-60` (expired), `valid_in=60` (not yet valid), another `issuer` (unknown to the
    broker), `claims={"public_key": ...}` (another client's key), or an RSA key as `issuer` (RS256).

    Args:
        issuer: the signing key.
        callerid: the owner; Choria writes "provider=name", and "up" is the provider of user and password.
        permissions: the permission claims that are true: events_viewer, streams_user, streams_admin, election_user,
            governor, fleet_management, org_admin, service ...
        pub_subjects: additional subjects for publishing.
        sub_subjects: additional subjects for subscriptions.
        expires: seconds from now.
        valid_in: seconds from now.
        seed: the owner's seed; default a new one.
        claims: claims that replace or extend the others; None removes one.
        now: the time of issue, in Unix seconds; default the current time.
    """
    now = time.time() if now is None else now
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)) if seed else Ed25519PrivateKey.generate()
    body: dict[str, object] = {
        "purpose": PURPOSE,
        "callerid": callerid,
        "ou": "choria",
        "public_key": key.public_key().public_bytes_raw().hex(),
        "permissions": dict.fromkeys(permissions, True),
        "pub_subjects": list(pub_subjects),
        "sub_subjects": list(sub_subjects),
        "jti": hashlib.sha256(str(now).encode()).hexdigest()[:27],
        "iss": "Choria Tokens Package",
        "iat": int(now),
        "nbf": int(now + valid_in),
        "exp": int(now + expires),
        **(claims or {}),
    }
    header = {"alg": "EdDSA" if isinstance(issuer, Ed25519PrivateKey) else "RS256", "typ": "JWT"}
    # Go omits empty values.
    body = {name: value for name, value in body.items() if value not in (None, [], {})}
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, body))
    return Token(f"{signed}.{_encode(_sign(issuer, signed.encode()))}", key.private_bytes_raw().hex())


def write_credentials(
    folder: Path, token: Token, *, token_name: str = "token.jwt", seed_name: str = "private.key"
) -> Credentials:
    """Write both files as Choria does, without a final newline, readable only by the owner.

    Args:
        folder: the destination; created if missing.
        token: the token to write.
        token_name: the default is the name in Choria's documentation; `choria login` writes "token" in ~/.choria.
        seed_name: the default is the name in Choria's documentation; `choria login` writes "token.key".
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = Credentials(folder / token_name, folder / seed_name)
    for path, text in zip(written, token, strict=True):
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return written


def verify_token(token: str, issuer: Issuer) -> dict[str, Any]:
    """Return the claims of a client token.

    Raises:
        Refused: it is not signed by the issuer, not valid now, has another purpose, or lacks a claim.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise Refused("token: no JWT")
    signed = f"{parts[0]}.{parts[1]}".encode()
    header, claims = (_object(part) for part in parts[:2])
    expected = "EdDSA" if isinstance(issuer, Ed25519PrivateKey) else "RS256"
    if header.get("alg") != expected:
        raise Refused(f"token: signed with {quoted(header.get('alg'))}, the issuer's key is for {expected}")
    try:
        if isinstance(issuer, Ed25519PrivateKey):
            issuer.public_key().verify(_decode(parts[2], "token"), signed)
        else:
            issuer.public_key().verify(_decode(parts[2], "token"), signed, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refused("token: not signed by the issuer") from None
    now = time.time()
    if now >= claims.get("exp", now + 1):
        raise Refused("token: expired")
    if now < claims.get("nbf", now):
        raise Refused("token: not yet valid")
    if claims.get("purpose") != PURPOSE:
        raise Refused(f"token: its purpose is {quoted(claims.get('purpose'))}")
    # An issuer is looked up by organisation; the signer of an RS256 token is not.
    for name in ("callerid", "public_key", "ou") if expected == "EdDSA" else ("callerid", "public_key"):
        if not claims.get(name):
            raise Refused(f"token: it has no {name}")
    return claims


def verify_signature(signature: str, nonce: str, public_key: str) -> None:
    """Verify that the client holds the token's key.

    Args:
        signature: the client's `sig`.
        nonce: the nonce in INFO; its characters are signed, not the decoded bytes.
        public_key: the token's.

    Raises:
        Refused: the signature is not unpadded URL-safe base64, or is not this key's for this nonce.
    """
    if not signature:
        raise Refused("signature: there is none")
    if not nonce:
        raise Refused("signature: there was no nonce to sign")
    raw = _decode(signature, "signature")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(raw, nonce.encode())
    except ValueError:
        raise Refused("signature: the token's public_key is no ed25519 key") from None
    except InvalidSignature:
        raise Refused("signature: not of this nonce by the token's key") from None


def _sign(issuer: Issuer, data: bytes) -> bytes:
    if isinstance(issuer, Ed25519PrivateKey):
        return issuer.sign(data)
    return issuer.sign(data, PKCS1v15(), hashes.SHA256())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str, what: str) -> bytes:
    """Decode like Go's RawURLEncoding: no padding, no other alphabet."""
    if not _RAW_URL.fullmatch(text):
        raise Refused(f"{what}: not in unpadded URL-safe base64")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _object(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(_decode(part, "token"))
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        raise Refused("token: not JSON")
    return decoded
