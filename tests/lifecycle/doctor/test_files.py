"""Checks of certificates, keys and tokens, good and bad."""

from __future__ import annotations

import importlib.util
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.config.table import DEFAULT_NAME, SETTINGS
from choria_lifecycle.doctor.certificates import describe_certificate
from choria_lifecycle.doctor.files import check_files
from tests.bed.certificates import Authority, IssuedCertificate
from tests.bed.puppet import write_ssldir
from tests.bed.tokens import Token, client_token, write_credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = 86400.0
NOW = time.time()
CA = Authority.create("Material CA")
OTHER = Authority.create("Other CA")
EXPIRED = Authority.create("Old CA", expired=True)
GOOD = CA.issue("alice.mcollective")
RSA = CA.issue("alice.mcollective", key="rsa")
ISSUER = Ed25519PrivateKey.generate()


def encrypted(issued: IssuedCertificate) -> bytes:
    key = load_pem_private_key(issued.key_pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))


def found(settings: ConnectionSettings, now: float = NOW) -> list[tuple[str, str, str]]:
    return [(each.severity, each.subject, each.message) for each in check_files(settings, now)]


def written(folder: Path, *, ca: bytes = CA.pem, cert: bytes = GOOD.cert_pem, key: bytes = GOOD.key_pem) -> Any:
    files = {"ca": (folder / "ca.pem", ca), "cert": (folder / "cert.pem", cert), "key": (folder / "key.pem", key)}
    for path, data in files.values():
        path.touch(0o600)
        path.write_bytes(data)
    return ConnectionSettings(tls=True, **{name: path for name, (path, _) in files.items()})


def test_good_files_are_reported(tmp_path: Path) -> None:
    said = [
        (severity, subject, message.partition(", valid until 20")[0])
        for severity, subject, message in found(written(tmp_path))
    ]
    assert said == [
        ("ok", f"{tmp_path}/ca.pem", "trusts CN=Material CA"),
        ("ok", f"{tmp_path}/cert.pem", "the certificate of CN=alice.mcollective by CN=Material CA"),
        ("ok", f"{tmp_path}/key.pem", "the key of that certificate"),
    ]


