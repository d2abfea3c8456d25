"""`lifecycle config`: its output and exit codes, without secrets."""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING, Any

import nkeys
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from choria_lifecycle import doctor
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.table import DEFAULT_NAME, SETTINGS
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.errors import ConfigError, ConnectionFailed, MissingExtra, NotAuthorised
from tests.bed.certificates import Authority
from tests.bed.tokens import client_token, write_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from click.testing import Result

MARKER = "m4rkerm4rker"
CLOSED = "nats://127.0.0.1:1"

CA = Authority.create("Config CA")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and working directory, and an environment without Choria's variables."""
    for name in ("CERTNAME", "NATS_USERNAME", "NATS_PASSWORD", "NATS_CREDENTIALS"):
        monkeypatch.delenv(f"MCOLLECTIVE_{name}", raising=False)
    for name in ("CHORIA_SRV_DOMAIN", "CHORIA_FED_COLLECTIVE", "INSECURE_ANON_TLS", "PWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "alice")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configuration(home: Path, *lines: str) -> Path:
    file = home / "client.conf"
    file.write_text("\n".join((f"plugin.choria.ssldir = {home}/ssl", *lines, "")))
    return file


def test_it_has_two_commands(run: Callable[..., Result]) -> None:
    result = run("config", "-h")
    assert result.exit_code == 0
    assert "  show " in result.stdout
    assert "  check " in result.stdout


@pytest.mark.parametrize("name", ["show", "check"])
def test_help_fits(name: str, run: Callable[..., Result]) -> None:
    result = run("config", name, "-h")
    assert result.stdout.startswith(f"Usage: lifecycle config {name} ")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_show_without_choria(run: Callable[..., Result]) -> None:
    result = run("config", "show", "--server", "a", "--tlsca", "/a/folder/with/a/name/that/is/long/and/longer/ca.pem")
    assert result.exit_code == 0
    unset = [name for name in SETTINGS if name not in {"servers", "tls", "verify", "ca", "name", "inbox"}]
    assert result.stdout.splitlines() == [
        "The connection",
        "  servers         = nats://a:4222  (argument servers)",
        "  tls             = true",
        "  verify          = authority and host name",
        "  ca              = /a/folder/with/a/name/that/is/long/and/longer/ca.pem",
        "                    (argument ca)",
        f"  name            = {DEFAULT_NAME}",
        "  inbox           = _INBOX",
        *textwrap.wrap(f"not set: {', '.join(unset)}", 80, initial_indent="  ", subsequent_indent="    "),
    ]
    assert "Choria's configuration is not used" in result.stderr


def test_show_of_choria(home: Path, run: Callable[..., Result]) -> None:
    file = configuration(home, "plugin.choria.middleware_hosts = a:1,b:2", "plugin.nats.user = bob")
    result = run("config", "show", "--config", file)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "The connection",
        "",
        "Choria's configuration: the files, in ascending precedence",
        "",
        "Choria's configuration: the keys that are set",
        "",
        "Choria's configuration: the keys at their default",
    ]
    assert lines[lines.index("Choria's configuration: the keys that are set") + 1].startswith(
        "  plugin.choria.middleware_hosts ="
    )
    assert "  plugin.choria.use_srv = true" in lines
    assert all(any(line.startswith(f"  {key} =") for line in lines) for key in KEYS)


def test_show_as_json(home: Path, run: Callable[..., Result]) -> None:
    file = configuration(home, "plugin.choria.middleware_hosts = a:1")
    result = run("config", "show", "--config", file, "--output", "json")
    shown = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"name": "servers", "value": "nats://a:1", "origin": f"{file}:2"} in shown
    assert {"name": "file", "value": str(file), "origin": "the initial file"} in shown
    assert {each["name"] for each in shown} > set(KEYS)


def test_show_when_no_connection_is_possible(home: Path, run: Callable[..., Result]) -> None:
    file = configuration(home, "plugin.security.provider = pkcs11")
    result = run("config", "show", "--config", file)
    assert result.exit_code == 0
    title, reason, *_ = result.stdout.splitlines()
    assert title == "The connection"
    assert reason.startswith("  error = the security provider pkcs11 is not supported here: ")
    assert f" plugin.security.provider = pkcs11 ({file}:2) " in " ".join(result.stdout.split())
    assert all(f"  {key} =" in result.stdout for key in KEYS)


