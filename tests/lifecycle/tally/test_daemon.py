"""A running tally over an in-memory transport: missing permissions, outages, the replay."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.tally import daemon as tally_module
from choria_lifecycle.tally.daemon import Tally, TallyOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


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
