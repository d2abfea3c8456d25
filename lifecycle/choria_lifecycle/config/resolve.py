"""Resolve a connection's settings: arguments override the environment, which overrides Choria's configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.config.settings import ConnectionSettings, Verify
from choria_lifecycle.config.table import CREDENTIALS, SETTINGS, URL_VARIABLE
from choria_lifecycle.config.urls import read_urls, redact
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from typing import Unpack

    from choria_lifecycle.config.choria.configuration import Configuration
    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.config.table import SettingSpec

__all__ = ["FALLBACK", "choria_configuration", "resolve"]

FALLBACK = "nats://puppet:4222"
"""The broker that a Choria client tries if neither its configuration nor DNS names one."""

_SRV = ("_mcollective-server._tcp", "_x-puppet-mcollective._tcp")
_FEDERATION_SRV = ("_mcollective-federation_server._tcp", "_x-puppet-mcollective_federation._tcp")

_CREDENTIALS = {spec.name: spec for spec in CREDENTIALS if spec.argument}
# The arguments that override a single setting.
_SINGLE = tuple(
    spec for spec in SETTINGS.values() if spec.argument and not spec.method and spec.name not in {"servers", "tls"}
)


def choria_configuration(
    servers: str | Iterable[str] | None = None,
    *,
    config: str | PathLike[str] | None = None,
    environ: Mapping[str, str],
    root: Path = Path("/"),
    directory: Path | None = None,
) -> Configuration | None:
    """Return Choria's configuration if it applies, or None for plain NATS.

    It applies if `config` names a file. Otherwise it applies if no server is named, neither by an argument nor by
    NATS_URL, and this machine is a Choria client: one of the files that Choria's tools look for exists, or
    CHORIA_SRV_DOMAIN is set.

    Args:
        servers: as for `resolve`.
        config: a configuration file.
        environ: the environment.
        root: where the absolute paths of Choria's files begin.
        directory: where to start looking for project files, going up; default the working directory.

    Raises:
        ConfigError: a file cannot be read.
    """
    if not config and (servers is not None or environ.get(URL_VARIABLE)):
        return None
    from choria_lifecycle.config.choria.configuration import read_configuration

    found = read_configuration(
        environ=environ, root=root, directory=directory, file=_path(str(config)) if config else None
    )
    if found.initial is None and not environ.get("CHORIA_SRV_DOMAIN"):
        for problem in found.problems:
            logger.warning("%s: %s", safe(problem.place), problem.message)
        return None
    return found


def resolve(
    servers: str | Iterable[str] | None = None,
    *,
    configuration: Configuration | None = None,
    environ: Mapping[str, str],
    machine: Machine | None = None,
    **options: Unpack[ConnectionOptions],
) -> ConnectionSettings:
    """Return the settings of a connection, from arguments, the environment and Choria's configuration.

    Credentials come from the first source that has any: arguments, a URL, the NATS_ variables, Choria's variables and
    files. An empty variable counts as unset.

    Args:
        servers: `host`, `host:port` or a `nats://` or `tls://` URL, or several, in a list or separated by commas; if
            credentials follow a comma, it separates servers only before `nats://` or `tls://`. Default NATS_URL, else
            the brokers of Choria's configuration, else the server on this machine; the default port is 4222.
        configuration: the result of `choria_configuration`.
        environ: the environment, usually `os.environ`.
        machine: this machine's names, user and tools.
        **options: see `ConnectionOptions`. A leading `~` in a path is the home directory.

    Raises:
        ConfigError: a URL cannot be used, settings contradict each other, a credential is empty, a setting that
            Choria's security provider needs is missing, or Choria would reject its configuration.
    """
    machine = machine or Machine()
    tls = options.get("tls")
    settings = ConnectionSettings()
    if configuration is not None:
        settings = _choria_settings(configuration, environ, machine, no_tls=tls is False)
    origins = dict(settings.origins)
    changes: dict[str, Any] = {}
    found = None
    urls = servers if servers is not None else environ.get(URL_VARIABLE)
    if urls or servers is not None:
        changes["servers"], found = read_urls(urls or ())
        origins["servers"] = "argument servers" if servers is not None else f"environment {URL_VARIABLE}"
    elif configuration is not None:
        changes.update(_brokers(configuration, origins, machine))
    credentials = _nats_credentials(options, found, environ, origins)
    if credentials:
        changes.update(jwt=None, seed=None, **credentials)
    else:
        changes.update(_choria_credentials(environ, configuration, origins))
    if settings.verify is Verify.NOTHING and credentials:
        # A man in the middle can use a password, unlike a signature over a nonce. Choria's own is sent nevertheless, as
        # its broker requires it of the system user beside a token; `check_settings` warns about it.
        changes["verify"], origins["verify"] = Verify.FULL, "the credentials are not from Choria's configuration"
    for spec in _SINGLE:
        if given := options.get(spec.name):
            changes[spec.name], origins[spec.name] = _convert(spec, str(given)), f"argument {spec.name}"
        # The files of the environment are for TLS.
        elif (value := environ.get(spec.variable)) and not (tls is False and spec.kind == "file"):
            changes[spec.name], origins[spec.name] = _convert(spec, value), f"environment {spec.variable}"
    if options.get("js_prefix") and not options.get("js_domain"):
        # The argument overrides the variable, although it is of the other kind.
        changes.pop("js_domain", None)
        origins.pop("js_domain", None)
    if "ca" in changes and settings.verify is Verify.NOTHING:
        changes["verify"], origins["verify"] = Verify.FULL, origins["ca"]
    settings = replace(settings, **changes, origins=origins)
    wanted = bool(settings.ca or settings.cert) or any(url.startswith("tls://") for url in settings.servers)
    if tls is False and wanted:
        raise ConfigError("tls=False contradicts a tls:// URL, a certificate authority or a certificate: remove one")
    if tls is not None:
        origins["tls"] = "argument tls"
    settings = replace(settings, tls=(settings.tls or wanted) if tls is None else tls)
    settings.check(no_tls=tls is False)
    return settings


def _choria_settings(
    configuration: Configuration, environ: Mapping[str, str], machine: Machine, *, no_tls: bool
) -> ConnectionSettings:
    """Return the settings of Choria's security provider: name, certificates, tokens and TLS."""
    from choria_lifecycle.config.choria.security import resolve_security

    for problem in configuration.problems:
        # Choria's own tools would not start either.
        if problem.severity == "error":
            raise ConfigError(f"{problem.place}: {problem.message}")
        logger.debug("%s: %s", problem.place, problem.message)
    found = resolve_security(configuration, environ=environ, machine=machine, no_tls=no_tls)
    provider = "plugin.security.provider"
    origins = {**found.origins, "name": found.name_origin, "inbox": configuration.origin("main_collective")}
    origins.setdefault("verify", f"provider {configuration.get(provider)}, {configuration.origin(provider)}")
    origins["tls"] = "Choria's connections are encrypted"
    timeout = "plugin.choria.network.connect_timeout"
    if configuration.is_set(timeout):
        origins["connect_timeout"] = configuration.origin(timeout)
    return ConnectionSettings(
        tls=not no_tls,
        verify=found.verify,
        jwt=found.jwt,
        seed=found.seed,
        ca=found.ca,
        cert=found.cert,
        key=found.key,
        ciphers=tuple(configuration.get("plugin.security.cipher_suites") or ()),
        name=found.name,
        inbox=f"{configuration.get('main_collective')}.reply",
        connect_timeout=configuration.get(timeout) if configuration.is_set(timeout) else None,
        origins=origins,
    )


