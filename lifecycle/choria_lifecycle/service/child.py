"""A program in a process of its own, which gets what is sent to this one, and which this one ends as.

For Linux and macOS. Signals are held back and read one by one, so that none is lost between the start of the program
and the first look; the program has the signal mask and dispositions that this process was started with. Only of SIGPIPE
and SIGXFSZ, which Python ignores, nobody can tell: the program has them at their default.
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

# What a process does to itself, and what nobody can hold back.
_SYNCHRONOUS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
_UNBLOCKABLE: Final = {signal.SIGKILL, signal.SIGSTOP}
# Those that do nothing by default: where nobody handles them, a system may drop them even while they are held back.
_IGNORED_BY_DEFAULT: Final = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_TERMINATING: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
# What the terminal sends on keys, to the process group in its foreground.
_TERMINAL_SIGNALS: Final = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH}
# For how many seconds a signal may still be one of those that have ended the program: some are sent twice.
_DUPLICATE_WINDOW: Final = 0.5

# <linux/wait.h>: of the children, only those of this thread, and orphans, which the first thread is given. What other
# threads start, as a look-up starts facter, they wait for themselves.
_WNOTHREAD: Final = 0x20000000
# <linux/prctl.h>
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


class Child:
    """A program that runs. It is made in the main thread, before there are others, and waited for there.

    The program is in the process group of this one, so that the terminal, a shell, and whoever signals a group find it,
    and all that it starts, where they would without this one. It thus has what the terminal sends; the rest is handed
    on, and is there twice where it was sent to the group. On Linux SIGKILL of this process kills the program too, which
    whoever sent it meant: started again, it would run twice. It gets the environment that this process was started
    with, and every open file, of which this process keeps standard error alone.

    Args:
        command: the program, looked for in PATH, and its arguments.

    Raises:
        OSError: it cannot be started; nothing runs then, and signals go where they went before.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._main = threading.get_ident()
        # Those that are ignored, as under nohup, are ignored by both.
        kept = {each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN}
        self._blocked = signal.valid_signals() - _SYNCHRONOUS - _UNBLOCKABLE - kept | {signal.SIGCHLD}
        mask = {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, self._blocked)}
        before = {
            int(each): signal.signal(each, _never_called) for each in _IGNORED_BY_DEFAULT if each in self._blocked
        }
        try:
            self._pid = self._spawn(command, mask, {each for each, was in before.items() if was is signal.SIG_IGN})
        except BaseException:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        _close_inherited()

    def wait(self) -> int:
        """Return its exit code once it has ended, or minus the signal that has killed it; hand signals on until then.

        As process 1, or as another that is given orphans, it also takes note of their end.
        """
        while True:
            number, forwarded = self._next_signal()
            if number != signal.SIGCHLD:
                if not forwarded:
                    with suppress(OSError):  # it is another user's by now
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
        """Once it has ended: wait for something, unless a signal asks for haste, and return whether it has come.

        One that comes within half a second is taken for one of those that have ended the program.

        Args:
            done: whether it has come; `wake` makes this look.
            timeout: how long to wait at most.
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
        """Have `wait_until` look; from any thread."""
        signal.pthread_kill(self._main, signal.SIGCHLD)

    def _spawn(self, command: Sequence[str], mask: set[int], ignored: set[int]) -> int:
        parent, prctl, environment = os.getpid(), _prctl(), _original_environment()
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os.kill(os.getpid(), signal.SIGKILL)  # it was killed before that
                _restore_dispositions(ignored)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.execvpe(command[0], list(command), environment)  # noqa: S606 - no shell, on purpose
            except OSError as error:
                os.write(writer, str(error.errno).encode())
            except ValueError:  # it has no name
                os.write(writer, str(errno.ENOENT).encode())
            finally:
                os._exit(127)
        os.close(writer)
        number = os.read(reader, 16)  # nothing once the program runs
        os.close(reader)
        if number:
            os.waitpid(pid, 0)
            raise OSError(int(number), os.strerror(int(number)), command[0])
        return pid

    def _next_signal(self) -> tuple[int, bool]:
        """The next signal, and whether the program has it too, as the terminal sends it to all of a process group."""
        if not hasattr(signal, "sigwaitinfo"):
            number = signal.sigwait(self._blocked)
            return number, number in _TERMINAL_SIGNALS and _foreground_group() == os.getpgrp()
        received = signal.sigwaitinfo(self._blocked)
        # That it has hung up, the kernel tells the head of a session alone.
        alone = received.si_signo in {signal.SIGHUP, signal.SIGCONT} and os.getsid(0) == os.getpid()
        return received.si_signo, received.si_code > 0 and not alone

    def _reap(self) -> Iterator[tuple[int, int]]:
        """The children that have ended or stopped, with how."""
        options = os.WNOHANG | os.WUNTRACED
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, options | _WNOTHREAD) if _LINUX else os.waitpid(self._pid, options)
                if not pid:
                    return
                yield pid, status

    def _stop_too(self, number: int) -> None:
        """It has stopped: so does this process where the terminal may be why, for that is what a shell knows of."""
        if number == signal.SIGSTOP or _foreground_group() is None or signal.SIGCONT in signal.sigpending():
            return  # whoever has stopped it has it go on
        # This stops nobody whom no shell could have go on; and once, as it may be the terminal's that is waiting.
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP} & self._blocked)


def propagate_exit(code: int) -> int:
    """End this process by the signal that has killed a program; return the exit code that stands for it elsewhere.

    Process 1 cannot be killed by a signal of its own.

    Args:
        code: as `Child.wait` returns it.

    Returns:
        The code, or 128 and the number of the signal.
    """
    if code >= 0:
        return code
    # A core is the program's to leave, not this one's as well; where it goes to a pipe, the limit does not count.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _prctl()(_PR_SET_DUMPABLE, 0)
    with suppress(OSError, ValueError):  # SIGKILL
        signal.signal(-code, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    os.kill(os.getpid(), -code)
    return 128 - code


def _restore_dispositions(ignored: set[int]) -> None:
    """Have each signal do what it did when this process was started, as far as that is known."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) or number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)


def _close_inherited() -> None:
    """Leave to the program what it has inherited: the end of a pipe comes when nobody has it open any more."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        for descriptor in [int(each.name) for each in Path("/dev/fd").iterdir()]:
            # What Python has opened is not inheritable.
            with suppress(OSError):
                if descriptor > 2 and os.get_inheritable(descriptor):
                    os.close(descriptor)


def _foreground_group() -> int | None:
    """The process group in the foreground of the terminal; none where there is no terminal, or it has hung up."""
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
    """The environment that this process was started with: in the C locale Python adds LC_CTYPE to it (PEP 538)."""
    try:
        lines = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return os.environb
    return {name: value for name, found, value in (each.partition(b"=") for each in lines) if name and found}


def _never_called(number: int, frame: object) -> None:
    """Never called: the signals are held back."""
