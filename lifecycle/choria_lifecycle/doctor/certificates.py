"""Check certificates and keys: validity, whether they match, and who signed them. Needs the package cryptography."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from choria_lifecycle.doctor.checks import file_check
from choria_lifecycle.support.clock import format_time
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from choria_lifecycle.doctor.checks import Check, CheckSeverity, File

__all__ = ["check_authorities", "check_client", "describe_certificate"]

# Certificates valid for years are renewed by hand; short-lived ones by programs, when a third of their life is left.
_RENEW_SECONDS = 30 * 86400.0
_RENEW_SHARE = 1 / 3

_MAX_CHAIN = 10


def check_authorities(ca: File, now: float) -> Iterator[Check]:
    """Check the certificate authorities to trust.

    Args:
        ca: their file.
        now: in Unix seconds.
    """
    found = _parse_certificates(ca.data)
    if isinstance(found, str):
        yield file_check("error", ca.path, found)
        return
    for certificate in found:
        severity, time = _validity(certificate, now)
        if severity == "error" and len(found) > 1:
            severity = "warning"  # affects only certificates that it signed
        yield file_check(severity, ca.path, f"trusts {_name(certificate.subject)}, {time}")


def check_client(cert: File, key: File | None, ca: File | None, now: float) -> Iterator[Check]:
    """Check the client's certificate, its key, and whether a trusted authority signed it.

    Args:
        cert: the certificate, followed by any intermediate ones.
        key: its key; None if that could not be read.
        ca: the certificate authorities to trust; None if there are none, or they could not be read.
        now: in Unix seconds.
    """
    found = _parse_certificates(cert.data)
    if isinstance(found, str):
        yield file_check("error", cert.path, found)
        own = None
    else:
        own = found[0]
        severity, time = _validity(own, now)
        yield file_check(severity, cert.path, f"the certificate of {_name(own.subject)} by {_name(own.issuer)}, {time}")
        trusted = _parse_certificates(ca.data) if ca is not None else ""
        if not isinstance(trusted, str) and (reason := _untrusted_reason(found, trusted)):
            yield file_check("warning", cert.path, reason)
    if key is not None:
        yield _check_key(key, own, cert)


def describe_certificate(der: bytes) -> str:
    """Return a DER certificate's subject, issuer and expiry in words."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return f"{_name(certificate.subject)} by {_name(certificate.issuer)}, until {format_time(_expiry(certificate))}"
    except ValueError:
        return "an unreadable certificate"


def _check_key(key: File, own: x509.Certificate | None, cert: File) -> Check:
    try:
        public = load_pem_private_key(key.data, None).public_key()
    except TypeError:
        return file_check(
            "error",
            key.path,
            "the key is encrypted, and there is no prompt for its passphrase: store it without one, "
            "with 'openssl pkey -in FILE -out NEWFILE'",
        )
    except (ValueError, UnsupportedAlgorithm):
        # Without the cause, which may show some of it.
        return file_check("error", key.path, "holds no usable key in PEM")
    if own is None:
        return file_check("ok", key.path, "a key")
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        belongs = public.public_bytes(*form) == own.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return file_check("warning", key.path, "unknown kind of key: cannot tell whether it belongs to the certificate")
    if belongs:
        return file_check("ok", key.path, "the key of that certificate")
    return file_check(
        "error",
        key.path,
        f"not the key of the certificate {safe(str(cert.path))}: use the two that were created together",
    )


def _parse_certificates(data: bytes) -> Sequence[x509.Certificate] | str:
    """Return the certificates in a file, at least one, or a description of the problem."""
    if b"-----BEGIN CERTIFICATE-----" not in data:
        return "holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
    try:
        found = x509.load_pem_x509_certificates(data)
        for each in found:  # fields are parsed on access
            _ = _name(each.subject), _name(each.issuer), _validity(each, 0)
    except ValueError:
        return "holds a damaged certificate: fetch it again"
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
    """Return the reason why a certificate is not trusted, or an empty string if a trusted authority signed it."""
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
            f"it was signed by another authority of the same name, {_name(own.issuer)}: the authority was recreated, "
            "and brokers with its new certificate refuse this one; enroll again"
        )
    return (
        f"it was signed by {_name(own.issuer)}, which is not among the trusted authorities, {', '.join(names)}: "
        "a broker that trusts only these may refuse it"
    )


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _name(name: x509.Name) -> str:
    return safe(name.rfc4514_string(), 200) or "an empty name"
