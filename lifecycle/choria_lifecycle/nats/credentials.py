"""Credentials in the form that nats-py takes."""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import importlib.util
import time
from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.tokens import (
    CLOCK_LEEWAY,
    creds_expiry,
    read_creds,
    read_plain_token,
    read_seed,
    read_token,
    require_cryptography,
)
from choria_lifecycle.config.tokens import sign_with_seed as sign_choria
from choria_lifecycle.errors import ConfigError, MissingExtra, NotAuthorised
from choria_lifecycle.nats.tls import read_file
from choria_lifecycle.support.clock import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["credentials", "inbox_prefix"]


def credentials(settings: ConnectionSettings) -> dict[str, Any]:
    """Return the credentials as arguments of nats-py's connect. `Client` ensures that they are sent encrypted only.

    Raises:
        ConfigError: a file cannot be read, or has the wrong contents.
        NotAuthorised: a Choria token, or a creds file, has expired.
        MissingExtra: the package that signs with the key is not installed.
    """
    # Functions, so that the secrets never become local variables in a traceback.
    user: dict[str, Any] = {}
    if settings.user is not None and settings.password is not None:
        user = {"user": lambda: settings.user, "password": lambda: settings.password}
    if settings.token is not None:
        return {"token": lambda: settings.token}
    # Files are read again for every connection, because they may be replaced while the program runs.
    if settings.token_file is not None:
        token_file, file_origin = settings.token_file, settings.origins.get("token_file", "")
        read_plain_token(token_file, file_origin)
        return {"token": lambda: read_plain_token(token_file, file_origin)}
    if settings.creds is not None:
        _require_nkeys()
        creds, origin = settings.creds, settings.origins.get("creds", "")
        _read_valid_jwt(creds, origin)

        def signature(nonce: str) -> bytes:
            return sign_with_nkey(read_creds(creds, origin)[1], nonce)

        return {"user_jwt_cb": lambda: _read_valid_jwt(creds, origin), "signature_cb": signature}
    if settings.nkey is not None:
        _require_nkeys()
        check_seed(settings.nkey, settings.origins.get("nkey", ""))
        return {"nkeys_seed": str(settings.nkey)}
    if settings.jwt is not None and settings.seed is not None:
        require_cryptography("a Choria token")
        jwt, seed = settings.jwt, settings.seed
        jwt_origin, seed_origin = (settings.origins.get(name, "") for name in ("jwt", "seed"))
        _read_valid_token(jwt, jwt_origin)
        read_seed(seed, seed_origin)

        def choria_signature(nonce: str) -> bytes:
            return sign_choria(read_seed(seed, seed_origin), nonce.encode())

        # A broker with a system user asks for both; any other NATS server ignores the token.
        return {"token": lambda: _read_valid_token(jwt, jwt_origin), "signature_cb": choria_signature, **user}
    return user


def _read_valid_token(path: Path, origin: str) -> str:
    token = read_token(path, origin)
    token.check_time(time.time())
    return token.text


def _read_valid_jwt(path: Path, origin: str) -> bytes:
    jwt, _ = read_creds(path, origin)
    expiry = creds_expiry(jwt)
    if expiry is not None and time.time() > expiry + CLOCK_LEEWAY:
        raise NotAuthorised(f"the creds {path} expired on {format_time(expiry)}; get new ones from their issuer")
    return jwt


def inbox_prefix(settings: ConnectionSettings) -> str:
    """Return the inbox prefix for replies.

    With a token, Choria's broker allows only inboxes named after its caller.

    Raises:
        ConfigError: the token cannot be read.
    """
    return (
        f"{settings.inbox}.{read_token(settings.jwt, settings.origins.get('jwt', '')).unique_id}"
        if settings.jwt is not None
        else settings.inbox
    )


def check_seed(path: Path, origin: str = "") -> None:
    """Check that a file holds a NATS seed; nats-py's own error would be less clear.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    import nkeys

    try:
        nkeys.from_seed(bytearray(read_file(path, origin).strip()))
    except (nkeys.NkeysError, ValueError):
        # Not chained: the traceback of the cause holds the file's contents.
        raise ConfigError(f"{path} does not hold a NATS seed") from None


def sign_with_nkey(seed: bytes, nonce: str) -> bytes:
    """Sign a server's nonce with an encoded NATS seed; return URL-safe base64 without padding.

    Not merged with `sign_with_seed`: each needs its own extra, nkeys or cryptography.
    """
    import nkeys

    return base64.urlsafe_b64encode(nkeys.from_seed(bytearray(seed)).sign(nonce.encode())).rstrip(b"=")


def _require_nkeys() -> None:
    if importlib.util.find_spec("nkeys") is None:
        raise MissingExtra("a NATS creds or nkey file", extra="nkeys")
