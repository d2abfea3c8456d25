"""The announcer's queue, heartbeats and retries, on an in-memory transport that can fail."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle import Format, Middleware, Service, detect_format, event_type
from choria_lifecycle.errors import ConnectionFailed, DeliveryFailed, InvalidEvent, NotAuthorised
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.service import announcer as module
from choria_lifecycle.service import lifetime
from choria_lifecycle.service.announcer import Announcer
from choria_lifecycle.service.environment import current_environment
from choria_lifecycle.service.lifetime import Run
from choria_lifecycle.service.loop_thread import LoopThread
from choria_lifecycle.service.publisher import Borrowed
from choria_lifecycle.testing import FakeClock, MemoryMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from choria_lifecycle.middleware.transport import Message
    from choria_lifecycle.service.publisher import PublisherSource

INTERVAL = 1800.0


class Broken(InMemoryTransport):
    """A transport whose server can be down.

    Attributes:
        away: the error that publishing raises; None while the server is up.
        tried: the payload of each attempt to publish.
        arrives: whether messages arrive although publishing raises.
    """

    def __init__(self, away: Exception | None = None) -> None:
        super().__init__()
        self.away = away
        self.tried: list[bytes] = []
        self.arrives = False
        self.changed = asyncio.Event()

    async def publish(self, messages: Sequence[Message], timeout: float) -> None:
        self.tried += [data for _, data in messages]
        self.changed.set()
        if self.away is None or self.arrives:
            await super().publish(messages, timeout)
        if self.away is not None:
            raise self.away

    async def until_tried(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.tried) < times:
                self.changed.clear()
                await self.changed.wait()

    @property
    def published_types(self) -> list[str]:
        return [subject.split(".")[3] for subject, _ in self.published]


def unconfirmed() -> DeliveryFailed:
    return DeliveryFailed("the server is down", subject="x", may_arrive=True)


@asynccontextmanager
async def announcing(source: PublisherSource | Middleware, **options: Any) -> AsyncIterator[Announcer]:
    async def identity() -> str:
        return "n1.example.net"

    defaults: dict[str, Any] = {
        "component": "billing",
        "version": "1.4.2",
        "identity": identity,
        "source": Borrowed(source) if isinstance(source, Middleware) else source,
        "interval": INTERVAL,
        "initial_delay": 60.0,
        "format": Format.CHORIA,
        "limit": 64,
        "clock": FakeClock(),
    }
    announcer = Announcer(**defaults | options)
    tasks = list(announcer._tasks)
    try:
        yield announcer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow failures without a pause."""
    for name in ("_MIN_PAUSE", "_MAX_PAUSE", "_CLOSING_PAUSE"):
        monkeypatch.setattr(module, name, 0.001)


async def test_events_are_published_in_order() -> None:
    clock, middleware = FakeClock(), MemoryMiddleware()
    async with announcing(middleware, clock=clock) as announcer:
        await announcer.wait_announced()
        assert announcer.identity == "n1.example.net"
        await clock.advance_async(59.9)
        middleware.announcements.assert_types("startup")
        await clock.advance_async(0.1)
        middleware.announcements.assert_types("startup", "alive")
        await clock.advance_async(INTERVAL - 0.1)
        middleware.announcements.assert_types("startup", "alive")
        await clock.advance_async(0.1)
        announcer.provisioned()
        announcer.upgraded("1.5.0")
        await clock.advance_async(INTERVAL)
        await announcer.close(5)
    events = middleware.announcements.of()
    types = ["startup", "alive", "alive", "provisioned", "upgraded", "alive", "shutdown"]
    assert [event_type(event) for event in events] == types
    assert {(event.component, event.identity) for event in events} == {("billing", "n1.example.net")}
    assert [getattr(event, "version", None) for event in events] == ["1.4.2"] * 3 + [None, "1.4.2", "1.5.0", None]
    assert events[4].new_version == "1.5.0"  # type: ignore[union-attr]
    assert len({event.id for event in events}) == len(events)
    assert announcer.counters == module.AnnouncerCounters(published=7)


