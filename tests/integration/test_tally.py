"""`lifecycle tally` as a process: what real events become in /metrics, and every way it begins and ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30


def _values(labels: str) -> list[str]:
    """The values of labels, in the order of their names."""
    return [value for _, value in sorted(re.findall(r'(\w+)="([^"]*)"', labels))]


class Running:
    """A tally, with what it serves."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self) -> dict[tuple[str, ...], float]:
        # By line: prometheus_client's parser would add _total to names.
        found = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return {(name, *_values(labels)): float(value) for name, labels, value in found}

    def until(self, wanted: dict[tuple[str, ...], float]) -> None:
        """Scrape until the numbers are there."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self.samples()
            if all(found.get(name) == value for name, value in wanted.items()):
                return
        pytest.fail(f"{wanted} did not come: {found}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def tally(*arguments: str, port: int | None = None) -> Iterator[Running]:
    wait = port is None
    port = port or free_port()
    command = [sys.executable, "-m", "choria_lifecycle", "tally", "--port", str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running = Running(process, port)
    try:
        deadline = time.monotonic() + SECONDS
        while wait and process.poll() is None and time.monotonic() < deadline:
            try:
                if running.get("/-/ready")[0] == 200:
                    break
            except OSError:
                continue
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def publish(server: embedded.Server, *events: Any) -> None:
    async def run() -> None:
        async with lifecycle.connect(server.url, environ={}) as middleware:
            await middleware.publish_many(events)

    asyncio.run(run())


def node(number: int) -> dict[str, str]:
    return {"identity": f"n{number}.example.net", "component": "server"}


def test_the_archived_tools_line(server: embedded.Server) -> None:
    with tally("--component", "server", "--prefix", "lifecycle_tally", "--server", server.url) as running:
        publish(
            server,
            *(lifecycle.startup(version="1.0.0", **node(number)) for number in range(10)),
            lifecycle.alive(version="1.1.0", **node(0)),
            lifecycle.shutdown(**node(1)),
            lifecycle.governor(governor="G", event_type="enter", sequence=1, **node(2)),
            lifecycle.startup(identity="x", component="other", version="1"),
        )
        running.until(
            {
                ("lifecycle_tally_versions", "1", "server", "1.0.0"): 8,
                ("lifecycle_tally_versions", "1", "server", "1.1.0"): 1,
                ("lifecycle_tally_nodes", "1", "server"): 9,
                ("lifecycle_tally_governor", "1", "server", "enter", "G"): 1,
                ("lifecycle_tally_connected",): 1,
                ("lifecycle_tally_complete",): 0,
            }
        )
        assert 'lifecycle_tally_good_events{active="1",component="server"} 13\n' in running.get("/metrics")[1]
        assert not any("other" in name for name in running.samples() if name[0] == "lifecycle_tally_versions")
        status = json.loads(running.get("/api/v1/status")[1])
        assert (status["nodes"], status["components_wanted"]) == (9, ["server"])
        assert "n1.example.net" not in running.get("/")[1]
        assert running.get("/-/healthy") == (200, "healthy\n")
        code, said = running.end()
        assert code == 0
        assert f"metrics at http://127.0.0.1:{running.port}/metrics" in said
        assert "--web.listen-address" in said


def test_payloads_that_cannot_be_read_are_counted(server: embedded.Server) -> None:
    async def run() -> None:
        async with lifecycle.connect(server.url, environ={}) as middleware:
            transport = middleware._transport
            await transport.publish([("choria.lifecycle.event.alive.server", b"{")], 5)
            await transport.publish([("choria.machine.transition", b"{")], 5)
            await transport.publish([("choria.machine.watcher.exec.state", b"{")], 5)

    with tally("--server", server.url) as running:
        asyncio.run(run())
        running.until(
            {("lifecycle_tally_process_errors", "1", name): 1 for name in ("server", "transition", "exec_watcher")}
        )


def test_a_broker_that_dies_and_comes_back() -> None:
    with embedded.nats_server(jetstream=False) as first, tally("--server", first.url) as running:
        publish(first, lifecycle.startup(version="1", **node(1)))
        running.until({("lifecycle_tally_nodes", "1", "server"): 1})
        first.kill()
        running.until({("lifecycle_tally_connected",): 0})
        assert running.get("/-/ready") == (503, "not ready: not connected to a broker\n")
        with embedded.nats_server(jetstream=False, port=first.port) as second:
            running.until({("lifecycle_tally_connected",): 1, ("lifecycle_tally_gaps_total",): 1})
            publish(second, lifecycle.alive(version="2", **node(1)), lifecycle.alive(version="2", **node(2)))
            running.until(
                {
                    ("lifecycle_tally_versions", "1", "server", "2"): 2,
                    ("lifecycle_tally_nodes", "1", "server"): 2,
                }
            )
            assert running.get("/-/ready")[0] == 200
            code, said = running.end()
            assert code == 0
            assert "reconnected" in said


def test_a_port_that_is_taken(server: embedded.Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with tally("--server", "nats://127.0.0.1:1", port=port) as running:
            _, said = running.process.communicate(timeout=SECONDS)
            assert running.process.returncode == 5
            assert said.startswith(f"lifecycle: error: cannot listen on 127.0.0.1:{port}: another program does")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--server", "nats://127.0.0.1:1"], 3, "connection refused"),
        (["--prefix", "0x"], 2, "cannot begin the name of a metric"),
        (["--limit", "nodes"], 2, "NAME=NUMBER"),
        (["--limit", "nodes=0"], 2, "give at least 1"),
        (["--limit", "cats=1"], 2, "components, versions"),
        (["--web.telemetry-path", "/"], 2, "something else is"),
        (["--web.listen-address", ":0"], 2, "give --port, or --web.listen-address"),
        (["--component", "a.>"], 2, "component"),
        (["--expiry", "80"], 2, "80s"),
    ],
)
def test_what_cannot_be_done(server: embedded.Server, arguments: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "choria_lifecycle", "tally", "--port", "0", "--server", server.url, *arguments]
    if "--server" in arguments:
        command = [sys.executable, "-m", "choria_lifecycle", "tally", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_json_log(server: embedded.Server) -> None:
    with tally("--server", server.url, "--log-format", "json") as running:
        code, said = running.end(signal.SIGINT)
    assert code == 130
    lines = [json.loads(line) for line in said.splitlines()]
    assert all({"time", "level", "message"} == set(line) for line in lines)
    assert any("tallying all components" in line["message"] for line in lines)
    done = subprocess.run(
        [sys.executable, "-m", "choria_lifecycle", "tally", "--port", "0", "--log-format", "json", "--prefix", "-"],
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert json.loads(done.stderr.splitlines()[-1])["level"] == "error"


def test_many_at_one_instant_none_lost(server: embedded.Server) -> None:
    events = [lifecycle.alive(version="1", **node(number)) for number in range(33_334)]
    with tally("--server", server.url) as running:
        publish(server, *events)
        running.until(
            {("lifecycle_tally_nodes", "1", "server"): 33_334, ("lifecycle_tally_dropped_messages_total",): 0}
        )


def test_the_demo_needs_nothing() -> None:
    with tally("--demo") as running:
        deadline = time.monotonic() + SECONDS
        while not json.loads(running.get("/api/v1/status")[1])["nodes"] and time.monotonic() < deadline:
            pass
        assert json.loads(running.get("/api/v1/status")[1])["nodes"]
        assert running.end()[0] == 0
