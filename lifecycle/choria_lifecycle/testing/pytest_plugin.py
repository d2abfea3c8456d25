"""Fixtures for pytest, which finds them by itself: what services announce, without a network.

They need no other plugin, and go with pytest-asyncio, anyio and pytest-xdist. As every start of pytest imports this
module where choria-lifecycle is installed, it imports nothing before a test asks for it.
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
    """What services announce: while a test has this, each that is started announces itself to memory."""
    from choria_lifecycle.testing import announcing

    with announcing() as announcements:
        yield announcements


@pytest.fixture
def lifecycle_middleware(lifecycle_announcements: Announcements) -> MemoryMiddleware:
    """A middleware in memory, for code that is given one; its `announcements` are those of services as well."""
    from choria_lifecycle.testing import MemoryMiddleware

    return MemoryMiddleware(lifecycle_announcements)
