"""A program in a process of its own, which gets what is sent to this one, and which this one ends as.

For Linux and macOS. Signals are held back and read one by one, so that none is lost between the start of the program
and the first look; the program has the signal mask and dispositions that this process was started with. Only of SIGPIPE
and SIGXFSZ, which Python ignores, nobody can tell: the program has them at their default.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from choria_lifecycle.service.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Child", "end_as"]

_LINUX: Final = sys.platform == "linux"

# What a process does to itself, and what nobody can hold back.
_OWN: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
_NEVER_HELD: Final = {signal.SIGKILL, signal.SIGSTOP}
# Those that do nothing by default: where nobody handles them, a system may drop them even while they are held back.
_DROPPED: Final = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)
_PYTHONS: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_ENDING: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}

# <linux/wait.h>: of the children, only those of this thread, and orphans, which the first thread is given. What other
# threads start, as a look-up starts facter, they wait for themselves.
_WNOTHREAD: Final = 0x20000000
# <linux/prctl.h>
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


class Child:
    """A program that runs. It is made in the main thread, before there are others, and waited for there.

    The program is in a process group of its own, so that what comes from the terminal or is sent to a group reaches it
    once; where this process is in the terminal's foreground, and reads and writes there, that group takes its place.
    On Linux SIGKILL of this process kills the program too, which whoever sent it meant: started again, it would run
    twice. It gets the environment that this process was started with, and every open file, of which this process keeps
    standard error alone.

    Args:
        command: the program, looked for in PATH, and its arguments.

    Raises:
        OSError: it cannot be started; nothing runs then, and signals go where they went before.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._ended = 0
        self._terminal = Terminal()
        self._foreground = os.isatty(0) and os.isatty(1)
        self._main = threading.get_ident()
        # Those that are ignored, as under nohup, are ignored by both.
        kept = {each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN}
        self._held = signal.valid_signals() - _OWN - _NEVER_HELD - kept | {signal.SIGCHLD}
        mask = {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, self._held)}
        before = {int(each): signal.signal(each, _nothing) for each in _DROPPED if each in self._held}
        try:
            self._pid = self._start(command, mask, {each for each, was in before.items() if was is signal.SIG_IGN})
        except BaseException:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        _let_go()

    def wait(self) -> int:
        """Return its exit code once it has ended, or minus the signal that has killed it; hand signals on until then.

        As process 1, or as another that is given orphans, it also takes note of their end.
        """
        while True:
            number, to_group = self._next()
            if number != signal.SIGCHLD:
                self._hand_on(number, to_group)
                continue
            ended: int | None = None
            for pid, status in self._changes():
                if pid == self._pid and os.WIFSTOPPED(status):
                    self._stopped(os.WSTOPSIG(status))
                elif pid == self._pid:
                    ended = os.waitstatus_to_exitcode(status)
            if ended is not None:
                self._terminal.move(self._pid, os.getpgrp())
                return ended

    def linger(self, done: Callable[[], bool], seconds: float) -> bool:
        """Once it has ended: wait for something, unless a signal asks for haste, and return whether it has come.

        The first signal may be the one that has ended the program too, and come late; the second one means it.

        Args:
            done: whether it has come; `wake` makes this look.
            seconds: how long to wait at most.
        """
        late = threading.Event()

        def ring() -> None:
            late.set()
            self.wake()

        timer = threading.Timer(seconds, ring)
        timer.daemon = True
        timer.start()
        while not (done() or late.is_set()):
            number, _ = self._next()
            if number == signal.SIGCHLD:
                list(self._changes())
            elif number in _ENDING:
                self._ended += 1
                if self._ended > 1:
                    break
        timer.cancel()
        return done()

    def wake(self) -> None:
        """Have `linger` look; from any thread."""
        signal.pthread_kill(self._main, signal.SIGCHLD)

    def _start(self, command: Sequence[str], mask: set[int], ignored: set[int]) -> int:
        parent, prctl, environment = os.getpid(), _prctl(), _environment()
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os.kill(os.getpid(), signal.SIGKILL)  # it was killed before that
                os.setpgid(0, 0)
                if self._foreground:
                    self._terminal.move(os.getpgid(parent), os.getpgrp())
                _restore(ignored)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.execvpe(command[0], list(command), environment)  # noqa: S606 - no shell, on purpose
            except OSError as error:
                os.write(writer, str(error.errno).encode())
            finally:
                os._exit(127)
        os.close(writer)
        number = os.read(reader, 16)  # nothing once the program runs
        os.close(reader)
        if number:
            os.waitpid(pid, 0)
            self._terminal.move(pid, os.getpgrp())
            raise OSError(int(number), os.strerror(int(number)), command[0])
        return pid

    def _next(self) -> tuple[int, bool]:
        """The next signal, and whether the terminal has sent it, as it does to all of a process group."""
        if not hasattr(signal, "sigwaitinfo"):
            return signal.sigwait(self._held), False
        received = signal.sigwaitinfo(self._held)
        return received.si_signo, received.si_code > 0

    def _changes(self) -> Iterator[tuple[int, int]]:
        """The children that have ended or stopped, with how."""
        options = os.WNOHANG | os.WUNTRACED
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, options | _WNOTHREAD) if _LINUX else os.waitpid(self._pid, options)
                if not pid:
                    return
                yield pid, status

    def _hand_on(self, number: int, to_group: bool) -> None:
        if number in _ENDING:
            self._ended += 1
        if number == signal.SIGCONT:
            self._go_on()
            return
        with suppress(OSError):  # it is another user's by now
            (os.killpg if to_group else os.kill)(self._pid, number)

    def _go_on(self) -> None:
        """Have it go on, in the foreground if this process is there now and it was before."""
        if self._foreground:
            self._terminal.move(os.getpgrp(), self._pid)
        with suppress(OSError):
            os.killpg(self._pid, signal.SIGCONT)

    def _stopped(self, number: int) -> None:
        """It has stopped: so does this process, with its group, for that is what the shell knows of."""
        if not self._terminal.there:
            return  # whoever has stopped it has it go on
        own = os.getpgrp()
        if number in {signal.SIGTTIN, signal.SIGTTOU} and self._terminal.holder() == own:
            # It has been left in the background, as one of a pipeline, and wants the terminal.
            self._foreground = True
            self._go_on()
            return
        self._terminal.move(self._pid, own)
        # Unlike SIGSTOP, the others stop no group that nobody could have go on.
        stop = signal.SIGTSTP if number == signal.SIGSTOP else number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {stop})
        os.kill(0, stop)
        signal.pthread_sigmask(signal.SIG_BLOCK, {stop} & self._held)
        if number == signal.SIGTSTP and signal.SIGCONT not in signal.sigpending():
            self._go_on()  # there is no shell: Ctrl-Z does nothing


def end_as(code: int) -> int:
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


def _restore(ignored: set[int]) -> None:
    """Have each signal do what it did when this process was started, as far as that is known."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) or number in _PYTHONS:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)


def _let_go() -> None:
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


def _prctl() -> Callable[[int, int], object]:
    if _LINUX:
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            call: Callable[[int, int], object] = ctypes.CDLL(None).prctl
            return call
    return lambda _option, _value: None


def _environment() -> Mapping[bytes, bytes]:
    """The environment that this process was started with: in the C locale Python adds LC_CTYPE to it (PEP 538)."""
    try:
        lines = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return os.environb
    return {name: value for name, found, value in (each.partition(b"=") for each in lines) if name and found}


def _nothing(number: int, frame: object) -> None:
    """Never called: the signals are held back."""
