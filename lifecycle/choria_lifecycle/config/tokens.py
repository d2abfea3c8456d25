"""Read Choria's tokens, which are JWTs, their ed25519 seeds, NATS creds files, and files with a plain token.

Signatures are not verified: only the broker knows which issuers it trusts. The claims are those of choria-io/tokens
(client_id.go, server.go).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib.util
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from choria_lifecycle.config.contents import read_regular, unreadable_file
from choria_lifecycle.errors import ConfigError, MissingExtra, NotAuthorised
from choria_lifecycle.support.clock import format_time
from choria_lifecycle.support.text import quoted, safe

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CLOCK_LEEWAY",
    "Token",
    "creds_expiry",
    "has_cryptography",
    "public_key",
    "read_creds",
    "read_plain_token",
    "read_seed",
    "read_token",
    "require_cryptography",
    "sign_with_seed",
]

CLOCK_LEEWAY = 5.0
"""The tolerated difference between the clocks of an issuer and this machine, in seconds, as in Choria."""

_CLIENT = "choria_client_id"
_SERVER = "choria_server"
_CALLER = {_CLIENT: "callerid", _SERVER: "identity"}
_SEED_BYTES = 32
_CREDS = re.compile(
    rb"BEGIN NATS USER JWT-+\s+(?P<jwt>\S+)\s.*BEGIN USER NKEY SEED-+\s+(?P<seed>\S+)\s",
    re.DOTALL,
)

# A token has a few kilobytes.
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The claims of a token. Its repr never shows the token.

    Attributes:
        path: the file it was read from.
        text: the token itself, which is a secret.
        purpose: `choria_client_id` or `choria_server`.
        caller: a client's caller id, such as `up=alice`, or a server's identity.
        public_key: the public key of the holder's seed, in hexadecimal, or empty.
        starts: when it becomes valid, in Unix seconds; None if it always was.
        expires: when it or its issuer expires, whichever comes first, in Unix seconds; None if never.
        permissions: the names of the permissions it grants.
        publishes: further subjects that its holder may publish to.
        subscribes: further subjects that its holder may subscribe to.
    """

    path: Path
    text: str = field(repr=False)
    purpose: str
    caller: str
    public_key: str
    starts: float | None
    expires: float | None
    permissions: tuple[str, ...]
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]

    @property
    def unique_id(self) -> str:
        """The name of the holder's inboxes: the MD5 of the caller (tokens, UniqueID)."""
        return hashlib.md5(self.caller.encode(), usedforsecurity=False).hexdigest()

    def check_time(self, now: float) -> None:
        """Check that the token is valid now, give or take 5 seconds.

        Args:
            now: in Unix seconds.

        Raises:
            NotAuthorised: the token has expired, or is not valid yet.
        """
        if self.expires is not None and now > self.expires + CLOCK_LEEWAY:
            raise NotAuthorised(
                f"the token {self.path} expired on {format_time(self.expires)}; "
                "get a new one with 'choria login', or from its issuer"
            )
        if self.starts is not None and now < self.starts - CLOCK_LEEWAY:
            raise NotAuthorised(
                f"the token {self.path} is not valid before {format_time(self.starts)}; is the clock right?"
            )


def read_token(path: Path, origin: str = "") -> Token:
    """Read a token from a file.

    Args:
        path: the file.
        origin: where its name comes from, for the error.

    Raises:
        ConfigError: the file cannot be read, is not a JWT, or is for neither a client nor a server.
    """
    text = _read(path, origin, "get one with 'choria login', or from an issuer of tokens").strip()
    claims = _decode_claims(path, text)
    purpose = str(claims.get("purpose") or "no stated purpose")
    if purpose not in _CALLER:
        raise ConfigError(f"the token {path} is for {quoted(purpose)}; use one for a client ({_CLIENT}) or a server")
    caller = claims.get(_CALLER[purpose])
    if not isinstance(caller, str) or not caller:
        raise ConfigError(f"the token {path} does not name its holder; get another one")
    key = claims.get("public_key")
    permissions = claims.get("permissions")
    return Token(
        path=path,
        text=text,
        purpose=purpose,
        caller=caller,
        public_key=key.lower() if isinstance(key, str) else "",
        starts=_time(claims.get("nbf")),
        expires=min((time for each in ("exp", "issexp") if (time := _time(claims.get(each)))), default=None),
        permissions=tuple(name for name, given in permissions.items() if given is True)
        if isinstance(permissions, dict)
        else (),
        publishes=_strings(claims.get("pub_subjects")),
        subscribes=_strings(claims.get("sub_subjects")),
    )


