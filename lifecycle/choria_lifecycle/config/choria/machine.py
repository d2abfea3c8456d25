"""What only the machine itself knows: its name, its user, what facter and Puppet say."""

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

# Both start a Ruby interpreter, and facter may ask cloud services; without an answer by then the caller goes on.
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
    """Questions to this machine, each asked only when its answer is needed; a test gives other answers.

    Attributes:
        hostname: returns the host name.
        reverse_dns: returns the name DNS has for a host's first IPv4 address, or an empty text; waits as long as the
            resolver does.
        facter: returns a fact of Puppet's facter, or an empty text if facter is not there, fails, or takes more than 5
            seconds.
        puppet: likewise a setting of Puppet.
        privileged: whether this is root, or Windows.
    """

    hostname: Callable[[], str] = socket.gethostname
    reverse_dns: Callable[[str], str] = _reverse_dns
    facter: Callable[[str], str] = _facter
    puppet: Callable[[str], str] = _puppet
    privileged: Callable[[], bool] = _privileged

    @property
    def identity(self) -> str:
        """The identity Choria derives for a node without one (go-choria, config/config.go).

        The host name if it has two dots or more; else what DNS calls the first IPv4 address, unless that is localhost;
        else facter's `networking.fqdn`; else the host name as it is.
        """
        host = self.hostname()
        if host.count(".") > 1:
            return host
        name = self.reverse_dns(host).rstrip(".")
        if name and name != "localhost":
            return name
        return self.facter("networking.fqdn") or host
