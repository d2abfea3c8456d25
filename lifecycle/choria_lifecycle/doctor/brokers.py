"""Check DNS and the brokers, without publishing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from choria_lifecycle.config.tokens import has_cryptography
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.doctor.files import LIFECYCLE_EVENTS
from choria_lifecycle.doctor.rules import CONNECTION
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, MissingExtra
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.config.settings import ConnectionSettings
    from choria_lifecycle.nats.client import Peer

__all__ = ["check_broker", "check_dns", "preparation_error"]


def preparation_error(settings: ConnectionSettings) -> LifecycleError | None:
    """Return the error that would fail every connection before a byte is sent, or None."""
    from choria_lifecycle.nats.credentials import credentials
    from choria_lifecycle.nats.tls import tls_context

    try:
        credentials(settings)
        if settings.tls:
            tls_context(settings)
    except LifecycleError as error:
        return error
    return None


async def check_dns(settings: ConnectionSettings, timeout: float) -> tuple[list[Check], tuple[str, ...]]:
    """Query DNS for brokers; return the findings and the URLs of the brokers to try.

    Args:
        settings: the connection's settings.
        timeout: seconds for each name.
    """
    from choria_lifecycle.config.discovery import Brokers

    found: list[Check] = []
    for name in settings.srv:
        try:
            discovery = Brokers((name,))
        except MissingExtra as error:
            return [Check("error", "dns", f"SRV {safe(name, 200)}", str(error), MissingExtra)], ()
        urls = await discovery.find(asyncio.get_running_loop().time(), timeout)
        if urls:
            found.append(Check("ok", "dns", f"SRV {safe(name, 200)}", f"names {safe(', '.join(urls))}"))
            return found, tuple(urls)
        found.append(
            Check("note", "dns", f"SRV {safe(name, 200)}", discovery.failure.removeprefix(f"{safe(name, 200)}: "))
        )
    if settings.srv:
        message = "DNS names no broker; set plugin.choria.middleware_hosts, or the domain's SRV records"
        if settings.servers:
            tried = safe(", ".join(settings.servers))
            found.append(Check("warning", "dns", CONNECTION, f"{message}; {tried} is tried instead, as in Choria"))
        else:
            found.append(Check("error", "dns", CONNECTION, message, ConnectionFailed))
    return found, settings.servers


class _NullSink:
    """A sink that discards everything."""

    def message(self, subject: str, data: bytes) -> None: ...

    def gap(self, begin: float) -> None: ...

    def failed(self, error: LifecycleError) -> None: ...

    def closed(self) -> None: ...


async def check_broker(settings: ConnectionSettings, timeout: float) -> list[Check]:
    """Connect to a broker and subscribe to events; return the findings.

    Args:
        settings: the connection's settings, with this broker only.
        timeout: seconds for the connection, and again for the subscription.
    """
    from choria_lifecycle.nats import NatsTransport

    url = safe(settings.servers[0])
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        transport = await NatsTransport.open(settings, timeout)
    except LifecycleError as error:
        return [Check("error", "broker", url, str(error).removeprefix(f"cannot connect to {url}: "), type(error))]
    try:
        found = [
            Check(
                "ok",
                "broker",
                url,
                f"connected in {1000 * (clock() - began):.0f} ms to {_describe_peer(transport.peer)}",
            )
        ]
        try:
            subscription = await transport.subscribe(LIFECYCLE_EVENTS, "", _NullSink(), timeout)
            await subscription.unsubscribe()
        except LifecycleError as error:
            found.append(Check("error", "broker", url, f"{error}: events cannot be viewed", type(error)))
        else:
            found.append(Check("ok", "broker", url, f"allows this user to view {LIFECYCLE_EVENTS}"))
    finally:
        await transport.close()
    return found


def _describe_peer(peer: Peer) -> str:
    parts = [f"{peer.name or 'a server without a name'}, NATS {peer.version or 'of an unknown version'}"]
    parts.append(peer.tls or "not encrypted")
    if peer.certificate and has_cryptography():
        from choria_lifecycle.doctor.certificates import describe_certificate

        parts.append(f"with the certificate of {describe_certificate(peer.certificate)}")
    return ", ".join(parts)
