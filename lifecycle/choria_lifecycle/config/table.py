"""The table of connection settings, from which code, help and messages take names, variables and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONNECT_TIMEOUT",
    "CREDENTIALS",
    "CREDENTIAL_VARIABLES",
    "DEFAULT_NAME",
    "DEFAULT_SERVER",
    "SETTINGS",
    "URL_VARIABLE",
    "SettingSpec",
    "variables",
]

CONNECT_TIMEOUT = 5.0
"""Timeout for connecting in seconds, across all servers."""

DEFAULT_SERVER = "nats://127.0.0.1:4222"
DEFAULT_NAME = "choria-lifecycle"
URL_VARIABLE = "NATS_URL"


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A setting of a connection.

    Attributes:
        name: the attribute of `ConnectionSettings`, and the argument of `connect`.
        description: its purpose, in a sentence.
        kind: how it is read and shown; a file is a path, and a duration is in seconds.
        argument: whether it is an argument of `connect`; the others come from Choria's configuration only.
        variable: its environment variable, or empty.
        choria_key: the key of Choria's that sets it in plain NATS too, or empty.
        fallback: its default in words if neither the argument nor the variable is set.
        secret: whether its value, or the content of its file, must not be shown.
        method: the way to authenticate that it belongs to, as errors name it; empty if it is not a credential.
        bearer: whether the server receives it as it is, and not a signature made with it.
        refused: a question for the error of a server that refuses it; `{origin}` is its origin in parentheses, and the
            name of a file's setting stands for the path.
    """

    name: str
    description: str
    kind: Literal["value", "file", "duration"] = "value"
    argument: bool = True
    variable: str = ""
    choria_key: str = ""
    fallback: str = ""
    secret: bool = False
    method: str = ""
    bearer: bool = False
    refused: str = ""

    @property
    def redacted(self) -> bool:
        """True if the value itself is secret."""
        return self.secret and self.kind != "file"

    @property
    def default(self) -> str:
        """The default in words: the variable, then the fallback."""
        return ", else ".join(filter(None, (self.variable, self.fallback)))


_LIST: tuple[SettingSpec, ...] = (
    SettingSpec(
        "servers",
        "The servers, separated by commas.",
        variable=URL_VARIABLE,
        fallback=f"Choria's configuration, else {DEFAULT_SERVER}",
    ),
    SettingSpec("srv", "The names of SRV records to query for each connection.", argument=False),
    SettingSpec("tls", "True requires TLS; False turns off the TLS that Choria's configuration requires."),
    SettingSpec("verify", "The checks of the server's certificate.", argument=False),
    SettingSpec(
        "ca",
        "A file with the certificate authorities to trust; turns on TLS.",
        "file",
        variable="NATS_CA",
        fallback="Choria's, else the system's",
    ),
    SettingSpec(
        "cert",
        "A file with the client's certificate; turns on TLS.",
        "file",
        variable="NATS_CERT",
        fallback="Choria's",
        refused="The certificate {cert}{origin} is not enough; a token may be required.",
    ),
    SettingSpec(
        "key",
        "A file with that certificate's key.",
        "file",
        variable="NATS_KEY",
        fallback="Choria's",
        secret=True,
    ),
    SettingSpec("ciphers", "The TLS 1.2 cipher suites to offer.", argument=False),
    SettingSpec(
        "name",
        "The connection's name in the server's monitoring.",
        fallback=f"Choria's name for this user, else {DEFAULT_NAME}",
    ),
    SettingSpec("inbox", "The prefix of reply subjects.", argument=False),
    SettingSpec(
        "creds",
        "A NATS creds file, with a user's JWT and seed.",
        "file",
        variable="NATS_CREDS",
        choria_key="plugin.nats.credentials",
        fallback="Choria's",
        secret=True,
        method="creds",
        refused="Does the server know the user of {creds}?",
    ),
    SettingSpec(
        "nkey",
        "A file with a user's nkey seed.",
        "file",
        variable="NATS_NKEY",
        secret=True,
        method="an nkey",
        refused="Does the server know the user of {nkey}?",
    ),
    SettingSpec(
        "token",
        "An authentication token.",
        variable="NATS_TOKEN",
        secret=True,
        method="a token",
        bearer=True,
        refused="Is the token right{origin}?",
    ),
    SettingSpec(
        "token_file",
        "A file with an authentication token.",
        "file",
        variable="NATS_TOKEN_FILE",
        secret=True,
        method="a token from a file",
        bearer=True,
        refused="Is the token in {token_file}{origin} right?",
    ),
    SettingSpec(
        "jwt",
        "A file with a Choria token.",
        "file",
        argument=False,
        method="a token",
        refused="Is {jwt} from an issuer that the broker trusts, {seed} its seed, and the clock right?",
    ),
    SettingSpec("seed", "A file with that token's seed.", "file", argument=False, secret=True),
    SettingSpec(
        "user",
        "The user to connect as.",
        variable="NATS_USER",
        choria_key="plugin.nats.user",
        fallback="Choria's",
        method="a user",
        refused="Are user and password right{origin}?",
    ),
    SettingSpec(
        "password",
        "That user's password.",
        variable="NATS_PASSWORD",
        choria_key="plugin.nats.pass",
        fallback="Choria's",
        secret=True,
        method="a user",
        bearer=True,
    ),
    SettingSpec(
        "js_domain",
        "The JetStream domain of the streams and buckets.",
        variable="NATS_JS_DOMAIN",
        fallback="the server's own",
    ),
    SettingSpec("js_prefix", "The prefix of JetStream's API, if the account imports it from another one."),
    SettingSpec("connect_timeout", "Timeout for each server.", "duration", argument=False),
)

SETTINGS: Mapping[str, SettingSpec] = MappingProxyType({spec.name: spec for spec in _LIST})
"""The settings of a connection by name, in the order in which they are shown."""

CREDENTIALS = tuple(spec for spec in _LIST if spec.method)
"""The settings that authenticate the client."""


def variables(*names: str) -> str:
    """Return the environment variables of settings, for messages; settings without one are left out."""
    return " and ".join(SETTINGS[name].variable for name in names if SETTINGS[name].variable)


def _credential_variables() -> str:
    methods: dict[str, list[str]] = {}
    for spec in CREDENTIALS:
        methods.setdefault(spec.method, []).append(spec.name)
    *others, last = filter(None, (variables(*names) for names in methods.values()))
    return f"{', '.join(others)}, or {last}"


CREDENTIAL_VARIABLES = _credential_variables()
"""The environment variables of credentials, for messages."""
