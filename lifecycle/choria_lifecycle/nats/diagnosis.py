"""Descriptions of connection errors, and hints on what to do about them."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from nats import errors

from choria_lifecycle.config.settings import Verify
from choria_lifecycle.config.table import CREDENTIAL_VARIABLES, CREDENTIALS, SETTINGS, variables
from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.config.settings import ConnectionSettings
    from choria_lifecycle.config.table import SettingSpec

__all__ = ["CertificateRefusedError", "diagnose", "hint", "is_authentication_error"]

# Verification errors of OpenSSL, X509_V_ERR_*.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_NAME_MISMATCH: Final = (62, 64)


class CertificateRefusedError(errors.Error):
    """A server that demands a client certificate has closed the connection.

    Args:
        presented: whether a certificate was presented.
        error: the error on this side. In TLS 1.3 the server's reason often arrives too late to be read.
    """

    def __init__(self, *, presented: bool, error: Exception) -> None:
        self.presented = presented
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        detail = f" ({reason.lower().replace('_', ' ')})" if reason else ""
        super().__init__(
            f"the server does not accept the client certificate{detail}"
            if presented
            else "the server requires a client certificate"
        )


def is_authentication_error(error: Exception) -> bool:
    """Return True if a server refused the credentials."""
    if isinstance(error, errors.AuthorizationError):
        return True
    text = str(error).lower()
    return isinstance(error, errors.Error) and ("authorization" in text or "authentication" in text)


def diagnose(error: Exception) -> str:
    """Describe in a few words why a connection failed or was lost."""
    if is_authentication_error(error):
        return "the server refused the credentials"
    match error:
        case LifecycleError():
            return str(error)
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror():
            return f"host name not found ({error.strerror})"
        case UnicodeError():
            return "invalid host name"
        case ssl.SSLCertVerificationError():
            return f"certificate not trusted ({error.verify_message.rstrip('.')})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error})"
        case errors.SecureConnWantedError():
            return "the server does not offer TLS, which is required; no credentials were sent"
        case errors.UnexpectedEOF() | ConnectionResetError() | BrokenPipeError():
            return "the server closed the connection"
        case errors.StaleConnectionError():
            return "the server no longer responds"
        case errors.NoServersError():
            return "no server is known"
        case TimeoutError():
            return "no answer"
        case OSError():
            return error.strerror or safe(str(error), 200)
        case _:
            return safe(str(error).removeprefix("nats: "), 200) or type(error).__name__


def hint(error: Exception, settings: ConnectionSettings) -> str:
    """Return a sentence on what to do about an error; may be empty."""
    if is_authentication_error(error):
        return _credentials_hint(settings)
    match error:
        case ConnectionRefusedError():
            return "Is the server running, and the port right?"
        case socket.gaierror() | UnicodeError():
            return "Is the name right, and does this machine's DNS work?"
        case ssl.SSLCertVerificationError() if not settings.tls:
            remove = ", or remove tls=False" if settings.origins.get("tls") == "argument tls" else ""
            return f"The server requires TLS: use a tls:// URL with {variables('ca')}{remove}."
        case ssl.SSLCertVerificationError(verify_code=code) if code == _EXPIRED:
            return "The server's certificate, or its authority's, must be renewed."
        case ssl.SSLCertVerificationError(verify_code=code) if code == _NOT_YET_VALID:
            return "Is the clock of this machine right?"
        case ssl.SSLCertVerificationError(verify_code=code) if code in _NAME_MISMATCH:
            legacy = ", or set plugin.security.support_legacy_certificates if it lists none"
            return f"Connect by a name that the server's certificate lists{legacy if _may_be_legacy(settings) else ''}."
        case ssl.SSLCertVerificationError():
            if settings.ca:
                return f"Trust the authority that signed it, in {settings.ca}{_origin(settings, 'ca')}, or with ca=."
            named = f"{variables('ca')} or ca="
            return f"Trust the authority that signed it, with {named}; by default the system's are trusted."
        case ssl.SSLError(reason=reason) if reason and "PROTOCOL" in reason:
            return "At least TLS 1.2 is required, which the server may not support."
        case CertificateRefusedError(presented=True):
            return (
                f"Has {settings.cert}{_origin(settings, 'cert')} expired, or does the server trust another authority?"
            )
        case CertificateRefusedError() if settings.jwt is not None:
            return "Set one with plugin.security.choria.certificate and plugin.security.choria.key."
        case CertificateRefusedError():
            return f"Set one with {variables('cert', 'key')}, or cert= and key=."
        case errors.SecureConnWantedError() if "tls" in settings.origins:
            return "Choria's configuration requires TLS; tls=False turns it off."
        case errors.SecureConnWantedError():
            option = next((name for name in ("ca", "cert") if getattr(settings, name)), "")
            origin = settings.origins.get(option) or "a tls:// URL or tls=True"
            return f"TLS is required by {origin}: remove that, or enable TLS on the server."
        case TimeoutError():
            return "Does a firewall drop what is sent there?"
        case _:
            return ""


def _may_be_legacy(settings: ConnectionSettings) -> bool:
    """Return True if Choria's configuration is used and requires the certificate to list its names."""
    return settings.verify is Verify.FULL and "verify" in settings.origins


def _credentials_hint(settings: ConnectionSettings) -> str:
    paths = {name: getattr(settings, name) for name, spec in SETTINGS.items() if spec.kind == "file"}

    def questions(*specs: SettingSpec) -> str:
        asked = [spec for spec in specs if spec.refused and getattr(settings, spec.name) is not None]
        return " ".join(spec.refused.format(origin=_origin(settings, spec.name), **paths) for spec in asked)

    none = f"It requires credentials: set {CREDENTIAL_VARIABLES}."
    return questions(*CREDENTIALS) or questions(SETTINGS["cert"]) or none


def _origin(settings: ConnectionSettings, name: str) -> str:
    origin = settings.origins.get(name, "")
    return f" ({safe(origin)})" if origin else ""
