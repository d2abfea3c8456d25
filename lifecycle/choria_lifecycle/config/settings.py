"""Connection settings from arguments and environment variables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import unquote, urlsplit

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.log import logger
from choria_lifecycle.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike

__all__ = ["DEFAULT_SERVER", "ConnectionOptions", "ConnectionSettings", "redacted"]

DEFAULT_SERVER = "nats://127.0.0.1:4222"


class ConnectionOptions(TypedDict, total=False):
    """As whom to connect, and how; None stands for the default.

    Attributes:
        creds: a file with a user's JWT and seed; default NATS_CREDS.
        user: default NATS_USER.
        password: default NATS_PASSWORD.
        token: an authentication token.
        nkey: a file with a user's seed; default NATS_NKEY.
        ca: a file with the authorities to trust; default NATS_CA, else the system's.
        cert: a file with the client's certificate; default NATS_CERT.
        key: a file with that certificate's key; default NATS_KEY.
        name: how the connection is called in the server's monitoring; default `choria-lifecycle`.
    """

    creds: str | PathLike[str] | None
    user: str | None
    password: str | None
    token: str | None
    nkey: str | PathLike[str] | None
    ca: str | PathLike[str] | None
    cert: str | PathLike[str] | None
    key: str | PathLike[str] | None
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where to connect to, and as whom. Its text never shows a secret.

    Attributes:
        servers: the servers' URLs, without credentials; any of them will do.
        user: the user name, or None.
        password: the user's password, or None.
        token: an authentication token, or None.
        creds: a file with a user's JWT and seed, or None.
        nkey: a file with a user's seed, or None.
        ca: a file with the certificates of the authorities to trust, or None for the system's.
        cert: a file with the client's certificate, or None.
        key: a file with that certificate's key, or None.
        name: how the connection is called in the server's monitoring.
    """

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    creds: Path | None = None
    nkey: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str = "choria-lifecycle"

    @property
    def tls(self) -> bool:
        """Whether TLS was asked for, by a `tls://` URL, an authority or a certificate; then of all servers."""
        return bool(self.ca or self.cert) or any(server.startswith("tls://") for server in self.servers)

    @classmethod
    def resolve(
        cls,
        servers: str | Iterable[str] | None = None,
        *,
        creds: str | PathLike[str] | None = None,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        nkey: str | PathLike[str] | None = None,
        ca: str | PathLike[str] | None = None,
        cert: str | PathLike[str] | None = None,
        key: str | PathLike[str] | None = None,
        name: str | None = None,
        environ: Mapping[str, str],
    ) -> ConnectionSettings:
        """Settings from arguments, completed from an environment; an argument wins.

        An argument that says who connects - creds, nkey, token, or user and password - takes the place of whatever a
        URL or the environment say about that, and a user in a URL that of the environment. An empty variable counts
        as absent.

        Args:
            servers: `host`, `host:port` or a `nats://` or `tls://` URL, or several, in a list or separated by commas; a
                comma that credentials follow begins another server only with `nats://` or `tls://` after it. Default
                NATS_URL, else the server on this machine; the default port is 4222.
            creds: default NATS_CREDS. A leading `~` is the home directory here and in the other paths.
            user: default NATS_USER.
            password: default NATS_PASSWORD.
            token: no default; `nats://token@host` works.
            nkey: default NATS_NKEY.
            ca: default NATS_CA.
            cert: default NATS_CERT.
            key: default NATS_KEY.
            name: default `choria-lifecycle`.
            environ: the environment, usually `os.environ`.

        Raises:
            ConfigError: a URL cannot be used, settings contradict each other, or one that says who connects is empty.
        """
        urls = _split(servers if servers is not None else environ.get("NATS_URL") or DEFAULT_SERVER)
        cleaned, found = _without_users(urls)
        who: dict[str, str | PathLike[str] | None] = {
            "creds": creds, "nkey": nkey, "token": token, "user": user, "password": password,
        }  # fmt: skip
        for option, given in who.items():
            # An empty one that switched the environment's off would connect as nobody.
            if given is not None and not str(given):
                raise ConfigError(f"{option} is empty; leave it out to use the environment")
        variables = {"creds": "NATS_CREDS", "nkey": "NATS_NKEY", "user": "NATS_USER", "password": "NATS_PASSWORD"}
        if creds is None and nkey is None and token is None:
            if user is None and password is None and found is not None:
                who.update(found)
            else:
                wanted = ("user", "password") if user is not None or password is not None else tuple(variables)
                who.update({option: who[option] or environ.get(variables[option]) for option in wanted})
        settings = cls(
            servers=cleaned,
            user=_text(who["user"]),
            password=_text(who["password"]),
            token=_text(who["token"]),
            creds=_path(who["creds"]),
            nkey=_path(who["nkey"]),
            ca=_path(ca or environ.get("NATS_CA")),
            cert=_path(cert or environ.get("NATS_CERT")),
            key=_path(key or environ.get("NATS_KEY")),
            name=name or "choria-lifecycle",
        )
        settings._check()
        return settings

    def _check(self) -> None:
        ways = [
            way
            for way, given in (
                ("creds", self.creds),
                ("an nkey", self.nkey),
                ("a token", self.token),
                ("a user", self.user or self.password),
            )
            if given
        ]
        if len(ways) > 1:
            raise ConfigError(f"connect with one of {' and '.join(ways)}, not with all of them")
        if (self.user is None) != (self.password is None):
            raise ConfigError("a user needs a password, and a password a user: NATS_USER and NATS_PASSWORD")
        if (self.cert is None) != (self.key is None):
            raise ConfigError("a client certificate needs its key, and a key its certificate: NATS_CERT and NATS_KEY")


