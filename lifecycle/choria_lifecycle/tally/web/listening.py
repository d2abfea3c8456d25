"""Parsing of listen addresses, and sockets that listen on them."""

from __future__ import annotations

import errno
import re
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import AddressInUse, ConfigError
from choria_lifecycle.support.text import quoted
from choria_lifecycle.tally.defaults import DEFAULT_HOST, DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["bind", "url"]

# Connections waiting to be accepted; the system may allow fewer.
_BACKLOG: Final = 256

_ADDRESS: Final = re.compile(
    r"""(?: (?P<only>\d+)                                   # 8080
          | (?: \[(?P<v6>[0-9A-Fa-f:.%\w]+)\] | (?P<host>[^\s:\[\]]*) )   # [::1]  host  nothing: all interfaces
            (?: :(?P<port>\d+) )?
        )""",
    re.VERBOSE | re.ASCII,
)

# The system does not have this address, or this address family.
_UNAVAILABLE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(addresses: Iterable[str], default_port: int = DEFAULT_PORT) -> list[socket.socket]:
    """Listen on all addresses, or on none if one fails.

    Args:
        addresses: `HOST:PORT`, `[::1]:PORT`, `HOST`, `PORT` on 127.0.0.1, or `:PORT` on all interfaces. A host name
            stands for all its addresses. Port 0 lets the system choose a free one.
        default_port: the port of addresses without one.

    Returns:
        Listening sockets, at least one for each address; the caller closes them.

    Raises:
        AddressInUse: another program listens on an address.
        ConfigError: an address is invalid, not of this machine, or not permitted to this user.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for host, port in dict.fromkeys(_parse(address, default_port) for address in addresses):
            sockets += map(opened.enter_context, _listen(host, port))
        opened.pop_all()
    return sockets


def url(listening: socket.socket) -> str:
    """Return the URL of a socket from `bind`, for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - all interfaces include the local one
        host = DEFAULT_HOST
    return f"http://{_join(host, port)}/"


def _parse(address: str, default_port: int) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    port = int(found["only"] or found["port"] or default_port) if found else -1
    if not found or not address or not 0 <= port <= 65535:
        raise ConfigError(
            f"{quoted(address)} is not an address to listen on; use HOST:PORT, [IPV6]:PORT, PORT for {DEFAULT_HOST},"
            " or :PORT for all interfaces"
        )
    return DEFAULT_HOST if found["only"] else found["v6"] or found["host"], port


def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket for each address of a host; without a host, one for all interfaces, with IPv6 if available."""
    both = not host and socket.has_dualstack_ipv6()
    found = [(socket.AF_INET6, ("", port))] if both else _resolve(host, port)
    absent: OSError | None = None
    bound = False
    for family, address in found:
        try:
            listening = socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            if error.errno not in _UNAVAILABLE:
                raise _bind_error(error, host, port) from error
            absent = error
            continue
        bound = True
        yield listening
    if absent and not bound:
        raise _bind_error(absent, host, port) from absent


def _resolve(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)  # noqa: S104
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {quoted(host)}: the name does not resolve") from error
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # always IPv4 or IPv6


def _bind_error(error: OSError, host: str, port: int) -> AddressInUse | ConfigError:
    where = _join(host, port) if host else f"port {port} of all interfaces"
    match error.errno:
        case errno.EADDRINUSE:
            message = f"cannot listen on {where}: another program does; stop it, or choose another port"
            return AddressInUse(message, host=host, port=port)
        case errno.EACCES:
            return ConfigError(f"cannot listen on {where}: permission denied; choose a port above 1023")
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return ConfigError(f"cannot listen on {where}: no interface of this machine has that address")
        case _:
            return ConfigError(f"cannot listen on {where}: {error.strerror or error}")


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
