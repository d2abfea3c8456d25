"""Process-wide state that tests must not depend on: reset once at the start; signals are compared after each test."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SignalState", "reset_environment", "reset_signals"]

# Where and as whom to connect; how programs print; how Python and pytest run. PATH, HOME, proxies and the like stay.
_DROPPED: Final = re.compile(
    r"NATS_(?!SERVER_BIN$).*|(MCOLLECTIVE|CHORIA|INSECURE)_.*|NOTIFY_SOCKET"
    r"|NO_COLOR|(.*_)?FORCE_COLOR|PY_COLORS|CLICOLOR.*|COLUMNS|LINES|LANGUAGE|LC_.*"
    r"|PYTHON(ASYNCIODEBUG|DEVMODE|INSPECT|IOENCODING|OPTIMIZE|UNBUFFERED|UTF8|VERBOSE|WARNINGS)|PYTEST_ADDOPTS"
)
_SET: Final = {"LANG": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}
_LOOPBACK: Final = "localhost,127.0.0.1,::1"

# Python itself ignores these; subprocess restores the default for children.
_IGNORED_BY_PYTHON: Final = {signal.SIGPIPE, signal.SIGXFSZ}
# Used by pytest-timeout, which resets it as soon as a test has failed.
_TIMEOUT: Final = signal.SIGALRM


def reset_signals() -> None:
    """Restore the default action of signals inherited as ignored or blocked, in this process and its children.

    `nohup` ignores SIGHUP, and a shell ignores SIGINT and SIGQUIT in background jobs. As a result, a hangup ends the
    tests even under `nohup`; use `setsid` to keep them running.
    """
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reset_environment() -> None:
    """Remove or set the environment variables that affect tests, and set the umask; children inherit both."""
    for name in list(filter(_DROPPED.fullmatch, os.environ)):
        del os.environ[name]
    os.environ.update(_SET)
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = f"{_LOOPBACK},{os.environ.get(name, '')}"
    time.tzset()
    os.umask(0o022)


@dataclass(frozen=True, slots=True)
class SignalState:
    """The signal handlers, the blocked signals and the wakeup descriptor; main thread only."""

    handlers: dict[int, Any]
    blocked: frozenset[int]
    wakeup: int

    @classmethod
    def current(cls) -> Self:
        """Record the current state."""
        wakeup = signal.set_wakeup_fd(-1)
        with suppress(OSError, ValueError):  # already closed
            signal.set_wakeup_fd(wakeup)
        handlers = {int(number): signal.getsignal(number) for number in signal.valid_signals() - {_TIMEOUT}}
        return cls(handlers, frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ())), wakeup)

    def restore(self) -> list[str]:
        """Restore the state; return a phrase for each difference found, such as "a handler for SIGTERM: ..."."""
        now = SignalState.current()
        signal.set_wakeup_fd(self.wakeup)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        for number, handler in self.handlers.items():
            if handler != now.handlers[number]:
                signal.signal(number, handler)
        return list(self._differences(now))

    def _differences(self, now: SignalState) -> Iterator[str]:
        for number, handler in now.handlers.items():
            if handler != self.handlers[number]:
                yield f"a handler for {_name(number)}: {handler!r}"
        for number in now.blocked - self.blocked:
            yield f"{_name(number)} blocked"
        for number in self.blocked - now.blocked:
            yield f"{_name(number)} unblocked"
        if now.wakeup != self.wakeup:
            yield f"a wakeup descriptor: {now.wakeup}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
