"""The intake: replayed and live events, missing and late streams, gaps."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.merge import Interval
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.clock import steady
from choria_lifecycle.tally import intake as intake_module
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.intake import Intake
from choria_lifecycle.tally.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

HOUR = 3600.0


class Clock:
    """The stream's clock, which may lag, so that stored events are old."""

    def __init__(self) -> None:
        self.ago = 0.0

    def __call__(self) -> float:
        return time.time() - self.ago


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Counting:
    """A running intake with its recorder and messages."""

    def __init__(self, intake: Intake, recorder: Recorder, said: list[str]) -> None:
        self.intake = intake
        self.recorder = recorder
        self.said = said

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not happened():  # noqa: ASYNC110 - yields to the other tasks
                await asyncio.sleep(0)


@asynccontextmanager
async def counting(
    middleware: Middleware,
    *,
    subject: str = "",
    components: tuple[str, ...] = (),
    replay: float = EXPIRY,
    stream: str = "",
    ran: float = 0.0,
) -> AsyncIterator[Counting]:
    recorder, said = Recorder(now=steady() - ran), list[str]()
    intake = Intake(
        middleware, recorder, subject=subject, components=components, replay=replay, stream=stream, notify=said.append
    )
    running = Counting(intake, recorder, said)
    task = asyncio.create_task(intake.run())
    try:
        await running.until(lambda: task.done() or intake.receiving)
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert not intake.receiving


def event(kind: str, number: int, version: str = "1", component: str = "server") -> lifecycle.Event:
    options = {"identity": f"n{number}.example.net", "component": component}
    return lifecycle.new(kind, **(options if kind == "shutdown" else options | {"version": version}))


async def test_stored_events_rebuild_nodes_and_are_not_counted(clock: Clock) -> None:
    transport = InMemoryTransport(clock=clock)
    middleware = Middleware(transport)
    await middleware.publish_many(
        [event("startup", 1), event("alive", 2), event("alive", 3), event("shutdown", 3), event("alive", 1, "2")]
    )
    await transport.publish([("choria.lifecycle.event.alive.server", b"{")], 5)
    async with counting(middleware) as running:
        await running.until(lambda: running.intake.replay_state == "done")
        assert dict(running.recorder.versions()) == {"server": {"1": 1, "2": 1}}
        assert (dict(running.recorder.good_events), running.recorder.errors) == ({}, {})
        await middleware.publish_many([event("alive", 4), event("shutdown", 2)])
        await running.until(lambda: sum(running.recorder.event_types.values()) == 2)
        assert dict(running.recorder.versions()) == {"server": {"1": 1, "2": 1}}
        assert (running.intake.replayed, running.intake.gaps, running.intake.reason) == (6, 0, "")
        assert len(running.said) == 1
        assert running.said[0].startswith("rebuilt 2 nodes from 6 stored events")


async def test_stored_events_count_from_the_time_they_were_stored(clock: Clock) -> None:
    middleware = Middleware(InMemoryTransport(clock=clock))
    for ago, number in ((EXPIRY + 100, 1), (EXPIRY - 300, 2), (10.0, 3)):
        clock.ago = ago
        await middleware.publish(event("alive", number))
    clock.ago = 0
    async with counting(middleware) as running:
        await running.until(lambda: running.intake.replay_state == "done")
        assert (running.recorder.nodes, running.intake.replayed) == (2, 2)
        while running.recorder.expire(steady() + 600):
            pass
        assert [each.identity for each in running.recorder.history.expired] == ["n2.example.net"]


@pytest.mark.parametrize(
    ("older", "replay", "complete"),
    [
        (2 * HOUR, EXPIRY, True),
        (2 * HOUR, ALIVE_INTERVAL - 60, False),
        (ALIVE_INTERVAL - 60, EXPIRY, False),
        (2 * HOUR, 0, False),
    ],
)
async def test_complete_needs_one_alive_interval(clock: Clock, older: float, replay: float, complete: bool) -> None:
    clock.ago = older
    middleware = Middleware(InMemoryTransport(clock=clock))
    clock.ago = 1
    await middleware.publish(event("alive", 1))
    async with counting(middleware, replay=replay) as running:
        await running.until(lambda: running.intake.replay_state in ("done", "off"))
        assert running.intake.complete is complete
        assert running.intake.replay_state == ("done" if replay else "off")


