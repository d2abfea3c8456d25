"""Parameters that several commands have."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["COLOR", "CONNECTION_PARAMETERS", "ConnectionArguments", "connection_options", "duration"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_MAX_DURATION: Final = 366 * _UNITS["d"]


def duration(text: str) -> float:
    """Return a length of time such as 30s, 5m, 1h30m or 500ms in seconds, as the type of a parameter.

    Raises:
        click.BadParameter: it is none.
    """
    if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII):
        raise click.BadParameter(f"{text} has no unit; write for example {text}s, {text}m or {text}ms")
    if not re.fullmatch(f"(?:{_PART})+", text, re.ASCII):
        raise click.BadParameter(f"{quoted(text)} is no duration; wanted is one like 500ms, 30s, 5m, 1h or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    if not 0 < seconds <= _MAX_DURATION:
        raise click.BadParameter(f"{quoted(text)} must be more than nothing and at most 366d")
    return seconds


COLOR: Final = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Use colours; auto does on a terminal, unless NO_COLOR is set.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionArguments:
    """Where to connect to, and as whom, as far as flags say so; `choria_lifecycle.connect` looks for the rest."""

    server: tuple[str, ...] = ()
    config: Path | None = None
    creds: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    tlsca: Path | None = None
    tlscert: Path | None = None
    tlskey: Path | None = None
    no_tls: bool = False
    timeout: float = 5.0

    def arguments(self) -> dict[str, Any]:
        """The arguments of `choria_lifecycle.connect`.

        Raises:
            Failure: the password's file cannot be read.
        """
        return {
            "servers": self.server or None,
            "config": self.config,
            "tls": False if self.no_tls else None,
            "creds": self.creds,
            "user": self.user,
            "password": _read_password(self.password_file) if self.password_file else None,
            "ca": self.tlsca,
            "cert": self.tlscert,
            "key": self.tlskey,
            "timeout": self.timeout,
        }

    def identity(self) -> str:
        """The identity of this node, as Choria's configuration has it or Choria derives it."""
        from choria_lifecycle.config.resolve import choria_configuration, identity

        return identity(choria_configuration(self.server or None, config=self.config, environ=os.environ))


def _read_password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise Failure(f"cannot read the password file {file}: {error.strerror}", 2) from error
    except UnicodeDecodeError as error:
        raise Failure(f"the password file {file} is no UTF-8 text", 2) from error


_FILE: Final = click.Path(path_type=Path)

_OPTIONS: Final = {
    "server": click.option(
        "--server",
        multiple=True,
        metavar="URL",
        help="A server to connect to: host, host:port, or a nats:// or tls:// URL; may be repeated.  "
        "[default: NATS_URL, else Choria's configuration, else nats://127.0.0.1:4222]",
    ),
    "config": click.option(
        "--config", type=_FILE, help="Choria's configuration file.  [default: where Choria's own tools find it]"
    ),
    "creds": click.option("--creds", type=_FILE, help="A NATS credentials file.  [default: NATS_CREDS]"),
    "user": click.option("--user", help="The user to connect as.  [default: NATS_USER]"),
    "password_file": click.option(
        "--password-file", type=_FILE, help="A file that holds the user's password.  [default: NATS_PASSWORD]"
    ),
    "tlsca": click.option(
        "--tlsca",
        type=_FILE,
        help="The authorities to trust; asks for TLS.  [default: NATS_CA, else Choria's, else the system's]",
    ),
    "tlscert": click.option(
        "--tlscert",
        type=_FILE,
        help="The client's certificate; asks for TLS.  [default: NATS_CERT, else Choria's]",
    ),
    "tlskey": click.option(
        "--tlskey", type=_FILE, help="The key of that certificate.  [default: NATS_KEY, else Choria's]"
    ),
    "no_tls": click.option(
        "--no-tls",
        is_flag=True,
        help="Do without TLS where Choria's configuration would have it; with credentials only on this machine.",
    ),
    "timeout": click.option(
        "--timeout",
        type=duration,
        default="5s",
        show_default=True,
        help="How long connecting may take, over all servers.",
    ),
}


CONNECTION_PARAMETERS: Final = tuple(_OPTIONS)
"""The names of a connection's parameters."""


def connection_options(
    function: Callable[..., int | None], *, without: Collection[str] = ()
) -> Callable[..., int | None]:
    """Add the options of a connection; the function gets them as one argument, `connection`.

    Args:
        function: the function of a command.
        without: names of those that the command does not have.
    """
    options = {name: option for name, option in _OPTIONS.items() if name not in without}

    @wraps(function)
    def gathered(*positional: Any, **named: Any) -> int | None:
        given = {name: named.pop(name) for name in options}
        return function(*positional, connection=ConnectionArguments(**given), **named)

    decorated: Callable[..., int | None] = gathered
    for option in reversed(options.values()):
        decorated = option(decorated)
    return decorated
