"""TLS contexts built from settings."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from choria_lifecycle.config.contents import read_regular, unreadable_file
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["check_common_name", "read_file", "tls_context"]

# Go's TLS 1.2 suites by their OpenSSL names. Those of TLS 1.3 cannot be chosen, in Go either.
_SUITES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}


def tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """Return a context that verifies the server as configured and presents the client certificate. At least TLS 1.2.

    Raises:
        ConfigError: a file cannot be read or used; this includes encrypted keys, as nothing prompts for a passphrase.
    """

    def no_passphrase() -> str:
        raise ConfigError(f"the key {settings.key} is encrypted; use a key without a passphrase")

    for name in ("ca", "cert", "key"):
        path = getattr(settings, name)
        if path is not None:
            read_file(path, settings.origins.get(name, ""))
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except ssl.SSLError as error:
        raise ConfigError(f"{settings.ca} does not hold a usable certificate: {error.reason or error}") from error
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    # Python 3.13 requires extensions that Puppet's authorities lack; Go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Like Go, trust an intermediate authority in the file without its root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = settings.verify is Verify.COMMON_NAME
    if settings.verify is Verify.NOTHING:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.ciphers:
        _choose_ciphers(context, settings.ciphers)
    if settings.cert is not None:
        try:
            context.load_cert_chain(settings.cert, settings.key, no_passphrase)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{settings.cert} and {settings.key} are not a usable client certificate: {error.reason or error}"
            ) from error
    return context


def check_common_name(certificate: Mapping[str, object], host: str) -> None:
    """Check a certificate, accepted by its common name, against Choria's rule: no list of names, no wildcard.

    Args:
        certificate: the certificate, as from `SSLObject.getpeercert`.
        host: the host name that was connected to.

    Raises:
        ssl.SSLCertVerificationError: the certificate is not valid for the host.
    """
    names = certificate.get("subjectAltName", ())
    if any(kind in {"DNS", "IP Address"} for kind, _ in names):  # type: ignore[attr-defined]
        return
    subject = certificate.get("subject", ())
    common = [value for part in subject for key, value in part if key == "commonName"]  # type: ignore[attr-defined]
    if names or [each.lower() for each in common[-1:]] != [host.lower()]:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_code = 62
        error.verify_message = f"Hostname mismatch, certificate is not valid for {host!r}"
        raise error


def _choose_ciphers(context: ssl.SSLContext, names: tuple[str, ...]) -> None:
    known = [_SUITES[name] for name in names if name in _SUITES]
    unknown = [safe(name, 100) for name in names if name not in _SUITES]
    if unknown:
        logger.warning("ignoring unknown cipher suites, as Choria does: %s", ", ".join(unknown))
    if known:
        try:
            context.set_ciphers(":".join(known))
        except ssl.SSLError as error:
            raise ConfigError(f"OpenSSL supports none of the configured cipher suites: {', '.join(known)}") from error


def read_file(path: Path, origin: str = "") -> bytes:
    """Return the contents of a file that the settings name.

    Raises:
        ConfigError: the file cannot be read; the message gives the origin of its name, if known.
    """
    try:
        return read_regular(path)
    except OSError as error:
        raise unreadable_file(path, origin, error) from error
