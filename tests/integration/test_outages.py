"""Servers that die, hang, send garbage or change their configuration while events are in flight."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, Any
from unittest import mock

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.nats import connection, reconnect, tcp, transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once: the length of the pauses is not under test."""
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.01)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 0.02)


@pytest.fixture
def frozen() -> Iterator[embedded.Server]:
    """Run a private server to stop with SIGSTOP; it is continued before its end."""
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


async def test_killed_while_publishing_loses_no_acknowledged_events(tmp_path: Path) -> None:
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
            await asyncio.sleep(0)  # they have started sending
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


async def test_events_published_before_the_loss_is_noticed_may_have_arrived() -> None:
    with embedded.nats_server(jetstream=False) as server:
        async with connect(server.url, environ={}) as middleware:
            server.kill()
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1), timeout=30)
            assert raised.value.may_arrive


async def test_events_published_while_disconnected_wait_for_the_server() -> None:
    with embedded.nats_server(jetstream=False) as first:
        async with connect(first.url, environ={}) as middleware:
            first.kill()
            await lost(middleware)
            waiting = asyncio.create_task(middleware.publish(alive(2), timeout=30))
            with embedded.nats_server(jetstream=False, port=first.port):
                await waiting


async def test_nothing_is_sent_while_disconnected() -> None:
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


