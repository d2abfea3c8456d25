"""Certificates and keys: whether they are valid, belong together, and come from the authorities that are trusted.

It needs the package cryptography.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.support.clock import format_time
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from choria_lifecycle.doctor.checks import CheckSeverity, File

__all__ = ["check_authorities", "check_client", "describe_certificate"]

# Certificates that live for years are renewed by hand; others by programs, which begin while a third of it is left.
_RENEW_SECONDS = 30 * 86400.0
_RENEW_SHARE = 1 / 3

_MAX_CHAIN = 10


def check_authorities(ca: File, now: float) -> Iterator[Check]:
    """Look at the authorities to trust.

    Args:
        ca: the file.
        now: in Unix seconds.
    """
    found = _parse_certificates(ca.data)
    if isinstance(found, str):
        yield _check("error", ca, found)
        return
    for certificate in found:
        severity, time = _validity(certificate, now)
        if severity == "error" and len(found) > 1:
            severity = "warning"  # it harms only what it has signed
        yield _check(severity, ca, f"trusts {_name(certificate.subject)}, {time}")


def check_client(cert: File, key: File | None, ca: File | None, now: float) -> Iterator[Check]:
    """Look at the client's certificate and key, and whether it comes from an authority that it trusts itself.

    Args:
        cert: the certificate, in front of those of the authorities in between.
        key: its key; None if it could not be read.
        ca: the authorities to trust; None if there are none, or they could not be read.
        now: in Unix seconds.
    """
    found = _parse_certificates(cert.data)
    if isinstance(found, str):
        yield _check("error", cert, found)
        own = None
    else:
        own = found[0]
        severity, time = _validity(own, now)
        yield _check(severity, cert, f"the certificate of {_name(own.subject)} by {_name(own.issuer)}, {time}")
        trusted = _parse_certificates(ca.data) if ca is not None else ""
        if not isinstance(trusted, str) and (stranger := _untrusted_reason(found, trusted)):
            yield _check("warning", cert, stranger)
    if key is not None:
        yield _check_key(key, own, cert)


def describe_certificate(der: bytes) -> str:
    """Whose certificate this is, and until when; for one in DER, as TLS hands it over."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return f"{_name(certificate.subject)} by {_name(certificate.issuer)}, until {format_time(_expiry(certificate))}"
    except ValueError:
        return "an unreadable certificate"


def _check_key(key: File, own: x509.Certificate | None, cert: File) -> Check:
    try:
        public = load_pem_private_key(key.data, None).public_key()
    except TypeError:
        return _check(
            "error",
            key,
            "the key is encrypted, and nobody is asked for its passphrase: store it without one, "
            "as 'openssl pkey -in FILE -out NEWFILE' does",
        )
    except (ValueError, UnsupportedAlgorithm):
        return _check("error", key, "holds no key in PEM that can be used")  # without the cause: it may show some of it
    if own is None:
        return _check("ok", key, "a key")
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        belongs = public.public_bytes(*form) == own.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return _check("warning", key, "whether it belongs to the certificate cannot be told: of an unknown kind")
    if belongs:
        return _check("ok", key, "the key of that certificate")
    return _check(
        "error", key, f"not the key of the certificate {safe(str(cert.path))}: use the two that were made together"
    )


def _parse_certificates(data: bytes) -> Sequence[x509.Certificate] | str:
    """The certificates in a file, at least one; else, in words, what is wrong with it."""
    if b"-----BEGIN CERTIFICATE-----" not in data:
        return "holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
    try:
        found = x509.load_pem_x509_certificates(data)
        for each in found:  # what is in one is read on demand only
            _ = _name(each.subject), _name(each.issuer), _validity(each, 0)
    except ValueError:
        return "holds a damaged certificate: fetch it anew"
    return found


def _validity(certificate: x509.Certificate, now: float) -> tuple[CheckSeverity, str]:
    starts, ends = certificate.not_valid_before_utc.timestamp(), _expiry(certificate)
    if now > ends:
        return "error", f"expired on {format_time(ends)}: renew it"
    if now < starts:
        return "error", f"not valid before {format_time(starts)}: is the clock right?"
    if ends - now < min(_RENEW_SECONDS, _RENEW_SHARE * (ends - starts)):
        return "warning", f"valid until {format_time(ends)} only: renew it soon"
    return "ok", f"valid until {format_time(ends)}"


def _expiry(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _untrusted_reason(chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> str:
    """In words, why a certificate does not come from an authority that is trusted; empty if it does."""
    own = chain[0]
    for _ in range(_MAX_CHAIN):
        if any(own == each or _is_signed_by(own, each) for each in trusted):
            return ""
        above = next((each for each in chain[1:] if each != own and _is_signed_by(own, each)), None)
        if above is None:
            break
        own = above
    names = [_name(each.subject) for each in trusted]
    if _name(own.issuer) in names:
        return (
            f"it was signed by another authority that is called {_name(own.issuer)} as well: one was made anew "
            "since, and a broker of the new one refuses the old certificate; enroll again"
        )
    return (
        f"it was signed by {_name(own.issuer)}, which is not among the authorities to trust, {', '.join(names)}: "
        "a broker of these may refuse it"
    )


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _name(name: x509.Name) -> str:
    return safe(name.rfc4514_string(), 200) or "nobody"


def _check(severity: CheckSeverity, file: File, message: str) -> Check:
    return Check(severity, "files", safe(str(file.path)), message)
