"""Check Choria's configuration, the environment and the connection's settings, before other files or brokers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from choria_lifecycle.config.choria.reading import exists
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.config.table import CREDENTIALS
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from choria_lifecycle.config.choria.configuration import Configuration
    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["CONFIGURATION", "CONNECTION", "check_configuration", "check_environment", "check_settings"]

CONFIGURATION = "Choria's configuration"
CONNECTION = "connection"
"""The subject of checks of the connection as a whole."""

# Variables of go-choria's command line (cmd/cmd.go), which obeys only the value "true".
_INSECURE_VARIABLES = ("INSECURE_ANON_TLS", "INSECURE_DISABLE_TLS", "INSECURE_YES_REALLY")


def check_environment(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check for variables that Choria's tools obey and this library ignores."""
    for variable in _INSECURE_VARIABLES:
        if environ.get(variable) == "true":
            yield Check(
                "warning",
                "configuration",
                f"environment {variable}",
                "obeyed by Choria's tools but ignored here; pass tls=False to connect without TLS",
            )


def check_configuration(configuration: Configuration | None, *, named: bool) -> Iterator[Check]:
    """Check Choria's configuration: the files read, the problems in them, and settings with less effect than in Choria.

    Args:
        configuration: Choria's configuration; None if it does not apply.
        named: whether that is because servers are named.
    """
    if configuration is None:
        reason = "a server is named" if named else "this machine is not a Choria client"
        yield Check("note", "configuration", CONFIGURATION, f"not used, because {reason}; name one with config=")
        return
    for path in configuration.files:
        yield Check("ok", "configuration", safe(str(path)), "read")
    for problem in configuration.problems:
        yield Check(problem.severity, "configuration", problem.place, problem.message)
    if configuration.get("plugin.security.provider") == "choria":
        yield from _missing_files(configuration)
    curves, federation = "plugin.security.ecc_curves", "plugin.choria.federation.collectives"
    if configuration.is_set(curves):
        yield Check(
            "note",
            "configuration",
            configuration.origin(curves),
            f"{curves} has no effect: Python cannot select curves",
        )
    if configuration.get(federation):
        yield Check(
            "note",
            "configuration",
            configuration.origin(federation),
            "lifecycle events do not cross a federation: only those of its own network arrive",
        )


def _missing_files(configuration: Configuration) -> Iterator[Check]:
    """Check for files that the provider choria ignores if they do not exist."""
    for short, severity, effect in (
        ("ca", "error", "brokers are not verified"),
        ("certificate", "warning", "the client presents no certificate"),
        ("key", "warning", "the client presents no certificate"),
    ):
        key = f"plugin.security.choria.{short}"
        path = configuration.get(key)
        if path and not exists(Path(path)):
            message = f"{key}: {safe(path)} does not exist, so {effect}: create it, or remove the line"
            yield Check(severity, "configuration", configuration.origin(key), message)  # type: ignore[arg-type]


def check_settings(settings: ConnectionSettings) -> Iterator[Check]:
    """Check the connection's settings for unsafe choices."""
    origin = settings.origins.get("name")
    name = f"{safe(settings.name, 200)} ({safe(origin)})" if origin else safe(settings.name, 200)
    where = ", ".join(settings.srv or settings.servers)
    yield Check(
        "ok", "settings", CONNECTION, f"to {safe(where)}, {'with' if settings.tls else 'without'} TLS, as {name}"
    )
    guess = settings.origins.get("servers", "")
    if guess.startswith("no ") and not settings.srv:
        yield Check("warning", "settings", "servers", f"{safe(guess)}: {where} is a guess; set that key")
    if settings.tls and settings.verify is Verify.NOTHING:
        danger = "pose as the broker and learn the password" if settings.password else "pose as the broker"
        yield Check(
            "warning",
            "settings",
            "verify",
            f"the broker's certificate is not verified ({safe(settings.origins.get('verify', 'default'))}): "
            f"a man in the middle can {danger}; name a certificate authority with ca= to verify it",
        )
    if (
        not settings.tls
        and not settings.local
        and any(getattr(settings, spec.name) for spec in CREDENTIALS if spec.bearer)
    ):
        yield Check(
            "warning",
            "settings",
            "tls",
            "a password or token crosses the network in the clear unless the server requires TLS: "
            "require it with a tls:// URL",
        )
