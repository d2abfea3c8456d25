"""Hooks that run before the process ends: at interpreter exit, and on a signal that would kill it.

A signal that the program handles itself is left alone, because its handler leads to the end of a block or to
interpreter exit. `os._exit`, SIGKILL and crashes run no hooks.
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

# The signals that are sent to end a process, and kill it by default.
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)


class ExitHook(Protocol):
    """An object to end before the process does."""

    def end(self) -> Future[None]:
        """Begin ending it; the future is done when it has ended, and never fails."""
        ...


CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a process waits for its hooks, and a service for its own end."""

_hooks: list[ExitHook] = []


def register(hook: ExitHook) -> None:
    """End the hook before the process ends."""
    _hooks.append(hook)
    # Every time: only the main thread can set handlers, and the first call may have come from another thread.
    _install_handlers()


def unregister(hook: ExitHook) -> None:
    """Remove a hook; after the last one, restore the signal handlers, which only the main thread can do.

    A second call, in the main thread, restores them if the first came from another thread.
    """
    with suppress(ValueError):
        _hooks.remove(hook)
    if not _hooks:
        _restore_handlers()


def _install_handlers() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    caught = _caught_signals()
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL and not caught & 1 << number - 1:
            with suppress(ValueError):  # in a subinterpreter
                signal.signal(number, _handle)


def _caught_signals() -> int:
    """Return a mask of the signals that do not kill this process, including handlers unknown to Python; 0 if unknown.

    Such handlers are installed by faulthandler and by C libraries.
    """
    if os.getpid() == 1:
        return -1  # the kernel discards signals that process 1 does not handle
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16)
    return 0


def _restore_handlers() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # without hooks, the handler does what the default action does
    ours = [number for number in _SIGNALS if signal.getsignal(number) is _handle]
    with _blocked(ours):
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _blocked(numbers: Collection[int]) -> Generator[None]:
    """Block signals within the block: Python loses a signal that it has received but whose handler is then removed."""
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
    # The parent process must see the signal as the cause of death.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _end_all() -> None:
    wait([hook.end() for hook in list(_hooks)], CLOSE_TIMEOUT)


def _reset_after_fork() -> None:
    """Forget the parent's hooks: a forked child must not announce the end of the parent's services."""
    _hooks.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
