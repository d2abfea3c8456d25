"""How a process ends, and what has to be said before: at the interpreter's exit, and at a signal that would kill it.

Where the program has a handler of its own for a signal, that is left alone: it leads to the end of a block, or to the
interpreter's exit. `os._exit` and SIGKILL leave no time for anything.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from concurrent.futures import Future
    from types import FrameType

__all__ = ["CLOSE_TIMEOUT", "ExitHook", "register", "unregister"]

# Those that kill a process by default, and are sent to end one.
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)


class ExitHook(Protocol):
    """What has something to say before the process ends."""

    def end(self) -> Future[None]:
        """Begin to say it; the result is there once it has been said, and raises nothing."""
        ...


CLOSE_TIMEOUT: Final = 5.0
"""How long the end of a process waits for all that is to be said, and a service for its own."""

_hooks: list[ExitHook] = []


def register(hook: ExitHook) -> None:
    """Have it end with the process."""
    _hooks.append(hook)
    # Each time: the first may have come in a thread that cannot.
    _install_handlers()


def unregister(hook: ExitHook) -> None:
    """It has ended. The second time this restores what only the main thread can, if it is called there now."""
    with suppress(ValueError):
        _hooks.remove(hook)
    if not _hooks:
        _restore_handlers()


def _install_handlers() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # Python lets nobody else
    caught = _caught_signals()
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL and not caught & 1 << number - 1:
            with suppress(ValueError):  # in a sub-interpreter
                signal.signal(number, _handle)


def _caught_signals() -> int:
    """The signals that do not kill this process, whatever Python knows of them, as a mask; 0 where nobody tells."""
    if os.getpid() == 1:
        return -1  # what process 1 has no handler for is dropped
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16)  # faulthandler's are there, and libraries'
    return 0


def _restore_handlers() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # with nothing to say, the handler does what would happen without it
    ours = [number for number in _SIGNALS if signal.getsignal(number) is _handle]
    with _blocked(ours):
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _blocked(numbers: Collection[int]) -> Generator[None]:
    """Let no such signal in: one that Python has noted, and whose handler is then taken away, would be lost."""
    if not numbers or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
    _end_all()
    # Whoever waits for this process is to see what has killed it.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _end_all() -> None:
    wait([ending.end() for ending in list(_hooks)], CLOSE_TIMEOUT)


def _reset_after_fork() -> None:
    """A child that was forked has nothing to say: what its parent announced is its parent's."""
    _hooks.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