@pytest.mark.parametrize(
    ("files", "now", "severity", "subject", "message"),
    [
        ({"ca": b"nothing"}, 0, "error", "ca.pem", "holds no certificate in PEM"),
        ({"ca": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, 0, "error", "ca.pem", "damaged"),
        ({"ca": b""}, 0, "error", "ca.pem", "holds no certificate"),
        ({"ca": EXPIRED.pem}, 0, "error", "ca.pem", "trusts CN=Old CA, expired on "),
        ({"ca": EXPIRED.pem + CA.pem}, 0, "warning", "ca.pem", "trusts CN=Old CA, expired on "),
        ({"ca": EXPIRED.pem + CA.pem}, 0, "ok", "ca.pem", "trusts CN=Material CA, valid until"),
        ({}, 15 * DAY, "warning", "ca.pem", "only: renew it soon"),
        ({"cert": GOOD.key_pem}, 0, "error", "cert.pem", "holds no certificate in PEM"),
        (
            {"cert": CA.issue("x", expired=True).cert_pem},
            0,
            "error",
            "cert.pem",
            "of CN=x by CN=Material CA, expired on",
        ),
        ({"cert": CA.issue("x", not_yet=True).cert_pem}, 0, "error", "cert.pem", "not valid before "),
        ({}, 9 * DAY, "ok", "cert.pem", "valid until "),
        ({}, 15 * DAY, "warning", "cert.pem", "only: renew it soon"),
        ({}, 31 * DAY, "error", "cert.pem", "expired on "),
        ({}, -31 * DAY, "error", "cert.pem", "is the clock right?"),
        (
            {"ca": OTHER.pem},
            0,
            "warning",
            "cert.pem",
            "signed by CN=Material CA, which is not among the trusted authorities",
        ),
        (
            {"ca": Authority.create("Material CA", old_puppet=True).pem},
            0,
            "warning",
            "cert.pem",
            "another authority of the same name, CN=Material CA: ",
        ),
        ({"key": b"no key"}, 0, "error", "key.pem", "holds no usable key in PEM"),
        ({"key": GOOD.cert_pem}, 0, "error", "key.pem", "holds no usable key in PEM"),
        ({"key": encrypted(GOOD)}, 0, "error", "key.pem", "the key is encrypted"),
        ({"key": RSA.key_pem}, 0, "error", "key.pem", "not the key of the certificate "),
        ({"cert": RSA.cert_pem, "key": RSA.key_pem}, 0, "ok", "key.pem", "the key of that certificate"),
        ({"cert": b"", "key": GOOD.key_pem}, 0, "ok", "key.pem", "a key"),
    ],
)
def test_certificates(
    files: dict[str, bytes], now: float, severity: str, subject: str, message: str, tmp_path: Path
) -> None:
    said = found(written(tmp_path, **files), NOW + now)
    assert any(
        (severity, str(tmp_path / subject)) == (how, where) and message in words for how, where, words in said
    ), said


def test_a_chain_through_an_intermediate_authority(tmp_path: Path) -> None:
    between = CA.intermediate("Between")
    issued = between.issue("alice")
    for ca in (CA.pem, between.pem, between.pem + CA.pem):
        said = found(written(tmp_path, ca=ca, cert=issued.cert_pem, key=issued.key_pem))
        assert {how for how, _, _ in said} == {"ok"}
    alone = issued.cert_pem[: issued.cert_pem.index(b"-----END CERTIFICATE-----") + 26]
    said = found(written(tmp_path, ca=CA.pem, cert=alone, key=issued.key_pem))
    assert any(how == "warning" and "signed by CN=Between" in words for how, _, words in said)


def test_old_puppet_certificates_are_good(tmp_path: Path) -> None:
    old = Authority.create("Puppet CA: old", old_puppet=True)
    layout = write_ssldir(tmp_path / "ssl", old, "alice.mcollective")
    settings = ConnectionSettings(tls=True, ca=layout.ca, cert=layout.certificate, key=layout.key)
    assert {how for how, _, _ in found(settings)} == {"ok"}


@pytest.mark.parametrize(
    ("kind", "origin", "advice"),
    [
        (
            "ca",
            f"provider puppet, ssldir of HOME, for {DEFAULT_NAME}",
            f"'choria enroll' gets one for {DEFAULT_NAME}",
        ),
        ("cert", "environment NATS_CERT", "its name is from environment NATS_CERT"),
        ("key", "/etc/choria/client.conf:3", "its name is from /etc/choria/client.conf:3"),
        ("creds", "argument creds", "its name is from argument creds"),
        ("nkey", "argument nkey", "its name is from argument nkey"),
        ("jwt", "/etc/choria/client.conf:3", "'choria login'"),
        ("seed", "/etc/choria/client.conf:3", "'choria login'"),
    ],
)
def test_a_missing_file(kind: str, origin: str, advice: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {kind: tmp_path / "a\x1b"}
    [(severity, subject, message)] = found(ConnectionSettings(**given, origins={kind: origin}))
    assert (severity, subject) == ("error", f"{tmp_path}/a\\x1b")
    assert message.startswith("cannot be read: No such file or directory; ")
    assert advice in message


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    [(severity, _, message)] = found(ConnectionSettings(ca=tmp_path))
    assert (severity, message.partition(";")[0]) == ("error", "cannot be read: Is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    settings = written(tmp_path)
    settings.key.chmod(0)
    assert any("let this user read it" in message for _, _, message in found(settings))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
@pytest.mark.parametrize("kind", [name for name, spec in SETTINGS.items() if spec.kind == "file"])
def test_secrets_that_others_may_read(kind: str, mode: int, warned: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(mode)
    given: dict[str, Any] = {kind: path}
    said = [message for severity, _, message in found(ConnectionSettings(**given)) if "other users may read" in message]
    assert bool(said) == (warned and kind not in {"ca", "cert", "jwt"})


@pytest.fixture
def tokens(tmp_path: Path) -> Callable[..., ConnectionSettings]:
    def write(token: Token | None = None, seed: str | None = None, **options: Any) -> ConnectionSettings:
        token = token or client_token(ISSUER, now=NOW, **options)
        files = write_credentials(tmp_path, Token(token.jwt, seed or token.seed))
        return ConnectionSettings(jwt=files.token_file, seed=files.seed_file)

    return write


def test_a_good_token(tokens: Callable[..., ConnectionSettings]) -> None:
    (first, _, who), (second, _, seed) = found(tokens())
    assert (first, second, seed) == ("ok", "ok", "the seed of that token")
    assert who.startswith("a token of up=ripienaar, valid until 20")


@pytest.mark.parametrize(
    ("options", "now", "severity", "message"),
    [
        ({"expires": -60}, 0, "error", "expired on "),
        ({"valid_in": 600}, 0, "error", "is not valid before "),
        ({"claims": {"issexp": int(NOW - 60)}}, 0, "error", "expired on "),
        ({}, 3000, "ok", "valid until "),
        ({}, 3300, "warning", "only: get another one soon"),
        ({"expires": 100 * DAY}, 89 * DAY, "ok", "valid until "),
        ({"expires": 100 * DAY}, 91 * DAY, "warning", "only: get another one soon"),
        ({"claims": {"nbf": None}}, 0, "warning", "only: get another one soon"),
        ({"claims": {"nbf": None}, "expires": 2 * DAY}, 0, "ok", "valid until "),
        ({"claims": {"exp": None}}, 0, "ok", "which does not expire"),
        ({"claims": {"public_key": None}}, 0, "error", "has no public key"),
        ({"seed": "00" * 31}, 0, "error", "is not an ed25519 seed"),
        ({"seed": "00" * 32}, 0, "error", "not the seed of the token "),
        ({"permissions": []}, 0, "note", "does not allow viewing events"),
        ({"permissions": ["governor"], "sub_subjects": ["choria.lifecycle.event.startup.>"]}, 0, "note", "not allow"),
        ({"claims": {"purpose": "choria_server", "identity": "n1"}}, 0, "ok", "a server's token, of n1"),
        ({"claims": {"purpose": "choria_provisioning"}}, 0, "error", "is for"),
        ({"callerid": "a\x1b[2J"}, 0, "ok", "a token of a\\x1b[2J"),
    ],
)
def test_tokens(
    options: dict[str, Any],
    now: float,
    severity: str,
    message: str,
    tokens: Callable[..., ConnectionSettings],
) -> None:
    given = dict(options)
    seed = given.pop("seed", None)
    said = found(tokens(seed=seed, **given), NOW + now)
    assert any(severity == how and message in words for how, _, words in said), said


@pytest.mark.parametrize(
    "options",
    [
        {"permissions": ["org_admin"]},
        *({"permissions": [], "sub_subjects": ["x", subject]} for subject in (">", "choria.>", "choria.*.event.>")),
    ],
)
def test_tokens_that_allow_to_view(options: dict[str, Any], tokens: Callable[..., ConnectionSettings]) -> None:
    assert {how for how, _, _ in found(tokens(**options))} == {"ok"}


@pytest.mark.parametrize("subject", ["*", "choria.*", "choria.lifecycle.event.*", "choria.lifecycle.event", "a.>"])
def test_subjects_too_narrow_for_viewing(subject: str, tokens: Callable[..., ConnectionSettings]) -> None:
    assert "note" in {how for how, _, _ in found(tokens(permissions=[], sub_subjects=[subject]))}


def test_a_file_that_is_not_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("m4rker")
    said = found(ConnectionSettings(jwt=tmp_path / "token"))
    assert [how for how, _, _ in said] == ["error"]
    assert "m4rker" not in str(said)


def test_without_cryptography(
    tmp_path: Path, tokens: Callable[..., ConnectionSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cryptography" else there(name))
    for settings, checked in (
        (written(tmp_path), "certificates and keys were not checked"),
        (tokens(), "the seed belongs"),
    ):
        notes = [message for severity, _, message in found(settings) if severity == "note"]
        assert len(notes) == 1
        assert checked in notes[0]
        assert notes[0].endswith("pip install 'choria-lifecycle[choria]'")


def test_describing_a_certificate_from_tls() -> None:
    der = CA.certificate.public_bytes(Encoding.DER)
    assert describe_certificate(der).startswith("CN=Material CA by CN=Material CA, until 20")
    assert describe_certificate(b"?") == "an unreadable certificate"
