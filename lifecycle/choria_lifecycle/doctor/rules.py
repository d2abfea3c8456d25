"""What is to say of settings before any file but Choria's configuration is read, and before anybody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from choria_lifecycle.config.choria.reading import exists
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from choria_lifecycle.config.choria.configuration import Configuration
    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["CONFIGURATION", "CONNECTION", "check_configuration", "check_environment", "check_settings"]

CONFIGURATION = "Choria's configuration"
CONNECTION = "connection"
"""What checks are about that are about no single file, variable or broker."""

# Of go-choria's command line (cmd/cmd.go); any other value than "true" means nothing there.
_INSECURE_VARIABLES = ("INSECURE_ANON_TLS", "INSECURE_DISABLE_TLS", "INSECURE_YES_REALLY")


def check_environment(environ: Mapping[str, str]) -> Iterator[Check]:
    """What Choria's tools would obey, and this program does not."""
    for variable in _INSECURE_VARIABLES:
        if environ.get(variable) == "true":
            yield Check(
                "warning",
                "configuration",
                f"environment {variable}",
                "other than Choria's tools this program does not obey it; --no-tls does without TLS",
            )


def check_configuration(configuration: Configuration | None, *, named: bool) -> Iterator[Check]:
    """What was read, what is wrong with it, and what in it means less than it does to Choria.

    Args:
        configuration: what was found; None if Choria's configuration does not count.
        named: whether that is because servers are named.
    """
    if configuration is None:
        why = "a server is named" if named else "there is none"
        yield Check("note", "configuration", CONFIGURATION, f"not used, for {why}; --config FILE names one")
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
            f"{curves} has no effect here: Python cannot choose curves",
        )
    if configuration.get(federation):
        yield Check(
            "note",
            "configuration",
            configuration.origin(federation),
            "lifecycle events do not cross a federation: only those of its own network are seen",
        )


def _missing_files(configuration: Configuration) -> Iterator[Check]:
    """Files of the provider choria that are named and not there, without which it goes on."""
    for short, severity, effect in (
        ("ca", "error", "no broker is verified"),
        ("certificate", "warning", "no certificate is shown"),
        ("key", "warning", "no certificate is shown"),
    ):
        key = f"plugin.security.choria.{short}"
        path = configuration.get(key)
        if path and not exists(Path(path)):
            message = f"{key}: {safe(path)} is missing, so that {effect}: put it there, or remove the line"
            yield Check(severity, "configuration", configuration.origin(key), message)  # type: ignore[arg-type]


def check_settings(settings: ConnectionSettings) -> Iterator[Check]:
    """The connection, and what in it is not safe."""
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
        yield Check(
            "warning",
            "settings",
            "verify",
            f"no broker's certificate is verified ({safe(settings.origins.get('verify', 'default'))}): "
            "whoever is in between can pose as the broker; name an authority with --tlsca to verify it",
        )
    if not settings.tls and not settings.local and (settings.password or settings.token):
        yield Check(
            "warning",
            "settings",
            "tls",
            "a password or token crosses the network in the clear unless the server insists on TLS: "
            "ask for it with a tls:// URL",
        )
