"""Sources of a middleware to publish with: the caller's own, or a connection that is made on demand."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Protocol

from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.support.backoff import Backoff
from choria_lifecycle.support.jitter import jitter

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from choria_lifecycle.middleware.middleware import Middleware

__all__ = ["Borrowed", "Owned", "PublisherSource"]

# Between two attempts to connect.
_MIN_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 30.0


class PublisherSource(Protocol):
    """A source of the middleware that a service publishes with."""

    @property
    def closed(self) -> bool:
        """True once publishing here cannot succeed any more."""
        ...

    async def middleware(self) -> Middleware:
        """Return a middleware that has been connected; it may be reconnecting.

        Raises:
            LifecycleError: connecting failed; the message names the servers tried and the reasons.
        """
        ...


class Borrowed:
    """The caller's own middleware, which the caller closes.

    Args:
        middleware: the middleware.
    """

    def __init__(self, middleware: Middleware) -> None:
        self._middleware = middleware

    @property
    def closed(self) -> bool:
        return self._middleware.closed

    async def middleware(self) -> Middleware:
        return self._middleware


class Owned:
    """A connection made when it is first needed.

    The first attempt to connect starts at once; after a failure, the next one waits 1 to 30 seconds, longer each time.
    An established connection reconnects automatically.

    Args:
        connect: makes a connection, as `choria_lifecycle.connect` does.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Middleware]]) -> None:
        self._connect = connect
        self._stack = AsyncExitStack()
        self._attempt: asyncio.Task[Middleware] | None = None
        self._backoff = Backoff(_MIN_PAUSE, _MAX_PAUSE)
        self._pause = 0.0

    @property
    def closed(self) -> bool:
        # Connecting is retried forever.
        return False

    async def middleware(self) -> Middleware:
        # Concurrent callers share one attempt; cancelling one of them must not cancel the attempt.
        attempt = self._attempt
        if attempt is None or (attempt.done() and (attempt.cancelled() or attempt.exception())):
            attempt = self._attempt = asyncio.create_task(self._connect_paced())
        await asyncio.wait({attempt})
        return attempt.result()

    async def _connect_paced(self) -> Middleware:
        if self._pause:
            await asyncio.sleep(jitter.uniform(self._pause / 2, self._pause))
        try:
            middleware = await self._stack.enter_async_context(self._connect())
        except LifecycleError:
            self._pause = self._backoff.next()
            raise
        self._pause = 0.0
        self._backoff.reset()
        return middleware

    async def close(self) -> None:
        """Close the connection, or cancel the attempt to make one. Does nothing the second time."""
        if self._attempt is not None and not self._attempt.done():
            self._attempt.cancel()
            await asyncio.wait({self._attempt})
        await self._stack.aclose()
