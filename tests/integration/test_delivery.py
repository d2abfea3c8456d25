"""What the real server confirms, refuses and stores."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import embedded
from choria_lifecycle.connection import connect
from choria_lifecycle.middleware import Middleware
from choria_lifecycle.nats import transport

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


async def test_the_one_who_is_refused_is_told(limited: embedded.Server) -> None:
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


async def test_too_large_is_never_sent(limited: embedded.Server) -> None:
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


async def test_stream_that_is_full(server: embedded.Server) -> None:
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


async def test_a_hundred_thousand(server: embedded.Server) -> None:
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


async def test_a_timeout_of_the_caller_is_obeyed(server: embedded.Server) -> None:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="silent") as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)
        await middleware.publish(lifecycle.alive(identity="n1", component="silent", version="1"))
        assert (await anext(events)).identity == "n1"


def lifecycle_settings(server: embedded.Server) -> Any:
    from choria_lifecycle.config.settings import ConnectionSettings

    return ConnectionSettings(servers=(server.url,))
