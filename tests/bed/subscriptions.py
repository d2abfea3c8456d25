"""Helpers for tests that publish events and read subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import choria_lifecycle as lifecycle

if TYPE_CHECKING:
    from choria_lifecycle.middleware.subscription import Subscription

__all__ = ["LIMIT", "is_balanced", "startup", "take"]

LIMIT = 100
"""How many messages a subscription queues in the tests of the middleware."""


def startup(component: str = "server", version: str = "1.0.0") -> lifecycle.Event:
    return lifecycle.startup(identity="n1.example.net", component=component, version=version)


async def take(subscription: Subscription[Any], count: int) -> list[Any]:
    """Return the next items of a subscription."""
    return [await anext(subscription) for _ in range(count)]


def is_balanced(subscription: Subscription[Any]) -> bool:
    """Return True if the counters account for every message that arrived."""
    counters = subscription.counters
    seen = counters.delivered + counters.rejected + counters.filtered + counters.dropped
    return counters.received == seen + subscription.queued