def read_seed(path: Path, origin: str = "") -> bytes:
    """Read an ed25519 seed, 64 hexadecimal digits. A newline after them, which Choria rejects, is accepted.

    Args:
        path: the file.
        origin: where its name comes from, for the error.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        seed = bytes.fromhex(_read(path, origin, "it comes with the token").strip())
    except ValueError:
        seed = b""
    if len(seed) != _SEED_BYTES:
        # Without its cause, whose traceback holds the content.
        raise ConfigError(f"{path} is not an ed25519 seed, which is {2 * _SEED_BYTES} hexadecimal digits") from None
    return seed


def sign_with_seed(seed: bytes, nonce: bytes) -> bytes:
    """Sign a broker's nonce; return it in unpadded URL-safe base64, the only form that Choria's broker reads.

    Raises:
        MissingExtra: the package cryptography is not installed.
    """
    return base64.urlsafe_b64encode(_private_key(seed).sign(nonce)).rstrip(b"=")


def public_key(seed: bytes) -> str:
    """Return the public key of a seed in hexadecimal, as in tokens.

    Raises:
        MissingExtra: the package cryptography is not installed.
    """
    return str(_private_key(seed).public_key().public_bytes_raw().hex())


def _private_key(seed: bytes) -> Any:
    require_cryptography("a Choria token")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def has_cryptography() -> bool:
    """Return True if the package cryptography is installed."""
    return importlib.util.find_spec("cryptography") is not None


def require_cryptography(what: str) -> None:
    """Check that the package cryptography is installed.

    Args:
        what: the feature that needs it, for the error.

    Raises:
        MissingExtra: the package cryptography is not installed.
    """
    if not has_cryptography():
        raise MissingExtra(what, extra="choria")


def read_creds(path: Path, origin: str = "") -> tuple[bytes, bytes]:
    """Return the JWT and the seed of a NATS creds file.

    Args:
        path: the file.
        origin: where its name comes from, for the error.

    Raises:
        ConfigError: the file cannot be read, or is not a creds file; nats-py would read it forever.
    """
    found = _CREDS.search(_read(path, origin, "").encode() + b"\n")
    if found is None:
        raise ConfigError(f"{path} is not a NATS creds file, which holds a user's JWT and seed")
    return found["jwt"], found["seed"]


def read_plain_token(path: Path, origin: str = "") -> str:
    """Return the authentication token in a file, without the newline after it.

    Args:
        path: the file.
        origin: where its name comes from, for the error.

    Raises:
        ConfigError: the file cannot be read, or is not one line of UTF-8 text.
    """
    token = _read(path, origin, "write the token into it").rstrip("\r\n")
    # Another file, such as a private key, must not be sent to a server; a replaced character is not UTF-8.
    if not token.strip() or not token.isprintable() or "\ufffd" in token:
        source = f" ({safe(origin)})" if origin else ""
        raise ConfigError(f"{path}{source} does not hold a token: write it there, as one line of UTF-8 text")
    return token


def creds_expiry(jwt: bytes) -> float | None:
    """Return when the JWT of a creds file expires, in Unix seconds; None if it has no expiry or is malformed."""
    try:
        payload = jwt.split(b".")[1]
        claims = msgspec.json.decode(base64.b64decode(payload + b"=" * (-len(payload) % 4), b"-_"))
    except (ValueError, IndexError, RecursionError):
        return None
    return _time(claims.get("exp")) if isinstance(claims, dict) else None


def _read(path: Path, origin: str, remedy: str) -> str:
    try:
        found = read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise unreadable_file(path, origin, error, remedy) from error
    if len(found) > _MAX_BYTES:
        raise ConfigError(f"{path} has more than {_MAX_BYTES} bytes: too many for a token or a seed")
    return found.decode(errors="replace")


def _decode_claims(path: Path, text: str) -> dict[str, Any]:
    try:
        _, payload, _ = text.split(".")
        claims = msgspec.json.decode(base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise ConfigError(f"{path} is not a token: a JWT is three parts separated by dots") from None
    return claims


def _time(value: object) -> float | None:
    # Go writes zero for an unset time; a time beyond the calendar never comes.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MAX_TIME:
        return None
    return float(value)


_MAX_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def _strings(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
