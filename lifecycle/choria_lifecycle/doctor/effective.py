"""The settings in force and where they come from, without secrets."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.choria.reading import DEFAULT
from choria_lifecycle.config.table import SETTINGS
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
"""The name of the setting that explains why a connection is not possible."""

_SECRET = "***"  # noqa: S105

# Choria drops a user in these URLs, so one may go unnoticed.
_URLS = {
    "plugin.choria.middleware_hosts",
    "plugin.choria.federation_middleware_hosts",
    "plugin.choria.security.request_signer.url",
}


class Setting(NamedTuple):
    """A setting, safe to show and without secrets.

    Attributes:
        name: an attribute of `ConnectionSettings`, a key of Choria's, `FILE`, or `ERROR`.
        value: the value as text, with commas between the items of a list; empty if unset, `***` for a secret.
        origin: `FILE:LINE`, `environment NAME`, `argument NAME`, `default`, or other words; for a file, why it is
            read; empty for an error.
    """

    name: str
    value: str
    origin: str


def list_settings(settings: ConnectionSettings | None, configuration: Configuration | None) -> list[Setting]:
    """Return the connection's settings, then the files that were read, then every key of `KEYS`.

    Args:
        settings: the connection's settings; None if it is not possible.
        configuration: Choria's configuration; None if it does not apply.
    """
    found: list[Setting] = []
    if settings is not None:
        found += _connection_settings(settings)
    if configuration is not None:
        found += _file_settings(configuration)
        found += _key_settings(configuration)
    return found


def _connection_settings(settings: ConnectionSettings) -> Iterator[Setting]:
    for name, spec in SETTINGS.items():
        value = getattr(settings, name)
        text = _SECRET if value and spec.redacted else _format(value, "s" if spec.kind == "duration" else "")
        yield Setting(name, text, safe(settings.origins.get(name, DEFAULT)) if text else DEFAULT)


def _file_settings(configuration: Configuration) -> Iterator[Setting]:
    for path in configuration.files:
        if path == configuration.initial:
            reason = "the initial file"
        elif path.parent.name == "plugin.d":
            reason = "beside the initial file"
        else:
            reason = "a project file"
        yield Setting(FILE, safe(str(path)), reason)


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
