"""A connection that is made when it is needed, and tried again where it cannot be made."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.errors import ConnectionFailed
from choria_lifecycle.service import publisher as module
from choria_lifecycle.service.publisher import Borrowed, Owned
from choria_lifecycle.testing import MemoryMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from choria_lifecycle.middleware.middleware import Middleware


class Network:
    """Connections are made when it lets them.

    Attributes:
        down: whether they fail.
        attempts: how many were begun.
        open: how many there are.
        go: until it is set, they take their time.
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
    """Between which bounds the pauses were chosen; they are left out."""
    found: list[tuple[float, float]] = []

    class Random:
        def uniform(self, low: float, high: float) -> float:
            found.append((low, high))
            return 0.0

    monkeypatch.setattr(module, "jitter", Random())
    return found


async def test_one_connection_for_all_who_ask() -> None:
    network = Network()
    network.go.clear()
    line = Owned(network.connect)
    asking = [asyncio.create_task(line.middleware()) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()  # which must not end it for the others
    await asyncio.wait({asking[0]})
    network.go.set()
    first, *others = await asyncio.gather(*asking[1:])
    assert all(other is first for other in others)
    assert await line.middleware() is first
    assert (network.attempts, network.open) == (1, 1)
    await line.close()
    await line.close()
    assert network.open == 0


async def test_pauses_grow_to_half_a_minute(pauses: list[tuple[float, float]]) -> None:
    network = Network(down=True)
    line = Owned(network.connect)
    for attempt in range(1, 10):
        with pytest.raises(ConnectionFailed, match=f"attempt {attempt} failed"):
            await line.middleware()
    assert pauses == [(0.5, 1), (1, 2), (2, 4), (4, 8), (8, 16), (15, 30), (15, 30), (15, 30)]
    network.down = False
    await line.middleware()
    assert network.open == 1
    await line.close()


@pytest.mark.usefixtures("pauses")
async def test_a_failure_is_told_to_all_who_wait() -> None:
    network = Network(down=True)
    network.go.clear()
    line = Owned(network.connect)
    asking = [asyncio.create_task(line.middleware()) for _ in range(5)]
    await asyncio.sleep(0)
    network.go.set()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error) for error in told] == ["attempt 1 failed"] * 5
    await line.close()


async def test_closing_gives_up_an_attempt() -> None:
    network = Network()
    network.go.clear()
    line = Owned(network.connect)
    asking = asyncio.create_task(line.middleware())
    await asyncio.sleep(0)
    await asyncio.wait_for(line.close(), 5)
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


async def test_what_was_never_asked_for_closes(pauses: Any) -> None:
    network = Network()
    await Owned(network.connect).close()
    assert network.attempts == 0