async def test_nothing_is_complete_during_the_replay(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.ago = 2 * HOUR
    middleware = Middleware(InMemoryTransport(clock=clock), limit=2)
    clock.ago = 1
    await middleware.publish_many([event("alive", number) for number in range(100)])
    recorder, seen = Recorder(now=steady()), list[tuple[str, bool]]()
    intake = Intake(middleware, recorder, components=(), replay=EXPIRY, stream="", notify=lambda text: None)
    restore = recorder.replay

    def watched(*arguments: Any) -> None:
        restore(*arguments)
        seen.append((intake.replay_state, intake.complete))

    monkeypatch.setattr(recorder, "replay", watched)
    task = asyncio.create_task(intake.run())
    async with asyncio.timeout(10):
        while not intake.complete:  # noqa: ASYNC110 - yields to the other tasks
            await asyncio.sleep(0)
    await middleware.close()
    await task
    assert recorder.nodes == 100
    assert seen == [("running", False)] * 99 + [("done", True)]


async def test_only_the_chosen_components_count() -> None:
    middleware = Middleware(InMemoryTransport())
    await middleware.publish_many([event("alive", 1, component=name) for name in ("a", "b", "c")])
    async with counting(middleware, components=("a", "c")) as running:
        await running.until(lambda: running.intake.replay_state == "done")
        await middleware.publish_many([event("alive", 2, component=name) for name in ("a", "b", "c")])
        await running.until(lambda: running.recorder.nodes == 4)
        assert set(running.recorder.versions()) == {"a", "c"}


@pytest.mark.parametrize("components", [(), ("server",)])
async def test_a_stream_that_keeps_events_under_another_subject(components: tuple[str, ...]) -> None:
    """As one that collects several sites: its messages are not published again."""
    transport = InMemoryTransport(streams=("dc1.choria.lifecycle.>",))

    async def publish(kind: str, number: int, component: str = "server", data: bytes | None = None) -> None:
        made = event(kind, number, component=component)
        await transport.publish([(f"dc1.{lifecycle.subject(made)}", data or lifecycle.encode(made))], 5)

    await publish("startup", 1)
    await publish("startup", 2, "billing")
    async with counting(
        Middleware(transport), subject="dc1.choria.lifecycle.event.>", components=components
    ) as running:
        await running.until(lambda: running.intake.replay_state == "done")
        await publish("alive", 3)
        await publish("alive", 4, "billing")
        await publish("alive", 5, "billing", b"{")
        await publish("alive", 5, "server", b"{")
        await running.until(lambda: "server" in running.recorder.errors)
        counted = {"server": 1} if components else {"server": 1, "billing": 1}
        assert (dict(running.recorder.good_events), running.recorder.errors) == (counted, counted)
        assert running.recorder.nodes == 2 * len(counted)


async def test_the_replay_ends_even_if_the_last_event_is_of_another_component() -> None:
    middleware = Middleware(InMemoryTransport())
    await middleware.publish_many([event("alive", 1, component=name) for name in ("a", "c", "other")])
    async with counting(middleware, components=("a", "c")) as running, asyncio.timeout(10):
        await running.intake.wait_replay_over()
        assert running.said[0].startswith("rebuilt 2 nodes from 3 stored events")
        assert running.intake.replay_state == "done"


class Booting(InMemoryTransport):
    """A transport of brokers whose JetStream is not ready.

    Attributes:
        reason: why it is not; empty once it is.
        asked: the number of attempts to read.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.reason = "JetStream system temporarily unavailable"
        self.asked = 0

    async def replay(self, *arguments: Any, **options: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.reason:
            raise lifecycle.ConnectionFailed(self.reason)
        return await super().replay(*arguments, **options)


async def test_the_intake_retries_until_the_stream_is_ready(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "_RETRY_INTERVAL", 0.0)
    clock.ago = 2 * HOUR
    transport = Booting(clock)
    middleware = Middleware(transport)
    clock.ago = 1
    await middleware.publish(event("alive", 1))
    recorder, said = Recorder(now=steady()), list[str]()
    intake = Intake(middleware, recorder, components=(), replay=EXPIRY, stream="", notify=said.append)
    running = Counting(intake, recorder, said)
    assert intake.replay_state == "running"
    task = asyncio.create_task(intake.run())
    await running.until(lambda: transport.asked > 3 and intake.receiving)
    assert (intake.replay_state, intake.reason, intake.complete) == ("waiting", transport.reason, False)
    assert not intake._replay_over.is_set()
    hint = "retrying; events are counted as they are published, and replayed once it can be read"
    assert caplog.messages == [f"{transport.reason}; {hint}"]
    await middleware.publish(event("startup", 2))  # during the wait, and stored
    await running.until(lambda: recorder.event_types == {("server", "startup"): 1})
    transport.reason = ""
    await asyncio.wait_for(intake.wait_replay_over(), 10)
    assert (intake.replay_state, intake.reason, intake.receiving, intake.complete) == ("done", "", True, True)
    await middleware.publish(event("alive", 3))
    await running.until(lambda: recorder.nodes == 3)
    assert recorder.event_types == {("server", "alive"): 1, ("server", "startup"): 1}
    assert (intake.replayed, intake.gaps) == (2, 0)
    await middleware.close()
    await task


async def test_events_read_late_count_from_the_time_they_were_stored(clock: Clock) -> None:
    async with counting(Middleware(InMemoryTransport(clock=clock)), ran=HOUR) as running:
        running.intake._last_event -= HOUR  # an hour ago; cut off for the last ten minutes
        clock.ago = 600
        await running.intake._middleware.publish(event("startup", 1))
        await running.until(lambda: running.recorder.nodes)
        now = steady()
        assert running.recorder.last_event == pytest.approx(now - 600, abs=30)
        while running.recorder.expire(now + EXPIRY - 300):
            pass
        assert [each.identity for each in running.recorder.history.expired] == ["n1.example.net"]


async def test_no_live_event_counts_from_before_the_start(clock: Clock) -> None:
    """Even if the brokers' clock is slow."""
    async with counting(Middleware(InMemoryTransport(clock=clock))) as running:
        clock.ago = 10 * HOUR
        await running.intake._middleware.publish(event("alive", 1))
        await running.until(lambda: running.recorder.nodes)
        assert running.recorder.last_event == pytest.approx(steady(), abs=30)


async def test_a_missing_stream_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    middleware = Middleware(InMemoryTransport(streams=()))
    async with counting(middleware, stream="CHORIA_EVENTS") as running:
        assert running.intake.replay_state == "none"
        assert "CHORIA_EVENTS" in running.intake.reason
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "counted as they are published, until there is a stream that the tally may read" in caplog.text
        await middleware.publish(event("alive", 1))
        await running.until(lambda: running.recorder.nodes)
        assert (running.intake.gaps, running.intake.replayed, running.said) == (0, 0, [])


async def test_a_stream_that_appears_later_is_read_and_each_event_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers create their streams a while after they start."""
    monkeypatch.setattr(intake_module, "_SEARCH_INTERVAL", 0.0)
    transport = InMemoryTransport(streams=())
    middleware = Middleware(transport)
    async with counting(middleware) as running:
        for number in range(600):
            if number == 200:
                transport._streams = ("choria.lifecycle.>",)
            # Each twice, as Choria repeats alive events to the byte.
            for _ in range(2):
                await middleware.publish(event("alive", number // 2))
        await running.until(lambda: running.intake.replay_state == "done")
        await running.until(lambda: running.recorder.event_types == {("server", "alive"): 1200})
        await middleware.publish(event("startup", 1000))
        await running.until(
            lambda: running.recorder.event_types == {("server", "alive"): 1200, ("server", "startup"): 1}
        )
        assert running.recorder.nodes == 301
        assert (running.intake.gaps, running.intake.reason, len(running.said)) == (0, "", 1)


async def test_a_stream_that_appears_brings_what_was_stored_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_SEARCH_INTERVAL", 0.0)
    clock = Clock()
    clock.ago = 600
    transport = InMemoryTransport(clock=clock)
    middleware = Middleware(transport)
    await middleware.publish(event("startup", 1))
    clock.ago = 0
    streams, transport._streams = transport._streams, ()
    async with counting(middleware) as running:
        assert (running.intake.replay_state, running.recorder.nodes) == ("none", 0)
        await middleware.publish(event("startup", 2))
        await running.until(lambda: running.recorder.nodes == 1)
        transport._streams = streams
        await running.until(lambda: running.intake.replay_state == "done")
        assert running.recorder.nodes == 2
        assert running.recorder.event_types == {("server", "startup"): 1}


async def test_a_gap_makes_the_numbers_incomplete() -> None:
    clock = Clock()
    clock.ago = 2 * HOUR
    transport = InMemoryTransport(clock=clock)
    clock.ago = 0
    async with counting(Middleware(transport)) as running:
        assert running.intake.complete
        transport.interrupt()  # not a gap, because the stream keeps the events
        assert running.intake.complete
        assert running.intake.gaps == 0
        assert running.intake._deliveries is not None
        running.intake._deliveries._inbox.missed(Interval(steady() - 1, steady(), "it was replaced"))
        assert running.intake.gaps == 1
        assert not running.intake.complete


async def test_after_the_stream_is_deleted_events_count_live(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    clock.ago = 2 * HOUR
    middleware = Middleware(InMemoryTransport(clock=clock))
    clock.ago = 0
    async with counting(middleware) as running:
        assert running.intake.complete
        assert running.intake._deliveries is not None
        running.intake._deliveries._inbox.fail(lifecycle.NoStream("the stream EVENTS is gone"))
        await running.until(lambda: running.intake.replay_state == "none" and running.intake.receiving)
        assert (running.intake.reason, running.intake.gaps) == ("the stream EVENTS is gone", 1)
        assert not running.intake.complete
        await middleware.publish(event("alive", 1))
        await running.until(lambda: running.recorder.nodes == 1)
        assert "the stream EVENTS is gone" in caplog.text


async def test_a_refused_subscription_raises() -> None:
    transport = InMemoryTransport(streams=())
    transport.refuse("choria.lifecycle.event.>")
    intake = Intake(
        Middleware(transport), Recorder(now=0.0), components=(), replay=0.0, stream="", notify=lambda text: None
    )
    with pytest.raises(lifecycle.NotAuthorised):
        await intake.run()


DAY = 24 * HOUR


class World:
    """The clocks of this machine and of a server, in which time passes only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        self.ahead = 0.0  # of this machine's wall clock
        self.server_ahead = 0.0
        monkeypatch.setattr(time, "time", lambda: 1.8e9 + self.seconds + self.ahead)
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.seconds)

    def server_time(self) -> float:
        return 1.8e9 + self.seconds + self.server_ahead


