"""NATS behind the transport protocol. The only package that imports nats-py."""

from __future__ import annotations

from choria_lifecycle.nats.transport import NatsTransport

__all__ = ["NatsTransport"]
