"""What a connection needs to know: where to, as whom, and how it is protected."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

from choria_lifecycle.config.urls import DEFAULT_SERVER
from choria_lifecycle.errors import ConfigError, OptionError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from pathlib import Path

__all__ = ["ConnectionOptions", "ConnectionSettings", "Verify", "check_options"]


class ConnectionOptions(TypedDict, total=False):
    """As whom to connect, and how; None stands for the default.

    Attributes:
        config: a Choria configuration file to read instead of the one that Choria's tools would find; it is read also
            where servers are named.
        tls: True demands TLS; False does without where Choria's configuration would have it, which is refused
            together with credentials unless the servers are on this machine.
        creds: a file with a user's JWT and seed; default NATS_CREDS.
        user: default NATS_USER.
        password: default NATS_PASSWORD.
        token: an authentication token.
        nkey: a file with a user's seed; default NATS_NKEY.
        ca: a file with the authorities to trust; default NATS_CA, else Choria's, else the system's.
        cert: a file with the client's certificate; default NATS_CERT, else Choria's.
        key: a file with that certificate's key; default NATS_KEY, else Choria's.
        name: how the connection is called in the server's monitoring; default Choria's name for this user, else
            `choria-lifecycle`.
    """

    config: str | PathLike[str] | None
    tls: bool | None
    creds: str | PathLike[str] | None
    user: str | None
    password: str | None
    token: str | None
    nkey: str | PathLike[str] | None
    ca: str | PathLike[str] | None
    cert: str | PathLike[str] | None
    key: str | PathLike[str] | None
    name: str | None


def check_options(options: Iterable[str], *others: str) -> None:
    """Refuse names that are no options of a connection.

    Args:
        options: the names.
        others: what the caller has besides.

    Raises:
        OptionError: there is no such option; the message says which there are.
    """
    known = [*others, *ConnectionOptions.__annotations__]
    unknown = tuple(name for name in options if name not in known)
    if unknown:
        names = ", ".join(quoted(name) for name in unknown)
        raise OptionError(f"there is no option {names}; there are {', '.join(known)}", unexpected=unknown)


class Verify(Enum):
    """What is asked of a server's certificate."""

    FULL = "authority and host name"
    COMMON_NAME = "authority and host name, by the common name where it lists no names"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where to connect to, and as whom. Its text never shows a secret.

    Attributes:
        servers: the servers' URLs, without credentials; any of them will do.
        srv: names of SRV records to ask DNS for at every connection; the servers above are for when it knows none.
        tls: whether TLS is asked for, of all servers. Nothing secret is sent to one that does not offer it.
        verify: what is asked of a server's certificate.
        user: the user name, or None.
        password: the user's password, or None.
        token: an authentication token, or None.
        creds: a file with a user's JWT and seed, or None.
        nkey: a file with a user's seed, or None.
        jwt: a file with a Choria token, or None.
        seed: a file with that token's ed25519 seed, or None.
        ca: a file with the certificates of the authorities to trust, or None for the system's.
        cert: a file with the client's certificate, or None.
        key: a file with that certificate's key, or None.
        ciphers: names of the TLS 1.2 cipher suites to offer, as Choria's configuration spells them; empty for the
            system's choice.
        name: how the connection is called in the server's monitoring.
        inbox: what the subjects begin with on which this connection gets answers; for a Choria token the token's own
            id is added.
        connect_timeout: seconds a single server may take, or None for a share of the time there is.
        origins: where each of these comes from, in words, for those that are not at their default.
    """

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    srv: tuple[str, ...] = ()
    tls: bool = False
    verify: Verify = Verify.FULL
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    creds: Path | None = None
    nkey: Path | None = None
    jwt: Path | None = None
    seed: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    ciphers: tuple[str, ...] = ()
    name: str = "choria-lifecycle"
    inbox: str = "_INBOX"
    connect_timeout: float | None = None
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def check(self, *, no_tls: bool = False) -> None:
        """Refuse what contradicts itself, or would give a secret away.

        Args:
            no_tls: whether doing without TLS was asked for, in so many words.

        Raises:
            ConfigError: the message says which settings, and what to do.
        """
        ways = [
            way
            for way, given in (
                ("creds", self.creds),
                ("an nkey", self.nkey),
                ("a token", self.token or self.jwt),
                ("a user", self.user or self.password),
            )
            if given
        ]
        # A Choria client may have a token and a user: a broker of Choria's looks at the one, any other at the other.
        if len(ways) > 1 and not (self.jwt and ways == ["a token", "a user"]):
            raise ConfigError(f"connect with one of {' and '.join(ways)}, not with all of them")
        if (self.user is None) != (self.password is None):
            raise ConfigError("a user needs a password, and a password a user: NATS_USER and NATS_PASSWORD")
        if (self.cert is None) != (self.key is None):
            raise ConfigError("a client certificate needs its key, and a key its certificate: NATS_CERT and NATS_KEY")
        if no_tls and ways and not self.local:
            raise ConfigError(f"without TLS {ways[0]} would cross the network in the clear: drop --no-tls (tls=False)")

    @property
    def local(self) -> bool:
        """Whether all servers are on this machine."""
        return not self.srv and all(map(_is_loopback, self.servers))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
