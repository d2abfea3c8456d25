"""Checks that need neither a broker nor the files that settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.config.settings import ConnectionSettings, Verify
from choria_lifecycle.config.table import DEFAULT_NAME
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.doctor.rules import CONFIGURATION, check_configuration, check_environment, check_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from choria_lifecycle.config.choria.configuration import Configuration

SECRET = "m4rkerm4rker"


def about(checks: list[Check], place: str) -> list[tuple[str, str]]:
    """Return the severity and message of the checks of a place."""
    return [(each.severity, each.message) for each in checks if each.subject.endswith(place)]


def test_only_variables_that_choria_obeys_are_reported() -> None:
    environ = {"INSECURE_ANON_TLS": "true", "INSECURE_DISABLE_TLS": "TRUE", "INSECURE_YES_REALLY": "1", "PATH": "true"}
    [check] = check_environment(environ)
    assert check == Check(
        "warning",
        "configuration",
        "environment INSECURE_ANON_TLS",
        "obeyed by Choria's tools but ignored here; pass tls=False to connect without TLS",
    )
    assert list(check_environment({})) == []


@pytest.mark.parametrize(
    ("named", "reason"), [(True, "a server is named"), (False, "this machine is not a Choria client")]
)
def test_without_a_configuration_the_reason_is_given(named: bool, reason: str) -> None:
    assert list(check_configuration(None, named=named)) == [
        Check("note", "configuration", CONFIGURATION, f"not used, because {reason}; name one with config=")
    ]


def test_files_and_problems_are_listed_in_order(configured: Callable[..., Configuration], tmp_path: Path) -> None:
    checks = list(check_configuration(configured({"plugin.choria.use_srv": "maybe", "identity": "a"}), named=False))
    assert [(each.severity, each.step, each.subject) for each in checks] == [
        ("ok", "configuration", f"{tmp_path}/client.conf"),
        ("warning", "configuration", f"{tmp_path}/client.conf:1"),
    ]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("plugin.security.ecc_curves", "X25519", "Python cannot select curves"),
        ("plugin.choria.federation.collectives", "a", "lifecycle events do not cross a federation"),
    ],
)
def test_settings_with_less_effect_than_in_choria(
    key: str, value: str, words: str, configured: Callable[..., Configuration]
) -> None:
    [(severity, message)] = about(list(check_configuration(configured({key: value}), named=False)), "client.conf:1")
    assert severity == "note"
    assert words in message


def test_missing_files_of_the_provider_choria(configured: Callable[..., Configuration], tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    prefix = "plugin.security.choria"
    keys = {
        f"{prefix}.ca": f"{tmp_path}/ca.pem",
        f"{prefix}.certificate": f"{tmp_path}/cert.pem",
        f"{prefix}.key": f"{tmp_path}/key.pem",
        "plugin.security.provider": "choria",
    }
    checks = list(check_configuration(configured(keys), named=False))
    remedy = "create it, or remove the line"
    assert about(checks, "client.conf:1") == [
        ("error", f"{prefix}.ca: {tmp_path}/ca.pem does not exist, so brokers are not verified: {remedy}")
    ]
    reason = f"{tmp_path}/cert.pem does not exist, so the client presents no certificate"
    assert about(checks, "client.conf:2") == [("warning", f"{prefix}.certificate: {reason}: {remedy}")]
    assert about(checks, "client.conf:3") == []
    others = list(check_configuration(configured(keys | {"plugin.security.provider": "file"}), named=False))
    assert [each.severity for each in others] == ["ok"]


def test_the_connection_is_summarised_without_secrets() -> None:
    settings = ConnectionSettings(
        servers=("nats://127.0.0.1:4222",), user="u", password=SECRET, name="a\x1b", origins={"name": "argument name"}
    )
    assert list(check_settings(settings)) == [
        Check("ok", "settings", "connection", r"to nats://127.0.0.1:4222, without TLS, as a\x1b (argument name)")
    ]
    [summary] = check_settings(ConnectionSettings(srv=("_a._tcp.b", "_c._tcp.b"), tls=True))
    assert summary.message == f"to _a._tcp.b, _c._tcp.b, with TLS, as {DEFAULT_NAME}"


@pytest.mark.parametrize(
    ("options", "subject", "words"),
    [
        ({"origins": {"servers": "no plugin.x"}}, "servers", "no plugin.x: nats://127.0.0.1:4222 is a guess"),
        ({"origins": {"servers": "no plugin.x"}, "srv": ("_a._tcp.b",)}, "", ""),
        (
            {"tls": True, "verify": Verify.NOTHING},
            "verify",
            "(default): a man in the middle can pose as the broker; name a certificate authority with ca= to verify it",
        ),
        (
            {"tls": True, "verify": Verify.NOTHING, "user": "u", "password": SECRET},
            "verify",
            "a man in the middle can pose as the broker and learn the password; name a certificate authority with ca= ",
        ),
        ({"tls": True, "verify": Verify.COMMON_NAME}, "", ""),
        ({"verify": Verify.NOTHING}, "", ""),
    ],
)
def test_unsafe_settings(options: dict[str, Any], subject: str, words: str) -> None:
    warnings = [each for each in check_settings(ConnectionSettings(**options)) if each.severity != "ok"]
    assert [(each.severity, each.step, each.subject) for each in warnings] == [("warning", "settings", subject)] * bool(
        words
    )
    assert all(words in each.message for each in warnings)


@pytest.mark.parametrize(
    ("server", "given", "warned"),
    [
        ("broker.example.net", {"user": "u", "password": SECRET}, True),
        ("broker.example.net", {"token": SECRET}, True),
        ("broker.example.net", {"token_file": "/token"}, True),
        ("broker.example.net", {"nkey": "/nkey"}, False),
        ("broker.example.net", {}, False),
        ("tls://broker.example.net", {"token": SECRET}, False),
        ("localhost", {"token": SECRET}, False),
    ],
)
def test_a_password_in_the_clear(server: str, given: dict[str, str], warned: bool) -> None:
    checks = list(check_settings(resolve(server, environ={}, **given)))
    assert [check[:3] for check in checks if check.subject == "tls"] == [("warning", "settings", "tls")] * warned
    assert SECRET not in repr(checks)
