"""Where services speak: in a thread, whatever the program does with its own or its event loop, or in that loop.

The thread is there while a service runs in it; one connection serves all services that connect alike.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from choria_lifecycle.service.publisher import Owned

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable
    from contextlib import AbstractAsyncContextManager
    from typing import ParamSpec

    from choria_lifecycle.middleware.middleware import Middleware

    P = ParamSpec("P")

__all__ = ["CallerLoop", "LoopThread", "acquire", "in_event_loop"]

T = TypeVar("T")

# For a connection.
_CLOSE_TIMEOUT: Final = 0.5


class LoopThread:
    """An event loop in a thread of its own, and the connections made in it; `acquire` returns a process's only one."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._ended: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_DaemonExecutor())
        self._stop = asyncio.Event()
        self._connections: dict[Hashable, _SharedConnection] = {}
        self._users = 0
        self._thread = threading.Thread(target=self._run, name="choria-lifecycle", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise
        except BaseException:  # of a signal's handler; the thread may run already
            self._loop.call_soon_threadsafe(self._stop.set)
            raise

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, what: Callable[P, object], /, *arguments: P.args, **named: P.kwargs) -> None:
        """Have a function called there, without waiting."""
        self._loop.call_soon_threadsafe(lambda: what(*arguments, **named))

    def connection(self, key: Hashable, connect: Callable[[], AbstractAsyncContextManager[Middleware]]) -> Owned:
        """Return the connection of a key; to be called there, and followed by `disconnect`."""
        shared = self._connections.setdefault(key, _SharedConnection(Owned(connect)))
        shared.users += 1
        return shared.connection

    async def disconnect(self, key: Hashable) -> None:
        """Close the connection of a key if nobody else has it; to be called there.

        What was said has been confirmed, or given up: a server that answers no more is not waited for.
        """
        shared = self._connections[key]
        shared.users -= 1
        if not shared.users:
            del self._connections[key]
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await shared.connection.close()

    @property
    def dead(self) -> bool:
        """Whether this is a child that was forked, where the thread is not."""
        return self._pid != os.getpid()

    @property
    def on_loop_thread(self) -> bool:
        """Whether this is its thread, in which nothing must wait for it."""
        return threading.current_thread() is self._thread

    def release(self, done: Callable[[], object]) -> None:
        """Note that a service has ended; with the last one the thread ends.

        Args:
            done: called, there, once nothing is left of it that nobody else needs.
        """
        global _current  # noqa: PLW0603 - one per process
        with _lock:
            self._users -= 1
            last = not self._users
            if last:
                _current = None
        if last:
            self._ended.add_done_callback(lambda _: done())
            self._loop.call_soon_threadsafe(self._stop.set)
        else:
            done()

    def join(self, timeout: float) -> None:
        """Return once the thread is gone, if it has ended, so that who looks for threads left behind finds none.

        Args:
            timeout: seconds to wait at most.
        """
        if self._ended.done() and not self.on_loop_thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        # In 3.12.0 to 3.12.2 no thread can be started at the interpreter's exit, as Runner does to end an executor.
        with suppress(RuntimeError):
            self._run_loop()

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._stop.wait())
        finally:
            self._ended.set_result(None)

    @classmethod
    def acquire(cls) -> LoopThread:
        """See the function of this name."""
        global _current  # noqa: PLW0603 - one per process
        with _lock:
            if _current is None:
                _current = cls()
            _current._users += 1
            return _current


def acquire() -> LoopThread:
    """Return the engine of this process, which is started for the first; give it back when done.

    Raises:
        OSError: there are too many open files.
        RuntimeError: there are too many threads.
    """
    return LoopThread.acquire()


class CallerLoop:
    """The event loop that runs here, which is the program's own, in an engine's place."""

    dead = on_loop_thread = False

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the caller's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, what: Callable[P, object], /, *arguments: P.args, **named: P.kwargs) -> None:
        """Call a function in the caller's loop."""
        self._loop.call_soon_threadsafe(lambda: what(*arguments, **named))

    def release(self, done: Callable[[], object]) -> None:
        """Call `done` at once: the loop belongs to the caller."""
        done()

    def join(self, timeout: float) -> None:
        """Return at once: the loop belongs to the caller."""


class _SharedConnection:
    """A connection that services share."""

    def __init__(self, connection: Owned) -> None:
        self.connection = connection
        self.users = 0


def in_event_loop() -> bool:
    """Whether this is called within an event loop of asyncio, which must not wait in place."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _DaemonExecutor(ThreadPoolExecutor):
    """A thread for each call, which nobody waits for: a resolver that hangs must not keep the process from ending."""

    def submit(self, what: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            # From here on it cannot be cancelled: whoever gave up waiting leaves a result that nobody reads.
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(what(*arguments, **named))
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)

        threading.Thread(target=run, name="choria-lifecycle-lookup", daemon=True).start()
        return future


_current: LoopThread | None = None
# A signal handler may come here while the thread that it interrupts is here too.
_lock = threading.RLock()
# A child has the parent's sockets as well; closed there, or collected, they would disturb the parent's event loop.
_inherited: Final[list[LoopThread]] = []


def _reset_after_fork() -> None:
    global _current, _lock
    if _current is not None:
        _inherited.append(_current)
    _current, _lock = None, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
