"""What went wrong with a connection, in words for people, and what they can do about it."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from nats import errors

from choria_lifecycle.config.settings import Verify
from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["CertificateRefusedError", "diagnose", "hint", "is_authentication_error"]

# OpenSSL's numbers, X509_V_ERR_*, of what is found when a certificate is verified.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_NAME_MISMATCH: Final = (62, 64)


class CertificateRefusedError(errors.Error):
    """A server that wants to see a client certificate has ended the connection.

    Args:
        presented: whether one was shown.
        error: how the end was noticed. In TLS 1.3 the server's reason often comes too late to be read.
    """

    def __init__(self, *, presented: bool, error: Exception) -> None:
        self.presented = presented
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        said = f" ({reason.lower().replace('_', ' ')})" if reason else ""
        super().__init__(
            f"the server does not accept the client certificate{said}"
            if presented
            else "the server asks for a client certificate"
        )


def is_authentication_error(error: Exception) -> bool:
    """Whether a server refused the credentials."""
    if isinstance(error, errors.AuthorizationError):
        return True
    text = str(error).lower()
    return isinstance(error, errors.Error) and ("authorization" in text or "authentication" in text)


def diagnose(error: Exception) -> str:
    """Say in a few words why a connection failed or was lost."""
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
            return "host name cannot be looked up"
        case ssl.SSLCertVerificationError():
            return f"certificate not trusted ({error.verify_message.rstrip('.')})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error})"
        case errors.SecureConnWantedError():
            return "the server does not offer TLS, which was asked for; no credentials were sent"
        case errors.UnexpectedEOF() | ConnectionResetError() | BrokenPipeError():
            return "the server closed the connection"
        case errors.StaleConnectionError():
            return "the server no longer answers"
        case errors.NoServersError():
            return "no server is known"
        case TimeoutError():
            return "no answer"
        case OSError():
            return error.strerror or safe(str(error), 200)
        case _:
            return safe(str(error).removeprefix("nats: "), 200) or type(error).__name__


def hint(error: Exception, settings: ConnectionSettings) -> str:
    """Say in a sentence what to do about it; empty if there is nothing more to say than the cause."""
    if is_authentication_error(error):
        return _credentials_hint(settings)
    match error:
        case ConnectionRefusedError():
            return "Is the server running, and the port right?"
        case socket.gaierror() | UnicodeError():
            return "Is the name right, and does this machine's DNS work?"
        case ssl.SSLCertVerificationError() if not settings.tls:
            drop = ", or drop --no-tls" if settings.origins.get("tls") == "argument tls" else ""
            return f"The server insists on TLS, which was not asked for: write tls:// with NATS_CA{drop}."
        case ssl.SSLCertVerificationError(verify_code=code) if code == _EXPIRED:
            return "The server's certificate, or its authority's, has to be renewed."
        case ssl.SSLCertVerificationError(verify_code=code) if code == _NOT_YET_VALID:
            return "Is the clock of this machine right?"
        case ssl.SSLCertVerificationError(verify_code=code) if code in _NAME_MISMATCH:
            legacy = ", or set plugin.security.support_legacy_certificates if it lists none"
            return f"Connect by a name that the server's certificate lists{legacy if _may_be_legacy(settings) else ''}."
        case ssl.SSLCertVerificationError():
            if settings.ca:
                return (
                    f"Trust the authority that signed it, in {settings.ca}{_origin(settings, 'ca')}, or with --tlsca."
                )
            return "Trust the authority that signed it, with NATS_CA or --tlsca; trusted are those of the system."
        case ssl.SSLError(reason=reason) if reason and "PROTOCOL" in reason:
            return "The server may speak no TLS newer than 1.1; 1.2 is the least."
        case CertificateRefusedError(presented=True):
            shown = f"{settings.cert}{_origin(settings, 'cert')}"
            return f"Has {shown} expired, or does the server trust another authority?"
        case CertificateRefusedError() if settings.jwt is not None:
            return "Give one with plugin.security.choria.certificate and plugin.security.choria.key."
        case CertificateRefusedError():
            return "Give one with NATS_CERT and NATS_KEY, or --tlscert and --tlskey."
        case errors.SecureConnWantedError() if "tls" in settings.origins:
            return "Choria's connections are encrypted; --no-tls does without."
        case errors.SecureConnWantedError():
            asked = next((name for name in ("ca", "cert") if getattr(settings, name)), "")
            what = settings.origins.get(asked) or "a tls:// URL, or tls=True,"
            return f"What asked for it is {what}: leave that out, or have the server encrypt."
        case TimeoutError():
            return "Does a firewall drop what is sent there?"
        case _:
            return ""


def _may_be_legacy(settings: ConnectionSettings) -> bool:
    """Whether Choria's configuration is in force and demands that a certificate lists its names."""
    return settings.verify is Verify.FULL and "verify" in settings.origins


def _credentials_hint(settings: ConnectionSettings) -> str:
    if settings.jwt is not None:
        token, seed = settings.jwt, settings.seed
        return f"Is {token} from an issuer that the broker trusts, {seed} its seed, and the clock right?"
    if settings.user is not None:
        return f"Are user and password right{_origin(settings, 'user')}?"
    if settings.creds is not None or settings.nkey is not None:
        return f"Does the server know the user of {settings.creds or settings.nkey}?"
    if settings.token is not None:
        return "Is the token right?"
    if settings.cert is not None:
        return f"It does not let the holder of {settings.cert}{_origin(settings, 'cert')} in; it may ask for a token."
    return "It asks for some: NATS_CREDS, NATS_NKEY, or NATS_USER and NATS_PASSWORD."


def _origin(settings: ConnectionSettings, name: str) -> str:
    origin = settings.origins.get(name, "")
    return f" ({safe(origin)})" if origin else ""
