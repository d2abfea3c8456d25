"""Parameters that several commands share, and the flags that stand for the library's arguments."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from choria_lifecycle.config.table import CONNECT_TIMEOUT, SETTINGS, SettingSpec
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = [
    "COLOR",
    "CONNECTION_FLAGS",
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


def _read_password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"cannot read the password file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the password file {file} is not UTF-8 text") from error


@dataclass(frozen=True, slots=True)
class _Flag:
    """The flag of an argument of `choria_lifecycle.connect`.

    Attributes:
        name: the flag.
        description: its purpose; default the setting's.
        convert: returns the argument for the flag's value.
        attributes: attributes of the option.
    """

    name: str
    description: str = ""
    convert: Callable[[Any], Any] = lambda value: value
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameter(self) -> str:
        """The name of the command's parameter."""
        return self.name.removeprefix("--").replace("-", "_")

    def option(self, argument: str) -> Callable[[Any], Any]:
        """Return the option for an argument."""
        spec = SETTINGS.get(argument) or SettingSpec(argument, "")
        default = f"  [default: {spec.default}]" if spec.default else ""
        attributes = {"type": _FILE, **self.attributes} if spec.kind == "file" else self.attributes
        return click.option(self.name, help=f"{self.description or spec.description}{default}", **attributes)


_FILE: Final = click.Path(path_type=Path)

_FLAGS: Final = {
    "servers": _Flag(
        "--server",
        "A server to connect to: host, host:port, or a nats:// or tls:// URL; may be repeated.",
        lambda urls: urls or None,
        {"multiple": True, "metavar": "URL"},
    ),
    "config": _Flag(
        "--config",
        "Choria's configuration file.  [default: the one that Choria's own tools find]",
        attributes={"type": _FILE},
    ),
    "creds": _Flag("--creds"),
    "token_file": _Flag("--token-file"),
    "user": _Flag("--user"),
    "password": _Flag("--password-file", "A file with the user's password.", _read_password, {"type": _FILE}),
    "ca": _Flag("--tlsca"),
    "cert": _Flag("--tlscert"),
    "key": _Flag("--tlskey"),
    "tls": _Flag(
        "--no-tls",
        "Connect without TLS where Choria's configuration requires it; with credentials, only to this machine.",
        lambda off: False if off else None,
        {"is_flag": True},
    ),
    "js_domain": _Flag("--js-domain", attributes={"metavar": "NAME"}),
    "js_prefix": _Flag("--js-prefix", attributes={"metavar": "SUBJECT"}),
    "timeout": _Flag(
        "--timeout",
        "Timeout for connecting, across all servers.",
        attributes={"type": duration, "default": f"{CONNECT_TIMEOUT:g}s", "show_default": True},
    ),
}

CONNECTION_PARAMETERS: Final = tuple(flag.parameter for flag in _FLAGS.values())
"""The names of the connection's parameters."""

CONNECTION_FLAGS: Final = {argument: flag.name for argument, flag in _FLAGS.items()}
"""The flags by the argument of `choria_lifecycle.connect` that they set."""


@dataclass(frozen=True, slots=True)
class ConnectionArguments:
    """The connection's settings from the command line; `choria_lifecycle.connect` finds the others.

    Attributes:
        given: the values of the flags, by argument of `choria_lifecycle.connect`.
    """

    given: Mapping[str, Any]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments for `choria_lifecycle.connect`.

        Raises:
            ConfigError: the password file cannot be read.
        """
        return {argument: _FLAGS[argument].convert(value) for argument, value in self.given.items()}

    def identity(self) -> str:
        """Return this node's identity from Choria's configuration, or as Choria derives it."""
        from choria_lifecycle.config.node import configured_identity
        from choria_lifecycle.config.resolve import choria_configuration

        servers, config = self.given["servers"] or None, self.given["config"]
        return configured_identity(choria_configuration(servers, config=config, environ=os.environ))


MENTIONS: Final = {
    "tls=False" if argument == "tls" else f"{argument}=": flag for argument, flag in CONNECTION_FLAGS.items()
} | {
    # Not of the connection, but of the commands that receive events.
    "since=": "--since",
    "until=": "--until",
    "stream=": "--stream",
    "subject=": "--subject",
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
        without: arguments of `choria_lifecycle.connect` that the command has no option for.
    """
    flags = {argument: flag for argument, flag in _FLAGS.items() if argument not in without}

    @wraps(function)
    def gathered(*positional: Any, **named: Any) -> int | None:
        given = {argument: named.pop(flag.parameter) for argument, flag in flags.items()}
        return function(*positional, connection=ConnectionArguments(given), **named)

    decorated: Callable[..., int | None] = gathered
    for argument, flag in reversed(flags.items()):
        decorated = flag.option(argument)(decorated)
    return decorated
