from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from nats import errors

from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.config.table import CREDENTIAL_VARIABLES
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.nats.diagnosis import CertificateRefusedError, diagnose, hint, is_authentication_error


def untrusted(code: int, message: str = "certificate has expired.") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "failed")
    error.reason = reason
    return error


def denied(*, presented: bool) -> CertificateRefusedError:
    return CertificateRefusedError(presented=presented, error=tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"))


REFUSED = errors.Error("nats: 'Authorization Violation'")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.AuthorizationError(), "the server refused the credentials"),
        (REFUSED, "the server refused the credentials"),
        (errors.Error("nats: 'User Authentication Expired'"), "the server refused the credentials"),
        (ConfigError("our own words"), "our own words"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "host name not found (Name or service not known)"),
        (UnicodeError("label too long"), "invalid host name"),
        (untrusted(10), "certificate not trusted (certificate has expired)"),
        (tls_error("WRONG_VERSION_NUMBER"), "TLS failed (WRONG_VERSION_NUMBER)"),
        (
            errors.SecureConnWantedError(),
            "the server does not offer TLS, which is required; no credentials were sent",
        ),
        (errors.UnexpectedEOF(), "the server closed the connection"),
        (ConnectionResetError(), "the server closed the connection"),
        (BrokenPipeError(), "the server closed the connection"),
        (errors.StaleConnectionError(), "the server no longer responds"),
        (errors.NoServersError(), "no server is known"),
        (TimeoutError(), "no answer"),
        (errors.TimeoutError(), "no answer"),
        (OSError(113, "No route to host"), "No route to host"),
        (OSError("odd\x1b"), r"odd\x1b"),
        (errors.Error("nats: odd\n"), r"odd\n"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (denied(presented=False), "the server requires a client certificate"),
        (
            denied(presented=True),
            "the server does not accept the client certificate (tlsv13 alert certificate required)",
        ),
        (
            CertificateRefusedError(presented=True, error=ConnectionResetError()),
            "the server does not accept the client certificate",
        ),
    ],
)
def test_a_cause_in_a_few_words(error: Exception, words: str) -> None:
    assert diagnose(error) == words


def test_long_texts_of_a_server_are_truncated() -> None:
    for error in (errors.Error("x" * 1000), OSError("x" * 1000)):
        assert diagnose(error) == "x" * 200 + "…"


def test_only_errors_of_the_server_are_about_authentication() -> None:
    assert is_authentication_error(errors.AuthorizationError())
    assert is_authentication_error(REFUSED)
    assert not is_authentication_error(OSError("authorization"))
    assert not is_authentication_error(errors.Error("nats: 'Permissions Violation'"))


TRUSTING = {"tls": True, "ca": Path("/ca.pem")}


@pytest.mark.parametrize(
    ("error", "options", "words"),
    [
        (ConnectionRefusedError(), {}, "Is the server running, and the port right?"),
        (socket.gaierror(), {}, "Is the name right, and does this machine's DNS work?"),
        (TimeoutError(), {}, "Does a firewall drop what is sent there?"),
        (ZeroDivisionError(), {}, ""),
        (errors.UnexpectedEOF(), {}, ""),
        (untrusted(19), {}, "The server requires TLS: use a tls:// URL with NATS_CA."),
        (
            untrusted(19),
            {"origins": {"tls": "argument tls"}},
            "The server requires TLS: use a tls:// URL with NATS_CA, or remove tls=False.",
        ),
        (untrusted(10), TRUSTING, "The server's certificate, or its authority's, must be renewed."),
        (untrusted(9), TRUSTING, "Is the clock of this machine right?"),
        (untrusted(62), TRUSTING, "Connect by a name that the server's certificate lists."),
        (
            untrusted(64),
            TRUSTING | {"origins": {"verify": "client.conf:1"}},
            (
                "Connect by a name that the server's certificate lists, or set "
                "plugin.security.support_legacy_certificates if it lists none."
            ),
        ),
        (
            untrusted(20),
            TRUSTING | {"origins": {"ca": "environment NATS_CA"}},
            "Trust the authority that signed it, in /ca.pem (environment NATS_CA), or with ca=.",
        ),
        (
            untrusted(20),
            {"tls": True},
            "Trust the authority that signed it, with NATS_CA or ca=; by default the system's are trusted.",
        ),
        (tls_error("UNSUPPORTED_PROTOCOL"), {}, "At least TLS 1.2 is required, which the server may not support."),
        (tls_error("WRONG_VERSION_NUMBER"), {}, ""),
        (
            denied(presented=True),
            {"cert": Path("/me.pem"), "origins": {"cert": "environment NATS_CERT"}},
            "Has /me.pem (environment NATS_CERT) expired, or does the server trust another authority?",
        ),
        (
            denied(presented=False),
            {"jwt": Path("/jwt")},
            "Set one with plugin.security.choria.certificate and plugin.security.choria.key.",
        ),
        (denied(presented=False), {}, "Set one with NATS_CERT and NATS_KEY, or cert= and key=."),
        (
            errors.SecureConnWantedError(),
            {"tls": True, "origins": {"tls": "client.conf:1"}},
            "Choria's configuration requires TLS; tls=False turns it off.",
        ),
        (
            errors.SecureConnWantedError(),
            TRUSTING | {"origins": {"ca": "environment NATS_CA"}},
            "TLS is required by environment NATS_CA: remove that, or enable TLS on the server.",
        ),
        (
            errors.SecureConnWantedError(),
            {"tls": True},
            "TLS is required by a tls:// URL or tls=True: remove that, or enable TLS on the server.",
        ),
    ],
)
def test_a_hint_on_what_to_do(error: Exception, options: dict[str, Any], words: str) -> None:
    assert hint(error, ConnectionSettings(**options)) == words


_TOKEN_QUESTION = "Is /jwt from an issuer that the broker trusts, /seed its seed, and the clock right?"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"jwt": Path("/jwt"), "seed": Path("/seed"), "user": "u", "password": "p"},
            f"{_TOKEN_QUESTION} Are user and password right?",
        ),
        (
            {"jwt": Path("/jwt"), "seed": Path("/seed"), "cert": Path("/me.pem"), "key": Path("/key.pem")},
            _TOKEN_QUESTION,
        ),
        (
            {"user": "u", "password": "p", "origins": {"user": "environment NATS_USER"}},
            "Are user and password right (environment NATS_USER)?",
        ),
        ({"creds": Path("/creds")}, "Does the server know the user of /creds?"),
        ({"nkey": Path("/nkey")}, "Does the server know the user of /nkey?"),
        ({"token": "s3cret"}, "Is the token right?"),
        ({"token_file": Path("/token")}, "Is the token in /token right?"),
        (
            {"cert": Path("/me.pem"), "key": Path("/key.pem")},
            "The certificate /me.pem is not enough; a token may be required.",
        ),
        ({}, f"It requires credentials: set {CREDENTIAL_VARIABLES}."),
    ],
)
def test_a_hint_on_refused_credentials_names_those_that_were_used(options: dict[str, Any], words: str) -> None:
    assert hint(REFUSED, ConnectionSettings(**options)) == words


def test_an_origin_is_shown_safely() -> None:
    settings = ConnectionSettings(user="u", password="p", origins={"user": "a\x1b[2J"})
    assert hint(REFUSED, settings) == r"Are user and password right (a\x1b[2J)?"
