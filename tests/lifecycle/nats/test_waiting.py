from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from nats import errors

from choria_lifecycle.errors import LifecycleError, NotAuthorised
from choria_lifecycle.nats.waiting import ConnectionLostError, wait_confirmed, wait_flushed

if TYPE_CHECKING:
    from choria_lifecycle.nats.client import Client


class Futures:
    """The futures that a caller waits for, and the client that flushes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.confirmation: asyncio.Future[None] = loop.create_future()
        self.refused: asyncio.Future[LifecycleError] = loop.create_future()
        self.lost: asyncio.Future[Exception] = loop.create_future()

    def flushed(self) -> asyncio.Future[None]:
        return self.confirmation

    async def confirmed(self, seconds: float = 5) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        await wait_confirmed(self.confirmation, self.refused, self.lost, deadline)

    async def handed_over(self) -> None:
        client: Client = self  # type: ignore[assignment]
        deadline = asyncio.get_running_loop().time() + 5
        await wait_flushed(client, self.refused, self.lost, deadline)


@pytest.fixture(params=["before", "during"])
def fulfil(request: pytest.FixtureRequest) -> Any:
    """Return a function that sets a result before, or while, the test waits."""

    def set_result(future: asyncio.Future[Any], result: object) -> None:
        if request.param == "before":
            future.set_result(result)
        else:
            asyncio.get_running_loop().call_soon(future.set_result, result)

    return set_result


async def test_a_confirmation_ends_the_wait(fulfil: Any) -> None:
    futures = Futures()
    fulfil(futures.confirmation, None)
    await futures.confirmed()


async def test_a_confirmation_that_came_by_the_deadline_counts() -> None:
    futures = Futures()
    futures.confirmation.set_result(None)
    await futures.confirmed(-1)


async def test_a_refusal_is_raised_although_a_confirmation_follows(fulfil: Any) -> None:
    futures, refusal = Futures(), NotAuthorised("no")
    fulfil(futures.refused, refusal)
    fulfil(futures.confirmation, None)
    with pytest.raises(NotAuthorised) as raised:
        await futures.confirmed()
    assert raised.value is refusal


async def test_a_lost_connection_is_raised_with_its_cause(fulfil: Any) -> None:
    futures = Futures()
    fulfil(futures.lost, errors.StaleConnectionError())
    with pytest.raises(ConnectionLostError, match=r"^the server no longer responds$"):
        await futures.confirmed()


async def test_a_timeout_does_not_cancel_the_confirmation() -> None:
    futures = Futures()
    with pytest.raises(TimeoutError):
        await futures.confirmed(0)
    waiting = asyncio.create_task(futures.confirmed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not futures.confirmation.cancelled()
    futures.confirmation.set_result(None)
    await futures.confirmed()


async def test_flushing_to_the_next_connection_does_not_count(fulfil: Any) -> None:
    futures = Futures()
    fulfil(futures.confirmation, None)
    await futures.handed_over()
    futures.lost.set_result(ConnectionResetError())
    with pytest.raises(ConnectionLostError, match=r"^the server closed the connection$"):
        await futures.handed_over()
