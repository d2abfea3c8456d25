"""Deliveries that a real server confirms, refuses or stores."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.nats import reconnect, transport

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = """
max_payload: 500
authorization { users = [ {
    user: "alice", password: "s3cret", permissions: {
        publish: { deny: ["choria.lifecycle.event.*.Forbidden"] }
        subscribe: { deny: ["choria.machine.>"] }
    } } ] }
"""
STARTUP = {"identity": "n1.example.net", "version": "1.0.0"}


@pytest.fixture(scope="module")
def limited() -> Iterator[embedded.Server]:
    with embedded.nats_server(LIMITS) as running:
        yield running


def opened(server: embedded.Server, **options: Any) -> Any:
    return connect(server.url, user="alice", password="s3cret", environ={}, **options)


async def test_refused_subject(limited: embedded.Server) -> None:
    async with opened(limited) as middleware, middleware.events() as events:
        with pytest.raises(lifecycle.NotAuthorised, match="publish to"):
            await middleware.publish(lifecycle.startup(component="Forbidden", **STARTUP))
        with pytest.raises(lifecycle.NotAuthorised):
            await middleware.publish(lifecycle.startup(component="Forbidden", **STARTUP), stored=True)
        await middleware.publish(lifecycle.startup(component="allowed", **STARTUP))
        assert (await anext(events)).component == "allowed"


async def test_refused_among_many(limited: embedded.Server) -> None:
    events = [lifecycle.startup(component=component, **STARTUP) for component in ("a", "Forbidden", "b")] * 500
    async with opened(limited) as middleware:
        with pytest.raises(lifecycle.NotAuthorised):
            await middleware.publish_many(events)
        await middleware.publish(lifecycle.startup(component="allowed", **STARTUP))


async def test_the_refused_caller_is_notified(limited: embedded.Server) -> None:
    components = ["a", "Forbidden", "b", "Forbidden", "c"]
    async with opened(limited) as middleware:
        publishing = [middleware.publish(lifecycle.startup(component=name, **STARTUP)) for name in components]
        outcomes = await asyncio.gather(*publishing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        lifecycle.NotAuthorised if name == "Forbidden" else type(None) for name in components
    ]


async def test_refused_subscription(limited: embedded.Server) -> None:
    async with opened(limited) as middleware:
        with pytest.raises(lifecycle.NotAuthorised, match="subscribe to"):
            async with middleware.deliveries("choria.machine.>"):
                pytest.fail("subscribed")
        async with middleware.deliveries("other.>"):
            pass


CASES = """
authorization { users = [
    { user: "alice", password: "s3cret", permissions: {
        publish: { deny: ["choria.lifecycle.event.*.web"] }
        subscribe: { deny: ["a.bc", "x.Y", "q workers", "_INBOX.>"] }
    } }
] }
"""


@pytest.fixture(scope="module")
def strict() -> Iterator[embedded.Server]:
    with embedded.nats_server(CASES) as running:
        yield running


async def subscribe_briefly(middleware: lifecycle.Middleware, subject: str, queue: str = "") -> None:
    async with middleware.deliveries(subject, queue=queue):
        pass


async def test_only_the_refused_caller_is_notified(strict: embedded.Server) -> None:
    async with opened(strict) as middleware:
        outcomes = await asyncio.gather(
            *(subscribe_briefly(middleware, subject) for subject in ("a.b", "a.bc", "x.y", "x.Y")),
            subscribe_briefly(middleware, "q"),
            subscribe_briefly(middleware, "q", "workers"),
            *(middleware.publish(lifecycle.startup(component=name, **STARTUP)) for name in ("WEB", "web")),
            return_exceptions=True,
        )
        assert middleware._transport._connection.permissions._waiters == []
    assert [isinstance(outcome, lifecycle.NotAuthorised) for outcome in outcomes] == [False, True] * 4
    assert "subscribe to x.Y" in str(outcomes[3])


async def test_refused_acknowledgements_are_reported_every_time(strict: embedded.Server) -> None:
    async with opened(strict) as middleware:
        for _ in range(3):
            with pytest.raises(lifecycle.NotAuthorised, match="_INBOX"):
                await middleware.publish(lifecycle.startup(component="server", **STARTUP), stored=True)
        client = middleware._transport._connection.client
        assert client._subs == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_too_many_subscriptions_affect_no_others() -> None:
    with embedded.nats_server("max_subscriptions: 2", jetstream=False) as server:
        async with (
            connect(server.url, environ={}) as middleware,
            middleware.events() as one,
            middleware.events() as two,
        ):
            with pytest.raises(lifecycle.ConnectionFailed, match="maximum subscriptions exceeded"):
                await subscribe_briefly(middleware, "z")
            event = lifecycle.startup(component="server", **STARTUP)
            await middleware.publish(event)
            assert [await anext(one), await anext(two)] == [event, event]
            assert one.counters.gaps == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}


def permissions(denied: str) -> str:
    return (
        f'authorization {{ users = [ {{ user: "alice", password: "s3cret", permissions: {{ {denied} }} }}, '
        '{ user: "bob", password: "s3cret" } ] }'
    )


DENIED = 'subscribe: { deny: ["choria.lifecycle.event.>"] }'


async def test_permission_withdrawn_while_subscribed() -> None:
    with embedded.nats_server(permissions(""), jetstream=False) as server:
        async with (
            opened(server) as middleware,
            middleware.events() as events,
            middleware.deliveries("choria.>") as others,
        ):
            await middleware.publish(lifecycle.startup(component="server", **STARTUP))
            (server.log.parent / "server.conf").write_text(permissions(DENIED))
            server.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(30):
                await anext(events)  # data that has already arrived comes first
                with pytest.raises(lifecycle.NotAuthorised, match="subscribe to"):
                    await anext(events)
            assert events.counters.gaps == 0
            await anext(others)


async def test_refused_after_a_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.01)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 0.02)
    with embedded.nats_server(permissions(""), jetstream=False) as first:
        async with opened(first) as middleware, middleware.events() as events, middleware.deliveries("other") as others:
            first.kill()
            with embedded.nats_server(permissions(DENIED), jetstream=False, port=first.port):
                async with asyncio.timeout(30):
                    with pytest.raises(lifecycle.NotAuthorised):
                        await anext(events)
                assert list(middleware._transport._connection.client._subs) == [2]
                await middleware.flush()
                assert (others.counters.gaps, others.queued) == (1, 0)


async def test_an_unconfirmed_subscription_is_removed(fake_server: Any) -> None:
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", b"", b"", b"PONG\r\n" * 3) as fake,
        connect(fake.url, environ={}) as middleware,
    ):
        with pytest.raises(lifecycle.ConnectionFailed):
            async with middleware.events(timeout=0.05):
                pytest.fail("subscribed")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), middleware.events():
                pytest.fail("subscribed")
        assert middleware._transport._subscriptions == {}
        await middleware.flush()
        assert b"UNSUB 1" in fake.received
        assert b"UNSUB 2" in fake.received


async def test_closing_unsubscribes_first(fake_server: Any) -> None:
    async with fake_server({"max_payload": 1048576}) as fake:
        async with connect(fake.url, environ={}) as middleware, middleware.events():
            await middleware.close()
        assert fake.received.index(b"UNSUB 1") < fake.received.rindex(b"PING")


async def test_subjects_that_are_not_utf_8(fake_server: Any) -> None:
    message = b"MSG other.\xff 1 2\r\n{}\r\nPONG\r\n"
    async with (
        fake_server({"max_payload": 1048576}, b"PONG\r\n", b"PONG\r\n", message) as fake,
        connect(fake.url, environ={}) as middleware,
        middleware.deliveries("other.>") as deliveries,
    ):
        await middleware.flush()
        assert (await anext(deliveries)).subject == "other.\ufffd"
        assert deliveries.counters.gaps == 0


async def test_slow_program_is_bounded_in_bytes(server: embedded.Server) -> None:
    async with (
        connect(server.url, limit_bytes=1000, environ={}) as middleware,
        middleware.events(component="bytes") as events,
        connect(server.url, limit=2, environ={}) as other,
        other.events(component="bytes") as few,
    ):
        event = lifecycle.alive(identity="n" * 500, component="bytes", version="1")
        await middleware.publish_many([event] * 5)
        await middleware.flush()
        await other.flush()
        assert (events.queued, events.counters.dropped) == (1, 4)
        assert (few.queued, few.counters.dropped) == (2, 3)


async def test_oversized_messages_are_not_sent(limited: embedded.Server) -> None:
    large = lifecycle.startup(component="server", identity="n" * 600, version="1")
    small = lifecycle.startup(component="server", **STARTUP)
    async with opened(limited) as middleware, middleware.events() as events:
        with pytest.raises(lifecycle.DeliveryFailed, match="at most 500") as raised:
            await middleware.publish_many([small, large])
        assert not raised.value.may_arrive
        await middleware.flush()
        assert events.counters.received == 0


async def test_stored(server: embedded.Server) -> None:
    client = await nats_py.connect(server.url)
    await client.jetstream().add_stream(name="STARTUPS", subjects=["choria.lifecycle.event.startup.stored"])
    async with connect(server.url, environ={}) as middleware:
        events = [lifecycle.startup(component="stored", **STARTUP) for _ in range(1000)]
        await middleware.publish_many(events, stored=True)
        info = await client.jetstream().stream_info("STARTUPS")
        assert info.state.messages == 1000
        with pytest.raises(lifecycle.DeliveryFailed, match="no JetStream stream stores") as raised:
            await middleware.publish(lifecycle.startup(component="elsewhere", **STARTUP), stored=True)
        assert raised.value.may_arrive
        async with middleware.events(component="elsewhere") as heard:
            with pytest.raises(lifecycle.DeliveryFailed, match="is there one") as raised:
                await middleware.publish(lifecycle.startup(component="elsewhere", **STARTUP), stored=True, timeout=0.3)
            assert raised.value.may_arrive
            await anext(heard)
    await client.jetstream().delete_stream("STARTUPS")
    await client.close()


async def test_a_full_stream(server: embedded.Server) -> None:
    client = await nats_py.connect(server.url)
    await client.jetstream().add_stream(
        name="FULL", subjects=["choria.lifecycle.event.startup.full"], max_msgs=1, discard="new"
    )
    async with connect(server.url, environ={}) as middleware:
        await middleware.publish(lifecycle.startup(component="full", **STARTUP), stored=True)
        with pytest.raises(lifecycle.DeliveryFailed, match="maximum messages exceeded"):
            await middleware.publish(lifecycle.startup(component="full", **STARTUP), stored=True)
    await client.jetstream().delete_stream("FULL")
    await client.close()


async def test_a_hundred_thousand_events(server: embedded.Server) -> None:
    total, batch = 100_000, 10_000
    component = "many"
    async with (
        connect(server.url, environ={}) as sender,
        connect(server.url, environ={}) as receiver,
        receiver.events(component=component) as events,
    ):

        async def publish() -> None:
            for start in range(0, total, batch):
                await sender.publish_many(
                    (
                        lifecycle.alive(identity=f"n{number}", component=component, version="1")
                        for number in range(start, start + batch)
                    ),
                    timeout=30,
                )

        publishing = asyncio.create_task(publish())
        expected = 0
        async for event in events:
            assert event.identity == f"n{expected}"
            expected += 1
            if expected == total:
                break
        await publishing
        counters = events.counters
        assert (counters.received, counters.delivered) == (total, total)
        assert (counters.rejected, counters.filtered, counters.dropped, counters.gaps, events.queued) == (0, 0, 0, 0, 0)


async def test_slow_program_loses_the_newest_and_counts_them(server: embedded.Server) -> None:
    settings = lifecycle_settings(server)
    async with (
        connect(server.url, environ={}) as sender,
        Middleware(await transport.NatsTransport.open(settings, 5), limit=10) as middleware,
        middleware.events(component="slow") as events,
    ):
        await sender.publish_many([lifecycle.alive(identity=f"n{n}", component="slow", version="1") for n in range(25)])
        await middleware.flush()
        assert (events.counters.received, events.queued, events.counters.dropped) == (25, 10, 15)
        assert [(await anext(events)).identity for _ in range(10)] == [f"n{n}" for n in range(10)]


async def test_sharing_a_queue_group_across_connections(server: embedded.Server) -> None:
    events = [lifecycle.alive(identity=f"n{n}", component="shared", version="1") for n in range(200)]
    async with (
        connect(server.url, environ={}) as one,
        connect(server.url, environ={}) as two,
        one.events(component="shared", queue="workers") as first,
        two.events(component="shared", queue="workers") as second,
    ):
        await one.publish_many(events)
        await one.flush()
        await two.flush()
        assert first.counters.received + second.counters.received == 200
        assert first.counters.received
        assert second.counters.received


async def test_the_timeout_of_the_caller_applies(server: embedded.Server) -> None:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="silent") as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)
        await middleware.publish(lifecycle.alive(identity="n1", component="silent", version="1"))
        assert (await anext(events)).identity == "n1"


def lifecycle_settings(server: embedded.Server) -> Any:
    from choria_lifecycle.config.settings import ConnectionSettings

    return ConnectionSettings(servers=(server.url,))