class Fleet:
    """Three nodes that are alive every 30 minutes, and one that is silent."""

    def __init__(self, world: World, running: Counting, transport: InMemoryTransport) -> None:
        self._world = world
        self._running = running
        self._middleware = Middleware(transport)

    async def live(self, hours: float) -> None:
        recorder = self._running.recorder
        for minute in range(int(hours * 60)):
            if minute % 30 == 0:
                before = sum(recorder.event_types.values())
                await self._middleware.publish_many([event("alive", number) for number in range(3)])
                await self._running.until(lambda before=before: sum(recorder.event_types.values()) == before + 3)
            self._world.seconds += 60
            while recorder.expire(steady()):
                pass
            last = recorder.last_event
            assert last is not None
            assert steady() - last <= 30 * 60


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


STEPS = [DAY, -DAY, 3 * HOUR, -3 * HOUR, 20.0]


@pytest.mark.parametrize("replay", [EXPIRY, 0.0])
@pytest.mark.parametrize("ahead", STEPS)
async def test_a_step_of_this_machines_clock_expires_no_node(world: World, ahead: float, replay: float) -> None:
    transport = InMemoryTransport(clock=world.server_time)
    async with counting(Middleware(transport), replay=replay) as running:
        fleet = Fleet(world, running, transport)
        await Middleware(transport).publish(event("alive", 9))  # and never again
        await fleet.live(1)
        assert (running.recorder.nodes, running.intake.complete) == (4, True)
        world.ahead = ahead
        await fleet.live(3)
        world.ahead = 0.0
        await fleet.live(3)
        assert (running.recorder.nodes, running.intake.complete) == (3, True)
        [expired] = running.recorder.history.expired
        assert (expired.identity, expired.expired - expired.seen) == (
            "n9.example.net",
            pytest.approx(EXPIRY, abs=180),
        )


