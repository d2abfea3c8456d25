"""An event loop in a thread of its own: what runs there serves tests of both kinds and leaves no task in theirs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["Background", "accept", "background"]

T = TypeVar("T")

_SECONDS = 10.0


class Background:
    """What runs in the thread of `background`, and how others wait for something to happen there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._started: list[asyncio.Task[None]] = []

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run it there and return what it returns; TimeoutError after 10 seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    def start(self, coroutine: Coroutine[object, object, None]) -> None:
        """Let it run there until it ends, or this does."""

        async def start() -> None:
            self._started.append(asyncio.create_task(coroutine))
            await asyncio.sleep(0)  # it has begun

        self.run(start())

    def changed(self) -> None:
        """Say that something happened that somebody may wait for."""
        with self._changed:
            self._changed.notify_all()

    def until(self, happened: Callable[[], object], seconds: float = _SECONDS) -> None:
        """Block until it has happened.

        Args:
            happened: is asked after each change.
            seconds: how long to wait at most.

        Raises:
            TimeoutError: it has not.
        """
        with self._changed:
            if not self._changed.wait_for(happened, seconds):
                raise TimeoutError("what the test waits for did not happen")


@contextmanager
def background() -> Iterator[Background]:
    """Run a loop in a thread; on leaving, all its tasks are cancelled and waited for."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test bed")
    thread.start()
    try:
        yield (here := Background(loop))
    finally:
        here.run(_end_all())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def accept(listening: socket.socket, serve: Callable[[socket.socket], Coroutine[object, object, None]]) -> None:
    """Serve each connection in a task of its own, until this is cancelled; the socket is closed then.

    asyncio's own servers do not stand it that such a task is cancelled, before Python 3.12.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    listening.setblocking(False)
    with listening:
        listening.listen(100)
        while True:
            connection, _ = await loop.sock_accept(listening)
            task = asyncio.create_task(serve(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(3):  # transports that were closed call back, and so do those beneath TLS
        await asyncio.sleep(0)
