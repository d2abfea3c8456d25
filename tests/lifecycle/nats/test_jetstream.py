"""Reading a stream by the clock of its server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from choria_lifecycle.nats import jetstream
from choria_lifecycle.nats.jetstream import StreamCursor, Streams
from choria_lifecycle.nats.stream_watch import StreamWatch

DAY = 86400.0
SUBJECT = "choria.lifecycle.event.>"


class Machine:
    """This machine's clocks, in place of the module `time` and of `steady`."""

    def __init__(self) -> None:
        self.monotonic = 5000.0
        self.wall = 1_800_000_000.0

    def time(self) -> float:
        return self.wall

    def steady(self) -> float:
        return self.monotonic

    def wait(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


class Server:
    """JetStream's API with one stream.

    Attributes:
        ahead: how far the server's clock is ahead of this machine's.
        sends_time: whether it sends its time.
        latency: the seconds that each reply takes.
        last: the last sequence of the stream.
        created: when the stream was created.
        consumers: the configurations of the consumers created.
    """

    def __init__(self, machine: Machine) -> None:
        self.ahead = 0.0
        self.sends_time = True
        self.latency = 0.0
        self.last = 0
        self.created = "2026-01-01T00:00:00Z"
        self.consumers: list[dict[str, Any]] = []
        self._machine = machine

    where = elsewhere = ""

    @property
    def now(self) -> float:
        return self._machine.wall + self.ahead

    async def call(self, function: str, request: dict[str, Any], response_type: Any, deadline: float) -> Any:
        await asyncio.sleep(0)
        self._machine.wait(self.latency)
        if function.startswith("CONSUMER.CREATE."):
            self.consumers.append(request["config"])
            return msgspec.convert({"num_pending": 0}, response_type)
        assert function == "STREAM.INFO.CHORIA_EVENTS"
        info = {
            "config": {"name": "CHORIA_EVENTS", "subjects": [SUBJECT]},
            "state": {"messages": 0, "first_seq": self.last + 1, "last_seq": self.last},
            "created": self.created,
            "ts": datetime.fromtimestamp(self.now, UTC).isoformat() if self.sends_time else "",
        }
        return msgspec.convert(info, response_type)


class Reader:
    """A reader of the server's stream."""

    def __init__(self, server: Server, since: float | timedelta) -> None:
        self.offsets: list[float] = []
        self.cursor = StreamCursor(SUBJECT, since)
        self.doubts: list[str] = []
        self.streams = Streams(server, self, StreamWatch(self, SUBJECT))  # type: ignore[arg-type]
        self._server = server

    def server_clock(self, offset: float) -> None:
        self.offsets.append(offset)

    def doubt(self, begin: float, end: float, reason: str) -> None:
        self.doubts.append(reason)

    async def begin(self) -> None:
        await self.streams.find(self.cursor, "CHORIA_EVENTS", 0.0)

    async def start(self) -> str | int:
        """Create a consumer; return the time or the sequence that it starts from."""
        await self.streams.create_consumer(self.cursor, "name", 0.0)
        config = self._server.consumers[-1]
        start: str | int = config.get("opt_start_time") or config["opt_start_seq"]
        return start


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(jetstream, "time", made)
    monkeypatch.setattr(jetstream, "steady", made.steady)
    return made


@pytest.fixture
def server(machine: Machine) -> Server:
    return Server(machine)


@pytest.mark.parametrize("ahead", [0.0, 20.0, DAY, -DAY])
async def test_a_timedelta_counts_back_from_the_time_of_the_server(server: Server, ahead: float) -> None:
    server.ahead = ahead
    reader = Reader(server, timedelta(minutes=80))
    await reader.begin()
    assert reader.cursor.begin == reader.cursor.time / 1e9
    assert reader.cursor.time / 1e9 == pytest.approx(server.now - 4800, abs=0.01)
    start = datetime.fromtimestamp(server.now - 4800, UTC)
    assert await reader.start() == f"{start:%Y-%m-%dT%H:%M:%S}.{reader.cursor.time % 10**9:09d}Z"


async def test_the_clock_of_the_server_is_measured_with_every_reply(machine: Machine, server: Server) -> None:
    server.ahead = 20.0
    reader = Reader(server, 0.0)
    await reader.begin()
    expected = server.now - machine.monotonic
    assert reader.offsets
    machine.wall += DAY  # a step, which is not the server's
    server.ahead -= DAY
    await reader.start()
    server.ahead += 3600
    await reader.streams.check(reader.cursor, 0.0)
    assert reader.offsets[:-1] == pytest.approx([expected] * (len(reader.offsets) - 1), abs=0.01)
    assert reader.offsets[-1] == pytest.approx(expected + 3600, abs=0.01)


async def test_a_late_reply_does_not_measure_the_clock(server: Server) -> None:
    reader = Reader(server, 0.0)
    server.latency = 11.0  # this process was stopped
    await reader.begin()
    assert reader.offsets == []


@pytest.mark.parametrize("step", [DAY, -DAY])
async def test_without_the_time_of_the_server_that_of_this_machine_is_read_once(
    machine: Machine, server: Server, step: float
) -> None:
    server.sends_time = False
    begun = machine.wall
    reader = Reader(server, timedelta(minutes=80))
    machine.wall += step
    await reader.begin()
    assert reader.offsets == []
    assert reader.cursor.time / 1e9 == pytest.approx(begun - 4800, abs=0.01)
    await reader.start()
    assert "opt_start_time" in server.consumers[-1]


async def test_a_start_in_the_future_is_the_present(server: Server) -> None:
    reader = Reader(server, server.now + DAY)
    await reader.begin()
    assert reader.cursor.time / 1e9 == pytest.approx(server.now, abs=0.01)


async def test_a_server_set_back_does_not_hold_up_messages(machine: Machine, server: Server) -> None:
    """A consumer that starts at a time in the future would wait for it."""
    server.ahead, server.last = DAY, 7
    reader = Reader(server, timedelta(minutes=80))
    await reader.begin()
    assert isinstance(await reader.start(), str)
    server.ahead = 0.0
    machine.wait(60)
    assert await reader.start() == 8  # no message has been read, and the next is number 8
    assert await reader.start() == 8


async def test_a_new_stream_of_a_server_set_back_is_read_from_its_beginning(machine: Machine, server: Server) -> None:
    server.ahead, server.last = DAY, 7
    reader = Reader(server, timedelta(minutes=80))
    await reader.begin()
    await reader.start()
    reader.cursor.advance(8, int(server.now * 1e9))
    server.ahead, server.last, server.created = 0.0, 1, "2026-01-02T00:00:00Z"
    machine.wait(60)
    assert await reader.start() == "1970-01-01T00:00:00.000000000Z"


async def test_a_reader_continues_after_its_last_message_whatever_the_clock_shows(
    machine: Machine, server: Server
) -> None:
    reader = Reader(server, 0.0)
    await reader.begin()
    reader.cursor.advance(5, int(server.now * 1e9))
    server.last = 9
    for server.ahead in (DAY, -DAY, 0.0):
        machine.wait(60)
        assert await reader.start() == 6
