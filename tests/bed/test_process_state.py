"""However pytest was started, tests and their children start from defaults; a test that leaves a handler fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="env --ignore-signal is GNU's, and /proc Linux's")
VARIABLES = ("NATS_URL=nats://127.0.0.1:1", "NO_COLOR=1", "TZ=Asia/Kolkata")


def run(*tests: str, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run tests in another pytest."""
    command = [*prefix, sys.executable, "-m", "pytest", "-c", "pyproject.toml"]
    process = subprocess.run(
        [*command, "-p", "no:randomly", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return process.returncode, process.stdout + process.stderr


@linux
def test_signals_have_their_defaults() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
        assert signal.getsignal(number) is signal.SIG_DFL
    masks = subprocess.check_output(["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"], text=True).split()
    ours = sum(1 << number - 1 for number in signal.valid_signals())  # not those that the C library keeps to itself
    assert [int(mask, 16) & ours for mask in masks[1::2]] == [0, 0]


@linux
def test_the_environment_has_its_defaults() -> None:
    mask, zone, *variables = subprocess.check_output(["sh", "-c", "umask; date +%z; env"], text=True).splitlines()
    assert (mask, zone) == ("0022", "+0000")
    names = {variable.partition("=")[0] for variable in variables}
    assert names & {"NATS_URL", "NO_COLOR"} == set()


# Above, the two run where this pytest runs them, as a rule in a worker of pytest-xdist.
@linux
def test_defaults_however_it_was_started() -> None:
    prefix = ("env", "--ignore-signal=INT,HUP,TERM,QUIT,USR1,CHLD", "--block-signal=USR2,TERM,HUP", *VARIABLES)
    code, said = run(__file__, "-k", "have_their or has_its", prefix=prefix)
    assert (code, "2 passed" in said) == (0, True), said


LEAVING = {
    "handler": ("signal.signal(signal.SIGTERM, print)", "a handler for SIGTERM: <built-in function print>"),
    "ignored": ("signal.signal(signal.SIGHUP, signal.SIG_IGN)", "a handler for SIGHUP: <Handlers.SIG_IGN: 1>"),
    "blocked": ("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})", "SIGTERM blocked"),
    "wakeup": ("signal.set_wakeup_fd(writer())", "a wakeup descriptor: "),
    "closed": ("signal.set_wakeup_fd(fd := writer()); os.close(fd)", "a wakeup descriptor: "),
}
OTHERS = """
import os, signal

def writer():
    fd = os.pipe()[1]
    os.set_blocking(fd, False)
    return fd

def check():
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert signal.set_wakeup_fd(-1) == -1

def test_fails():
    assert False

def test_restores():
    signal.signal(signal.SIGTERM, signal.signal(signal.SIGTERM, print))
"""


def test_a_test_that_leaves_a_handler_fails_and_the_next_starts_clean(tmp_path: Path) -> None:
    leaving = [f"def test_{name}():\n    check()\n    {body}" for name, (body, _) in LEAVING.items()]
    (tmp_path / "test_it.py").write_text("\n\n".join((OTHERS, *leaving, "test_next = check")) + "\n")
    code, said = run("-p", "tests.conftest", str(tmp_path))
    assert (code, "1 failed, 7 passed, 5 errors" in said) == (1, True), said
    for name, (_, left) in LEAVING.items():
        assert f" ERROR at teardown of test_{name} _" in said
        assert f"\nthis test leaves {left}" in said
