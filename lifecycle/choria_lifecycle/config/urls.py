"""Parse the URLs of servers, and redact the credentials in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from choria_lifecycle.config.table import CREDENTIAL_VARIABLES, DEFAULT_SERVER
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["read_urls", "redact"]


def read_urls(servers: str | Iterable[str]) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """Return the servers' URLs with scheme and port, and the credentials in them, or None if they have none.

    Args:
        servers: `host`, `host:port` or a `nats://` or `tls://` URL, or several, in a list or separated by commas.

    Raises:
        ConfigError: a URL cannot be used, there are no servers, or they hold different credentials.
    """
    return _extract_credentials(_split(servers))


def redact(url: str) -> str:
    """Return a URL with `***` for any credentials in it, safe to show.

    A port that is not a number is redacted too: it may be the password of a URL without a host.
    """
    shown = re.sub(r"^([A-Za-z0-9+.-]+://)?.*@", r"\1***@", url, flags=re.DOTALL)
    return safe(re.sub(r"^((?:[A-Za-z0-9+.-]+://)?+[^:\[]*):(?!\d+/?$).*", r"\1:***", shown, flags=re.DOTALL))


_NEXT_URL = re.compile(r",(?=\s*[A-Za-z][A-Za-z0-9+.-]*://)")


def _split(servers: str | Iterable[str]) -> list[str]:
    listed: list[object] = [servers] if isinstance(servers, str) else [*servers]
    urls: list[str] = []
    for text in listed:
        if not isinstance(text, str):  # such as the integers of a bytes object
            raise ConfigError("a server must be a str: host, host:port or a URL")
        urls += [part.strip() for part in _split_list(text) if part.strip()]
    if not urls:
        raise ConfigError("no server to connect to: name one")
    return urls


def _split_list(text: str) -> Iterator[str]:
    """Split a text at commas, except those in a user or password."""
    for url in _NEXT_URL.split(text):
        credentials, at, hosts = url.rpartition("@")
        first, *others = hosts.split(",")
        yield credentials + at + first
        yield from others


def _extract_credentials(urls: list[str]) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """Return the URLs without credentials, and the credentials, which must not differ between URLs."""
    cleaned: list[str] = []
    found: dict[str, str] | None = None
    for url in urls:
        server, credentials = _parse(url)
        cleaned.append(server)
        if credentials is None:
            continue
        logger.warning("%s holds credentials, and process lists show URLs: use %s", redact(url), CREDENTIAL_VARIABLES)
        if found is not None and found != credentials:
            raise ConfigError("the URLs of the servers hold different credentials; one connection has one user")
        found = credentials
    return tuple(cleaned), found


def _parse(url: str) -> tuple[str, dict[str, str] | None]:
    # The errors are raised without their cause: Python's messages show parts of the URL, such as a password.
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{redact(url)} is not the URL of a server, such as {DEFAULT_SERVER}") from None
    if parts.scheme not in {"nats", "tls"}:
        raise ConfigError(f"{redact(url)}: only nats:// and tls:// URLs are supported")
    if not host or any(char.isspace() for char in host) or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError(f"{redact(url)} is not the URL of a server, such as {DEFAULT_SERVER}")
    if port == 0:
        raise ConfigError(f"{redact(url)}: port 0 cannot be connected to")
    credentials = parts.netloc.rpartition("@")[0]
    if "@" in credentials and "," in credentials:
        # Two servers without a scheme, or one odd password; a guess could send the password to the wrong server.
        raise ConfigError(f"{redact(url)}: begin each server with nats://, and write @ and , in a password %40 and %2C")
    server = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or 4222}"
    if not credentials or parts.username is None:
        return server, None
    if parts.password is None:
        return server, {"token": unquote(parts.username)}
    return server, {"user": unquote(parts.username), "password": unquote(parts.password)}
