"""The command as a process, against a real nats-server."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from typing import IO, TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.demo import embedded
from choria_lifecycle.demo.fleet import ScheduledEvent, simulate
from choria_lifecycle.nats import NatsTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 30


class Running:
    """A running `lifecycle`, whose standard error is read up to the last line waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def wait_for(self, text: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if text in line:
                return
        raise AssertionError(f"it ended without writing {text!r}: {self.said}")

    def end(self, number: int | None = None) -> tuple[int, list[str]]:
        """Send a signal, wait for the end, and return the exit code and the remaining lines of standard output."""
        if number is not None:
            self.process.send_signal(number)
        out, said = self.process.communicate(timeout=SECONDS)
        self.said += said.splitlines()
        return self.process.returncode, out.splitlines()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start `lifecycle` with arguments; processes still running are killed after the test."""
    started: list[subprocess.Popen[str]] = []
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "PYTHONUNBUFFERED"))
    }

    def begin(*arguments: object, **more: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "choria_lifecycle", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, "TZ": "UTC", **more},
        )
        started.append(process)
        return Running(process)

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def view(start: Callable[..., Running], server: embedded.Server) -> Callable[..., Running]:
    """Start `lifecycle view` on the server, and wait until it has subscribed."""

    def begin(*arguments: object) -> Running:
        running = start("view", "--server", server.url, *arguments)
        running.wait_for("Waiting for events from topic ")
        return running

    return begin


async def publish(url: str, *payloads: bytes, subject: str) -> None:
    """Publish bytes without checking them."""
    transport = await NatsTransport.open(resolve(url, environ={}), timeout=5)
    try:
        await transport.publish([(subject, data) for data in payloads], 5)
    finally:
        await transport.close()


def subject(component: str) -> str:
    return f"choria.lifecycle.event.startup.{component}"


def startup(component: str, **options: str) -> bytes:
    made = lifecycle.startup(**{"identity": "n1.example.net", "component": component, "version": "0.6.0", **options})
    return lifecycle.encode(made)


@pytest.mark.parametrize("form", lifecycle.Format)
def test_an_emitted_event_is_viewed(
    form: lifecycle.Format, start: Callable[..., Running], view: Callable[..., Running], server: embedded.Server
) -> None:
    component = f"emitted-{form}"
    viewer = view("--component", component, "--output", "json", "--count", 1, "--for", "20s")
    emitted = start(
        "emit", "startup", "--identity", "n1.example.net", "--component", component, "--version", "0.6.0",
        "--format", form, "--server", server.url,
    )  # fmt: skip
    assert emitted.end() == (0, [])
    assert emitted.said == []
    code, [line] = viewer.end()
    assert code == 0
    shown = json.loads(line)
    assert (shown["subject"], shown["format"]) == (subject(component), form)
    assert shown["event"]["identity"] == "n1.example.net"
    assert viewer.said == [
        f"Waiting for events from topic choria.lifecycle.event.*.{component} on {server.url}",
        "received 1 = 1 shown + 0 filtered + 0 rejected + 0 dropped",
    ]


def test_stored_without_a_stream_exits_with_1(start: Callable[..., Running], server: embedded.Server) -> None:
    emitted = start("emit", "shutdown", "--component", "c", "--stored", "--server", server.url)
    assert emitted.end() == (1, [])
    assert "no JetStream stream stores choria.lifecycle.event.shutdown.c" in emitted.said[-1]


async def test_hostile_events_cannot_forge_a_line(view: Callable[..., Running], server: embedded.Server) -> None:
    forged = "\x1b[2J\r\n10:00:00 [startup] forged: server version 6.6.6\u2028\x9b\u202e\x85"
    document = {**json.loads(startup("hostile")), "identity": forged, "version": forged, "component": "hostile"}
    payloads = [
        json.dumps(document).encode(),
        json.dumps(document, ensure_ascii=False).encode(),
        json.dumps({"protocol": forged}).encode(),
        forged.encode(),
        b"\xff\x00" + forged.encode(),
        json.dumps({**document, forged: forged, "timestamp": forged}).encode(),
    ]
    viewers = {output: view("--component", "hostile", "--output", output, "--count", 2) for output in ("text", "json")}
    await publish(server.url, *payloads[2:], *payloads[:2], subject=subject("hostile"))
    for output, viewer in viewers.items():
        code, lines = viewer.end()
        assert code == 0
        assert len(lines) == 2
        assert all(line.isprintable() for line in [*lines, *viewer.said])
        assert [line[8:20] for line in viewer.said[1:-1]] == [" [rejected] "] * 4
        assert viewer.said[-1] == "received 6 = 2 shown + 0 filtered + 4 rejected + 0 dropped"
        if output == "json":
            assert [json.loads(line)["event"]["identity"] for line in lines] == [forged, forged]
        else:
            assert all(line[8:].startswith(" [startup] \\x1b[2J\\r\\n10:00:00") for line in lines)


async def test_the_total_adds_up(view: Callable[..., Running], server: embedded.Server) -> None:
    viewer = view("--component", "sum", "--component", "other", "--identity", "n1.*", "--count", 3)
    for payload in (startup("sum"), b"nonsense", startup("sum", identity="n2.example.net"), startup("sum")):
        await publish(server.url, payload, subject=subject("sum"))
    await publish(server.url, startup("third"), startup("other"), subject=subject("third"))
    await publish(server.url, startup("other"), startup("other"), subject=subject("other"))
    code, lines = viewer.end()
    assert (code, len(lines)) == (0, 3)
    # Two are filtered by subject, one by identity; the last one is never read from the queue.
    assert viewer.said[-1] == "received 7 = 3 shown + 3 filtered + 1 rejected + 0 dropped"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_signals_end_a_view_cleanly(
    number: int, code: int, view: Callable[..., Running], server: embedded.Server
) -> None:
    viewer = view("--component", f"signal{number}")
    await publish(server.url, startup(f"signal{number}"), subject=subject(f"signal{number}"))
    assert viewer.out.readline().endswith(f"n1.example.net: signal{number} version 0.6.0\n")
    assert viewer.end(number) == (code, [])
    assert viewer.said[1:] == ["received 1 = 1 shown + 0 filtered + 0 rejected + 0 dropped"]


async def test_a_signal_ends_a_view_whose_reader_is_stuck(
    view: Callable[..., Running], server: embedded.Server
) -> None:
    viewer = view("--component", "stuck")
    await publish(server.url, *[startup("stuck", version="x" * 50_000)] * 5, subject=subject("stuck"))
    async with asyncio.timeout(SECONDS):
        while waiting_in(viewer.out) < 60_000:  # noqa: ASYNC110 - the second line does not fit, and there is no notification
            await asyncio.sleep(0.001)
    viewer.process.send_signal(signal.SIGTERM)
    assert viewer.process.wait(SECONDS) == 0


def waiting_in(pipe: IO[str]) -> int:
    """Return the number of bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


async def test_a_closed_pipe_ends_a_view_without_a_message(
    view: Callable[..., Running], server: embedded.Server
) -> None:
    viewer = view("--component", "pipe")
    await publish(server.url, startup("pipe"), subject=subject("pipe"))
    assert viewer.out.readline()
    viewer.out.close()
    assert viewer.process.stderr is not None
    assert viewer.process.stderr.read() == ""
    assert viewer.process.wait(SECONDS) == 0


@pytest.mark.parametrize(("count", "code"), [([], 0), (["--count", 1], 1)])
def test_a_missing_awaited_event_exits_with_1(count: list[object], code: int, view: Callable[..., Running]) -> None:
    viewer = view("--component", "awaited", "--for", "50ms", *count)
    assert viewer.end() == (code, [])
    assert viewer.said[1:] == ["received 0 = 0 shown + 0 filtered + 0 rejected + 0 dropped"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[embedded.Server]:
    """A server with a password, whose user may only publish to one subject."""
    config = 'authorization { users = [ { user: me, password: "open sesame", permissions: { publish: "x" } } ] }'
    with embedded.nats_server(config, jetstream=False) as running:
        yield running


@pytest.mark.parametrize("arguments", [["view"], ["emit", "shutdown", "--component", "c"]])
def test_a_wrong_password_exits_with_4(
    arguments: list[str], start: Callable[..., Running], guarded: embedded.Server, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("marker-password\n")
    ended = start(*arguments, "--server", guarded.url, "--user", "me", "--password-file", file)
    assert ended.end() == (4, [])
    [said] = ended.said
    assert said.startswith(f"lifecycle: error: cannot connect to {guarded.url}: the server refused the credentials. A")


def test_a_password_in_the_url_works_with_a_warning_and_is_hidden(
    start: Callable[..., Running], guarded: embedded.Server
) -> None:
    url = guarded.url.replace("nats://", "nats://me:open%20sesame@")
    viewer = start("view", "--server", url, "--for", "50ms")
    assert viewer.end() == (0, [])
    assert viewer.said[0].startswith("lifecycle: warning: nats://***@127.0.0.1:")
    assert viewer.said[1] == f"Waiting for events from topic choria.lifecycle.event.> on {guarded.url}"
    assert "sesame" not in "".join(viewer.said)


def test_the_environment_sets_the_user_and_a_refused_subject_exits_with_4(
    start: Callable[..., Running], guarded: embedded.Server
) -> None:
    environment = {"NATS_URL": guarded.url, "NATS_USER": "me", "NATS_PASSWORD": "open sesame"}
    emitted = start("emit", "shutdown", "--component", "c", **environment)
    assert emitted.end() == (4, [])
    assert emitted.said == [
        "lifecycle: error: the server does not allow this user to publish to choria.lifecycle.event.shutdown.c"
    ]


def test_a_refused_connection_exits_with_3(start: Callable[..., Running], unused_tcp_port: int) -> None:
    viewer = start("view", "--server", f"127.0.0.1:{unused_tcp_port}")
    assert viewer.end() == (3, [])
    url = f"nats://127.0.0.1:{unused_tcp_port}"
    [said] = viewer.said
    assert said.startswith(f"lifecycle: error: cannot connect to {url}: connection refused. Is the server running")


def test_the_demo_receives_every_message_that_it_publishes(start: Callable[..., Running]) -> None:
    demo = start("demo", "--nodes", 20, "--for", "500ms")
    code, lines = demo.end()
    assert code == 0, demo.said
    at = lines.index("")
    steps = simulate(20, 0.5, seed=1, start=0)
    played = {lifecycle.event_type(step.event) for step in steps if isinstance(step, ScheduledEvent)}
    events, [_, *rows] = lines[:at], [line.split() for line in lines[at + 1 :]]
    assert all(line.isprintable() and len(line) <= 80 for line in lines)
    assert {line.split()[1] for line in events} == {f"[{name}]" for name in played}
    assert all(row[-1] == row[-2] for row in rows)
    assert int(rows[-1][-1]) == sum(int(row[-1]) for row in rows[:-1]) == len(events) + int(rows[-2][-1])
    assert demo.said[-1].startswith("each published event was received once")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_demo_and_its_server(number: int, code: int, start: Callable[..., Running]) -> None:
    demo = start("demo", "--for", "30s")
    assert demo.out.readline()
    url = next(word for line in _read(demo, "simulating ") for word in line.split() if word.startswith("nats://"))
    assert demo.end(number)[0] == code
    refused = start("view", "--server", url)
    assert refused.end()[0] == 3


def _read(running: Running, text: str) -> list[str]:
    running.wait_for(text)
    return running.said


def test_the_demo_ignores_the_settings_of_the_environment(
    start: Callable[..., Running], guarded: embedded.Server
) -> None:
    environment = {"NATS_URL": guarded.url, "NATS_USER": "me", "NATS_PASSWORD": "wrong"}
    demo = start("demo", "--nodes", 1, "--for", "100ms", **environment)
    assert demo.end()[0] == 0, demo.said


def test_a_demo_without_a_server_exits_with_2(start: Callable[..., Running]) -> None:
    demo = start("demo", NATS_SERVER_BIN="/nonexistent/nats-server")
    assert demo.end() == (2, [])
    assert demo.said == ["lifecycle: error: NATS_SERVER_BIN does not name a program: /nonexistent/nats-server"]
