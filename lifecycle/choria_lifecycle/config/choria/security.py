"""Choria's security providers: a client's name, certificates and tokens, and how it verifies a broker.

The rules are those of go-choria, providers/security/*/option.go and choria/framework.go.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choria_lifecycle.config.settings import Verify
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import quoted, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.config.choria.configuration import Configuration
    from choria_lifecycle.config.choria.machine import Machine

__all__ = ["Security", "resolve_security"]

_FILE = "plugin.security.file"
_CHORIA = "plugin.security.choria"
_SIGNER = "plugin.choria.security.request_signer"
_ANONYMOUS = "plugin.security.client_anon_tls"
_SSLDIR = "plugin.choria.ssldir"

# Choria does not start if one of these is set with the provider choria.
_NOT_WITH_CHORIA = (
    _ANONYMOUS,
    "plugin.security.server_anon_tls",
    f"{_SIGNER}.token_file",
    f"{_SIGNER}.seed_file",
    "plugin.choria.security.server.token_file",
    "plugin.choria.security.server.seed_file",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """A client's identity and files, as a provider derives them from a configuration.

    Attributes:
        name: the name of the client, its certificate and its connection.
        name_origin: where the name comes from.
        verify: how a broker's certificate is verified.
        ca: the file with the certificate authorities to trust, or None.
        cert: the file with the client's certificate, or None.
        key: the file with that certificate's key, or None.
        jwt: the file with the token, or None.
        seed: the file with the token's seed, or None.
        origins: where each of these files' names comes from.
    """

    name: str
    name_origin: str
    verify: Verify = Verify.FULL
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    jwt: Path | None = None
    seed: Path | None = None
    origins: Mapping[str, str]


def resolve_security(
    configuration: Configuration, *, environ: Mapping[str, str], machine: Machine, no_tls: bool = False
) -> Security:
    """Apply the provider that a configuration names.

    Args:
        configuration: Choria's configuration.
        environ: the environment.
        machine: this machine's names, user and tools.
        no_tls: whether TLS is turned off, so no certificates are needed.

    Raises:
        ConfigError: a setting that the provider needs is missing, contradicts another, or is not supported.
    """
    provider = str(configuration.get("plugin.security.provider"))
    apply = _PROVIDERS.get(provider)
    if apply is None:
        raise ConfigError(
            f"{configuration.origin('plugin.security.provider')}: plugin.security.provider = {quoted(provider)} "
            f"is not one of {', '.join(_PROVIDERS)}"
        )
    anonymous = bool(configuration.get(_ANONYMOUS))
    found = apply(configuration, environ, machine, anonymous or no_tls)
    return _anonymous(configuration, found) if anonymous else found


def _puppet(configuration: Configuration, environ: Mapping[str, str], machine: Machine, name_only: bool) -> Security:
    name, origin = _certname(environ) or _user(environ)
    if name_only:
        return Security(name=name, name_origin=origin, origins={})
    folder, found = _ssldir(configuration, environ, machine)
    files_origin = f"provider puppet, {found}, for {name} ({origin})"
    return Security(
        name=name,
        name_origin=origin,
        # Puppet's certificates listed no names for years; Choria accepts these without a setting only here.
        verify=Verify.COMMON_NAME,
        ca=folder / "certs" / "ca.pem",
        cert=folder / "certs" / f"{name}.pem",
        key=folder / "private_keys" / f"{name}.pem",
        origins=dict.fromkeys(("ca", "cert", "key"), files_origin),
    )


def _ssldir(configuration: Configuration, environ: Mapping[str, str], machine: Machine) -> tuple[Path, str]:
    given = configuration.get(_SSLDIR)
    if given:
        return Path(given), f"ssldir of {configuration.origin(_SSLDIR)}"
    if machine.privileged():
        ssldir = machine.puppet("ssldir")
        if not ssldir:
            raise ConfigError(f"puppet did not report its ssldir: set {_SSLDIR}, or install puppet")
        return Path(ssldir), "ssldir of Puppet"
    home = environ.get("HOME")
    if not home:
        raise ConfigError(f"HOME is not set, so Puppet's certificates cannot be found: set it, or {_SSLDIR}")
    return Path(home) / ".puppetlabs" / "etc" / "puppet" / "ssl", "ssldir of HOME"


def _file(configuration: Configuration, environ: Mapping[str, str], machine: Machine, name_only: bool) -> Security:
    name, origin = _certname(environ) or ("", "")
    if not name and environ.get(_USER) and not machine.privileged():
        name, origin = _user(environ)
    if not name:
        name = str(configuration.get("identity") or machine.identity)
        origin = configuration.origin("identity")
    if name_only:
        return Security(name=name, name_origin=origin, origins={})
    paths = {short: configuration.get(f"{_FILE}.{short}") for short in ("certificate", "key", "ca")}
    missing = [f"{_FILE}.{short}" for short, path in paths.items() if not path]
    if missing:
        raise ConfigError(f"the security provider file needs {', '.join(missing)}")
    legacy = configuration.get("plugin.security.support_legacy_certificates")
    return Security(
        name=name,
        name_origin=origin,
        verify=Verify.COMMON_NAME if legacy else Verify.FULL,
        ca=Path(paths["ca"]),
        cert=Path(paths["certificate"]),
        key=Path(paths["key"]),
        origins={
            "ca": configuration.origin(f"{_FILE}.ca"),
            "cert": configuration.origin(f"{_FILE}.certificate"),
            "key": configuration.origin(f"{_FILE}.key"),
        },
    )


def _choria(
    configuration: Configuration, environ: Mapping[str, str], _machine: Machine, no_certificates: bool
) -> Security:
    for key in _NOT_WITH_CHORIA:
        if configuration.get(key):
            raise ConfigError(
                f"{configuration.origin(key)}: {key} and plugin.security.provider = choria "
                "cannot be combined: remove one"
            )
    jwt = configuration.get(f"{_CHORIA}.token_file")
    seed = configuration.get(f"{_CHORIA}.seed_file")
    if not jwt or not seed:
        wanted = f"{_CHORIA}.token_file" if not jwt else f"{_CHORIA}.seed_file"
        raise ConfigError(f"the security provider choria needs {wanted}")
    name, origin = _user(environ, suffix="")
    files = {
        short: None if no_certificates else _optional_file(configuration, f"{_CHORIA}.{short}")
        for short in ("ca", "certificate", "key")
    }
    both = files["certificate"] and files["key"]
    return Security(
        name=name,
        name_origin=origin,
        verify=Verify.FULL if files["ca"] else Verify.NOTHING,
        ca=files["ca"],
        cert=files["certificate"] if both else None,
        key=files["key"] if both else None,
        jwt=Path(jwt),
        seed=Path(seed),
        origins={
            "verify": "provider choria without the file of plugin.security.choria.ca",
            "ca": configuration.origin(f"{_CHORIA}.ca"),
            "cert": configuration.origin(f"{_CHORIA}.certificate"),
            "key": configuration.origin(f"{_CHORIA}.key"),
            "jwt": configuration.origin(f"{_CHORIA}.token_file"),
            "seed": configuration.origin(f"{_CHORIA}.seed_file"),
        },
    )


def _anonymous(configuration: Configuration, found: Security) -> Security:
    """Return the settings of a client of Choria's AAA service: a token, and no verification of the broker."""
    jwt_key, seed_key = f"{_SIGNER}.token_file", f"{_SIGNER}.seed_file"
    choria_jwt, choria_seed = f"{_CHORIA}.token_file", f"{_CHORIA}.seed_file"
    if configuration.get(choria_jwt):
        jwt_key = choria_jwt
    if configuration.get(choria_seed):
        seed_key = choria_seed
    jwt = configuration.get(jwt_key)
    if not jwt:
        raise ConfigError(
            f"{configuration.origin(_ANONYMOUS)}: {_ANONYMOUS} needs {_SIGNER}.token_file, "
            "the file that 'choria login' writes"
        )
    seed = configuration.get(seed_key)
    return Security(
        name=found.name,
        name_origin=found.name_origin,
        verify=Verify.NOTHING,
        jwt=Path(jwt),
        seed=Path(seed) if seed else Path(jwt).with_suffix(".key"),
        origins={
            "verify": configuration.origin(_ANONYMOUS),
            "jwt": configuration.origin(jwt_key),
            "seed": configuration.origin(seed_key) if seed else f"beside {jwt}",
        },
    )


