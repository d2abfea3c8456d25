"""The event loop that services publish in: a background thread's, shared by the whole process, or the caller's own."""

from __future__ import annotations

import asyncio
import os
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from choria_lifecycle.service.publisher import Owned

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable
    from contextlib import AbstractAsyncContextManager
    from typing import ParamSpec

    from choria_lifecycle.middleware.middleware import Middleware

    P = ParamSpec("P")

__all__ = ["CallerLoop", "LoopThread", "ServiceLoop", "in_event_loop"]

T = TypeVar("T")

# For closing one connection.
_CLOSE_TIMEOUT: Final = 0.5


class ServiceLoop(ABC):
    """An event loop that services publish in. Its methods may be called from any thread unless documented otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @property
    def dead(self) -> bool:
        """True in a forked child, where the thread that ran the loop does not exist."""
        return False

    @property
    def on_loop_thread(self) -> bool:
        """True if the current thread runs the loop and so must not wait for it."""
        return False

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the loop, and return a future for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[P, object], /, *arguments: P.args, **named: P.kwargs) -> None:
        """Call a function in the loop, without waiting for it."""
        self._loop.call_soon_threadsafe(lambda: function(*arguments, **named))

    @abstractmethod
    def release(self, done: Callable[[], object]) -> None:
        """Release the loop after a service has ended; call this in the loop.

        Args:
            done: called in the loop's thread once everything that only this service used is closed.
        """

    @abstractmethod
    def join(self, timeout: float) -> None:
        """Wait for the loop's thread to exit if its last service has ended, so that no thread is left behind.

        Args:
            timeout: the maximum wait, in seconds.
        """


class LoopThread(ServiceLoop):
    """An event loop in a daemon thread, and the connections made in it; `acquire` returns the process's only one."""

    def __init__(self) -> None:
        super().__init__(asyncio.new_event_loop())
        self._pid = os.getpid()
        self._ended: Future[None] = Future()
        self._stop = asyncio.Event()
        self._connections: dict[Hashable, _SharedConnection] = {}
        self._users = 0
        self._thread = threading.Thread(target=self._run, name="choria-lifecycle", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise
        except BaseException:  # raised by a signal handler; the thread may be running already
            self._loop.call_soon_threadsafe(self._stop.set)
            raise

    @classmethod
    def acquire(cls) -> LoopThread:
        """Return the loop thread of this process, started if there is none; `release` it when done.

        Raises:
            OSError: the process has too many open files.
            RuntimeError: no more threads can be started.
        """
        global _current  # noqa: PLW0603 - one per process
        with _lock:
            if _current is None:
                _current = cls()
            _current._users += 1
            return _current

    def connection(self, key: Hashable, connect: Callable[[], AbstractAsyncContextManager[Middleware]]) -> Owned:
        """Return the connection shared under a key; call this in the loop, and `disconnect` when done."""
        shared = self._connections.setdefault(key, _SharedConnection(Owned(connect)))
        shared.users += 1
        return shared.connection

    async def disconnect(self, key: Hashable) -> None:
        """Close the connection of a key if this was its last user; call this in the loop.

        All events are confirmed or discarded by now, so a server that no longer responds delays this by 0.5 s at most.
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
        return self._pid != os.getpid()

    @property
    def on_loop_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def release(self, done: Callable[[], object]) -> None:
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
        if self._ended.done() and not self.on_loop_thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._stop.wait())
        finally:
            self._ended.set_result(None)


class CallerLoop(ServiceLoop):
    """The caller's own running event loop, which the service neither stops nor waits for."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())

    def release(self, done: Callable[[], object]) -> None:
        done()

    def join(self, timeout: float) -> None:
        pass


class _SharedConnection:
    def __init__(self, connection: Owned) -> None:
        self.connection = connection
        self.users = 0


def in_event_loop() -> bool:
    """Return True if an asyncio event loop runs in this thread, which a blocking wait would stop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_current: LoopThread | None = None
# Reentrant, because a signal handler may run while the thread that it interrupts holds the lock.
_lock = threading.RLock()
# A forked child shares the parent's sockets; closing or collecting them there would disturb the parent's event loop.
_inherited: Final[list[LoopThread]] = []


def _reset_after_fork() -> None:
    global _current, _lock
    if _current is not None:
        _inherited.append(_current)
    _current, _lock = None, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
