"""What went wrong with a connection, in words for people."""

from __future__ import annotations

import socket
import ssl

from nats import errors

from choria_lifecycle.text import safe

__all__ = ["cause", "is_refusal"]


def is_refusal(error: Exception) -> bool:
    """Whether a server refused the credentials."""
    if isinstance(error, errors.AuthorizationError):
        return True
    text = str(error).lower()
    return isinstance(error, errors.Error) and ("authorization" in text or "authentication" in text)


def cause(error: Exception) -> str:
    """Say in a few words why a connection failed or was lost."""
    if is_refusal(error):
        return "the server refused the credentials"
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror():
            return f"host name not found ({error.strerror})"
        case UnicodeError():
            return "host name cannot be looked up"
        case ssl.SSLCertVerificationError():
            return f"certificate not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error})"
        case errors.SecureConnWantedError():
            return "the server does not offer TLS, which was asked for; no credentials were sent"
        case errors.UnexpectedEOF():
            return "the server closed the connection"
        case errors.StaleConnectionError():
            return "the server no longer answers"
        case TimeoutError():
            return "no answer"
        case OSError():
            return error.strerror or safe(str(error), 200)
        case _:
            return safe(str(error).removeprefix("nats: "), 200) or type(error).__name__
