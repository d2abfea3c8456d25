"""Settings as they may be shown to anybody: what is in force, and where it comes from."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.choria.reading import DEFAULT
from choria_lifecycle.config.urls import redact
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.config.choria.configuration import Configuration
    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["ERROR", "FILE", "Setting", "list_settings"]

FILE = "file"
"""The name of a setting that is a file of Choria's configuration."""

ERROR = "error"
"""The name of what is shown in place of a connection that cannot be made."""

_SECRET = "***"  # noqa: S105
_CONNECTION = (
    "servers",
    "srv",
    "tls",
    "verify",
    "ca",
    "cert",
    "key",
    "ciphers",
    "name",
    "inbox",
    "creds",
    "nkey",
    "user",
    "password",
    "token",
    "jwt",
    "seed",
    "connect_timeout",
)
_SECRETS = {"password", "token"}

# Choria drops a user that stands in one of these, so that nobody notices it there.
_URLS = {
    "plugin.choria.middleware_hosts",
    "plugin.choria.federation_middleware_hosts",
    "plugin.choria.security.request_signer.url",
}


class Setting(NamedTuple):
    """A setting; all of it is safe to show, and no secret.

    Attributes:
        name: of an attribute of `ConnectionSettings`, a key of Choria, `FILE`, or `ERROR`.
        value: as text, the items of a list separated by commas; empty if there is none, `***` for a secret.
        origin: `FILE:LINE`, `environment NAME`, `argument NAME`, `default`, or other words; for a file, why it is read;
            empty for an error.
    """

    name: str
    value: str
    origin: str


def list_settings(settings: ConnectionSettings | None, configuration: Configuration | None) -> list[Setting]:
    """Everything that is in force: the connection, then the files that were read, then every key of `KEYS`.

    Args:
        settings: the connection; None if there can be none.
        configuration: what there is of Choria's.
    """
    found: list[Setting] = []
    if settings is not None:
        found += _connection_settings(settings)
    if configuration is not None:
        found += _file_settings(configuration)
        found += _key_settings(configuration)
    return found


def _connection_settings(settings: ConnectionSettings) -> Iterator[Setting]:
    for name in _CONNECTION:
        value = getattr(settings, name)
        text = _SECRET if value and name in _SECRETS else _format(value, "s" if name == "connect_timeout" else "")
        yield Setting(name, text, safe(settings.origins.get(name, DEFAULT)) if text else DEFAULT)


def _file_settings(configuration: Configuration) -> Iterator[Setting]:
    for path in configuration.files:
        if path == configuration.initial:
            why = "the initial file"
        elif path.parent.name == "plugin.d":
            why = "beside the initial file"
        else:
            why = "of a project"
        yield Setting(FILE, safe(str(path)), why)


def _key_settings(configuration: Configuration) -> Iterator[Setting]:
    for name, key in KEYS.items():
        value = configuration.get(name)
        if value and key.secret:
            text = _SECRET
        elif value and name in _URLS:
            text = ", ".join(redact(url) for url in ((value,) if isinstance(value, str) else value))
        else:
            text = _format(value, "s" if key.kind == "duration" else "")
        yield Setting(name, text, safe(configuration.origin(name)))


def _format(value: object, unit: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return safe(", ".join(map(str, value)))
        case Enum():
            return str(value.value)
        case int() | float():
            return f"{value:g}{unit}"
        case _:
            return safe(str(value))