@pytest.mark.parametrize("name", ["show", "check"])
def test_a_configuration_that_cannot_be_read(name: str, home: Path, run: Callable[..., Result]) -> None:
    result = run("config", name, "--config", home / "none")
    assert result.exit_code == 2
    assert "No such file" in result.stdout + result.stderr


def error(step: Any, kind: Any = None) -> Check:
    return Check("error", step, "it", "is so", kind)


OK = Check("ok", "broker", "nats://a:1", "connected")
WARNING = Check("warning", "files", "/ca.pem", "is old")


@pytest.mark.parametrize(
    ("found", "code", "summary"),
    [
        ([OK], 0, "all is well"),
        ([OK, WARNING, WARNING], 0, "2 warnings"),
        ([WARNING], 0, "1 warning"),
        ([OK, error("broker", ConnectionFailed)], 1, "1 error"),
        ([OK, error("broker", NotAuthorised), WARNING], 1, "1 error, 1 warning"),
        ([error("configuration"), OK], 1, "1 error"),
        ([error("configuration", ConfigError)], 2, "1 error"),
        ([error("files"), error("files", ConfigError)], 2, "2 errors"),
        ([error("files", MissingExtra)], 2, "1 error"),
        ([error("broker", ConnectionFailed)], 3, "1 error"),
        ([error("dns", ConnectionFailed)], 3, "1 error"),
        ([error("broker", ConnectionFailed), error("broker", NotAuthorised)], 4, "2 errors"),
        ([error("files"), error("files", NotAuthorised)], 4, "2 errors"),
    ],
)
def test_exit_code_and_summary_of_a_check(
    found: list[Check], code: int, summary: str, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def checks(*_: object, **__: object) -> AsyncGenerator[Check]:
        for each in found:
            yield each

    monkeypatch.setattr(doctor, "iter_checks", checks)
    result = run("config", "check")
    assert result.exit_code == code
    assert result.stderr == f"lifecycle: {summary}\n"
    assert result.stdout == "".join(f"{each.severity:7}  {each.subject}: {each.message}\n" for each in found)
    colored = run("config", "check", "--color", "always", "-q")
    assert colored.stdout.count("\x1b[0m") == len(found)
    assert colored.stderr == ""
    as_json = run("config", "check", "--output", "json", "--color", "always").stdout.splitlines()
    assert [json.loads(line) for line in as_json] == [
        {"severity": each.severity, "step": each.step, "subject": each.subject, "message": each.message}
        for each in found
    ]


def test_check_of_a_closed_port(run: Callable[..., Result]) -> None:
    result = run("config", "check", "--server", CLOSED)
    assert result.exit_code == 3
    assert f"error    {CLOSED}: connection refused" in result.stdout


HOSTS = f"plugin.choria.middleware_hosts = {CLOSED}"
CHORIA = ("plugin.security.provider = choria", HOSTS)
TOKEN = "plugin.security.choria.token_file = HOME/"
SEED = "plugin.security.choria.seed_file = HOME/"
FILES = (
    "plugin.security.provider = file\nplugin.security.file.ca = HOME/ca.pem\nplugin.security.file.certificate = HOME/"
)

CREDS = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""

# Where a secret may be: in arguments, the environment, lines of a configuration, or a file that these name.
# HOME stands for the home directory; the secret is the marker, the token or the seed.
PLACES: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "password in a URL": (f"--server nats://u:{MARKER}@127.0.0.1:1", {}, ()),
    "token in a URL": (f"--server {MARKER}@127.0.0.1:1", {}, ()),
    "malformed URL": (f"--server nats://u:{MARKER}", {}, ()),
    "password file": (f"--server {CLOSED} --user u --password-file HOME/secret", {}, ()),
    "creds": (f"--server {CLOSED} --creds HOME/secret", {}, ()),
    "creds of the right form": (f"--server {CLOSED} --creds HOME/good.creds", {}, ()),
    "nkey of the right form": (f"--server {CLOSED}", {"NATS_NKEY": "HOME/good.nk"}, ()),
    "authority": (f"--server {CLOSED} --tlsca HOME/secret", {}, ()),
    "key": (f"--server {CLOSED} --tlscert HOME/cert.pem --tlskey HOME/bad.key", {}, ()),
    "key in place of a certificate": (f"--server {CLOSED} --tlscert HOME/bad.key --tlskey HOME/cert.key", {}, ()),
    "NATS_URL": ("", {"NATS_URL": f"nats://u:{MARKER}@127.0.0.1:1"}, ()),
    "NATS_PASSWORD": (f"--server {CLOSED}", {"NATS_USER": "u", "NATS_PASSWORD": MARKER}, ()),
    "NATS_PASSWORD alone": (f"--server {CLOSED}", {"NATS_PASSWORD": MARKER}, ()),
    "NATS_NKEY": (f"--server {CLOSED}", {"NATS_NKEY": "HOME/secret"}, ()),
    "MCOLLECTIVE_NATS_PASSWORD": ("", {"MCOLLECTIVE_NATS_PASSWORD": MARKER}, (HOSTS, "plugin.nats.user = u")),
    "the same without a file": (
        f"--server {CLOSED}",
        {"MCOLLECTIVE_NATS_USERNAME": "u", "MCOLLECTIVE_NATS_PASSWORD": MARKER},
        (),
    ),
    "plugin.nats.pass": ("", {}, (HOSTS, "plugin.nats.user = u", f"plugin.nats.pass = {MARKER}")),
    "plugin.nats.pass alone": ("", {}, (HOSTS, f"plugin.nats.pass = {MARKER}")),
    "misspelt keys": ("", {}, (HOSTS, f"plugin.nats.password = {MARKER}", f"plugin.nats.passs = {MARKER}")),
    "no setting": ("", {}, (HOSTS, f"plugin.nats.pass {MARKER}", MARKER)),
    "user of a broker": ("", {}, (f"plugin.choria.middleware_hosts = nats://u:{MARKER}@127.0.0.1:1",)),
    "broker without port": ("", {}, (f"plugin.choria.middleware_hosts = nats://u:{MARKER}@a",)),
    "no token": ("", {}, (*CHORIA, f"{TOKEN}secret", f"{SEED}secret")),
    "token and seed": ("", {}, (*CHORIA, f"{TOKEN}token.jwt", f"{SEED}private.key")),
    "token in place of the seed": ("", {}, (*CHORIA, f"{TOKEN}token.jwt", f"{SEED}token.jwt")),
    "seed in place of the token": ("", {}, (*CHORIA, f"{TOKEN}private.key", f"{SEED}private.key")),
    "key of the provider file": ("", {}, (HOSTS, f"{FILES}cert.pem", "plugin.security.file.key = HOME/bad.key")),
    "a secret as configuration": ("--config HOME/secret", {}, ()),
}


@pytest.mark.parametrize(
    "arguments", [["show"], ["show", "--output", "json"], ["check"], ["check", "--output", "json"]]
)
@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_printed(
    place: str, arguments: list[str], home: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, environ, lines = PLACES[place]
    token = client_token(Ed25519PrivateKey.generate())
    write_credentials(home, token)
    (home / "secret").write_text(MARKER)
    (home / "ca.pem").write_bytes(CA.pem)
    CA.issue("alice").write(home, "cert")
    (home / "bad.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----\n")
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode()
    (home / "good.nk").write_text(seed)
    (home / "good.creds").write_text(CREDS.format(jwt=MARKER, seed=seed))
    for name, value in environ.items():
        monkeypatch.setenv(name, value.replace("HOME", str(home)))
    if lines:
        options += f" --config {configuration(home, *(line.replace('HOME', str(home)) for line in lines))}"
    result = run("config", *arguments, "-v", "-v", *options.replace("HOME", str(home)).split())
    assert result.exit_code in {0, 2, 3}
    printed = result.stdout + result.stderr
    assert printed
    for secret in (MARKER, token.jwt, *token.jwt.split("."), token.seed, seed):
        assert secret not in printed
