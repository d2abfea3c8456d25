"""The reconnect policy: which server to try next, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from choria_lifecycle.support.backoff import Backoff
from choria_lifecycle.support.jitter import jitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Server

__all__ = ["ReconnectHandler"]

MIN_DELAY = 0.5
MAX_DELAY = 20.0


class ReconnectHandler:
    """A reconnect policy that tries every server of the pool, then backs off with jitter; it never gives up.

    Each pass over the pool begins with a pause, random between half a second and a ceiling that doubles from one second
    to twenty, so that a fleet does not reconnect in lockstep. These are the bounds of Choria's own client (go-choria,
    backoff/backoff.go).

    nats-py calls it, as `reconnect_to_server_handler`, before every attempt.

    Args:
        uniform: returns a random number of seconds between two bounds.
    """

    def __init__(self, uniform: Callable[[float, float], float] = jitter.uniform) -> None:
        self._uniform = uniform
        self._ceilings = Backoff(1.0, MAX_DELAY)
        self._tried: set[str] = set()

    def reset(self) -> None:
        """Start over after a successful connection."""
        self._ceilings.reset()
        self._tried.clear()

    def __call__(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server | None, float]:  # noqa: ARG002
        """Return the next server, and the seconds to wait before trying it."""
        fresh = [server for server in servers if server.uri.netloc not in self._tried]
        if not fresh:
            self._tried.clear()
            fresh = servers
        delay = 0.0
        if not self._tried:
            delay = self._uniform(MIN_DELAY, self._ceilings.next())
        self._tried.add(fresh[0].uri.netloc)
        return fresh[0], delay
