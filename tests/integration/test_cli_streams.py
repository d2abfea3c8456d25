"""The command as a process whose standard streams are closed, full, slow, or a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.nats import NatsTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.demo import embedded

SECONDS = 30
COMMAND = [sys.executable, "-m", "choria_lifecycle"]
# Without PYTHONUNBUFFERED, so that the streams are buffered as in production.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "PYTHON", "NO_COLOR"))},
    "TZ": "UTC",
    "TERM": "xterm",
}
NOON = 1795348800  # 2026-11-22T12:00:00Z
EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0", timestamp=NOON)
LINE = "12:00:00 [startup] n1.example.net: server version 0.6.0"


@contextmanager
def running(*arguments: object, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `lifecycle`, and kill it if the test has not ended it."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    with subprocess.Popen([*COMMAND, *map(str, arguments)], **{"env": ENVIRONMENT, **settings}) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def shell(redirection: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `lifecycle` to its end with a shell redirection."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, env=ENVIRONMENT
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(lifecycle.encode(EVENT) + b"\n")
    return path


CLOSED = [">&-", "<&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["completion", "bash"],
        ["schema", "list"],
        ["schema", "show", "io.choria.lifecycle.v1.alive"],
        ["emit", "shutdown", "--component", "c", "--dry-run"],
        ["demo", "--nodes", "1", "--for", "50ms"],
        ["view", "--input", "FILE"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_closed_streams(arguments: list[str], closed: str, file: Path) -> None:
    done = shell(closed, *[str(file) if each == "FILE" else each for each in arguments])
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if ">&-" not in closed.replace("2>&-", ""):
        assert done.stdout


@pytest.mark.parametrize("closed", CLOSED)
def test_an_event_emitted_with_closed_streams_arrives(closed: str, server: embedded.Server) -> None:
    component = f"closed{CLOSED.index(closed)}"
    with running("view", "--server", server.url, "--component", component, "--count", 1, "--output", "json") as viewer:
        assert viewer.stderr is not None
        assert b"Waiting for events" in viewer.stderr.readline()
        done = shell(closed, "emit", "shutdown", "--component", component, "--server", server.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        out, _ = viewer.communicate(timeout=SECONDS)
    assert json.loads(out)["event"]["component"] == component


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@full
@pytest.mark.parametrize(
    "arguments", [["--help"], ["view", "--help"], ["--version"], ["schema", "list"], ["view", "--input", "FILE"]]
)
def test_a_full_disk(arguments: list[str], file: Path) -> None:
    done = shell(">/dev/full", *[str(file) if each == "FILE" else each for each in arguments])
    assert done.returncode == 1
    *summary, last = done.stderr.splitlines()
    assert re.fullmatch(r"lifecycle: error: (standard output: )?No space left on device", last)
    assert summary == (
        ["received 1 = 0 shown + 0 filtered + 0 rejected + 1 dropped"]
        if arguments[0] == "view" and "FILE" in arguments
        else []
    )


@full
@pytest.mark.parametrize("redirection", ["2>/dev/full", ">/dev/full 2>&1"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["emit", "shutdown", "--component", "c", "--server", "PORT"], 3), (["view", "--nonsense"], 2)],
)
def test_the_exit_code_survives_a_full_disk(
    arguments: list[str], code: int, redirection: str, unused_tcp_port: int
) -> None:
    done = shell(redirection, *[f"127.0.0.1:{unused_tcp_port}" if each == "PORT" else each for each in arguments])
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@full
def test_a_full_standard_error_is_ignored(file: Path) -> None:
    file.write_bytes(b"nonsense\n" + lifecycle.encode(EVENT) + b"\n")
    done = shell("2>/dev/full", "view", "--input", file)
    assert (done.returncode, done.stdout) == (0, f"{LINE}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["view", "--help"], ["--version"], ["schema", "list"]])
def test_a_closed_pipe_ends_every_command_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with running(*arguments, stdout=writer) as process:
            _, err = process.communicate(timeout=SECONDS)
    finally:
        os.close(writer)
    assert (process.returncode, err) == (0, b"")


def on_terminal(columns: int, *arguments: object, **environment: str) -> list[str]:
    """Run `lifecycle` on a terminal, and return the lines that it writes there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with running(*arguments, stdout=theirs, stderr=theirs, env={**ENVIRONMENT, **environment}) as process:
        os.close(theirs)
        data = b""
        while select.select([ours], [], [], SECONDS)[0]:
            try:
                data += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        process.wait(SECONDS)
    os.close(ours)
    return data.decode().removesuffix("\r\n").split("\r\n")