async def test_each_heartbeat_carries_the_time_at_which_it_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, middleware = FakeClock(), MemoryMiddleware()
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1_700_000_000.9 + clock.now()))
    async with announcing(middleware, clock=clock) as announcer:
        await announcer.wait_announced()
        await clock.advance_async(2 * INTERVAL)
    stamps = [event.timestamp - 1_700_000_000 for event in middleware.announcements.of()]
    assert stamps == [0, 60, 1860]


async def test_ten_thousand_heartbeats_do_not_drift() -> None:
    """Each wake-up is late, and the interval has no exact binary representation."""

    class Late(FakeClock):
        async def sleep_until(self, time: float) -> None:
            wanted.append(time)
            await super().sleep_until(time + random.uniform(0, 0.05))

    wanted: list[float] = []
    clock, middleware = Late(), MemoryMiddleware()
    async with announcing(middleware, clock=clock, interval=0.1, initial_delay=0.05, limit=10_000) as announcer:
        await announcer.wait_announced()
        await clock.advance_async(1000.04)
    assert len(middleware.announcements.of("alive")) == 10_000
    assert len({event.id for event in middleware.announcements.of("alive")}) == 10_000
    assert all(abs(time - (0.05 + beat * 0.1)) < 1e-6 for beat, time in enumerate(wanted))


@pytest.mark.parametrize(("resumed_at", "next_due"), [(1.0, 1.5), (1.4, 1.5), (7.9, 8.5), (1000.7, 1001.5)])
async def test_heartbeats_missed_during_a_suspend_are_skipped(resumed_at: float, next_due: float) -> None:
    """The clock has jumped ahead when the first of them can be sent; the rhythm stays the same."""

    class SuspendedClock(FakeClock):
        async def sleep_until(self, time: float) -> None:
            await super().sleep_until(time)
            if not suspended:
                suspended.append(True)
                self._now = resumed_at

    suspended: list[bool] = []
    clock, middleware = SuspendedClock(), MemoryMiddleware()
    async with announcing(middleware, clock=clock, interval=1.0, initial_delay=0.5) as announcer:
        await announcer.wait_announced()
        await clock.advance_async(0.5)
        assert len(middleware.announcements.of("alive")) == 1
        await clock.advance_async(next_due - resumed_at - 0.01)
        assert len(middleware.announcements.of("alive")) == 1
        await clock.advance_async(0.02)
        assert len(middleware.announcements.of("alive")) == 2


async def test_a_full_queue_drops_the_oldest_events_and_counts_them() -> None:
    transport, clock = Broken(unconfirmed()), FakeClock()
    async with announcing(Middleware(transport), clock=clock, limit=3) as announcer:
        with pytest.raises(DeliveryFailed):
            await announcer.wait_announced()
        announcer.upgraded("2.0.0")
        await clock.advance_async(60)
        assert announcer.counters.dropped == 0
        announcer.provisioned()
        assert announcer.counters.dropped == 1
        transport.away = None
        announcer._closing.set()  # ends the pause before the next attempt
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert transport.published_types == ["upgraded", "alive", "provisioned"]
    assert announcer.counters == module.AnnouncerCounters(published=3, failures=1, dropped=1)


async def test_only_the_last_heartbeat_of_an_outage_is_kept() -> None:
    transport, clock = Broken(unconfirmed()), FakeClock()
    async with announcing(Middleware(transport), clock=clock) as announcer:
        with pytest.raises(DeliveryFailed):
            await announcer.wait_announced()
        await clock.advance_async(60 + 2 * INTERVAL)
        announcer.upgraded("2.0.0")
        await clock.advance_async(50 * INTERVAL)
        transport.away = None
        announcer._closing.set()  # ends the pause before the next attempt
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert transport.published_types == ["startup", "upgraded", "alive"]
    assert announcer.counters == module.AnnouncerCounters(published=3, failures=1, dropped=52)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("arrives", [False, True])
async def test_a_retry_sends_the_same_event(arrives: bool) -> None:
    transport = Broken(unconfirmed())
    transport.arrives = arrives
    async with announcing(Middleware(transport)) as announcer:
        await transport.until_tried(5)
        transport.away = None
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert len(set(transport.tried)) == 1
    assert announcer.counters.published == 1
    assert announcer.counters.failures == len(transport.tried) - 1
    assert transport.published_types == ["startup"] * (len(transport.tried) if arrives else 1)


