"""Servers that die, hang, talk rubbish or change their mind, while events travel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import embedded
from choria_lifecycle.connection import connect
from choria_lifecycle.nats import backoff, connection, transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once: what is tested is that, not how long the pauses are."""
    monkeypatch.setattr(backoff, "SHORTEST", 0.01)
    monkeypatch.setattr(backoff, "LONGEST", 0.02)


@pytest.fixture
def frozen() -> Iterator[embedded.Server]:
    """A server of one's own to stop with SIGSTOP; it is continued for its end."""
    with embedded.nats_server(jetstream=False) as running:
        yield running
        running.process.send_signal(signal.SIGCONT)


def alive(number: int) -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}.example.net", component="server", version="1.0.0")


async def test_killed_while_receiving() -> None:
    with embedded.nats_server(jetstream=False) as first:
        async with (
            connect(first.url, environ={}) as middleware,
            middleware.events() as events,
            middleware.deliveries("other.>") as deliveries,
        ):
            await middleware.publish(alive(1))
            assert (await anext(events)).identity == "n1.example.net"
            first.kill()
            await lost(middleware)
            with embedded.nats_server(jetstream=False, port=first.port):
                await middleware.publish(alive(2), timeout=30)
                assert (await anext(events)).identity == "n2.example.net"
                assert events.counters.gaps == 1
                assert deliveries.counters.gaps == 1
                assert middleware.server == first.url


async def test_killed_while_publishing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with embedded.nats_server(store=tmp_path) as first:
        client = await nats_py.connect(first.url, allow_reconnect=False)
        await client.jetstream().add_stream(name="EVENTS", subjects=["choria.lifecycle.>"])
        await client.close()
        async with connect(first.url, environ={}) as middleware:

            async def publish(number: int) -> None:
                event = alive(number)
                with contextlib.suppress(lifecycle.DeliveryFailed):
                    await middleware.publish(event, stored=True, timeout=30)
                    acknowledged.append(event.id)

            for number in range(50):
                await publish(number)
            killed = [asyncio.create_task(publish(number)) for number in range(50, 100)]
            await asyncio.sleep(0)  # they have begun to send
            first.kill()
            await asyncio.wait(killed)
            with embedded.nats_server(port=first.port, store=tmp_path) as second:
                for number in range(100, 150):
                    await publish(number)
                client = await nats_py.connect(second.url)
                stream = client.jetstream()
                state = (await stream.stream_info("EVENTS")).state
                stored = {
                    lifecycle.parse((await stream.get_msg("EVENTS", number)).data or b"").id
                    for number in range(state.first_seq, state.last_seq + 1)
                }
                await client.close()
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= stored


async def test_publishing_before_the_end_is_noticed_may_have_arrived() -> None:
    with embedded.nats_server(jetstream=False) as server:
        async with connect(server.url, environ={}) as middleware:
            server.kill()
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1), timeout=30)
            assert raised.value.may_arrive


async def test_published_while_disconnected_waits_for_the_server() -> None:
    with embedded.nats_server(jetstream=False) as first:
        async with connect(first.url, environ={}) as middleware:
            first.kill()
            await lost(middleware)
            waiting = asyncio.create_task(middleware.publish(alive(2), timeout=30))
            with embedded.nats_server(jetstream=False, port=first.port):
                await waiting


async def test_nothing_was_sent_while_disconnected() -> None:
    with embedded.nats_server(jetstream=False) as first:
        async with connect(first.url, environ={}) as middleware:
            first.kill()
            await lost(middleware)
            with pytest.raises(lifecycle.DeliveryFailed, match="nothing was sent") as raised:
                await middleware.publish(alive(1), timeout=0.1)
            assert not raised.value.may_arrive
            with pytest.raises(lifecycle.ConnectionFailed):
                async with middleware.events(timeout=0.1):
                    pytest.fail("subscribed")
            with pytest.raises(lifecycle.ConnectionFailed):
                await middleware.flush(timeout=0.1)
    assert tasks_left() == []


async def test_server_that_hangs(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_CLOSE_SECONDS", 0.2)
    async with connect(frozen.url, environ={}) as middleware:
        async with middleware.events() as events:
            freeze(frozen)
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1), timeout=0.2)
            assert raised.value.may_arrive
            assert raised.value.subject == "choria.lifecycle.event.alive.server"
            with pytest.raises(lifecycle.ConnectionFailed):
                await middleware.flush(timeout=0.1)
            frozen.process.send_signal(signal.SIGCONT)
            await middleware.publish(alive(2))  # a confirmation that came too late breaks nothing
            assert [(await anext(events)).identity for _ in range(2)] == ["n1.example.net", "n2.example.net"]
        freeze(frozen)
    assert tasks_left() == []