async def test_a_server_that_hangs(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
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
            await middleware.publish(alive(2))  # a late confirmation does no harm
            assert [(await anext(events)).identity for _ in range(2)] == ["n1.example.net", "n2.example.net"]
        freeze(frozen)
    assert tasks_left() == []


async def test_a_server_that_stops_reading(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
    async with connect(frozen.url, environ={}) as middleware:
        freeze(frozen)
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish_many([alive(1)] * 50_000, timeout=0.3)
    assert tasks_left() == []


async def stall(server: embedded.Server, middleware: lifecycle.Middleware) -> None:
    """Stop a server, and send enough to fill the buffers."""
    freeze(server)
    with pytest.raises(lifecycle.DeliveryFailed):
        await middleware.publish_many([alive(1)] * 50_000, timeout=0.3)
    assert middleware._transport._connection.client._socket._io_writer.transport.get_write_buffer_size()


async def crowd(middleware: lifecycle.Middleware) -> None:
    """Start more publishes at once than nats-py's own queue of 1024 holds."""
    outcomes = await asyncio.gather(
        *(middleware.publish(alive(number), timeout=0.1) for number in range(1100)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {lifecycle.DeliveryFailed}


async def test_every_timeout_holds_while_the_server_does_not_read(
    frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
    async with asyncio.timeout(30), connect(frozen.url, environ={}) as middleware:
        await stall(frozen, middleware)
        await crowd(middleware)
        # Above the two megabytes at which nats-py would wait within publish.
        middleware._transport._connection.client._pending_data_size += 3_000_000
        with pytest.raises(lifecycle.ConnectionFailed):
            async with middleware.events(timeout=0.1):
                pytest.fail("subscribed")
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1), stored=True, timeout=0.1)
        with pytest.raises(lifecycle.ConnectionFailed):
            await middleware.flush(timeout=0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await middleware.publish(alive(1), timeout=60)
        assert not middleware._transport._connection.client.lost.done()
    assert tasks_left() == []


async def test_loss_is_noticed_while_the_server_does_not_read(
    frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PING_SECONDS", 1)
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
    async with asyncio.timeout(30), connect(frozen.url, environ={}) as middleware:
        await stall(frozen, middleware)
        await crowd(middleware)
        await lost(middleware)


async def test_pending_data_is_bounded_while_the_server_does_not_read(
    frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(transport, "_MAX_UNSENT_BYTES", 1_000_000)
    async with connect(frozen.url, environ={}) as middleware:
        await stall(frozen, middleware)
        nats = middleware._transport._connection.client
        for stored in (False, True):
            for _ in range(20):
                with pytest.raises(lifecycle.DeliveryFailed) as raised:
                    await middleware.publish_many([alive(1)] * 2000, timeout=0.01)
                if not raised.value.may_arrive:
                    break
            with pytest.raises(lifecycle.DeliveryFailed, match="has stopped reading") as raised:
                await middleware.publish(alive(1), stored=stored, timeout=60)
            assert not raised.value.may_arrive
        assert nats.pending_data_size < 2_000_000
        frozen.process.send_signal(signal.SIGCONT)
        await middleware.flush(timeout=30)
        await middleware.publish(alive(2))


async def test_closing_with_unread_data(frozen: embedded.Server) -> None:
    loop = asyncio.get_running_loop()
    async with connect(frozen.url, environ={}) as middleware:
        with pytest.raises(lifecycle.DeliveryFailed, match="no JetStream"):  # leaves a task for acknowledgements
            await middleware.publish(alive(1), stored=True)
        await stall(frozen, middleware)
        begun = loop.time()
        await middleware.close()
        assert loop.time() - begun < 5.5
    assert tasks_left() == []


async def test_cancelled_while_closing_with_unread_data(
    frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.01)  # the cancellation hits the disconnect
    manager = connect(frozen.url, environ={})
    middleware = await manager.__aenter__()
    await stall(frozen, middleware)
    socket = middleware._transport._connection.client._socket._io_writer.get_extra_info("socket")
    assert socket.fileno() >= 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await middleware.close()
    await manager.__aexit__(None, None, None)
    await asyncio.sleep(0)
    assert socket.fileno() == -1


async def test_neither_side_reads(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once asyncio.run has cancelled its tasks, nats-py writes at once and swallows a cancellation while it waits."""
    monkeypatch.setattr(transport, "_DRAIN_SECONDS", 0.2)
    async with (
        connect(frozen.url, environ={}) as middleware,
        middleware.events("alive"),
        middleware.events("startup"),
        contextlib.AsyncExitStack() as stack,
    ):
        await stack.enter_async_context(middleware.events("shutdown"))
        await stall(frozen, middleware)
        nats = middleware._transport._connection.client
        for task in (nats._reading_task, nats._flusher_task):
            task.cancel()
        await lost(middleware)
        for ending in (stack.aclose(), middleware.close()):
            done, _ = await asyncio.wait({asyncio.create_task(ending)}, timeout=10)
            if not done:
                frozen.process.send_signal(signal.SIGCONT)
            assert done


async def test_a_missing_connection_lost_is_awaited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed TLS handshake, asyncio never calls it; each wait would add a second to closing."""
    monkeypatch.setattr(tcp, "SOCKET_CLOSE_TIMEOUT", 0.01)
    waits = 0

    async def never() -> None:
        nonlocal waits
        waits += 1
        await asyncio.Event().wait()

    writer = mock.Mock(wait_closed=never)
    socket = tcp.AbortableTransport()
    socket._io_writer = writer
    for _ in range(2):
        await socket.wait_closed()
    assert waits == 1
    assert writer.transport.abort.called


async def test_black_hole_is_noticed(frozen: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection._PING_SECONDS * (connection._PINGS_OUTSTANDING + 1) <= 60
    monkeypatch.setattr(connection, "_PING_SECONDS", 0.05)
    async with connect(frozen.url, environ={}) as middleware:
        freeze(frozen)
        await lost(middleware)
        frozen.process.send_signal(signal.SIGCONT)
        await middleware.publish(alive(1), timeout=30)


@pytest.mark.parametrize("rubbish", [b"MSG choria.x notanumber 5\r\nhello\r\n", b"-ERR \r\n", b"INFO {\r\n"])
async def test_garbage_reconnects_without_tracebacks(
    fake_server: Any, caplog: pytest.LogCaptureFixture, rubbish: bytes
) -> None:
    info = {"max_payload": 1048576}
    with caplog.at_level(logging.DEBUG):
        async with fake_server(info, b"PONG\r\n", rubbish) as fake, connect(fake.url, environ={}) as middleware:
            with pytest.raises(lifecycle.DeliveryFailed) as raised:
                await middleware.publish(alive(1), timeout=5)
            assert raised.value.may_arrive
            await middleware.publish(alive(2), timeout=30)
    assert sum("lost the connection" in record.getMessage() for record in caplog.records) == 1
    assert {record.name for record in caplog.records if record.levelno > logging.DEBUG} == {"choria_lifecycle"}
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("words", [b"-ERR 'User Authentication Expired'\r\n", b"-ERR 'Unknown Protocol Operation'\r\n"])
async def test_a_server_that_closes_the_connection_is_retried(fake_server: Any, words: bytes) -> None:
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", words) as fake,
        connect(fake.url, environ={}) as middleware,
    ):
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1), timeout=5)
        await middleware.publish(alive(2), timeout=30)


async def test_nothing_is_sent_in_plain_text_after_a_reconnect(fake_server: Any, tls: Path) -> None:
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


async def test_unexpected_greetings_are_survived(fake_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = b'INFO {"max_payload": 1048576}\r\n'
    odd = (b"INFO []\r\n", b'INFO {"max_payload": null}\r\n', b'INFO {"connect_urls": 1}\r\n', b"\xff\r\n")
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", None, greetings=(good, *odd)) as fake,
        connect(fake.url, environ={}) as middleware,
    ):
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1))
        await middleware.publish(alive(2), timeout=30)
    assert sum("lost the connection" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("payload", [b"null", b'"large"'])
async def test_a_greeting_without_a_usable_size(fake_server: Any, payload: bytes) -> None:
    async with fake_server(None, greetings=(b'INFO {"max_payload": %b}\r\n' % payload,)) as fake:
        with pytest.raises(lifecycle.ConnectionFailed, match="max_payload"):
            await connect(fake.url, environ={}).__aenter__()


async def test_the_first_connection_and_reconnects_have_separate_timeouts(
    fake_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_RECONNECT_STEP_SECONDS", 0.05)
    good = b'INFO {"max_payload": 1048576}\r\n'
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", None, greetings=(good, b"")) as fake,
        connect(fake.url, timeout=60, environ={}) as middleware,
    ):
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1))
        await middleware.publish(alive(2), timeout=20)  # the second connection stays silent


async def test_a_loss_during_the_handshake_starts_over(fake_server: Any) -> None:
    info = {"max_payload": 1048576}
    async with (
        fake_server(info, b"PONG\r\n", None, b"PONG\r\n", b"PONG\r\n", b"PONG\r\n", None) as fake,
        connect(fake.url, environ={}) as middleware,
        middleware.events(timeout=30) as events,
    ):
        assert events.counters.gaps == 1
        await middleware.flush(timeout=30)


async def test_pauses_between_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real bounds
    drawn: list[tuple[float, float]] = []
    slept: list[float] = []
    enough = asyncio.Event()
    sleep = asyncio.sleep

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        if len(drawn) == 7:
            enough.set()
        return 1000.0 + len(drawn)

    async def nap(delay: float, *result: Any) -> Any:
        if delay < 1000:
            return await sleep(delay, *result)
        slept.append(delay)
        return await sleep(0)

    monkeypatch.setattr(connection, "ReconnectHandler", lambda: reconnect.ReconnectHandler(uniform))
    monkeypatch.setattr(asyncio, "sleep", nap)
    with embedded.nats_server(jetstream=False) as first:
        async with connect(first.url, environ={}) as middleware:
            first.kill()
            async with asyncio.timeout(30):
                await enough.wait()
            assert drawn[:7] == [(0.5, ceiling) for ceiling in (1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0)]
            assert slept[:6] == [1001.0, 1002.0, 1003.0, 1004.0, 1005.0, 1006.0]
            with embedded.nats_server(jetstream=False, port=first.port) as second:
                await middleware.publish(alive(1), timeout=30)
                count = len(drawn)
                second.kill()
                await lost(middleware)
                async with asyncio.timeout(30):
                    while len(drawn) == count:
                        await sleep(0)
                assert drawn[count] == (0.5, 1.0)


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
    """Return the running tasks besides the test's."""
    return [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() - {asyncio.current_task()}]


def freeze(server: embedded.Server) -> None:
    """Stop a server, and return once it has stopped; its fixture continues it."""
    server.process.send_signal(signal.SIGSTOP)
    os.waitpid(server.process.pid, os.WUNTRACED)


async def lost(middleware: lifecycle.Middleware) -> None:
    """Wait until the middleware has noticed the end of the connection."""
    await asyncio.wait({middleware._transport._connection.client.lost})