def _brokers(configuration: Configuration, origins: dict[str, str], machine: Machine) -> dict[str, Any]:
    """Return the brokers that a configuration names (go-choria, choria/framework.go, MiddlewareServers)."""
    federated = bool(configuration.get("plugin.choria.federation.collectives"))
    key = "plugin.choria.federation_middleware_hosts" if federated else "plugin.choria.middleware_hosts"
    hosts = configuration.get(key)
    if hosts:
        origins["servers"] = configuration.origin(key)
        return {"servers": _broker_urls(key, hosts, configuration.origin(key)), "srv": ()}
    names: tuple[str, ...] = ()
    reason = "plugin.choria.use_srv is off"
    if configuration.get("plugin.choria.use_srv"):
        domain = configuration.get("plugin.choria.srv_domain") or machine.facter("networking.domain")
        reason = "neither plugin.choria.srv_domain nor facter names a domain for SRV records"
        if domain:
            names = tuple(f"{name}.{domain}" for name in (_FEDERATION_SRV if federated else _SRV))
            reason = "DNS has no SRV records"
            origins["srv"] = (
                configuration.origin("plugin.choria.srv_domain")
                if configuration.get("plugin.choria.srv_domain")
                else "facter networking.domain"
            )
    origins["servers"] = f"no {key}; used if {reason}" if names else f"no {key}, and {reason}"
    if federated and not names:
        raise ConfigError(f"{origins['servers']}: a federated client has no other brokers; set {key}")
    return {"servers": () if federated else (FALLBACK,), "srv": names}


