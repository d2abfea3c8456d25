"""Credentials as nats-py takes them, held back from a server that has not encrypted the connection."""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import importlib.util
import re
import ssl
from typing import TYPE_CHECKING, Any

from nats.errors import SecureConnWantedError

from choria_lifecycle.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["credentials", "tls_context"]

_CREDS = re.compile(
    rb"BEGIN NATS USER JWT-+\s+(?P<jwt>\S+)\s.*BEGIN USER NKEY SEED-+\s+(?P<seed>\S+)\s",
    re.DOTALL,
)


def credentials(settings: ConnectionSettings, offers_tls: Callable[[], bool]) -> dict[str, Any]:
    """The arguments of nats-py's connect that carry credentials.

    nats-py encrypts only if the server asks for it: one that does not, or someone in between who strips that wish, gets
    the password in plain text. So where TLS was asked for, each secret is a function that looks first; nats-py calls it
    after the server's greeting and before it sends anything. Without a secret an empty token does the same.

    Args:
        settings: where to connect to, and as whom.
        offers_tls: whether the connection that is being made is encrypted.

    Raises:
        ConfigError: a file cannot be read, or is not what it should be.
        MissingExtra: keys are needed, and the package nkeys is not installed.
    """

    def guarded(secret: str) -> Callable[[], str]:
        def reveal() -> str:
            if settings.tls and not offers_tls():
                raise SecureConnWantedError
            return secret

        return reveal

    arguments: dict[str, Any] = {}
    if settings.user is not None and settings.password is not None:
        arguments.update(user=guarded(settings.user), password=guarded(settings.password))
    if settings.token is not None or settings.tls:
        arguments["token"] = guarded(settings.token or "")
    if settings.creds is not None:
        _need_nkeys()
        creds = settings.creds
        read_creds(creds)

        # Read again for every connection: creds are replaced while programs run.
        def jwt() -> bytes:
            return read_creds(creds)[0]

        def signature(nonce: str) -> bytes:
            return sign(read_creds(creds)[1], nonce)

        arguments.update(user_jwt_cb=jwt, signature_cb=signature)
        arguments.setdefault("token", guarded(""))  # or nats-py would take the callbacks for no credentials at all
    if settings.nkey is not None:
        _need_nkeys()
        check_seed(settings.nkey)
        arguments["nkeys_seed"] = str(settings.nkey)
    if settings.tls:
        arguments["tls"] = tls_context(settings)
    return arguments


def read_creds(path: Path) -> tuple[bytes, bytes]:
    """The JWT and the seed of a creds file.

    Raises:
        ConfigError: it cannot be read, or holds no such thing. nats-py would read it for ever.
    """
    found = _CREDS.search(read(path) + b"\n")
    if found is None:
        raise ConfigError(f"{path} is no NATS creds file: it needs a user JWT and a user seed")
    return found["jwt"], found["seed"]


def check_seed(path: Path) -> None:
    """Refuse a file that holds no seed, before nats-py does so in words of its own.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    import nkeys

    try:
        nkeys.from_seed(bytearray(read(path).strip()))
    except (nkeys.NkeysError, ValueError):
        # Without its cause, whose traceback holds what was read.
        raise ConfigError(f"{path} holds no NATS seed") from None


def sign(seed: bytes, nonce: str) -> bytes:
    """A server's nonce, signed; in base64 for URLs without padding, which both NATS and Choria's broker read."""
    import nkeys

    return base64.urlsafe_b64encode(nkeys.from_seed(bytearray(seed)).sign(nonce.encode())).rstrip(b"=")


def read(path: Path) -> bytes:
    """The contents of a file that settings name.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error


def tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """Verify the server against the given authority, or the system's, and show the client certificate if there is one.

    Raises:
        ConfigError: a file cannot be read or used; an encrypted key is one of those, for there is nobody to ask.
    """

    def no_passphrase() -> str:
        raise ConfigError(f"the key {settings.key} is encrypted; a key without a passphrase is needed")

    for path in (settings.ca, settings.cert, settings.key):
        if path is not None:
            read(path)
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except ssl.SSLError as error:
        raise ConfigError(f"{settings.ca} holds no usable certificate: {error}") from error
    if settings.cert is not None:
        try:
            context.load_cert_chain(settings.cert, settings.key, no_passphrase)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{settings.cert} and {settings.key} make no usable client certificate: {error}"
            ) from error
    return context


def _need_nkeys() -> None:
    if importlib.util.find_spec("nkeys") is None:
        raise MissingExtra("a NATS creds or nkey file", extra="nkeys")
