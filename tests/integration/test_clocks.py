"""A tally whose machine has the wrong time, or whose clock is set while it runs: the fleet stays as it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.demo import embedded
from tests.bed.paths import ROOT
from tests.bed.ports import free_port
from tests.bed.wall_clock import LIBFAKETIME, FakedClock, PatchedClock, wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bed.wall_clock import WallClock

SECONDS = 60.0
# Looking again at once would take the processor from the tally that is to get there.
POLL_SECONDS = 0.02
HOUR = 3600.0
DAY = 86400.0
NODES = 5

# The first needs nothing installed, so these tests always run; the second covers code in C as well. Each also sets the
# clock right, and ahead by an hour, while the tally runs.
CLOCKS = [
    *((PatchedClock, ahead) for ahead in (DAY, -DAY)),
    *(pytest.param(PatchedClock, ahead, marks=pytest.mark.slow) for ahead in (0.0, 20.0)),
    pytest.param(FakedClock, DAY, marks=pytest.mark.skipif(LIBFAKETIME is None, reason="libfaketime is not installed")),
]


class Running:
    """A tally whose wall clock the test sets."""

    def __init__(self, process: subprocess.Popen[str], port: int, clock: WallClock) -> None:
        self.process = process
        self.clock = clock
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def sample(self, name: str) -> float | None:
        """Return the sum of a metric's series; None if it has none."""
        values = re.findall(rf"^lifecycle_tally_{name}(?:\{{.*\}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return sum(map(float, values)) if values else None

    def until(self, reached: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                if reached():
                    return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(POLL_SECONDS)
        pytest.fail(f"not reached: {self.get('/api/v1/status')[1]}")

    def sweep(self) -> None:
        """Wait until the tally has twice looked for nodes to expire."""
        before = self.sample("maintenance_time_count") or 0.0
        self.until(lambda: (self.sample("maintenance_time_count") or 0.0) >= before + 2)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/api/v1/status")[1])
        return found

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, said
        return said


@contextmanager
def tally(kind: type[PatchedClock | FakedClock], server: embedded.Server, ahead: float) -> Iterator[Running]:
    """Run a tally with its clock ahead of the server's."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bed.impatient_tally", "tally", "--port", str(port), "--server", server.url]
    with wall_clock(kind) as clock:
        clock.set_ahead(ahead)
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | clock.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            running = Running(process, port, clock)
            running.until(lambda: process.poll() is not None or running.get("/-/ready")[0] == 200)
            assert process.poll() is None, process.communicate()[1]
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def broker() -> Iterator[embedded.Server]:
    """Run a server whose stream has the events of five nodes."""

    async def prepare(url: str) -> None:
        client = await nats_py.connect(url)
        await client.jetstream().add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.event.>"])
        await client.close()

    with embedded.nats_server() as server:
        asyncio.run(prepare(server.url))
        publish(server, *(lifecycle.startup(version="1", **node(number)) for number in range(NODES)))
        yield server


def node(number: int) -> dict[str, str]:
    return {"identity": f"n{number}.example.net", "component": "server"}


def publish(server: embedded.Server, *events: lifecycle.Event) -> None:
    async def run() -> None:
        async with lifecycle.connect(server.url, environ={}) as middleware:
            await middleware.publish_many(events, stored=True, timeout=SECONDS)

    asyncio.run(run())


def check(running: Running, server: embedded.Server, ahead: float) -> None:
    """Check all that a tally shows, with its clock this far ahead."""
    assert running.get("/-/ready") == (200, "ready\n")
    assert running.sample("complete") == 1
    running.sweep()
    before = running.sample("good_events") or 0.0
    publish(server, lifecycle.alive(version="1", **node(0)))
    running.until(lambda: running.sample("good_events") == before + 1)
    age = running.sample("last_event_age_seconds")
    assert age is not None
    assert age < SECONDS
    assert (running.sample("nodes"), running.sample("nodes_expired")) == (NODES, None)
    assert (running.sample("complete"), running.sample("gaps_total"), running.sample("connected")) == (1, 0, 1)
    status = running.status()
    # People see the machine's time; everything else counts back from it.
    assert status["now"] == pytest.approx(time.time() + ahead, abs=SECONDS)
    for past in (status["last_event"], status["connection"]["last_answer"]):
        assert -1 < status["now"] - past < SECONDS
    assert 0 < status["now"] - status["started"] < 10 * SECONDS
    assert (status["complete"], status["nodes"], status["expired"]) == (True, NODES, [])
    assert 0 <= status["now"] - status["minutes"]["first"] - 59 * 60 < 10 * SECONDS
    page = running.get("/")[1]
    assert "does not answer" not in page
    assert "notices" not in page
    assert running.get("/-/ready") == (200, "ready\n")


@pytest.mark.parametrize(("kind", "ahead"), CLOCKS)
def test_a_tally_with_the_wrong_time(
    broker: embedded.Server, kind: type[PatchedClock | FakedClock], ahead: float
) -> None:
    """Its clock is wrong at the start, and is then set by hours and days, both ways."""
    with tally(kind, broker, ahead) as running:
        running.until(lambda: running.sample("complete") == 1)
        assert (running.sample("nodes"), running.sample("replaying")) == (NODES, 0)
        assert running.sample("last_event_age_seconds") is None
        check(running, broker, ahead)
        for now_ahead in (HOUR, 3 * DAY, -3 * HOUR, -3 * DAY, 0.0):
            running.clock.set_ahead(now_ahead)
            check(running, broker, now_ahead)
        running.until(lambda: abs(running.status()["now"] - time.time()) < SECONDS)
        said = running.end()
    warnings = re.findall(r"the clock of the server .*", said)
    expected = [
        f"the clock of the server is {amount} this machine's: stored messages have its times; correct the clocks"
        for amount in (
            *({DAY: ["86400 s behind"], -DAY: ["86400 s ahead of"]}.get(ahead, [])),
            "3600 s behind",
            "259200 s behind",
            "10800 s ahead of",
            "259200 s ahead of",
        )
    ]
    # Times change by a second where one is rounded up.
    assert [_rounded(each) for each in warnings[: len(expected)]] == [_rounded(each) for each in expected]
    assert f"rebuilt {NODES} nodes from" in said


def _rounded(text: str) -> str:
    return re.sub(r"\d+", lambda found: str(round(int(found[0]), -1)), text)