def _broker_urls(key: str, hosts: Iterable[str], origin: str) -> tuple[str, ...]:
    """Return the URLs of Choria's brokers; a user in a URL is dropped, as in Choria."""
    usable: list[str] = []
    for host in hosts:
        scheme, _, rest = host.rpartition("://")
        if scheme in {"ws", "wss"}:
            logger.warning("%s: %s is skipped: WebSockets are not supported", origin, redact(host))
            continue
        address = rest.rpartition("@")[2]
        if set(address) & set("\"' \t"):
            raise ConfigError(f"{origin}: write {key} without quotes, and with commas between brokers")
        if not address.rpartition(":")[2].rstrip("/").isdigit():
            shown = redact(address)
            raise ConfigError(f"{origin}: {key} has {shown}: a broker needs a port number, as in host:4222")
        usable.append(f"{scheme}://{address}" if scheme else address)
    if not usable:
        raise ConfigError(f"{origin}: {key} names no usable broker; write host:port, or several")
    try:
        return read_urls(usable)[0]
    except ConfigError as error:
        raise ConfigError(f"{origin}: {key}: {error}") from None


def _nats_credentials(
    options: ConnectionOptions, found: Mapping[str, str] | None, environ: Mapping[str, str], origins: dict[str, str]
) -> dict[str, Any]:
    """Return the credentials from the first of arguments, URL and NATS_ variables that has any."""
    given = {option: options.get(option) for option in _CREDENTIALS}
    for option, value in given.items():
        # If an empty one overrode the environment, the connection would be anonymous.
        if value is not None and not str(value):
            raise ConfigError(f"{option} is empty; leave it out to use the environment")
    credentials = {option: str(value) for option, value in given.items() if value is not None}
    origin = dict.fromkeys(credentials, "argument {}")
    if credentials and credentials.keys() <= {"user", "password"}:
        for option in {"user", "password"} - credentials.keys():
            if value := environ.get(_CREDENTIALS[option].variable):
                credentials[option] = value
                origin[option] = f"environment {_CREDENTIALS[option].variable}"
    if not credentials and found is not None:
        credentials = dict(found)
        origin = dict.fromkeys(credentials, "URL of a server")
    if not credentials:
        credentials = {option: value for option, spec in _CREDENTIALS.items() if (value := environ.get(spec.variable))}
        origin = {option: f"environment {_CREDENTIALS[option].variable}" for option in credentials}
    origins.update({option: text.format(option) for option, text in origin.items()})
    return {option: _convert(_CREDENTIALS[option], value) for option, value in credentials.items()}


def _choria_credentials(
    environ: Mapping[str, str], configuration: Configuration | None, origins: dict[str, str]
) -> dict[str, Any]:
    """Return the NATS credentials that Choria's variables and configuration add to a certificate or token."""
    from choria_lifecycle.config.choria.keys import KEYS

    credentials: dict[str, Any] = {}
    for option, spec in _CREDENTIALS.items():
        if key := spec.choria_key:
            variable = KEYS[key].variable
            value = configuration.get(key) if configuration is not None else environ.get(variable)
            if value:
                credentials[option] = _convert(spec, value)
                origins[option] = configuration.origin(key) if configuration is not None else f"environment {variable}"
    if configuration is not None and len(credentials.keys() & {"user", "password"}) == 1:
        # Choria then uses neither.
        for option in ("user", "password"):
            credentials.pop(option, None)
            origins.pop(option, None)
    return credentials


def _convert(spec: SettingSpec, value: str) -> Path | str:
    return _path(value) if spec.kind == "file" else value


def _path(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ConfigError(f"{safe(value, 200)} names the home directory of an unknown user") from None
