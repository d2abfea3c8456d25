"""`lifecycle run` announces a program to a real server without changing how the program runs."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_schemas.lifecycle.v1 import Alive, Shutdown, Startup

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from choria_lifecycle.middleware.subscription import Events

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="lifecycle run is for Linux and macOS")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

# `make soak` repeats them more often.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
SECONDS = 15
NOWHERE = "nats://127.0.0.1:1"
NO_SIGNALS = "0" * 16


async def until(condition: Callable[[], bool]) -> None:
    """Poll a condition that only the kernel knows, and let the event loop run."""
    await asyncio.sleep(0)
    while not condition():  # noqa: ASYNC110 - nothing tells when it changes
        await asyncio.sleep(0)


def wrapped(url: str, *program: str, options: tuple[str, ...] = ()) -> list[str]:
    wrapper = [sys.executable, "-W", "error", "-m", "choria_lifecycle", "run", "--component", "wrapped"]
    # With the default interval, an alive event could come at any time.
    interval = () if "--interval" in options else ("--interval", "24h")
    wrapper += ["--version", "1.4.2", "--identity", "n1", *interval, "--server", url]
    return [*wrapper, *options, "--", *program]


@asynccontextmanager
async def running(*command: str, **settings: object) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process with pipes for its three standard streams, killed after SECONDS."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    process = await asyncio.create_subprocess_exec(*command, **{**pipes, **settings})  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate(b"")


@asynccontextmanager
async def watching(url: str) -> AsyncGenerator[Events]:
    async with connect(url, environ={}) as middleware, middleware.events(component="wrapped") as events:
        yield events
        async with asyncio.timeout(SECONDS):
            await middleware.flush()
        assert events.queued == 0


async def expect(events: Events, *types: type) -> None:
    async with asyncio.timeout(SECONDS):
        for each in types:
            assert isinstance(await anext(events), each)


# A program that prints when it is ready, and which signal it received.
PRINTS_SIGNALS = """
import signal, sys, time
def received(number, frame):
    print(signal.Signals(number).name)
    if sys.argv[1:] != ["continue"]:
        sys.exit(9)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, received)
print("ready", flush=True)
while True:
    time.sleep(60)
