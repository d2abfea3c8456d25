"""This machine's names and user, and the settings that facter and Puppet know."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Machine"]

# facter and puppet start a Ruby interpreter, and facter may query cloud services.
_TOOL_TIMEOUT = 5.0


def _reverse_dns(hostname: str) -> str:
    with contextlib.suppress(OSError, UnicodeError):
        addresses = socket.getaddrinfo(hostname, None, family=socket.AF_INET)
        return socket.gethostbyaddr(str(addresses[0][4][0]))[0]
    return ""


def _facter(fact: str) -> str:
    return _output("facter", fact)


def _puppet(setting: str) -> str:
    return _output("puppet", "apply", "--environment", "production", "--configprint", setting)


def _output(*command: str) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - fixed commands
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_TOOL_TIMEOUT,
        )
        return done.stdout.decode(errors="replace").strip()
    return ""


def _privileged() -> bool:
    return sys.platform == "win32" or os.geteuid() == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Functions that query this machine, each called only when its result is needed; tests pass others.

    Attributes:
        hostname: returns the host name.
        reverse_dns: returns the DNS name of a host's first IPv4 address, or an empty string; has no timeout but the
            resolver's.
        facter: returns a fact, or an empty string if facter is not installed, fails, or takes longer than 5 seconds.
        puppet: returns a Puppet setting, or an empty string as for facter.
        privileged: returns True for root, and on Windows.
    """

    hostname: Callable[[], str] = socket.gethostname
    reverse_dns: Callable[[str], str] = _reverse_dns
    facter: Callable[[str], str] = _facter
    puppet: Callable[[str], str] = _puppet
    privileged: Callable[[], bool] = _privileged

    @property
    def identity(self) -> str:
        """The identity that Choria derives for a node without one (go-choria, config/config.go).

        The host name if it has two dots or more; else the DNS name of the first IPv4 address, unless that is localhost;
        else facter's `networking.fqdn`; else the host name as it is.
        """
        host = self.hostname()
        if host.count(".") > 1:
            return host
        name = self.reverse_dns(host).rstrip(".")
        if name and name != "localhost":
            return name
        return self.facter("networking.fqdn") or host
