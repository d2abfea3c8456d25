"""The keys of Choria's configuration: those that a client's connection needs, and the names of the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.config.choria.syntax import ValueKind

__all__ = ["KEYS", "PROVIDERS", "Key", "KnownKey", "is_plugin_key", "known_keys", "suggest_key"]

PROVIDERS = ("puppet", "file", "pkcs11", "certmanager", "choria")
"""Choria's security providers."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a client's connection needs (go-choria, config/config.go and config/choria.go).

    Attributes:
        name: the key as written in a configuration file.
        kind: the way to parse its text.
        description: its purpose, in a short sentence.
        default: its default value.
        variable: the environment variable that overrides all files, or empty.
        choices: the allowed values; empty if any is.
        secret: whether its value must not be shown.
    """

    name: str
    kind: ValueKind
    description: str
    default: Any = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False


_LIST: tuple[Key, ...] = (
    Key("identity", "string", "The name of this node; derived from the host name if empty."),
    Key("collectives", "comma_split", "The sub-collectives that this node belongs to.", ()),
    Key("main_collective", "string", "The sub-collective in the names of inboxes; the first one if empty."),
    Key("plugin.choria.middleware_hosts", "comma_split", "The brokers, each as host:port.", ()),
    Key("plugin.choria.use_srv", "bool", "Query DNS for brokers if none are set.", default=True),
    Key(
        "plugin.choria.srv_domain",
        "string",
        "The domain of the SRV records; facter's networking.domain if empty.",
        variable="CHORIA_SRV_DOMAIN",
    ),
    Key(
        "plugin.choria.federation.collectives",
        "comma_split",
        "The collectives of a federation; if set, connect to its brokers.",
        (),
        variable="CHORIA_FED_COLLECTIVE",
    ),
    Key("plugin.choria.federation_middleware_hosts", "comma_split", "The brokers of the federation.", ()),
    Key(
        "plugin.choria.network.connect_timeout",
        "duration",
        "Timeout for connecting to a broker in seconds; at most 120.",
        2.0,
    ),
    Key("plugin.nats.user", "string", "A user of the broker.", variable="MCOLLECTIVE_NATS_USERNAME"),
    Key("plugin.nats.pass", "string", "That user's password.", variable="MCOLLECTIVE_NATS_PASSWORD", secret=True),
    Key(
        "plugin.nats.credentials",
        "string",
        "A NATS creds file.",
        variable="MCOLLECTIVE_NATS_CREDENTIALS",
    ),
    Key("plugin.security.provider", "string", "How the client identifies itself.", "puppet", choices=PROVIDERS),
    Key(
        "plugin.security.client_anon_tls",
        "bool",
        "Connect with a token of the request signer, without verifying brokers.",
        default=False,
    ),
    Key("plugin.security.server_anon_tls", "bool", "The same for servers, with their own token.", default=False),
    Key(
        "plugin.security.cipher_suites",
        "comma_split",
        "The allowed cipher suites; all safe ones if empty.",
        (),
    ),
    Key(
        "plugin.security.ecc_curves",
        "comma_split",
        "The allowed elliptic curves; all common ones if empty.",
        (),
    ),
    Key(
        "plugin.security.support_legacy_certificates",
        "bool",
        "Accept a broker whose certificate names it only in the common name.",
        default=False,
    ),
    Key(
        "plugin.choria.ssldir",
        "path_string",
        "Puppet's directory of certificates and keys; queried from Puppet if empty.",
    ),
    Key("plugin.security.file.certificate", "path_string", "The client's certificate, for the provider file."),
    Key("plugin.security.file.key", "path_string", "That certificate's key."),
    Key("plugin.security.file.ca", "path_string", "The certificate authorities to trust."),
    Key("plugin.security.choria.token_file", "path_string", "The client's token, for the provider choria."),
    Key("plugin.security.choria.seed_file", "path_string", "The token's seed."),
    Key(
        "plugin.security.choria.certificate",
        "path_string",
        "The client's certificate, if the broker requires one as well.",
    ),
    Key("plugin.security.choria.key", "path_string", "That certificate's key."),
    Key(
        "plugin.security.choria.ca",
        "path_string",
        "The authorities to trust; without this file, brokers are not verified.",
    ),
    Key("plugin.choria.security.request_signer.token_file", "path_string", "The token that choria login writes."),
    Key("plugin.choria.security.request_signer.seed_file", "path_string", "That token's seed."),
    Key("plugin.choria.security.request_signer.url", "string", "The service that signs requests."),
    Key("plugin.choria.security.request_signer.service", "bool", "Have requests signed over Choria.", default=False),
    Key("plugin.choria.security.server.token_file", "path_string", "The token of a server."),
    Key("plugin.choria.security.server.seed_file", "path_string", "That token's seed."),
)

KEYS: Mapping[str, Key] = MappingProxyType({key.name: key for key in _LIST})
"""The keys that a client's connection needs, by name."""


class KnownKey(NamedTuple):
    """A key's kind, and the values that it may have; any if there are no choices."""

    kind: ValueKind
    choices: tuple[str, ...]


@cache
def known_keys() -> Mapping[str, KnownKey]:
    """Return every key of Choria's own, including those for servers and brokers, by name (go-choria v0.30.2)."""
    from importlib import resources  # takes as long as the rest of `lifecycle --help`

    found: dict[str, KnownKey] = {}
    for line in resources.files("choria_lifecycle.config.choria").joinpath("known.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, kind, *choices = line.split(" ")
            found[name] = KnownKey(cast("ValueKind", kind), tuple(choices))
    return MappingProxyType(found)


# Keys that contain a name chosen by the administrator.
_FREELY_NAMED = re.compile(
    r"plugin\.choria\.(?:adapter\.|network\.(?:gateway_remote|leafnode_remote|mapping)\.)"
    r"|plugin\.security\.issuer\..+\.public$"
)
_CHORIA_PREFIXES = ("plugin.choria.", "plugin.security.", "plugin.nats.", "plugin.login.")
_MAX_LENGTH = 100


def is_plugin_key(key: str) -> bool:
    """Return True if a key belongs to a plugin or contains a freely chosen name, so it cannot be checked."""
    return bool(_FREELY_NAMED.match(key)) or (key.startswith("plugin.") and not key.startswith(_CHORIA_PREFIXES))


def suggest_key(key: str) -> str:
    """Return the key of Choria's that an unknown key probably stands for, or an empty string."""
    for prefix in ("plugin.", "plugin.choria."):
        if f"{prefix}{key}" in known_keys():
            return f"{prefix}{key}"
    import difflib

    written = key.lower()
    start = "plugin." if written.startswith("plugin.") else ""
    # MCollective's keys without a prefix, such as securityprovider, resemble keys with one but mean something else.
    names = [name.removeprefix(start) for name in known_keys() if name.startswith("plugin.") == bool(start)]
    written = written.removeprefix(start)
    longer = [name for name in names if name.startswith(written)]
    near = difflib.get_close_matches(written, names, n=1, cutoff=0.79) if len(key) <= _MAX_LENGTH else []
    found = longer if len(longer) == 1 else near
    return start + found[0] if found else ""
