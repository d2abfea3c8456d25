"""Waiting for confirmations, for as long as a connection lasts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from choria_lifecycle.nats.diagnosis import diagnose

if TYPE_CHECKING:
    from typing import Any

    from choria_lifecycle.errors import LifecycleError
    from choria_lifecycle.nats.client import Client

__all__ = ["ConnectionLostError", "wait_confirmed", "wait_flushed"]

T = TypeVar("T")


class ConnectionLostError(Exception):
    """The connection was lost, so a confirmation can no longer come."""


async def wait_confirmed(
    confirmation: asyncio.Future[T],
    refused: asyncio.Future[LifecycleError] | None,
    lost: asyncio.Future[Exception],
    deadline: float,
) -> None:
    """Wait for `confirmation` without ever cancelling it: a cancelled future would break nats-py's read loop.

    Raises:
        LifecycleError: the server refused, which it reports before it confirms.
        ConnectionLostError: the connection was lost.
        TimeoutError: nothing happened by the deadline.
    """
    futures: set[asyncio.Future[Any]] = {confirmation, lost}
    if refused is not None:
        futures.add(refused)
    remaining = max(0.0, deadline - asyncio.get_running_loop().time())
    done, _ = await asyncio.wait(futures, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
    if refused is not None and refused.done():
        raise refused.result()
    if confirmation.done():
        return
    if lost.done():
        raise ConnectionLostError(diagnose(lost.result()))
    if not done:
        raise TimeoutError


async def wait_flushed(
    client: Client, refused: asyncio.Future[LifecycleError] | None, lost: asyncio.Future[Exception], deadline: float
) -> None:
    """Wait until everything queued was handed to the socket of this connection. Raises like `wait_confirmed`."""
    await wait_confirmed(client.flushed(), refused, lost, deadline)
    if lost.done():  # the queue may have been handed to the next connection
        raise ConnectionLostError(diagnose(lost.result()))
