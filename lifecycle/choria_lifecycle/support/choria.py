"""Names and times that Choria's servers and brokers share with this library."""

from __future__ import annotations

from typing import Final

__all__ = ["ALIVE_INTERVAL", "ELECTION_BUCKET", "EVENT_STREAM"]

ALIVE_INTERVAL: Final = 30 * 60.0
"""Seconds between a server's alive events, since Choria 0.29; also the default of services."""

EVENT_STREAM: Final = "CHORIA_EVENTS"
"""The stream in which Choria's brokers store lifecycle events."""

ELECTION_BUCKET: Final = "CHORIA_LEADER_ELECTION"
"""The bucket of Choria's leader elections."""
