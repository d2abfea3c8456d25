"""The settings of a connection: servers, credentials and TLS."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from choria_lifecycle.config.table import CREDENTIALS, DEFAULT_NAME, DEFAULT_SERVER, variables
from choria_lifecycle.errors import ConfigError, OptionError
from choria_lifecycle.support.text import quoted, safe

__all__ = ["ConnectionOptions", "ConnectionSettings", "Verify", "check_options"]

_NAME = r"[^\s.*>\x00-\x20\x7f]+"
_TOKEN = re.compile(_NAME).fullmatch
_SUBJECT = re.compile(rf"{_NAME}(?:\.{_NAME})*\.?").fullmatch


class ConnectionOptions(TypedDict, total=False):
    """Keyword arguments of `connect`; None stands for the default.

    Attributes:
        config: a Choria configuration file to read instead of the one that Choria's tools would find; it is read even
            if servers are named.
        tls: True requires TLS; False turns off the TLS that Choria's configuration requires, and is an error together
            with credentials unless the servers are on this machine.
        creds: a file with a user's JWT and seed; default NATS_CREDS, else Choria's.
        user: default NATS_USER, else Choria's.
        password: default NATS_PASSWORD, else Choria's.
        token: an authentication token; default NATS_TOKEN.
        token_file: a file with an authentication token; default NATS_TOKEN_FILE.
        nkey: a file with a user's seed; default NATS_NKEY.
        ca: a file with the certificate authorities to trust; default NATS_CA, else Choria's, else the system's.
        cert: a file with the client's certificate; default NATS_CERT, else Choria's.
        key: a file with that certificate's key; default NATS_KEY, else Choria's.
        name: the connection's name in the server's monitoring; default Choria's name for this user, else
            `choria-lifecycle`.
        js_domain: the JetStream domain of the streams and buckets, as on leaf nodes; default NATS_JS_DOMAIN, else the
            server's own.
        js_prefix: the prefix of JetStream's API, if the account imports it from another one, such as `choria.streams`;
            excludes js_domain.
    """

    config: str | PathLike[str] | None
    tls: bool | None
    creds: str | PathLike[str] | None
    user: str | None
    password: str | None
    token: str | None
    token_file: str | PathLike[str] | None
    nkey: str | PathLike[str] | None
    ca: str | PathLike[str] | None
    cert: str | PathLike[str] | None
    key: str | PathLike[str] | None
    name: str | None
    js_domain: str | None
    js_prefix: str | None


def check_options(options: Iterable[str], *others: str) -> None:
    """Check that all names are connection options.

    Args:
        options: the names.
        others: further options that the caller accepts.

    Raises:
        OptionError: a name is unknown; the message lists the known ones.
    """
    known = [*others, *ConnectionOptions.__annotations__]
    unknown = tuple(name for name in options if name not in known)
    if unknown:
        names = ", ".join(quoted(name) for name in unknown)
        raise OptionError(f"unknown option {names}; the options are {', '.join(known)}", unexpected=unknown)


class Verify(Enum):
    """The checks of a server's certificate."""

    FULL = "authority and host name"
    COMMON_NAME = "authority and host name, by the common name where it lists no names"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """The resolved settings of a connection. Its repr never shows a secret.

    Attributes:
        servers: the URLs of the servers, without credentials; the client connects to one of them.
        srv: names of SRV records to query for each connection; `servers` is the fallback if DNS has none of them.
        tls: whether every server must offer TLS; no secret is sent to one that does not.
        verify: how a server's certificate is verified.
        user: the user name, or None.
        password: the user's password, or None.
        token: an authentication token, or None.
        token_file: a file with an authentication token, or None.
        creds: a file with a user's JWT and seed, or None.
        nkey: a file with a user's seed, or None.
        jwt: a file with a Choria token, or None.
        seed: a file with that token's ed25519 seed, or None.
        ca: a file with the certificate authorities to trust, or None for the system's.
        cert: a file with the client's certificate, or None.
        key: a file with that certificate's key, or None.
        ciphers: names of the TLS 1.2 cipher suites to offer, as Choria's configuration spells them; empty for the
            system's choice.
        name: the connection's name in the server's monitoring.
        inbox: the prefix of reply subjects; for a Choria token, the token's id is appended.
        js_domain: the JetStream domain of the streams and buckets, or None for the server's own.
        js_prefix: the prefix of JetStream's API, or None for the usual one.
        connect_timeout: timeout per server in seconds, or None for a share of the total timeout.
        origins: where each attribute comes from, in words, unless it has its default.
    """

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    srv: tuple[str, ...] = ()
    tls: bool = False
    verify: Verify = Verify.FULL
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    creds: Path | None = None
    nkey: Path | None = None
    jwt: Path | None = None
    seed: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    ciphers: tuple[str, ...] = ()
    name: str = DEFAULT_NAME
    inbox: str = "_INBOX"
    js_domain: str | None = None
    js_prefix: str | None = None
    connect_timeout: float | None = None
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def check(self, *, no_tls: bool = False) -> None:
        """Check that the settings neither contradict each other nor would reveal a secret.

        Args:
            no_tls: whether TLS was turned off explicitly.

        Raises:
            ConfigError: the message names the settings and the remedy.
        """
        methods: dict[str, str] = {}
        for spec in CREDENTIALS:
            if getattr(self, spec.name):
                methods.setdefault(spec.method, self.origins.get(spec.name, ""))
        # A Choria client may have a token and a user. Choria's broker requires both of its system user; otherwise it
        # checks the token, and any other NATS server checks the user.
        if len(methods) > 1 and not (self.jwt and list(methods) == ["a token", "a user"]):
            *others, last = (f"{each} ({safe(origin)})" if origin else each for each, origin in methods.items())
            raise ConfigError(f"{', '.join(others)} and {last} cannot be combined: connect with one of them")
        if (self.user is None) != (self.password is None):
            raise ConfigError(f"a user needs a password, and a password a user: {variables('user', 'password')}")
        if (self.cert is None) != (self.key is None):
            needed = variables("cert", "key")
            raise ConfigError(f"a client certificate needs its key, and a key its certificate: {needed}")
        if no_tls and methods and not self.local:
            raise ConfigError(
                f"without TLS, {next(iter(methods))} would cross the network in the clear: remove tls=False"
            )
        self._check_jetstream()

    def _check_jetstream(self) -> None:
        if self.js_domain and self.js_prefix:
            raise ConfigError("js_domain= and js_prefix= exclude each other: a domain has a prefix of its own")
        if self.js_domain and not _TOKEN(self.js_domain):
            origin = _in_parentheses(self.origins.get("js_domain", ""))
            raise ConfigError(
                f"{quoted(self.js_domain)} is not a valid JetStream domain{origin}: "
                "it must not contain blanks, dots, * or >"
            )
        if self.js_prefix and not _SUBJECT(self.js_prefix):
            raise ConfigError(
                f"{quoted(self.js_prefix)} is not a valid prefix of JetStream's API: "
                "use a subject without wildcards, such as choria.streams"
            )

    @property
    def js_api(self) -> str:
        """The subject below which JetStream's API is called, without a dot at the end."""
        if self.js_prefix:
            return self.js_prefix.removesuffix(".")
        return f"$JS.{self.js_domain}.API" if self.js_domain else "$JS.API"

    @property
    def local(self) -> bool:
        """True if all servers are on this machine."""
        return not self.srv and all(map(_is_loopback, self.servers))


def _in_parentheses(origin: str) -> str:
    return f" ({safe(origin)})" if origin else ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