@pytest.mark.parametrize("columns", [40, 80, 0])
def test_no_event_forges_a_line_at_the_edge_of_a_terminal(columns: int, file: Path) -> None:
    width = 80 if columns == 0 else columns
    document = json.loads(lifecycle.encode(EVENT))
    padding = "x" * (width - len("12:00:00 [startup] "))
    forged = {**document, "identity": f"{padding}15:01:38 [shutdown] db1: server"}
    wrong = {"protocol": f"io.{'x' * 120}15:01:38 [shutdown] db1: server"}
    file.write_text("".join(json.dumps(each) + "\n" for each in (forged, wrong)))
    lines = on_terminal(columns, "view", "--color", "never", "--input", file)
    assert all(len(line) <= width for line in lines)
    assert lines[0] == f"12:00:00 [startup] {padding}"
    assert lines[1].startswith("    | 15:01:38 [shutdown] db1")
    assert not any(line.startswith("15:01:38") for line in lines)
    piped = shell("", "view", "--input", file)
    assert len(piped.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_on_a_terminal(environment: dict[str, str], colored: bool, file: Path) -> None:
    first = on_terminal(80, "view", "--input", file, **environment)[0]
    assert first == (LINE.replace("[startup]", "\x1b[32m[startup]\x1b[0m") if colored else LINE)


def test_raw_output_is_escaped_on_a_terminal(file: Path) -> None:
    file.write_text(lifecycle.encode(EVENT).decode().replace("n1.", "\u202e\x9b."), encoding="utf-8")
    assert "\\u202e\\x9b." in on_terminal(300, "view", "--output", "raw", "--input", file)[0]


def test_characters_missing_in_the_encoding_are_escaped_and_wrapped(file: Path) -> None:
    file.write_text(lifecycle.encode(EVENT).decode().replace("n1.", "é" * 40), encoding="utf-8")
    lines = on_terminal(80, "view", "--color", "never", "--input", file, PYTHONIOENCODING="ascii")
    assert all(len(line) <= 80 and line.isascii() for line in lines)
    assert "\\xe9" * 15 in lines[0]
    assert lines[1].startswith("    | ")


async def publish(url: str, component: str, *payloads: bytes) -> None:
    transport = await NatsTransport.open(resolve(url, environ={}), timeout=5)
    try:
        await transport.publish([(f"choria.lifecycle.event.startup.{component}", data) for data in payloads], 5)
    finally:
        await transport.close()


def big(component: str) -> bytes:
    return lifecycle.encode(lifecycle.startup(identity="n1", component=component, version="x" * 50_000))


async def test_a_stopped_reader_does_not_block_the_command(server: embedded.Server) -> None:
    with running("view", "--server", server.url, "--component", "slow", "--for", "3s") as viewer:
        assert viewer.stderr is not None
        assert b"Waiting for events" in viewer.stderr.readline()
        await publish(server.url, "slow", *[big("slow")] * 20)
        assert viewer.wait(SECONDS) == 0
        received, shown, dropped = _sum(viewer.stderr.read())
    # A pipe holds 64 kB, and the second line does not fit.
    assert (received - shown - dropped, shown) == (0, 1)
    assert dropped > 1


async def test_a_slow_reader_gets_all_counted_events(server: embedded.Server) -> None:
    with running("view", "--server", server.url, "--component", "late", "--count", 20) as viewer:
        assert viewer.stderr is not None
        assert b"Waiting for events" in viewer.stderr.readline()
        await publish(server.url, "late", *[big("late")] * 20)
        wait_until_full(viewer.stdout)
        out, err = viewer.communicate(timeout=SECONDS)
    assert (viewer.returncode, out.count(b"\n"), _sum(err)) == (0, 20, (20, 20, 0))


def _sum(err: bytes) -> tuple[int, int, int]:
    found = re.fullmatch(rb"received (\d+) = (\d+) shown \+ 0 filtered \+ 0 rejected \+ (\d+) dropped\n", err)
    assert found is not None, err
    received, shown, dropped = map(int, found.groups())
    return received, shown, dropped


def wait_until_full(pipe: IO[bytes] | None) -> None:
    """Wait until a pipe is so full that the remaining output does not fit."""
    assert pipe is not None
    deadline = time.monotonic() + SECONDS
    while int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder) < 40_000:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # there is no event to wait for


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_signals_end_a_view_whose_output_is_not_read(stream: str, number: int, code: int, file: Path) -> None:
    file.write_bytes((b"nonsense\n" if stream == "stderr" else lifecycle.encode(EVENT) + b"\n") * 10_000)
    with running("view", "--input", file) as viewer:
        wait_until_full(getattr(viewer, stream))
        viewer.send_signal(number)
        assert viewer.wait(SECONDS) == code


@pytest.mark.parametrize("arguments", [["--output", "text"], ["--output", "json"]])
def test_a_fifo_is_shown_line_by_line(arguments: list[str], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running("view", "--input", fifo, *arguments) as viewer, fifo.open("wb", buffering=0) as events:
        assert viewer.stdout is not None
        for _ in range(2):
            events.write(lifecycle.encode(EVENT) + b"\n")
            assert select.select([viewer.stdout], [], [], SECONDS)[0]
            assert b"n1.example.net" in viewer.stdout.readline()
        viewer.send_signal(signal.SIGTERM)
        assert viewer.wait(SECONDS) == 0


@pytest.mark.parametrize(("count", "code"), [([], 0), (["--count", 2], 1)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_view_ended_by_a_signal(number: int, count: list[object], code: int, server: embedded.Server) -> None:
    with running("view", "--server", server.url, "--component", "cut", *count) as viewer:
        assert viewer.stderr is not None
        assert b"Waiting for events" in viewer.stderr.readline()
        viewer.send_signal(number)
        assert viewer.wait(SECONDS) == code


def test_sighup_ends_the_demo_and_removes_its_files(tmp_path: Path) -> None:
    with running("demo", "--for", "30s", env={**ENVIRONMENT, "TMPDIR": str(tmp_path)}) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline()
        assert list(tmp_path.iterdir())
        demo.send_signal(signal.SIGHUP)
        demo.communicate(timeout=SECONDS)
        assert demo.returncode == 129
        assert not list(tmp_path.iterdir())
