"""Where the tally can be asked: addresses as people write them, and the sockets that listen there."""

from __future__ import annotations

import errno
import re
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import AddressInUse, ConfigError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "bind", "url"]

DEFAULT_HOST: Final = "127.0.0.1"
"""Listened on unless told otherwise: what is counted names the nodes of a network, and nobody is asked who they are."""

DEFAULT_PORT: Final = 8080

# How many connections wait to be accepted; the system may allow fewer.
_BACKLOG: Final = 256

_ADDRESS: Final = re.compile(
    r"""(?: (?P<only>\d+)                                   # 8080
          | (?: \[(?P<v6>[0-9A-Fa-f:.%\w]+)\] | (?P<host>[^\s:\[\]]*) )   # [::1]  host  nothing: all interfaces
            (?: :(?P<port>\d+) )?
        )""",
    re.VERBOSE | re.ASCII,
)

# The system knows no such address, or not this family of addresses.
_UNAVAILABLE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(addresses: Iterable[str], default_port: int = DEFAULT_PORT) -> list[socket.socket]:
    """Listen on addresses, on all of them or on none.

    Args:
        addresses: `HOST:PORT`, `[::1]:PORT`, `HOST`, `PORT` on 127.0.0.1, or `:PORT` on all interfaces. A host may be a
            name, all of whose addresses are meant. Port 0 lets the system choose a free one.
        default_port: where an address has none.

    Returns:
        Sockets that listen, at least one for each address. They are the caller's to close.

    Raises:
        AddressInUse: another program listens on one.
        ConfigError: one cannot be read, is not this machine's, or is not for this user.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for host, port in dict.fromkeys(_parse(address, default_port) for address in addresses):
            sockets += map(opened.enter_context, _listen(host, port))
        opened.pop_all()
    return sockets


def url(listening: socket.socket) -> str:
    """What to open in a browser on this machine to reach a socket of `bind`."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - all interfaces, of which this one is always there
        host = DEFAULT_HOST
    return f"http://{_join(host, port)}/"


def _parse(address: str, default_port: int) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    port = int(found["only"] or found["port"] or default_port) if found else -1
    if not found or not address or not 0 <= port <= 65535:
        raise ConfigError(
            f"{quoted(address)} is no address to listen on; wanted is HOST:PORT, [IPV6]:PORT, PORT on {DEFAULT_HOST},"
            " or :PORT on all interfaces"
        )
    return DEFAULT_HOST if found["only"] else found["v6"] or found["host"], port


def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket for each address of a host; for no host one for all interfaces, of IPv4 and IPv6 where there is both."""
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
        raise ConfigError(f"cannot listen on {quoted(host)}: nothing is known by that name") from error
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # of IPv4 and IPv6 alone


def _bind_error(error: OSError, host: str, port: int) -> AddressInUse | ConfigError:
    where = _join(host, port) if host else f"port {port} of all interfaces"
    match error.errno:
        case errno.EADDRINUSE:
            message = f"cannot listen on {where}: another program does; end that one, or choose another port"
            return AddressInUse(message, host=host, port=port)
        case errno.EACCES:
            return ConfigError(f"cannot listen on {where}: this user may not; choose a port above 1023")
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return ConfigError(f"cannot listen on {where}: no interface of this machine has that address")
        case _:
            return ConfigError(f"cannot listen on {where}: {error.strerror or error}")


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
