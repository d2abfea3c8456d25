"""The name under which this machine speaks, where none is given."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["default_identity"]

# Facter starts a Ruby interpreter and may ask cloud services; without an answer by then the host name has to do.
_FACTER_SECONDS = 5.0


def reverse_dns(hostname: str) -> str:
    """The name DNS has for a host's first IPv4 address; empty if there is none. Waits as long as the resolver does."""
    with contextlib.suppress(OSError, UnicodeError):
        addresses = socket.getaddrinfo(hostname, None, family=socket.AF_INET)
        return socket.gethostbyaddr(str(addresses[0][4][0]))[0]
    return ""


def facter(fact: str = "networking.fqdn") -> str:
    """A fact of Puppet's facter; empty if facter is not installed, fails, or takes more than 5 seconds."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - a fixed command
            ["facter", fact],  # noqa: S607 - wherever the machine keeps it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_FACTER_SECONDS,
        )
        return done.stdout.decode(errors="replace").strip()
    return ""


def default_identity(
    *,
    hostname: Callable[[], str] = socket.gethostname,
    reverse_dns: Callable[[str], str] = reverse_dns,
    facter: Callable[[], str] = facter,
) -> str:
    """The identity Choria derives for a node without one (go-choria, config/config.go).

    The host name if it has two dots or more; else what DNS calls the first IPv4 address, unless that is localhost; else
    facter's `networking.fqdn`; else the host name as it is.

    Args:
        hostname: returns the host name.
        reverse_dns: returns the name for a host's first IPv4 address, or an empty text.
        facter: returns facter's name, or an empty text.
    """
    host = hostname()
    if host.count(".") > 1:
        return host
    name = reverse_dns(host).rstrip(".")
    if name and name != "localhost":
        return name
    return facter() or host