"""

ENDS = [
    ("exit 0", 0),
    ("exit 7", 7),
    ("kill -TERM $$", -15),
    ("kill -KILL $$", -9),
    ("ulimit -c 0; kill -SEGV $$", -11),
]


@pytest.mark.parametrize(("script", "code"), ENDS)
async def test_it_ends_with_the_programs_code_or_signal(server: embedded.Server, script: str, code: int) -> None:
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            async with running(*wrapped(server.url, "sh", "-c", script)) as process:
                output = await process.communicate(b"")
                assert (process.returncode, *output) == (code, b"", b"")
            await expect(events, Startup, Shutdown)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
async def test_a_signal_is_forwarded(server: embedded.Server, name: str) -> None:
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            async with running(*wrapped(server.url, sys.executable, "-c", PRINTS_SIGNALS)) as process:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
                process.send_signal(getattr(signal, f"SIG{name}"))
                output = await process.communicate(b"")
                assert (process.returncode, *output) == (9, f"SIG{name}\n".encode(), b"")
            await expect(events, Startup, Shutdown)


async def test_every_other_signal_is_forwarded() -> None:
    async with running(
        *wrapped(NOWHERE, sys.executable, "-uc", PRINTS_SIGNALS, "continue", options=("-q",))
    ) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        for name in ("QUIT", "USR2", "WINCH", "ALRM", "ABRT", "CONT", "TSTP", "TTIN", "TTOU", "TERM", "INT"):
            process.send_signal(getattr(signal, f"SIG{name}"))
            assert await process.stdout.readline() == f"SIG{name}\n".encode()
        process.send_signal(signal.SIGKILL)


async def test_a_forwarded_signal_kills_both(server: embedded.Server) -> None:
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            async with running(*wrapped(server.url, "sleep", "60")) as process:
                await expect(events, Startup)
                process.terminate()
                await process.communicate(b"")
                assert process.returncode == -signal.SIGTERM
            await expect(events, Shutdown)


async def test_alive_is_published(server: embedded.Server) -> None:
    command = wrapped(server.url, "cat", options=("--interval", "100ms", "--format", "cloudevents"))
    async with watching(server.url) as events, running(*command) as process:
        await expect(events, Startup, Alive, Alive)
        await process.communicate(b"")
        async with asyncio.timeout(SECONDS):
            while not isinstance(await anext(events), Shutdown):
                pass


@linux
async def test_no_signal_is_lost_during_the_start() -> None:
    """From the moment when they are blocked; the handler of SIGCHLD is set right after that, before the start."""
    for _ in range(ROUNDS):
        async with running(*wrapped(NOWHERE, sys.executable, "-c", PRINTS_SIGNALS, options=("-q",))) as process:
            await until(lambda pid=process.pid: bool(int(_status(pid, "SigCgt"), 16) & 1 << signal.SIGCHLD - 1))
            process.terminate()
            await process.communicate(b"")
            assert process.returncode in {9, -signal.SIGTERM}  # the second: before Python has set its handler


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _status(pid: int, name: str) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(line for line in lines if line.startswith(f"{name}:")).split(":")[1].strip()
    except (FileNotFoundError, ProcessLookupError):
        return NO_SIGNALS


async def test_the_program_runs_without_a_broker() -> None:
    for options, lines in (((), 2), (("-q",), 0), (("--log-format", "json"), 2)):
        begun = time.monotonic()
        async with running(*wrapped(NOWHERE, "sh", "-c", "echo out; echo err >&2; exit 7", options=options)) as process:
            out, err = await process.communicate(b"")
        assert (process.returncode, out) == (7, b"out\n")
        err_lines = err.splitlines()
        err_lines.remove(b"err")
        assert len(err_lines) == lines
        assert all(b"is not announced" in line or b"was not announced" in line for line in err_lines)
        if "json" in options:
            assert [json.loads(line)["level"] for line in err_lines] == ["warning", "warning"]
        assert time.monotonic() - begun < 4


async def test_verbose_output(server: embedded.Server) -> None:
    async with running(*wrapped(server.url, "true", options=("-v", "-v"))) as process:
        _, err = await process.communicate(b"")
    assert b"lifecycle: debug: connect" in err


async def test_an_unresponsive_broker_delays_the_end_by_at_most_five_seconds() -> None:
    """A further signal ends the wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        for signals in (True, False):
            async with running(*wrapped(url, "sh", "-c", "echo $$; read line; exit 9")) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                pid = int(await process.stdout.readline())
                process.stdin.write(b"end\n")
                await until(lambda pid=pid: not _exists(pid))
                begun = time.monotonic()
                while signals and process.returncode is None:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGTERM)  # process.send_signal would reap it before asyncio does
                    await until(
                        lambda process=process: process.returncode is not None or _pending(process.pid) == NO_SIGNALS
                    )
                await process.communicate(b"")
                assert process.returncode == 9
                assert time.monotonic() - begun < (2 if signals else 6)


