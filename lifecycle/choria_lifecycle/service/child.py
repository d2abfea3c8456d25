"""A child process that receives this process's signals, and whose exit status this process takes over.

For Linux and macOS. Signals are blocked before the child starts and then read one by one, so that none is lost. The
child gets the signal mask and dispositions that this process was started with, except that SIGPIPE and SIGXFSZ have
their default action: Python ignores both itself, so their earlier disposition is unknown.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Child", "propagate_exit"]

_LINUX: Final = sys.platform == "linux"

# Raised by faults of the process itself, so they are never forwarded.
_SYNCHRONOUS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
_UNBLOCKABLE: Final = {signal.SIGKILL, signal.SIGSTOP}
# Without a handler, the kernel may discard these even while they are blocked.
_IGNORED_BY_DEFAULT: Final = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_TERMINATING: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
# Sent by the terminal to its foreground process group.
_TERMINAL_SIGNALS: Final = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH}
# Seconds after the program's end in which a signal counts as a duplicate of the one that ended it.
_DUPLICATE_WINDOW: Final = 0.5

# <linux/wait.h>: wait only for this thread's children and for orphans, which the main thread adopts. Other threads wait
# for their own children, such as facter during an identity lookup.
_WNOTHREAD: Final = 0x20000000
# <linux/prctl.h>
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


class Child:
    """A running program. Create it in the main thread before starting other threads, and wait for it there.

    The program shares this process's group, so that the terminal, the shell, and signals to the group reach it and its
    children as usual. Signals from the terminal therefore reach it directly. All others are forwarded, so the program
    receives those sent to the group twice. On Linux, SIGKILL of this process kills the program too: otherwise a
    supervisor's restart would run it twice. It gets the environment that this process was started with and all open
    files; this process keeps only standard error open.

    Args:
        command: the program, searched for in PATH, and its arguments.

    Raises:
        OSError: the program cannot be started; signals then behave as before.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._main = threading.get_ident()
        # Signals that are ignored, as under nohup, stay ignored for both processes.
        kept = {each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN}
        self._blocked = signal.valid_signals() - _SYNCHRONOUS - _UNBLOCKABLE - kept | {signal.SIGCHLD}
        mask = {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, self._blocked)}
        ignorable = [each for each in _IGNORED_BY_DEFAULT if each in self._blocked]
        before = {int(each): signal.signal(each, _never_called) for each in ignorable}
        try:
            self._pid = self._spawn(command, mask, {each for each, was in before.items() if was is signal.SIG_IGN})
        except BaseException:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        _close_inherited()

    def wait(self) -> int:
        """Forward signals until the program ends, and return its exit code, or minus the signal that killed it.

        As process 1, or as another subreaper, this also reaps orphans.
        """
        while True:
            number, delivered = self._next_signal()
            if number != signal.SIGCHLD:
                if not delivered:
                    with suppress(OSError):  # the program has changed its user
                        os.kill(self._pid, number)
                continue
            code: int | None = None
            for pid, status in self._reap():
                if pid == self._pid and os.WIFSTOPPED(status):
                    self._stop_too(os.WSTOPSIG(status))
                elif pid == self._pid:
                    code = os.waitstatus_to_exitcode(status)
            if code is not None:
                return code

    def wait_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait for a condition after the program's end, and return whether it became true.

        A terminating signal ends the wait, except in the first half second, when it counts as a duplicate of the signal
        that ended the program.

        Args:
            done: returns the condition; checked again after each `wake`.
            timeout: the maximum wait, in seconds.
        """
        expired, begun = threading.Event(), time.monotonic()

        def expire() -> None:
            expired.set()
            self.wake()

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        while not (done() or expired.is_set()):
            number, _ = self._next_signal()
            if number == signal.SIGCHLD:
                list(self._reap())
            elif number in _TERMINATING and time.monotonic() - begun > _DUPLICATE_WINDOW:
                break
        timer.cancel()
        return done()

    def wake(self) -> None:
        """Make `wait_until` check its condition again; may be called from any thread."""
        signal.pthread_kill(self._main, signal.SIGCHLD)

    def _spawn(self, command: Sequence[str], mask: set[int], ignored: set[int]) -> int:
        parent, prctl, environment = os.getpid(), _prctl(), _original_environment()
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os.kill(os.getpid(), signal.SIGKILL)  # the parent died before prctl
                _restore_dispositions(ignored)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.execvpe(command[0], list(command), environment)  # noqa: S606 - no shell, on purpose
            except OSError as error:
                os.write(writer, str(error.errno).encode())
            except ValueError:  # the name is empty
                os.write(writer, str(errno.ENOENT).encode())
            finally:
                os._exit(127)
        os.close(writer)
        number = os.read(reader, 16)  # empty once exec succeeded, as it closes the pipe
        os.close(reader)
        if number:
            os.waitpid(pid, 0)
            raise OSError(int(number), os.strerror(int(number)), command[0])
        return pid

    def _next_signal(self) -> tuple[int, bool]:
        """Return the next signal, and whether the program received it too, as a signal from the terminal."""
        if not hasattr(signal, "sigwaitinfo"):
            number = signal.sigwait(self._blocked)
            return number, number in _TERMINAL_SIGNALS and _foreground_group() == os.getpgrp()
        received = signal.sigwaitinfo(self._blocked)
        # On a hangup, the kernel signals only the session leader.
        alone = received.si_signo in {signal.SIGHUP, signal.SIGCONT} and os.getsid(0) == os.getpid()
        return received.si_signo, received.si_code > 0 and not alone

    def _reap(self) -> Iterator[tuple[int, int]]:
        """Yield the process id and status of each child that has ended or stopped."""
        options = os.WNOHANG | os.WUNTRACED
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, options | _WNOTHREAD) if _LINUX else os.waitpid(self._pid, options)
                if not pid:
                    return
                yield pid, status

    def _stop_too(self, number: int) -> None:
        """Stop this process as well if the terminal may have stopped the program: the shell watches this process."""
        if number == signal.SIGSTOP or _foreground_group() is None or signal.SIGCONT in signal.sigpending():
            return  # the process that stopped it continues it
        # The kernel discards SIGTSTP if no shell could continue this process, and merges it with one that the terminal
        # has sent, so this stops only once.
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP} & self._blocked)


def propagate_exit(code: int) -> int:
    """Kill this process with the signal that killed the program, or return the exit code to end with.

    Process 1 cannot kill itself with a signal; its exit code is 128 plus the number of the signal.

    Args:
        code: the result of `Child.wait`.
    """
    if code >= 0:
        return code
    # Only the program dumps core, not this process; the limit has no effect if cores are piped to a program.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _prctl()(_PR_SET_DUMPABLE, 0)
    with suppress(OSError, ValueError):  # SIGKILL
        signal.signal(-code, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    os.kill(os.getpid(), -code)
    return 128 - code


def _restore_dispositions(ignored: set[int]) -> None:
    """Restore the signal dispositions that this process was started with, as far as they are known."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) or number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)


def _close_inherited() -> None:
    """Close all inherited files except standard error, so that pipes end when the program closes them."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        for descriptor in [int(each.name) for each in Path("/dev/fd").iterdir()]:
            # Files that Python has opened itself are not inheritable.
            with suppress(OSError):
                if descriptor > 2 and os.get_inheritable(descriptor):
                    os.close(descriptor)


def _foreground_group() -> int | None:
    """Return the terminal's foreground process group; None without a terminal or after a hangup."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal)
        finally:
            os.close(terminal)
    return None


def _prctl() -> Callable[[int, int], object]:
    if _LINUX:
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            call: Callable[[int, int], object] = ctypes.CDLL(None).prctl
            return call
    return lambda _option, _value: None


def _original_environment() -> Mapping[bytes, bytes]:
    """Return the environment that this process was started with; in the C locale, Python adds LC_CTYPE (PEP 538)."""
    try:
        lines = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return os.environb
    return {name: value for name, found, value in (each.partition(b"=") for each in lines) if name and found}


def _never_called(number: int, frame: object) -> None:
    """Do nothing; the signals are blocked, so this never runs."""