@pytest.mark.usefixtures("quick")
async def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "choria_lifecycle")
    transport = Broken(unconfirmed())
    async with announcing(Middleware(transport)) as announcer:
        for outage in (1, 2):
            await transport.until_tried(outage * 10)
            transport.away = None
            await asyncio.wait_for(announcer._drained.wait(), 5)
            assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
            assert caplog.messages == [
                "billing is not announced: the server is down; the service keeps running and retries",
                "billing is announced again",
            ]
            caplog.clear()
            transport.away = unconfirmed()
            announcer._drained.clear()
            announcer.provisioned()
    assert announcer.counters.failures >= 18


async def test_pauses_grow_and_start_over_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Timeouts:
        """`asyncio`, with a `timeout` that records its argument and expires at once."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        def timeout(self, seconds: float) -> asyncio.Timeout:
            pauses.append(seconds)
            return asyncio.timeout(0)

    monkeypatch.setattr(module, "asyncio", Timeouts())
    transport = Broken(unconfirmed())
    async with announcing(Middleware(transport)) as announcer:
        await transport.until_tried(10)
        assert pauses[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        transport.away = None
        await asyncio.wait_for(announcer._drained.wait(), 5)
        pauses.clear()
        transport.away, transport.tried = unconfirmed(), []
        announcer.provisioned()
        await transport.until_tried(3)
        assert pauses[:2] == [1, 2]


async def test_an_event_that_is_too_large_is_dropped() -> None:
    transport = Broken()
    async with announcing(Middleware(transport), version="v" * 70_000) as announcer:
        with pytest.raises(InvalidEvent):
            await announcer.wait_announced()
        announcer._drained.clear()
        announcer.provisioned()
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert transport.published_types == ["provisioned"]
    assert announcer.counters == module.AnnouncerCounters(published=1, failures=1, dropped=1)


@pytest.mark.usefixtures("quick")
async def test_a_refused_subject_is_retried() -> None:
    transport = Broken(NotAuthorised("the server refused it"))
    async with announcing(Middleware(transport)) as announcer:
        with pytest.raises(NotAuthorised):
            await announcer.wait_announced()
        transport.away = None
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert transport.published_types == ["startup"]


async def test_closing_drops_queued_heartbeats() -> None:
    transport, clock = Broken(), FakeClock()
    async with announcing(Middleware(transport), clock=clock) as announcer:
        await announcer.wait_announced()
        transport.away = unconfirmed()
        await clock.advance_async(60 + INTERVAL)
        announcer.provisioned()
        transport.away = None
        await announcer.close(5)
    assert transport.published_types == ["startup", "provisioned", "shutdown"]
    assert announcer.counters == module.AnnouncerCounters(published=3, failures=1, dropped=2)


async def test_closing_times_out() -> None:
    transport = Broken()
    async with announcing(Middleware(transport)) as announcer:
        await announcer.wait_announced()
        transport.away = unconfirmed()
        with pytest.raises(DeliveryFailed, match="down"):
            await announcer.close(0.05)
        assert all(task.done() for task in announcer._tasks)
    assert announcer.counters.dropped == 1


async def test_closing_does_not_wait_if_every_attempt_failed() -> None:
    transport = Broken(DeliveryFailed("the server is down", subject="x", may_arrive=False))
    async with announcing(Middleware(transport)) as announcer:
        with pytest.raises(DeliveryFailed):
            await announcer.wait_announced()
        announcer.provisioned()
        with pytest.raises(DeliveryFailed):
            await announcer.close(1000)
        assert all(task.done() for task in announcer._tasks)
    assert announcer.counters == module.AnnouncerCounters(failures=1, dropped=2)
    assert len(transport.tried) == 1


@pytest.mark.usefixtures("quick")
async def test_closing_publishes_shutdown_if_startup_may_be_arriving() -> None:
    """One attempt failed; in the second, the server has received startup and not confirmed it yet."""

    class Slow(Broken):
        async def publish(self, messages: Sequence[Message], timeout: float) -> None:
            await super().publish(messages, timeout)
            await confirmed.wait()

    confirmed, transport = asyncio.Event(), Slow(unconfirmed())
    async with announcing(Middleware(transport)) as announcer:
        await transport.until_tried(1)
        transport.away = None
        await transport.until_tried(2)
        closing = asyncio.create_task(announcer.close(5))
        await asyncio.sleep(0)
        confirmed.set()
        await closing
    assert transport.published_types == ["startup", "shutdown"]


async def test_closing_ends_the_wait_for_startup() -> None:
    class Silent:
        closed = False

        async def middleware(self) -> Middleware:
            return await asyncio.get_running_loop().create_future()

    async with announcing(Silent()) as announcer:
        waiting = asyncio.create_task(announcer.wait_announced())
        await asyncio.sleep(0)
        with pytest.raises(ConnectionFailed, match=r"within 0\.01 s"):
            await announcer.close(0.01)
        await asyncio.wait({waiting}, timeout=5)
        assert waiting.done()


@pytest.mark.parametrize("format", list(Format))
async def test_events_are_written_in_the_format(format: Format) -> None:
    transport = Broken()
    async with announcing(Middleware(transport), format=format) as announcer:
        await announcer.wait_announced()
        await announcer.close(5)
    assert [detect_format(data) for _, data in transport.published] == [format, format]


@pytest.mark.usefixtures("quick")
async def test_unexpected_errors_are_retried(caplog: pytest.LogCaptureFixture) -> None:
    """For example, no thread can be started for a moment to look up the identity or a host name."""

    class Odd(Borrowed):
        async def middleware(self) -> Middleware:
            if len(tried) < 3:  # by now, the identity is known
                tried.append("middleware")
                raise ZeroDivisionError("on purpose")
            return await super().middleware()

    async def identity() -> str:
        if not tried:
            tried.append("identity")
            raise RuntimeError("can't start new thread")
        return "n1.example.net"

    tried: list[str] = []
    transport = Broken()
    async with announcing(Odd(Middleware(transport)), identity=identity) as announcer:
        with pytest.raises(ConnectionFailed, match="RuntimeError: can't start new thread"):
            await announcer.wait_announced()
        await asyncio.wait_for(announcer._drained.wait(), 5)
    assert transport.published_types == ["startup"]
    assert announcer.counters == module.AnnouncerCounters(published=1, failures=3)
    assert len(caplog.messages) == 1


async def test_closing_does_not_wait_for_a_closed_middleware() -> None:
    middleware = Middleware(Broken())
    async with announcing(middleware) as announcer:
        await announcer.wait_announced()
        await middleware.close()
        with pytest.raises(ConnectionFailed, match="the middleware is already closed"):
            await announcer.close(1000)
    assert announcer.counters == module.AnnouncerCounters(published=1)


async def test_shutdown_is_published_after_all_tasks_were_cancelled() -> None:
    """As by asyncio.run at its end, or by a program that cleans up its loop."""
    transport = Broken()
    async with announcing(Middleware(transport)) as announcer:
        await announcer.wait_announced()
        for task in announcer._tasks:
            task.cancel()
        await asyncio.wait(announcer._tasks)
        await announcer.close(5)
        assert all(task.done() for task in announcer._tasks)
    assert transport.published_types == ["startup", "shutdown"]


def test_the_first_heartbeat_is_uniform_within_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kolmogorov-Smirnov test at 0.1 %, with a fixed seed."""
    firsts: list[float] = []

    class Recorded(Announcer):
        def __init__(self, **options: Any) -> None:
            firsts.append(options["initial_delay"])

    monkeypatch.setattr(lifetime, "Announcer", Recorded)
    monkeypatch.setattr(lifetime, "jitter", random.Random(6))
    count = 4000
    for _ in range(count):
        service = Service("billing", "1.4.2", middleware=MemoryMiddleware(), interval=INTERVAL)
        Run(service._config, current_environment())._open(LoopThread.__new__(LoopThread))
    assert all(0 <= first <= INTERVAL for first in firsts)
    spread = max(abs(first / INTERVAL - rank / count) for rank, first in enumerate(sorted(firsts)))
    assert spread < 1.95 / count**0.5