def _pending(pid: int) -> str:
    return _status(pid, "ShdPnd")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_broker_that_starts_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with running(*wrapped(f"nats://127.0.0.1:{port}", "cat")) as process:
        assert process.stderr is not None
        assert b"is not announced" in await process.stderr.readline()
        with embedded.nats_server(port=port) as late:
            async with watching(late.url) as events:
                await expect(events, Startup)
                assert await process.communicate(b"") == (b"", b"")
                await expect(events, Shutdown)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("name", "code"), [("no-such-program", 127), ("", 127), ("/etc/passwd/x", 127), ("{file}", 126), ("/", 126)]
)
async def test_a_program_that_cannot_be_started_is_not_announced(
    server: embedded.Server, tmp_path: Path, name: str, code: int
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    async with watching(server.url):
        async with running(*wrapped(server.url, name.replace("{file}", str(file)))) as process:
            out, err = await process.communicate(b"")
        assert (process.returncode, out) == (code, b"")
        assert b"was not started: " in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize("options", [("--component", "a.b"), ("--version", ""), ("--interval", "5"), ("--nonsense",)])
async def test_invalid_options_start_nothing(options: tuple[str, ...]) -> None:
    async with running(*wrapped(NOWHERE, "echo", "started", options=options)) as process:
        out, err = await process.communicate(b"")
    assert (process.returncode, out) == (2, b"")
    assert b"Error: " in err


async def test_the_program_runs_if_the_password_cannot_be_read(tmp_path: Path) -> None:
    options = ("--user", "u", "--password-file", str(tmp_path / "none"))
    async with running(*wrapped(NOWHERE, "echo", "started", options=options)) as process:
        out, err = await process.communicate(b"")
    assert (process.returncode, out) == (0, b"started\n")
    assert b"the program runs, but is not announced: cannot read the password file" in err


async def test_input_and_output_are_passed_through(server: embedded.Server) -> None:
    data = bytes(range(256)) * 16384
    async with running(*wrapped(server.url, "sh", "-c", "tee /dev/stderr")) as process:
        assert await process.communicate(data) == (data, data)
    assert process.returncode == 0


async def test_files_that_the_program_closes_are_closed() -> None:
    """Its reader sees the end, and its writer a broken pipe, because the command keeps no copies open."""
    reader, writer = os.pipe()
    script = f"import os, time; os.close(0), os.close(1), os.close({writer}), time.sleep(60)"
    command = wrapped(NOWHERE, sys.executable, "-c", script, options=("-q",))
    async with running(*command, pass_fds=(writer,)) as process:
        os.close(writer)
        assert process.stdout is not None
        assert process.stdin is not None
        assert await process.stdout.read() == b""
        assert await asyncio.to_thread(os.read, reader, 1) == b""
        os.close(reader)
        await process.stdin.wait_closed()
        process.terminate()
        assert await process.wait() == -signal.SIGTERM


INHERITED = """
import os, signal, sys
print(*map(os.fsencode, sys.argv[1:]), os.getcwd(), sorted(os.listdir("/dev/fd")))
print(open("/proc/self/environ", "rb").read())
print([line for line in open("/proc/self/status") if line.startswith(("SigBlk", "SigIgn", "NoNewPrivs", "Umask"))])
"""


@linux
@pytest.mark.parametrize("options", [(), ("--ignore-signal=HUP,USR1,CHLD", "--block-signal=USR2,TERM")])
def test_the_program_inherits_the_same_as_without_the_command(options: tuple[str, ...]) -> None:
    """Environment, arguments that are not text, directory, open files, ignored and blocked signals."""
    # In the C locale, Python changes its own environment.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C", "A": "\udcff"}
    program: list[str | bytes] = [sys.executable, "-X", "utf8", "-c", INHERITED, b"\xff\xfe", "--", "-v"]
    reader, writer = os.pipe()

    def output(*command: str | bytes) -> bytes:
        done = subprocess.run(
            ["env", *options, *command],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, pass_fds=(reader,), timeout=SECONDS,
        )  # fmt: skip
        if done.returncode == 125 and b"--help" in done.stderr:
            pytest.skip("needs a newer env")
        return done.stdout + done.stderr

    try:
        plain = output(*program)
        assert plain.startswith(b"b")
        assert output(*wrapped(NOWHERE, options=("-q",)), *program) == plain
    finally:
        os.close(reader)
        os.close(writer)


async def test_the_program_notifies_systemd(server: embedded.Server, tmp_path: Path) -> None:
    notify = (
        "import os, socket\n"
        "with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:\n"
        "    systemd.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        settings = {"env": {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}}
        async with running(*wrapped(server.url, sys.executable, "-c", notify), **settings) as process:
            async with asyncio.timeout(SECONDS):
                assert await asyncio.get_running_loop().sock_recv(systemd, 100) == b"READY=1"
            assert await process.communicate(b"") == (b"", b"")


@linux
async def test_sigkill_kills_the_program_too(server: embedded.Server) -> None:
    """As a supervisor does when the program ignores repeated SIGTERM."""
    script = "trap 'echo term' TERM; echo $$; while :; do read line; done"
    for _ in range(ROUNDS):
        async with running(*wrapped(server.url, "sh", "-c", script)) as process:
            assert process.stdout is not None
            pid = int(await process.stdout.readline())
            for _ in range(2):
                process.terminate()
                assert await process.stdout.readline() == b"term\n"
            process.kill()
            assert await process.stdout.read() == b""  # once no process has it open
            assert await process.wait() == -signal.SIGKILL
            await until(lambda pid=pid: _status(pid, "State")[0] in "ZX0")


@linux
@pytest.mark.parametrize("name", ["TERM", "KILL"])
async def test_a_signal_to_the_group_reaches_the_programs_children(server: embedded.Server, name: str) -> None:
    """As sent by supervisors, and by timeout."""
    number = getattr(signal, f"SIG{name}")
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            command = wrapped(server.url, "sh", "-c", "sh -c 'echo $$; exec sleep 60'; true")
            async with running(*command, start_new_session=True) as process:
                assert process.stdout is not None
                pid = int(await process.stdout.readline())
                await expect(events, Startup)
                os.killpg(process.pid, number)
                assert await process.communicate(b"") == (b"", b"")
                assert process.returncode == -number
                await until(lambda pid=pid: _status(pid, "State")[0] in "ZX0")
            if name != "KILL":
                await expect(events, Shutdown)


def contained(*command: str) -> list[str]:
    unshare = shutil.which("unshare")
    wanted = [unshare or "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not unshare or subprocess.run([*wanted, "true"], capture_output=True).returncode:
        pytest.skip("needs permission to create a PID namespace")
    return [*wanted, *command]


@linux
@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
async def test_process_1_ends_with_an_exit_code(server: embedded.Server, script: str, code: int) -> None:
    async with watching(server.url) as events:
        async with running(*contained(*wrapped(server.url, "sh", "-c", script))) as process:
            assert await process.communicate(b"") == (b"", b"")
            assert process.returncode == code
        await expect(events, Startup, Shutdown)


ORPHANS = """
import os, subprocess, sys, time

def zombies():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                yield stat.read().rpartition(") ")[2].startswith("Z")
        except OSError:  # the process is gone
            pass

print(os.getppid(), flush=True)
for _ in range(20):
    if not (first := os.fork()):
        if not os.fork():
            while os.getppid() == first:
                pass
            os._exit(3)
        os._exit(0)
    os.waitpid(first, 0)
print(subprocess.run(["sh", "-c", "exit 5"]).returncode)
while any(zombies()):
    time.sleep(0.001)
print("reaped")
sys.exit(4)
"""


@linux
async def test_process_1_ends_on_a_signal_before_the_start(tmp_path: Path) -> None:
    """The kernel discards signals that process 1 does not handle."""
    for _ in range(ROUNDS):
        command = contained(*wrapped(NOWHERE, "touch", str(tmp_path / "started")))
        async with running(*command) as process:
            await until(lambda pid=process.pid: bool(_children(pid)))
            [first] = _children(process.pid)
            await until(lambda first=first: bool(int(_status(first, "SigCgt"), 16) & 1 << signal.SIGTERM - 1))
            os.kill(first, signal.SIGTERM)
            await process.communicate(b"")
            assert process.returncode == 128 + signal.SIGTERM
        assert not (tmp_path / "started").exists()


@linux
async def test_process_1_reaps_orphans(server: embedded.Server) -> None:
    command = contained(*wrapped(server.url, sys.executable, "-c", ORPHANS))
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            async with running(*command) as process:
                assert await process.communicate(b"") == (b"1\n5\nreaped\n", b"")
                assert process.returncode == 4
            await expect(events, Startup, Shutdown)


class Screen:
    """The output of a terminal.

    Attributes:
        before: the output before the text that `until` found last.
    """

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self.before = b""
        self._shown = b""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def hang_up(self) -> None:
        """Hang up, as when its window is closed. Does nothing the second time."""
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1

    async def until(self, wanted: str) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.terminal, readable.set)
        try:
            async with asyncio.timeout(SECONDS):
                while wanted.encode() not in self._shown:
                    await readable.wait()
                    readable.clear()
                    self._shown += os.read(self.terminal, 4096)
        except TimeoutError:
            raise AssertionError(f"the terminal never showed {wanted}, but {self._shown!r}") from None
        finally:
            loop.remove_reader(self.terminal)
        self.before, _, self._shown = self._shown.partition(wanted.encode())
        assert b"interrupt" not in self.before


@contextmanager
def on_terminal(*command: str) -> Generator[tuple[Screen, subprocess.Popen[bytes]]]:
    """A process that leads a session, on a terminal of its own."""
    terminal, other = os.openpty()
    # The first terminal that a session leader opens becomes its controlling terminal.
    opens = 'exec <"$0" >"$0" 2>&1; exec "$@"'
    process = subprocess.Popen(["sh", "-c", opens, os.ttyname(other), *command], start_new_session=True)
    screen = Screen(terminal)
    try:
        yield screen, process
    finally:
        process.kill()
        process.wait()
        screen.hang_up()
        os.close(other)


@contextmanager
def shell() -> Generator[Screen]:
    """An interactive shell on a terminal of its own."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    with on_terminal("env", "PS1=$ ", "TERM=dumb", bash, "--norc", "--noprofile", "--noediting", "-i") as (screen, _):
        yield screen


COUNTS = """
import os, signal, sys, time
count = 0
def interrupted(number, frame):
    global count
    count += 1
    os.write(1, b"interrupt %d\\n" % count)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGCONT, lambda number, frame: os.write(1, b"goes on\\n"))
os.write(1, b"rea" + b"dy\\n")
for line in sys.stdin:
    os.write(1, b"got " + line.encode())
sys.exit(6)
"""


@pytest.mark.parametrize("pipeline", [False, True])
async def test_job_control_on_a_terminal(server: embedded.Server, tmp_path: Path, pipeline: bool) -> None:
    """Ctrl-C arrives once, Ctrl-Z stops it and fg continues it, and the shell gets the terminal back at the end."""
    (tmp_path / "counts.py").write_text(COUNTS)
    program = (sys.executable, str(tmp_path / "counts.py"))
    line = " ".join(wrapped(server.url, *program)) + (" | (trap '' INT; cat)" if pipeline else "")
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            with shell() as screen:
                await screen.until("$ ")
                screen.type(f"set -o pipefail; trap : INT\n{line}\n")
                await screen.until("ready")
                await expect(events, Startup)
                screen.type("one\n")
                await screen.until("got one")
                screen.type("\x03")
                await screen.until("interrupt 1")
                screen.type("\x1a")
                await screen.until("Stopped")
                screen.type("echo sh''ell; fg\n")
                await screen.until("shell")
                await screen.until("goes on")
                screen.type("two\n")
                await screen.until("got two")
                screen.type("\x04")
                await expect(events, Shutdown)
                screen.type("echo in ''charge $?\n")
                await screen.until("in charge 6")


async def test_ctrl_z_without_a_shell_stops_nothing(server: embedded.Server, tmp_path: Path) -> None:
    (tmp_path / "counts.py").write_text(COUNTS)
    command = wrapped(server.url, sys.executable, str(tmp_path / "counts.py"))
    with on_terminal(*command) as (screen, process):
        await screen.until("ready")
        screen.type("\x1aone\n")
        await screen.until("got one")
        screen.type("\x03")
        await screen.until("interrupt 1")
        screen.type("\x04")
        assert await asyncio.to_thread(process.wait, SECONDS) == 6


async def test_a_program_stopped_by_another_process_stops_alone(server: embedded.Server) -> None:
    """As by cpulimit; the terminal is not involved, so the command keeps running."""
    async with watching(server.url) as events:
        with on_terminal(*wrapped(server.url, "sh", "-c", "echo $$ rea''dy; read line; exit 7")) as (screen, process):
            await screen.until("ready")
            pid = int(screen.before)
            await expect(events, Startup)
            os.kill(pid, signal.SIGSTOP)
            await until(lambda: _status(pid, "State")[0] == "T")
            os.kill(pid, signal.SIGCONT)
            screen.type("\n")
            assert await asyncio.to_thread(process.wait, SECONDS) == 7
        await expect(events, Shutdown)


@pytest.mark.parametrize("name", ["sh", "bash"])
async def test_ctrl_c_ends_the_calling_script_too(server: embedded.Server, tmp_path: Path, name: str) -> None:
    script = tmp_path / "script"
    line = shlex.join(wrapped(server.url, "sh", "-c", "echo rea''dy; exec sleep 60"))
    script.write_text(f"{line}\necho interrupt: the script goes on with $?\n")
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            with on_terminal(name, str(script)) as (screen, process):
                await screen.until("ready")
                await expect(events, Startup)
                screen.type("\x03")
                assert await asyncio.to_thread(process.wait, SECONDS) == -signal.SIGINT
            await expect(events, Shutdown)


@linux
async def test_a_hangup_of_the_terminal_ends_it(server: embedded.Server) -> None:
    async with watching(server.url) as events:
        for _ in range(ROUNDS):
            with on_terminal(*wrapped(server.url, "sh", "-c", "echo rea''dy; exec sleep 60")) as (screen, process):
                await screen.until("ready")
                await expect(events, Startup)
                screen.hang_up()
                assert await asyncio.to_thread(process.wait, SECONDS) == -signal.SIGHUP
            await expect(events, Shutdown)
