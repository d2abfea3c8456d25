"""Real handshakes accept and refuse the certificates as their names suggest."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from .certificates import Authority, IssuedCertificate, server_context

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Authority.create("Good CA")
OLD = Authority.create("Puppet CA: old", old_puppet=True)


@cache
def client_context(authority: Authority, *, strict: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.pem.decode())
    if strict:  # the default of create_default_context in Python 3.13
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Shake hands in memory; return the error, or None."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return str(error)
    try:  # with TLS 1.3, a client learns only now that its certificate was refused
        ends[1].write(b"x")
        ends[0].read(1)
    except ssl.SSLError as error:
        return str(error)
    return ""


def refusal(
    issued: IssuedCertificate, *, trust: Authority = GOOD, strict: bool = True, name: str = "broker.example"
) -> str:
    return shake(server_context(issued), client_context(trust, strict=strict), name)


def issue(authority: Authority = GOOD, **options: Any) -> IssuedCertificate:
    return authority.issue("broker.example", **options)


@pytest.mark.parametrize(
    "issued",
    [issue(), issue(key="rsa"), issue(GOOD.intermediate("Between").intermediate("Between that"))],
    ids=["ec", "rsa", "intermediates"],
)
@pytest.mark.parametrize("strict", [False, True])
def test_valid_certificates_are_accepted(issued: IssuedCertificate, strict: bool) -> None:
    assert refusal(issued, strict=strict) == ""


@pytest.mark.parametrize(
    ("issued", "trust", "reason"),
    [
        (issue(expired=True), GOOD, "certificate has expired"),
        (issue(not_yet=True), GOOD, "certificate is not yet valid"),
        (issue(Authority.create("Stranger")), GOOD, "unable to get local issuer certificate"),
        (issue(Authority.create("Past", expired=True)), Authority.create("Past", expired=True), "has expired"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_invalid_certificates_are_refused(
    issued: IssuedCertificate, trust: Authority, reason: str, strict: bool
) -> None:
    assert reason in refusal(issued, trust=trust, strict=strict)


def test_names_and_addresses() -> None:
    issued = GOOD.issue("a.example", names=["b.example"], addresses=["127.0.0.1"])
    for name in ("a.example", "b.example", "127.0.0.1"):
        assert refusal(issued, name=name) == ""
    assert "Hostname mismatch" in refusal(issued, name="c.example")
    assert "IP address mismatch" in refusal(issued, name="127.0.0.2")


@pytest.mark.parametrize(
    ("authority", "options", "reason"),
    [
        (OLD, {}, "Missing Authority Key Identifier"),
        (OLD, {"old_puppet": False}, "Basic Constraints of CA cert not marked critical"),
        (GOOD, {"old_puppet": True}, "Missing Authority Key Identifier"),
    ],
)
def test_old_puppet_certificates_are_refused_only_by_strict_verification(
    authority: Authority, options: dict[str, Any], reason: str
) -> None:
    issued = issue(authority, **options)
    assert refusal(issued, trust=authority, strict=False) == ""
    assert reason.lower() in refusal(issued, trust=authority, strict=True).lower()


def test_without_alternative_names_the_common_name_is_used() -> None:
    issued = issue(san=False)
    certificate = x509.load_pem_x509_certificate(issued.cert_pem)
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    lenient, stern = (client_context.__wrapped__(GOOD, strict=True) for _ in range(2))
    lenient.hostname_checks_common_name = True
    stern.hostname_checks_common_name = False
    assert shake(server_context(issued), lenient, "broker.example") == ""
    assert "Hostname mismatch" in shake(server_context(issued), stern, "broker.example")


@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (GOOD.issue("alice"), ""),
        (Authority.create("Stranger").issue("alice"), "unable to get local issuer certificate"),
        (GOOD.issue("alice", expired=True), "certificate has expired"),
        (None, "peer did not return a certificate"),
    ],
    ids=["good", "stranger", "expired", "none"],
)
def test_client_certificates(issued: IssuedCertificate | None, reason: str, tmp_path: Path) -> None:
    client = client_context.__wrapped__(GOOD, strict=True)
    if issued:
        client.load_cert_chain(*issued.write(tmp_path, "alice"))
    refused = shake(server_context(issue(), clients=GOOD), client, "broker.example")
    assert reason in refused if reason else refused == ""


def test_keys_are_not_shown() -> None:
    assert "PRIVATE" not in repr(issue())
    assert "PrivateKey" not in repr(GOOD)


def test_an_authority_is_created_once() -> None:
    assert Authority.create("Once") is Authority.create("Once")
    assert Authority.create("Once") is not Authority.create("Once", old_puppet=True)
