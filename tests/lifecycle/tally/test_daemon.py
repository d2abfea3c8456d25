"""A running tally over an in-memory transport: missing permissions, outages, the replay."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.merge import Interval
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.support.clock import steady
from choria_lifecycle.tally import daemon as tally_module
from choria_lifecycle.tally.daemon import Tally, TallyOptions
from choria_lifecycle.tally.defaults import EXPIRY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from choria_lifecycle.middleware.transport import Interest, Sink


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - yields to the other tasks
            await asyncio.sleep(0)


@asynccontextmanager
async def running_tally(
    transport: InMemoryTransport, options: TallyOptions
) -> AsyncIterator[tuple[Tally, asyncio.Task[None]]]:
    async with Middleware(transport) as middleware:
        tally = Tally(middleware, options)
        task = asyncio.create_task(tally.run())
        await until(lambda: not tally.not_ready_reason())
        yield tally, task
    async with asyncio.timeout(10):
        await task


@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_lifecycle_events_count_without_permission_for_machine_events(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    transport = InMemoryTransport()
    if when == "at the start":
        transport.refuse("choria.machine.transition")
    async with running_tally(transport, TallyOptions()) as (tally, task):
        transport.refuse("choria.machine.transition")
        await until(lambda: "these events are not counted" in caplog.text)
        await transport.publish([("choria.machine.watcher.exec.state", b"{")], 5)
        await transport.publish([("choria.lifecycle.event.alive.server", b"{")], 5)
        await until(lambda: tally.recorder.errors == {"exec_watcher": 1, "server": 1})
        assert not task.done()
    assert caplog.text.count("these events are not counted") == 1


class Silent(InMemoryTransport):
    """A transport whose server does not answer while `silent`."""

    silent = False

    async def flush(self, timeout: float) -> None:
        if self.silent:
            raise lifecycle.ConnectionFailed("no answer")
        await super().flush(timeout)


async def test_nodes_do_not_expire_during_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "_PING_INTERVAL", 0.0)
    monkeypatch.setattr(tally_module, "_SWEEP_INTERVAL", 0.05)
    transport = Silent()
    async with running_tally(transport, TallyOptions(expiry=0.01)) as (tally, _):
        swept = list[float]()
        monkeypatch.setattr(tally.recorder, "expire", swept.append)
        await until(lambda: swept)
        transport.silent = True
        await until(lambda: tally._last_failed_ping > 0)
        cut_off, _ = time.monotonic(), swept.clear()
        await until(lambda: time.monotonic() > cut_off + 0.3)
        assert not swept
        transport.silent = False
        await until(lambda: swept)


async def test_nodes_do_not_expire_during_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "_SWEEP_INTERVAL", 0.05)
    async with Middleware(InMemoryTransport()) as middleware:
        tally = Tally(middleware, TallyOptions(expiry=0.01))
        swept = list[float]()
        monkeypatch.setattr(tally.recorder, "expire", swept.append)
        sweeping = asyncio.create_task(tally._sweep_loop())
        begin = time.monotonic()
        await until(lambda: time.monotonic() > begin + 0.3)
        assert tally.state().replay_state == "running"
        assert not swept
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


async def test_a_standby_names_the_unfinished_replay_as_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Middleware(InMemoryTransport()) as middleware:
        tally = Tally(middleware, TallyOptions(election="TALLY"))
        assert tally.state().election_reason == "the stream has not been read yet"
        monkeypatch.setattr(tally._intake, "_no_stream", True)
        assert tally.state().election_reason == ""


async def test_readiness_ages_with_the_answers_of_the_broker_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Silent()
    async with running_tally(transport, TallyOptions()) as (tally, _):
        transport.silent = True
        answered = tally._last_answer
        assert answered is not None
        for ahead in (0.0, 86400.0, -86400.0):
            monkeypatch.setattr(tally_module.time, "time", lambda ahead=ahead: 1.8e9 + ahead)
            for age, reason in ((44.0, ""), (46.0, "the broker does not answer")):
                monkeypatch.setattr(tally_module, "steady", lambda age=age: answered + age)
                assert tally.not_ready_reason() == reason
                state = tally.state()
                assert state.now == 1.8e9 + ahead
                assert state.last_answer == pytest.approx(state.now - age, abs=0.001)
        monkeypatch.undo()


FULL = "it is full and refuses new messages"


class Stored(Silent):
    """A transport whose stream may have a fault, or be the only source of events."""

    def __init__(self, *, direct: bool = True, ago: float = 0.0) -> None:
        self.ago = ago
        super().__init__(clock=lambda: time.time() - self.ago)
        self._direct = direct
        self.ago = 0.0

    async def replay(self, *arguments: Any, **options: Any) -> Any:
        replay = await super().replay(*arguments, **options)
        replay.direct = self._direct  # type: ignore[attr-defined]
        return replay

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        interest = await super().subscribe(subject, queue, sink, timeout)
        if not self._direct and "lifecycle" in subject:
            await interest.unsubscribe()  # nothing is published there
        return interest

    def fail(self, fault: str) -> None:
        [replay] = self._replays
        replay.fault = fault

    def delete(self) -> None:
        self._streams = ()
        for replay in list(self._replays):
            self._replays.remove(replay)
            replay.sink.failed(lifecycle.NoStream("the stream no longer exists"))


def sample(tally: Tally, name: str) -> float | None:
    found = re.search(rf"^lifecycle_tally_{name} (\S+)$", tally.metrics().decode(), re.MULTILINE)
    return float(found[1]) if found else None


def alive(number: int) -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}", component="server", version="1")


async def test_a_stream_with_a_fault_is_shown_but_live_events_keep_the_tally_ready() -> None:
    transport = Stored(ago=2 * EXPIRY)
    async with running_tally(transport, TallyOptions()) as (tally, _):
        assert (sample(tally, "stream_readable"), sample(tally, "complete")) == (1, 1)
        assert sample(tally, "stream_last_event_age_seconds") is None
        transport.fail(FULL)
        await tally._middleware.publish(alive(1))
        await until(lambda: tally.recorder.nodes == 1)
        assert tally.not_ready_reason() == ""
        assert [sample(tally, name) for name in ("stream_readable", "connected", "complete")] == [0, 1, 1]
        found = tally.status()
        assert found["ready"]
        assert [each["reason"] for each in found["problems"]] == [f"the stream has a fault: {FULL}"]
        assert found["stream"] is not None
        assert (found["stream"]["readable"], found["stream"]["fault"]) == (False, FULL)
        transport.fail("")
        assert (sample(tally, "stream_readable"), tally.status()["problems"]) == (1, [])
        age = sample(tally, "stream_last_event_age_seconds")
        assert age is not None
        assert 0 <= age < 10


async def test_a_tally_that_has_only_the_stream_is_not_ready_while_that_has_a_fault() -> None:
    transport = Stored(direct=False, ago=2 * EXPIRY)
    async with running_tally(transport, TallyOptions()) as (tally, _):
        assert [sample(tally, name) for name in ("stream_readable", "connected", "complete")] == [1, 1, 1]
        transport.fail("it has no leader")
        assert tally.not_ready_reason() == "the only source of events, the stream, has a fault: it has no leader"
        assert [sample(tally, name) for name in ("stream_readable", "connected", "complete")] == [0, 0, 0]
        assert tally._intake.unbroken == 0  # so that no node expires
        transport.fail("")
        assert (tally.not_ready_reason(), sample(tally, "connected")) == ("", 1)


async def test_after_the_only_source_was_deleted_the_tally_is_not_ready() -> None:
    transport = Stored(direct=False, ago=2 * EXPIRY)
    async with running_tally(transport, TallyOptions()) as (tally, _):
        transport.delete()
        await until(lambda: tally.state().replay_state == "none" and tally._intake._deliveries is not None)
        assert tally.not_ready_reason() == "waiting for the stream: the stream no longer exists"
        assert [sample(tally, name) for name in ("stream_readable", "connected", "complete")] == [None, 0, 0]
        assert tally._intake.unbroken == 0
        [gap] = tally.status()["gaps"]
        assert gap["reason"] == "the stream no longer exists"
        assert gap["begin"] <= gap["end"] <= time.time()


async def test_without_permission_to_subscribe_the_stream_is_the_only_source(caplog: pytest.LogCaptureFixture) -> None:
    transport = Stored(ago=2 * EXPIRY)
    transport.refuse("choria.lifecycle.event.>")
    async with running_tally(transport, TallyOptions()) as (tally, _):
        await tally._middleware.publish(alive(1))
        await until(lambda: tally.recorder.nodes == 1)
        assert tally.status()["problems"] == []
        transport.fail("it has no leader")
        assert tally.not_ready_reason() == "the only source of events, the stream, has a fault: it has no leader"
        assert not tally.state().complete


async def test_each_warning_is_logged_once_and_its_end_as_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tally_module, "_WATCH_INTERVAL", 0.0)
    monkeypatch.setattr(tally_module, "_PING_INTERVAL", 0.0)
    later, wall, monotonic = list[float](), time.time, time.clock_gettime
    monkeypatch.setattr(time, "time", lambda: wall() + sum(later))
    monkeypatch.setattr(time, "clock_gettime", lambda which: monotonic(which) + sum(later))
    said = list[str]()
    transport = Stored(ago=8)
    async with Middleware(transport) as middleware:
        tally = Tally(middleware, TallyOptions(), notify=said.append)
        task = asyncio.create_task(tally.run())
        await until(lambda: "had only 8 s of the 80 min to replay" in caplog.text)
        assert sample(tally, "replay_available_seconds") == pytest.approx(8, abs=5)
        assert sample(tally, "replay_requested_seconds") == EXPIRY
        deliveries = tally._intake._deliveries
        assert deliveries is not None
        deliveries.counters.unstored = 3
        deliveries.counters.dropped = 2
        deliveries._inbox.missed(Interval(steady() - 1, steady(), "it was replaced"))
        await until(lambda: "2 messages were dropped" in caplog.text)
        assert "the stream has not stored 3 events" in caplog.text
        assert sample(tally, "unstored_events_total") == 3
        assert [each["reason"] for each in tally.status()["gaps"]] == ["it was replaced"]
        warnings = caplog.text.count("WARNING")
        transport.silent = True
        later.append(EXPIRY)
        await until(lambda: "the broker does not answer. Its last answer was 4800 s ago." in caplog.text)
        assert said[1:] == []  # not over while something worse hides it
        transport.silent = False
        await until(lambda: len(said) == 5)
        assert set(said[1:]) == {
            "the broker answers again",
            "every event of the last 30 minutes is known; every live node has been seen",
            "the stream has stored every event of the last 30 minutes",
            "every event of the last 30 minutes has arrived; the numbers are complete again",
        }
        assert caplog.text.count("WARNING") == warnings + 1
        assert caplog.text.count("messages on choria.lifecycle.event.> may have been missed") == 1
        assert "events may have been missed" not in caplog.text
        assert tally.status()["problems"] == []
    async with asyncio.timeout(10):
        await task


async def test_the_end_of_a_warning_about_a_stream_is_not_logged_if_the_stream_is_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tally_module, "_WATCH_INTERVAL", 0.0)
    transport = Stored(ago=8)
    async with running_tally(transport, TallyOptions()) as (tally, _):
        said = list[str]()
        monkeypatch.setattr(tally, "_notify", said.append)
        await until(lambda: "had only 8 s" in caplog.text)
        transport.delete()
        await until(lambda: tally.state().replay_state == "none" and tally._intake.receiving)
        turns = iter(range(20))
        await until(lambda: next(turns, None) is None)
        assert said == []
        assert tally.not_ready_reason() == ""
