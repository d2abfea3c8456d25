"""Blocking functions called from an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    P = ParamSpec("P")

__all__ = ["run_in_thread"]

T = TypeVar("T")


async def run_in_thread(function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    """Call a blocking function in a daemon thread of its own, and return its result.

    asyncio's default executor, which `asyncio.to_thread` and `loop.getaddrinfo` use, refuses work once the main thread
    has ended, as in atexit handlers; and `asyncio.run` and process exit wait for it, even if a DNS query hangs.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        # A future marked as running cannot be cancelled, so setting its result cannot fail.
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(context.run(function, *arguments, **named))
        except BaseException as error:  # noqa: BLE001 - passed on to the caller
            future.set_exception(error)

    thread = threading.Thread(target=run, name="choria-lifecycle-lookup", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The process has too many threads, or starts none at interpreter exit, as in Python 3.12.
        run()
        return future.result()
    try:
        return await asyncio.wrap_future(future)
    finally:
        if future.done():
            thread.join()  # it has nothing left to do, and is gone when the caller goes on