async def test_server_that_takes_no_more_bytes(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_CLOSE_SECONDS", 0.2)
    async with connect(frozen.url, environ={}) as middleware:
        freeze(frozen)
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish_many([alive(1)] * 50_000, timeout=0.3)
    assert tasks_left() == []


async def test_black_hole_is_noticed(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection._PING_SECONDS * (connection._PINGS_OUTSTANDING + 1) <= 60
    monkeypatch.setattr(connection, "_PING_SECONDS", 0.05)
    async with connect(frozen.url, environ={}) as middleware:
        freeze(frozen)
        await lost(middleware)
        frozen.process.send_signal(signal.SIGCONT)
        await middleware.publish(alive(1), timeout=30)


async def test_rubbish_reconnects_without_tracebacks(fake_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    info = {"max_payload": 1048576}
    rubbish = b"MSG choria.x notanumber 5\r\nhello\r\n"
    with caplog.at_level(logging.DEBUG):
        async with fake_server(info, b"PONG\r\n", rubbish) as fake, connect(fake.url, environ={}) as middleware:
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1), timeout=5)
            assert raised.value.may_arrive
            await middleware.publish(alive(2), timeout=30)
    assert {record.name for record in caplog.records if record.levelno > logging.DEBUG} == {"choria_lifecycle"}
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("words", [b"-ERR 'User Authentication Expired'\r\n", b"-ERR 'Unknown Protocol Operation'\r\n"])
async def test_server_that_ends_the_connection_is_tried_again(fake_server: Any, words: bytes) -> None:
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", words) as fake,
        connect(fake.url, environ={}) as middleware,
    ):
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1), timeout=5)
        await middleware.publish(alive(2), timeout=30)


async def test_nothing_is_sent_in_the_clear_after_a_reconnect(fake_server: Any, tls: Path) -> None:
    users = 'authorization { users = [ { user: "alice", password: "s3cret" } ] }'
    config = f'{users}\ntls {{ cert_file: "{tls}/server.pem", key_file: "{tls}/server.key" }}'
    with embedded.nats_server(config, jetstream=False) as server:
        url = server.url.replace("nats://", "tls://")
        options = {"user": "alice", "password": "s3cret", "ca": tls / "ca.pem", "environ": {}}
        async with connect(url, **options) as middleware:
            server.kill()
            await lost(middleware)
            async with fake_server({"max_payload": 1048576, "auth_required": True}, port=server.port) as stripped:
                for _ in range(3):  # each ends before the next begins
                    await stripped.connections.get()
                assert bytes(stripped.received) == b""
                waiting = asyncio.create_task(middleware.publish(alive(1), timeout=30))
                await asyncio.sleep(0)
                await middleware.close()
                with pytest.raises(lifecycle.DeliveryFailed) as raised:
                    await waiting
                assert not raised.value.may_arrive


async def test_closing_while_reconnecting() -> None:
    with embedded.nats_server(jetstream=False) as server:
        async with connect(server.url, environ={}) as middleware, middleware.events() as events:
            server.kill()
            await lost(middleware)
            await middleware.close()
            assert [event async for event in events] == []
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1))
            assert not raised.value.may_arrive
    assert tasks_left() == []


async def test_cancelled_while_closing(frozen: embedded.Server) -> None:
    manager = connect(frozen.url, environ={})
    middleware = await manager.__aenter__()
    freeze(frozen)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await middleware.close()
    await manager.__aexit__(None, None, None)
    assert tasks_left() == []


def tasks_left() -> list[str]:
    """The tasks that are running besides the test."""
    return [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() - {asyncio.current_task()}]


def freeze(server: embedded.Server) -> None:
    """Stop a server, and return once it has stopped; its fixture lets it go on."""
    server.process.send_signal(signal.SIGSTOP)
    os.waitpid(server.process.pid, os.WUNTRACED)


async def lost(middleware: lifecycle.Middleware) -> None:
    """Wait until the end of the connection was noticed."""
    await asyncio.wait({middleware._transport._connection.client.lost})


def test_backoff_grows_and_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "SHORTEST", 0.5)
    monkeypatch.setattr(backoff, "LONGEST", 20.0)
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    pool = [nats_py.aio.client.Server(uri=nats_py.aio.client.urlparse(f"nats://{host}:4222")) for host in "ab"]
    chooses = backoff.Backoff(uniform)
    chosen = [chooses(pool, {}) for _ in range(16)]
    assert [server.uri.hostname for server, _ in chosen if server] == ["a", "b"] * 8
    assert [delay for _, delay in chosen[1::2]] == [0.0] * 8
    assert [delay for _, delay in chosen[::2]] == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]
    assert {low for low, _ in bounds} == {0.5}
    chooses.reset()
    assert chooses(pool, {})[1] == 1.0
