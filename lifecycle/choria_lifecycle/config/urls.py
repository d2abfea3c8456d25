"""The URLs of servers: what people write, taken apart, and shown without what is secret in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DEFAULT_SERVER", "read_urls", "redact"]

DEFAULT_SERVER = "nats://127.0.0.1:4222"


def read_urls(servers: str | Iterable[str]) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """The URLs of servers with scheme and port, and the credentials that were in them, or None.

    Args:
        servers: `host`, `host:port` or a `nats://` or `tls://` URL, or several, in a list or separated by commas.

    Raises:
        ConfigError: one cannot be used, there is none, or they hold different credentials.
    """
    return _extract_credentials(_split(servers))


def redact(url: str) -> str:
    """A URL with the credentials in it, if any, replaced by `***`, and safe to show.

    What stands where a port belongs and is no number may be the password of a URL whose host was forgotten.
    """
    shown = re.sub(r"^([A-Za-z0-9+.-]+://)?.*@", r"\1***@", url, flags=re.DOTALL)
    return safe(re.sub(r"^((?:[A-Za-z0-9+.-]+://)?+[^:\[]*):(?!\d+/?$).*", r"\1:***", shown, flags=re.DOTALL))


_NEXT_URL = re.compile(r",(?=\s*[A-Za-z][A-Za-z0-9+.-]*://)")


def _split(servers: str | Iterable[str]) -> list[str]:
    listed: list[object] = [servers] if isinstance(servers, str) else [*servers]
    urls: list[str] = []
    for text in listed:
        if not isinstance(text, str):  # the numbers of a bytes object, for one
            raise ConfigError("a server is given as text: host, host:port or a URL")
        urls += [part.strip() for part in _split_list(text) if part.strip()]
    if not urls:
        raise ConfigError("no server to connect to was given")
    return urls


def _split_list(text: str) -> Iterator[str]:
    """The servers in a text, separated by commas, save for those in a user or password."""
    for url in _NEXT_URL.split(text):
        credentials, at, hosts = url.rpartition("@")
        first, *others = hosts.split(",")
        yield credentials + at + first
        yield from others


def _extract_credentials(urls: list[str]) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """The URLs without credentials, and the credentials, which must be the same in all URLs that have some."""
    cleaned: list[str] = []
    found: dict[str, str] | None = None
    for url in urls:
        server, credentials = _parse(url)
        cleaned.append(server)
        if credentials is None:
            continue
        logger.warning(
            "%s holds credentials, and process lists show URLs: use NATS_USER and NATS_PASSWORD, or NATS_CREDS",
            redact(url),
        )
        if found is not None and found != credentials:
            raise ConfigError("the URLs of the servers hold different credentials; one connection has one user")
        found = credentials
    return tuple(cleaned), found


def _parse(url: str) -> tuple[str, dict[str, str] | None]:
    # The errors below come without their cause: Python's texts show parts of the URL, such as a password.
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{redact(url)} is no URL of a server; wanted is for example {DEFAULT_SERVER}") from None
    if parts.scheme not in {"nats", "tls"}:
        raise ConfigError(f"{redact(url)}: only nats:// and tls:// are spoken here")
    if not host or any(char.isspace() for char in host) or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError(f"{redact(url)} is no URL of a server; wanted is for example {DEFAULT_SERVER}")
    if port == 0:
        raise ConfigError(f"{redact(url)}: no server listens on port 0")
    credentials = parts.netloc.rpartition("@")[0]
    if "@" in credentials and "," in credentials:
        # Two servers without a scheme, or one with an odd password: who guesses sends a password to the wrong one.
        raise ConfigError(f"{redact(url)}: give each server its nats://, and write @ and , in a password %40 and %2C")
    server = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or 4222}"
    if not credentials or parts.username is None:
        return server, None
    if parts.password is None:
        return server, {"token": unquote(parts.username)}
    return server, {"user": unquote(parts.username), "password": unquote(parts.password)}