def _pkcs11(*_: object) -> Security:
    raise ConfigError(
        "the security provider pkcs11 is not supported here: use plugin.security.provider = file, with a certificate "
        f"of the same authority in {_FILE}.certificate and {_FILE}.key, and keep {_FILE}.ca"
    )


def _certmanager(configuration: Configuration, *_: object) -> Security:
    folder = str(configuration.get(_SSLDIR) or "SSLDIR").rstrip("/")
    raise ConfigError(
        "the security provider certmanager is not supported here, as it requests a certificate from Kubernetes: use "
        f"plugin.security.provider = file with {_FILE}.certificate = {folder}/cert.pem, {_FILE}.key = {folder}/key.pem "
        f"and {_FILE}.ca = {folder}/ca.pem, or with those of a mounted secret"
    )


_PROVIDERS: Mapping[str, Callable[[Configuration, Mapping[str, str], Machine, bool], Security]] = {
    "puppet": _puppet,
    "file": _file,
    "choria": _choria,
    "pkcs11": _pkcs11,
    "certmanager": _certmanager,
}

_USER = "USERNAME" if sys.platform == "win32" else "USER"
_CERTNAME = "MCOLLECTIVE_CERTNAME"


def _certname(environ: Mapping[str, str]) -> tuple[str, str] | None:
    name = environ.get(_CERTNAME)
    return (name, f"environment {_CERTNAME}") if name else None


def _user(environ: Mapping[str, str], suffix: str = ".mcollective") -> tuple[str, str]:
    user = environ.get(_USER)
    if not user:
        instead = f", or {_CERTNAME}" if suffix else ""
        raise ConfigError(f"{_USER} is not set, so the client has no name: set it{instead}")
    return f"{user}{suffix}", f"environment {_USER}"


def _optional_file(configuration: Configuration, key: str) -> Path | None:
    """Return an optional file if it exists, readable or not, as in Choria."""
    path = configuration.get(key)
    if not path:
        return None
    try:
        os.stat(path)  # noqa: PTH116 - pathlib's exists() is False without permission
    except FileNotFoundError:
        if key == f"{_CHORIA}.ca":
            logger.warning(
                "%s: %s does not exist, so brokers are not verified: create it", configuration.origin(key), safe(path)
            )
        return None
    except (OSError, ValueError):
        pass
    return Path(path)
