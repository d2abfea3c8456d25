"""An event loop in its own thread, for tests of both kinds; it leaves no tasks in their loop."""

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
    """The loop that `background` runs, and a way to wait for events in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._started: list[asyncio.Task[None]] = []

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the loop and return its result; TimeoutError after 10 seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    def start(self, coroutine: Coroutine[object, object, None]) -> None:
        """Start a coroutine as a task that runs until it ends, or until the loop does."""

        async def start() -> None:
            self._started.append(asyncio.create_task(coroutine))
            await asyncio.sleep(0)  # the task has started

        self.run(start())

    def notify(self) -> None:
        """Wake the threads that wait in `wait_until`."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, happened: Callable[[], object], seconds: float = _SECONDS) -> None:
        """Block until a condition holds.

        Args:
            happened: the condition, evaluated after each change.
            seconds: the timeout.

        Raises:
            TimeoutError: the condition did not hold in time.
        """
        with self._changed:
            if not self._changed.wait_for(happened, seconds):
                raise TimeoutError("what the test waits for did not happen")


@contextmanager
def background() -> Iterator[Background]:
    """Run a loop in a thread; on exit, cancel all its tasks and wait for them."""
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
    """Serve each connection in its own task until cancelled, then close the socket.

    Before Python 3.12, asyncio's own servers cannot cope with a connection task that is cancelled.
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
    for _ in range(3):  # closed transports call back, and so do those beneath TLS
        await asyncio.sleep(0)
