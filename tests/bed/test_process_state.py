"""However pytest was started, tests and their children find the defaults; a test that leaves a handler fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, *tests: str, prefix: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run tests in another pytest, which takes its fixtures from this project's conftest.py."""
    (tmp_path / "test_it.py").write_text("\n\n".join(("import os, signal, subprocess, sys, threading", *tests)) + "\n")
    command = [*prefix, sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", "/dev/null", "-p", "no:randomly"]
    process = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *arguments, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return process.returncode, process.stdout + process.stderr


DEFAULTS = """
def status(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return {name: int(mask, 16) for name, mask in (line.split(":") for line in lines if line.startswith("Sig"))
            if name in ("SigIgn", "SigBlk")}

def test_defaults():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
        assert signal.getsignal(number) is signal.SIG_DFL
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert status(child.pid) == {"SigIgn": 0, "SigBlk": 0}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        child.terminate()
    assert child.returncode == -signal.SIGTERM
"""


@pytest.mark.skipif(sys.platform != "linux", reason="env --ignore-signal is GNU's, and /proc Linux's")
@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_what_was_ignored_or_blocked_is_not(arguments: tuple[str, ...], tmp_path: Path) -> None:
    prefix = ("env", "--ignore-signal=INT,HUP,TERM,QUIT,USR1,CHLD", "--block-signal=USR2,TERM,HUP")
    code, said = run(tmp_path, DEFAULTS, prefix=prefix, arguments=arguments)
    assert (code, "1 passed" in said) == (0, True), said


LEAVING = {
    "handler": ("signal.signal(signal.SIGTERM, print)", "a handler for SIGTERM: <built-in function print>"),
    "ignored": ("signal.signal(signal.SIGHUP, signal.SIG_IGN)", "a handler for SIGHUP: <Handlers.SIG_IGN: 1>"),
    "blocked": ("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})", "SIGTERM blocked"),
    "wakeup": ("signal.set_wakeup_fd(writer())", "a wakeup descriptor: "),
    "closed": ("signal.set_wakeup_fd(fd := writer()); os.close(fd)", "a wakeup descriptor: "),
}
NEXT = """
def writer():
    fd = os.pipe()[1]
    os.set_blocking(fd, False)
    return fd

def check():
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert signal.set_wakeup_fd(-1) == -1

def test_restores():
    signal.signal(signal.SIGTERM, signal.signal(signal.SIGTERM, print))
"""


def test_a_test_that_leaves_something_behind_fails_and_the_next_finds_nothing(tmp_path: Path) -> None:
    leaving = [f"def test_{name}():\n    check()\n    {body}" for name, (body, _) in LEAVING.items()]
    code, said = run(tmp_path, NEXT, *leaving, "test_next = check")
    assert (code, "7 passed, 5 errors" in said) == (1, True), said
    for name, (_, left) in LEAVING.items():
        assert f" ERROR at teardown of test_{name} _" in said
        assert f"\nthis test leaves {left}" in said