def redacted(url: str) -> str:
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
        urls += [part.strip() for part in _servers(text) if part.strip()]
    if not urls:
        raise ConfigError("no server to connect to was given")
    return urls


def _servers(text: str) -> Iterator[str]:
    """The servers in a text, separated by commas, save for those in a user or password."""
    for url in _NEXT_URL.split(text):
        credentials, at, hosts = url.rpartition("@")
        first, *others = hosts.split(",")
        yield credentials + at + first
        yield from others


def _without_users(urls: list[str]) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """The URLs without credentials, and the credentials, which must be the same in all URLs that have some."""
    cleaned: list[str] = []
    found: dict[str, str] | None = None
    for url in urls:
        server, credentials = _parse(url)
        cleaned.append(server)
        if credentials is None:
            continue
        logger.warning(
            "%s holds credentials, which process lists show: use NATS_USER and NATS_PASSWORD, or NATS_CREDS",
            redacted(url),
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
        raise ConfigError(f"{redacted(url)} is no URL of a server; wanted is for example {DEFAULT_SERVER}") from None
    if parts.scheme not in {"nats", "tls"}:
        raise ConfigError(f"{redacted(url)}: only nats:// and tls:// are spoken here")
    if not host or any(char.isspace() for char in host) or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError(f"{redacted(url)} is no URL of a server; wanted is for example {DEFAULT_SERVER}")
    if port == 0:
        raise ConfigError(f"{redacted(url)}: no server listens on port 0")
    credentials = parts.netloc.rpartition("@")[0]
    if "@" in credentials and "," in credentials:
        # Two servers without a scheme, or one with an odd password: who guesses sends a password to the wrong one.
        raise ConfigError(f"{redacted(url)}: give each server its nats://, and write @ and , in a password %40 and %2C")
    server = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or 4222}"
    if not credentials or parts.username is None:
        return server, None
    if parts.password is None:
        return server, {"token": unquote(parts.username)}
    return server, {"user": unquote(parts.username), "password": unquote(parts.password)}


def _text(value: str | PathLike[str] | None) -> str | None:
    return str(value) if value else None


def _path(value: str | PathLike[str] | None) -> Path | None:
    try:
        return Path(value).expanduser() if value else None
    except RuntimeError:
        raise ConfigError(f"{safe(str(value), 200)} begins with a home directory that nobody has") from None