@pytest.mark.parametrize("server_ahead", STEPS)
async def test_a_replay_from_a_server_with_another_time(world: World, server_ahead: float) -> None:
    """Replayed events have their true ages, and are found at all."""
    world.server_ahead = server_ahead
    transport = InMemoryTransport(clock=world.server_time)
    for number, minutes in ((1, 30.0), (2, 40.0), (3, 5.0)):
        await Middleware(transport).publish(event("alive", number))
        world.seconds += minutes * 60
    async with counting(Middleware(transport)) as running:
        await running.until(lambda: running.intake.replay_state == "done")
        assert (running.recorder.nodes, running.intake.complete) == (3, True)
        for minutes, nodes in ((0, 3), (10, 2), (40, 1), (40, 0)):
            world.seconds += minutes * 60
            while running.recorder.expire(steady()):
                pass
            assert running.recorder.nodes == nodes


@pytest.mark.parametrize("step", [DAY, -DAY, 3 * HOUR, -3 * HOUR])
async def test_a_step_of_the_servers_clock_expires_no_node(
    world: World, step: float, caplog: pytest.LogCaptureFixture
) -> None:
    transport = InMemoryTransport(clock=world.server_time)
    async with counting(Middleware(transport)) as running:
        fleet = Fleet(world, running, transport)
        deliveries = running.intake._deliveries
        assert deliveries is not None
        assert deliveries._stream is not None
        await fleet.live(1)
        assert running.intake.complete
        world.server_ahead = step
        await Middleware(transport).publish(event("alive", 0))  # before the step is noticed
        await running.until(lambda: sum(running.recorder.event_types.values()) == 7)
        last = running.recorder.last_event
        assert last is not None
        assert steady() - 30 * 60 <= last <= steady()
        assert running.intake.complete
        deliveries._stream.server_clock(world.server_time() - steady())
        assert not running.intake.complete  # the ages of stored events are uncertain
        assert "or this machine was paused" in caplog.text
        await fleet.live(0.5)
        assert running.intake.complete
        await fleet.live(3)
        deliveries._stream.server_clock(world.server_time() - steady())
        assert (running.recorder.nodes, running.intake.complete, running.intake.gaps) == (3, True, 0)
        assert not running.recorder.history.expired
