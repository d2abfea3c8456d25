"""Check the files of a connection: certificates, keys, tokens and creds."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from choria_lifecycle.config.contents import read_regular
from choria_lifecycle.config.table import SETTINGS
from choria_lifecycle.config.tokens import (
    CLOCK_LEEWAY,
    creds_expiry,
    has_cryptography,
    public_key,
    read_creds,
    read_seed,
    read_token,
)
from choria_lifecycle.doctor.checks import Check, File, file_check
from choria_lifecycle.errors import ConfigError, MissingExtra, NotAuthorised
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.middleware.transport import covers
from choria_lifecycle.support.clock import format_time
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from choria_lifecycle.config.settings import ConnectionSettings
    from choria_lifecycle.config.tokens import Token

__all__ = ["LIFECYCLE_EVENTS", "check_files"]

LIFECYCLE_EVENTS = f"{SUBJECT_PREFIX}.>"
"""The subject of all lifecycle events."""

_VIEWERS = {"events_viewer", "org_admin"}
_CLIENT = "choria_client_id"

# The remaining life at which to renew a token: a share of it, or seconds if it has no start time.
_TOKEN_RENEW_SHARE = 0.1
_TOKEN_RENEW_SECONDS = 86400.0


def check_files(settings: ConnectionSettings, now: float) -> Iterator[Check]:
    """Check every file that a connection needs; yield the findings, good ones included.

    Args:
        settings: the connection's settings.
        now: in Unix seconds.
    """
    files: dict[str, File] = {}
    for kind, spec in SETTINGS.items():
        path: Path | None = getattr(settings, kind) if spec.kind == "file" else None
        if path is None:
            continue
        try:
            files[kind] = File(path, read_regular(path))
        except OSError as error:
            yield file_check(
                "error", path, f"cannot be read: {error.strerror or error}; {_advice(kind, settings, error)}"
            )
            continue
        if spec.secret and os.name != "nt" and (mode := stat.S_IMODE(path.stat().st_mode)) & stat.S_IRWXO:
            yield file_check(
                "warning", path, f"other users may read this secret, its mode is {mode:04o}: chmod o-rwx this file"
            )
    yield from _check_certificates(files, now)
    yield from _check_tokens(files, now)


def _advice(kind: str, settings: ConnectionSettings, error: OSError) -> str:
    origin = settings.origins.get(kind, "")
    if isinstance(error, PermissionError):
        return "let this user read it, or run as its owner"
    if origin.startswith("provider puppet"):
        return (
            f"'choria enroll' gets one for {safe(settings.name, 200)}; "
            "or set MCOLLECTIVE_CERTNAME to the name of an existing certificate"
        )
    if kind in {"jwt", "seed"}:
        return f"its name is from {safe(origin)}; get it with 'choria login', or from an issuer of tokens"
    return f"its name is from {safe(origin)}; correct it, or create the file"


def _check_certificates(files: Mapping[str, File], now: float) -> Iterator[Check]:
    ca, cert, key = files.get("ca"), files.get("cert"), files.get("key")
    if ca is None and cert is None:
        return
    if not has_cryptography():
        subject = ", ".join(safe(str(each.path)) for each in (ca, cert, key) if each is not None)
        missing = MissingExtra("certificates and keys were not checked, which", extra="choria")
        yield Check("note", "files", subject, str(missing))
        return
    from choria_lifecycle.doctor import certificates

    if ca is not None:
        yield from certificates.check_authorities(ca, now)
    if cert is not None:
        yield from certificates.check_client(cert, key, ca, now)


def _check_tokens(files: Mapping[str, File], now: float) -> Iterator[Check]:
    token = seed = None
    if (file := files.get("creds")) is not None:
        yield _check_creds(file.path, now)
    if (file := files.get("jwt")) is not None:
        try:
            token = read_token(file.path)
        except ConfigError as error:
            yield file_check("error", file.path, safe(str(error)))
        else:
            yield from _check_token(token, now)
    if (file := files.get("seed")) is not None:
        try:
            seed = read_seed(file.path)
        except ConfigError as error:
            yield file_check("error", file.path, safe(str(error)))
        else:
            yield _check_seed(file.path, seed, token)


def _check_creds(path: Path, now: float) -> Check:
    try:
        expiry = creds_expiry(read_creds(path)[0])
    except ConfigError as error:
        return file_check("error", path, safe(str(error)))
    if expiry is None:
        return file_check("ok", path, "a user's JWT and seed, which do not expire")
    if now > expiry + CLOCK_LEEWAY:
        message = f"the creds {safe(str(path))} expired on {format_time(expiry)}; get new ones from their issuer"
        return Check("error", "files", safe(str(path)), message, NotAuthorised)
    return file_check("ok", path, f"a user's JWT and seed, valid until {format_time(expiry)}")


def _check_token(token: Token, now: float) -> Iterator[Check]:
    kind = "a token of" if token.purpose == _CLIENT else "a server's token, of"
    whose = f"{kind} {safe(token.caller, 200)}"
    try:
        token.check_time(now)
    except NotAuthorised as error:
        yield file_check("error", token.path, safe(str(error)))
    else:
        if token.expires is None:
            yield file_check("ok", token.path, f"{whose}, which does not expire")
        elif token.expires - now < _renewal_window(token.starts, token.expires):
            yield file_check(
                "warning", token.path, f"{whose}, valid until {format_time(token.expires)} only: get another one soon"
            )
        else:
            yield file_check("ok", token.path, f"{whose}, valid until {format_time(token.expires)}")
    if not token.public_key:
        yield file_check("error", token.path, "the token has no public key, without which Choria's brokers refuse it")
    if not _VIEWERS & set(token.permissions) and not any(
        covers(pattern, LIFECYCLE_EVENTS) for pattern in token.subscribes
    ):
        yield file_check(
            "note",
            token.path,
            f"the token does not allow viewing events: it grants none of {', '.join(sorted(_VIEWERS))}, "
            f"nor a subject that covers {LIFECYCLE_EVENTS}",
        )


def _renewal_window(starts: float | None, expires: float) -> float:
    return _TOKEN_RENEW_SECONDS if starts is None else _TOKEN_RENEW_SHARE * (expires - starts)


def _check_seed(path: Path, seed: bytes, token: Token | None) -> Check:
    if token is None or not token.public_key:
        return file_check("ok", path, "a seed")
    try:
        own = public_key(seed)
    except MissingExtra:
        missing = MissingExtra("whether the seed belongs to the token was not checked, which", extra="choria")
        return file_check("note", path, str(missing))
    if own == token.public_key:
        return file_check("ok", path, "the seed of that token")
    return file_check(
        "error",
        path,
        f"not the seed of the token {safe(str(token.path))}: use the two that were created together, "
        "or get a token for this seed",
    )
