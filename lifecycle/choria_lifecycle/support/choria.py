"""Choria's names and times, which several packages follow; importing them loads nothing else."""

from __future__ import annotations

from typing import Final

__all__ = ["ALIVE_INTERVAL", "ELECTION_BUCKET", "EVENT_STREAM", "SERVICE_INTERVAL"]

ALIVE_INTERVAL: Final = 30 * 60.0
"""Seconds between a server's alive events, since Choria 0.29."""

SERVICE_INTERVAL: Final = ALIVE_INTERVAL
"""Default seconds between a service's alive events: those of a server."""

EVENT_STREAM: Final = "CHORIA_EVENTS"
"""The stream in which Choria's brokers store lifecycle events."""

ELECTION_BUCKET: Final = "CHORIA_LEADER_ELECTION"
"""The bucket of Choria's leader elections."""
