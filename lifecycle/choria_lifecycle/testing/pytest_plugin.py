"""Pytest fixtures, registered automatically, for tests of services without a network.

They need no other plugin, and work with pytest-asyncio, anyio and pytest-xdist. If choria-lifecycle is installed, every
start of pytest imports this module, so the fixtures import what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from choria_lifecycle.testing import Announcements, MemoryMiddleware

__all__ = ["lifecycle_announcements", "lifecycle_middleware"]


@pytest.fixture
def lifecycle_announcements() -> Generator[Announcements]:
    """The events that services announce: services started while a test uses this publish to memory.

    So does `publish_once`; `connect` raises RuntimeError. See `choria_lifecycle.testing.announcing`.
    """
    from choria_lifecycle.testing import announcing

    with announcing() as announcements:
        yield announcements


@pytest.fixture
def lifecycle_middleware(lifecycle_announcements: Announcements) -> MemoryMiddleware:
    """An in-memory middleware, for code that takes one; records to `lifecycle_announcements`, like the services."""
    from choria_lifecycle.testing import MemoryMiddleware

    return MemoryMiddleware(lifecycle_announcements)
