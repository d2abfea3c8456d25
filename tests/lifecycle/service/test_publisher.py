"""Owned connections are made on demand, shared by concurrent callers, and retried; borrowed ones are not touched."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.errors import ConnectionFailed
from choria_lifecycle.service import publisher as module
from choria_lifecycle.service.publisher import Borrowed, Owned
from choria_lifecycle.testing import MemoryMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from choria_lifecycle.middleware.middleware import Middleware


class Network:
    """A network that can be down, and that can delay connections.

    Attributes:
        down: whether connecting fails.
        attempts: the number of attempts to connect.
        open: the number of open connections.
        go: attempts wait until this is set.
    """

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.attempts = self.open = 0
        self.go = asyncio.Event()
        self.go.set()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Middleware]:
        self.attempts += 1
        await self.go.wait()
        if self.down:
            raise ConnectionFailed(f"attempt {self.attempts} failed")
        self.open += 1
        try:
            async with MemoryMiddleware() as middleware:
                yield middleware
        finally:
            self.open -= 1


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The bounds from which pauses were chosen; every pause is 0 seconds."""
    found: list[tuple[float, float]] = []

    class Random:
        def uniform(self, low: float, high: float) -> float:
            found.append((low, high))
            return 0.0

    monkeypatch.setattr(module, "jitter", Random())
    return found


async def test_concurrent_callers_share_one_connection() -> None:
    network = Network()
    network.go.clear()
    connection = Owned(network.connect)
    asking = [asyncio.create_task(connection.middleware()) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()  # must not cancel it for the others
    await asyncio.wait({asking[0]})
    network.go.set()
    first, *others = await asyncio.gather(*asking[1:])
    assert all(other is first for other in others)
    assert await connection.middleware() is first
    assert (network.attempts, network.open) == (1, 1)
    await connection.close()
    await connection.close()
    assert network.open == 0


async def test_pauses_between_attempts_grow_to_30_seconds(pauses: list[tuple[float, float]]) -> None:
    network = Network(down=True)
    connection = Owned(network.connect)
    for attempt in range(1, 10):
        with pytest.raises(ConnectionFailed, match=f"attempt {attempt} failed"):
            await connection.middleware()
    assert pauses == [(0.5, 1), (1, 2), (2, 4), (4, 8), (8, 16), (15, 30), (15, 30), (15, 30)]
    network.down = False
    await connection.middleware()
    assert network.open == 1
    await connection.close()


@pytest.mark.usefixtures("pauses")
async def test_concurrent_callers_get_the_same_error() -> None:
    network = Network(down=True)
    network.go.clear()
    connection = Owned(network.connect)
    asking = [asyncio.create_task(connection.middleware()) for _ in range(5)]
    await asyncio.sleep(0)
    network.go.set()
    errors = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error) for error in errors] == ["attempt 1 failed"] * 5
    await connection.close()


async def test_closing_cancels_an_attempt() -> None:
    network = Network()
    network.go.clear()
    connection = Owned(network.connect)
    asking = asyncio.create_task(connection.middleware())
    await asyncio.sleep(0)
    await asyncio.wait_for(connection.close(), 5)
    await asyncio.wait({asking})
    assert asking.cancelled()
    assert network.open == 0


async def test_a_borrowed_middleware_is_the_callers_own() -> None:
    middleware = MemoryMiddleware()
    borrowed = Borrowed(middleware)
    assert await borrowed.middleware() is middleware
    assert not borrowed.closed
    await middleware.close()
    assert borrowed.closed


async def test_an_unused_connection_closes_without_an_attempt() -> None:
    network = Network()
    await Owned(network.connect).close()
    assert network.attempts == 0
