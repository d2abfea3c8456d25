"""Parameters that several commands share, and the flags that stand for the library's arguments."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "COLOR",
    "CONNECTION_PARAMETERS",
    "MENTIONS",
    "OUTPUT",
    "ConnectionArguments",
    "connection_options",
    "duration",
    "translate",
]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_MAX_DURATION: Final = 366 * _UNITS["d"]


def duration(text: str) -> float:
    """Return a duration such as 30s, 5m, 1h30m or 500ms in seconds; for use as a parameter's type.

    Raises:
        click.BadParameter: the text is not a duration, or the duration is zero or longer than 366 days.
    """
    if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII):
        raise click.BadParameter(f"{text} has no unit; write for example {text}s, {text}m or {text}ms")
    if not re.fullmatch(f"(?:{_PART})+", text, re.ASCII):
        raise click.BadParameter(f"{quoted(text)} is not a duration; write one like 500ms, 30s, 5m, 1h or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    if not 0 < seconds <= _MAX_DURATION:
        raise click.BadParameter(f"{quoted(text)} must be more than zero and at most 366d")
    return seconds


COLOR: Final = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Use colours; auto: on a terminal, unless NO_COLOR is set.",
)

OUTPUT: Final = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The output format; json is one object per line.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionArguments:
    """The connection's settings from the command line; `choria_lifecycle.connect` finds the others."""

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
        """Return the arguments for `choria_lifecycle.connect`.

        Raises:
            ConfigError: the password file cannot be read.
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
        """Return this node's identity from Choria's configuration, or as Choria derives it."""
        from choria_lifecycle.config.resolve import choria_configuration, identity

        return identity(choria_configuration(self.server or None, config=self.config, environ=os.environ))


def _read_password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"cannot read the password file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the password file {file} is not UTF-8 text") from error


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
        "--config", type=_FILE, help="Choria's configuration file.  [default: the one that Choria's own tools find]"
    ),
    "creds": click.option("--creds", type=_FILE, help="A NATS credentials file.  [default: NATS_CREDS]"),
    "user": click.option("--user", help="The user to connect as.  [default: NATS_USER]"),
    "password_file": click.option(
        "--password-file", type=_FILE, help="A file with the user's password.  [default: NATS_PASSWORD]"
    ),
    "tlsca": click.option(
        "--tlsca",
        type=_FILE,
        help="A file with the certificate authorities to trust; turns on TLS.  "
        "[default: NATS_CA, else Choria's, else the system's]",
    ),
    "tlscert": click.option(
        "--tlscert",
        type=_FILE,
        help="A file with the client's certificate; turns on TLS.  [default: NATS_CERT, else Choria's]",
    ),
    "tlskey": click.option(
        "--tlskey", type=_FILE, help="A file with that certificate's key.  [default: NATS_KEY, else Choria's]"
    ),
    "no_tls": click.option(
        "--no-tls",
        is_flag=True,
        help="Connect without TLS where Choria's configuration requires it; with credentials, only to this machine.",
    ),
    "timeout": click.option(
        "--timeout",
        type=duration,
        default="5s",
        show_default=True,
        help="Timeout for connecting, across all servers.",
    ),
}


CONNECTION_PARAMETERS: Final = tuple(_OPTIONS)
"""The names of the connection's parameters."""

# The argument that each option sets, as the library's messages write it.
_ARGUMENTS: Final = {
    "server": "servers=",
    "config": "config=",
    "creds": "creds=",
    "user": "user=",
    "password_file": "password=",
    "tlsca": "ca=",
    "tlscert": "cert=",
    "tlskey": "key=",
    "no_tls": "tls=False",
    "timeout": "timeout=",
}

MENTIONS: Final = {argument: f"--{name.replace('_', '-')}" for name, argument in _ARGUMENTS.items()} | {
    "choria_lifecycle.doctor.check_connection()": "'lifecycle config check'",
}
"""The arguments and functions that the library's messages mention, with their equivalents on the command line."""

# Whole words only: a path or setting in untrusted text, such as ca=/etc/ca.pem, stays.
_MENTION: Final = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, MENTIONS))})(?![\w/~])")


def translate(message: str) -> str:
    """Return a message of the library with flags and commands in place of arguments and functions.

    >>> translate("remove tls=False, or name an authority with ca=.")
    'remove --no-tls, or name an authority with --tlsca.'
    """
    return _MENTION.sub(lambda found: MENTIONS[found[0]], message)


def connection_options(
    function: Callable[..., int | None], *, without: Collection[str] = ()
) -> Callable[..., int | None]:
    """Add the connection's options to a command, whose function receives them as one argument, `connection`.

    Args:
        function: the command's function.
        without: names of options that the command does not have.
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
