"""Reading a stream while servers die, connections break and streams vanish: no event is missed or repeated."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.middleware import inbox
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.middleware.server_clock import ServerClock
from choria_lifecycle.nats import jetstream, reconnect, replay
from choria_lifecycle.nats.api import JetStreamError
from choria_lifecycle.nats.client import Client
from choria_lifecycle.nats.replay import to_seconds
from tests.bed.faults import running_proxy
from tests.bed.permissions import allowed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from nats.js import JetStreamContext

ALL = 0
LIMIT = 100
STREAM: dict[str, Any] = {"name": "CHORIA_EVENTS", "subjects": ["choria.lifecycle.event.>"]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice and recover at once: the length of the pauses is not under test."""
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.01)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 0.02)
    monkeypatch.setattr(replay, "_HEARTBEAT", 0.2)
    monkeypatch.setattr(replay, "_HEARTBEAT_TIMEOUT", 0.8)
    monkeypatch.setattr(replay, "_CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(replay, "_MIN_PAUSE", 0.01)
    monkeypatch.setattr(replay, "_MAX_PAUSE", 0.02)


@pytest.fixture
def own() -> Iterator[embedded.Server]:
    """Run a private server."""
    with embedded.nats_server() as running:
        yield running


def alive(number: int, component: str = "server") -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}.example.net", component=component, version="1.0.0")


def some(first: int, last: int) -> list[lifecycle.Event]:
    return [alive(number) for number in range(first, last)]


@asynccontextmanager
async def serving_streams(server: embedded.Server, *streams: dict[str, Any]) -> AsyncIterator[JetStreamContext]:
    """Yield nats-py's view of a server, with these streams in it."""
    client = await nats_py.connect(server.url, allow_reconnect=False)
    context = client.jetstream()
    try:
        for each in streams:
            await context.add_stream(**each)
        yield context
    finally:
        await client.close()


@asynccontextmanager
async def slow(url: str, limit: int = LIMIT) -> AsyncIterator[Middleware]:
    """Connect a middleware with a small capacity, so that a replay takes many steps."""
    async with connect(url, environ={}) as opened:
        yield Middleware(opened._transport, limit=limit)


async def take(receiver: Any, count: int) -> list[Any]:
    return [await anext(receiver) for _ in range(count)]


async def store(server: embedded.Server, events: list[lifecycle.Event]) -> None:
    async with connect(server.url, environ={}) as middleware:
        await middleware.publish_many(events, stored=True)


async def test_the_server_dies_and_comes_back(tmp_path: Path) -> None:
    sent = some(0, 3000)
    with embedded.nats_server(store=tmp_path) as first:
        async with serving_streams(first, STREAM):
            await store(first, sent[:2000])
        async with slow(first.url) as middleware, middleware.events(since=ALL) as events:
            found = await take(events, 700)
            first.kill()
            with embedded.nats_server(port=first.port, store=tmp_path) as second:
                await store(second, sent[2000:2500])
                found += await take(events, 1500)
                second.kill()
                with embedded.nats_server(port=first.port, store=tmp_path) as third:
                    await store(third, sent[2500:])
                    found += await take(events, 800)
            counters = events.counters
    assert found == sent
    assert (counters.received, counters.replayed, counters.gaps) == (3000, 2000, 0)


async def test_the_connection_breaks_again_and_again(own: embedded.Server) -> None:
    sent = some(0, 4000)
    chance = random.Random(5)
    async with serving_streams(own, STREAM):
        await store(own, sent[:3000])
        with running_proxy(own.port) as proxy:
            async with slow(proxy.url, 500) as middleware, middleware.events(since=ALL) as events:
                found = []
                while len(found) < 3000:
                    found += await take(events, min(chance.randrange(400), 3000 - len(found)))
                    proxy.to_client.slices = chance.choice([0, 0, 700])
                    proxy.drop()
                await store(own, sent[3000:])
                while len(found) < 4000:
                    found += await take(events, min(chance.randrange(200), 4000 - len(found)))
                    proxy.drop()
                assert events.counters.gaps == 0
            assert proxy.accepted > 3
    assert found == sent


async def test_events_stored_during_the_replay_come_afterwards(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM):
        with running_proxy(own.port) as proxy:
            async with (
                connect(proxy.url, environ={}) as middleware,
                middleware.events(since=ALL) as replayed,
                middleware.events() as plain,
            ):
                proxy.refuse()
                proxy.drop()
                sent = some(0, 10)
                await store(own, sent)
                proxy.heal()
                assert await take(replayed, 10) == sent
                await middleware.flush()
                assert (replayed.counters.gaps, plain.counters.gaps, plain.counters.received) == (0, 1, 0)


async def test_a_request_that_does_not_reach_the_server(own: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stands; only the silence shows that something is wrong."""
    real = Client.publish

    async def lose(self: Client, subject: str, *arguments: Any, **options: Any) -> None:
        if ".MSG.NEXT." in subject and lost:
            lost.pop()
        else:
            await real(self, subject, *arguments, **options)

    async with serving_streams(own, STREAM), connect(own.url, environ={}) as middleware:
        lost = [1, 2]
        monkeypatch.setattr(Client, "publish", lose)
        async with middleware.events(since=ALL) as events:
            await store(own, some(0, 3))
            assert len(await take(events, 3)) == 3
            async with asyncio.timeout(30):
                while lost:
                    await middleware.flush()
            await store(own, some(3, 6))
            assert [event.identity for event in await take(events, 3)] == [f"n{n}.example.net" for n in range(3, 6)]
            assert events.counters.gaps == 0


async def test_messages_lost_in_transit(own: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that the server counts as delivered, but that did not arrive, are requested again."""
    monkeypatch.setattr(replay, "_HEARTBEAT_TIMEOUT", 10.0)  # otherwise a busy machine makes another consumer
    async with serving_streams(own, STREAM) as context:
        await store(own, some(0, 1000))
        async with connect(own.url, environ={}) as middleware, middleware.events(since=ALL) as events:
            found = await take(events, 10)
            await store(own, some(1000, 1500))
            # A second reader requests messages from the same consumer.
            consumer = (await context.consumers_info("CHORIA_EVENTS"))[0].name
            inbox = context._nc.new_inbox()
            other = await context._nc.subscribe(inbox)
            await context._nc.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.CHORIA_EVENTS.{consumer}", json.dumps({"batch": 100}).encode(), inbox
            )
            await store(own, some(1500, 2500))
            found += await take(events, 2490)
            assert [event.identity for event in found] == [f"n{number}.example.net" for number in range(2500)]
            assert other.pending_msgs > 0
            assert events.counters.gaps == 0


async def test_the_consumer_is_deleted(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM) as context:
        await store(own, some(0, 300))
        async with slow(own.url) as middleware, middleware.events(since=ALL) as events:
            found = await take(events, 20)
            for each in await context.consumers_info("CHORIA_EVENTS"):
                await context.delete_consumer("CHORIA_EVENTS", each.name)
            found += await take(events, 280)
            await store(own, some(300, 400))
            found += await take(events, 100)
            assert [event.identity for event in found] == [f"n{number}.example.net" for number in range(400)]
            assert events.counters.gaps == 0


async def test_the_consumer_of_a_slow_reader_expires(own: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "_INACTIVE_THRESHOLD", 10**8)
    asked, consumer = asyncio.Event(), jetstream.Streams.consumer

    async def spied(*arguments: Any) -> jetstream.ConsumerInfo:
        try:
            return await consumer(*arguments)
        except JetStreamError:
            asked.set()
            raise

    monkeypatch.setattr(jetstream.Streams, "consumer", spied)
    async with serving_streams(own, STREAM), slow(own.url) as middleware, middleware.deliveries(since=ALL) as received:
        await store(own, some(0, 3 * LIMIT))
        for _ in range(3):
            asked.clear()
            await asked.wait()
        assert received.stream is not None
        assert received.stream.fault == ""
        assert len({delivery.event.identity for delivery in await take(received, 3 * LIMIT)}) == 3 * LIMIT
        await middleware.flush()
        assert (received.counters.gaps, received.counters.dropped) == (0, 0)


async def test_the_stream_is_deleted(own: embedded.Server) -> None:
    async with (
        serving_streams(own, STREAM) as context,
        connect(own.url, environ={}) as middleware,
        middleware.events(since=ALL) as events,
    ):
        await store(own, some(0, 3))
        assert len(await take(events, 3)) == 3
        await context.delete_stream("CHORIA_EVENTS")
        with pytest.raises(lifecycle.NoStream, match="the stream CHORIA_EVENTS no longer exists"):
            await anext(events)
        async with middleware.events() as plain:  # the connection still works
            await middleware.publish(alive(1))
            await anext(plain)


@pytest.mark.parametrize("how", ["replaced", "purged"])
async def test_deleted_messages_are_a_gap(own: embedded.Server, how: str) -> None:
    # In memory: nats-server 2.15 keeps the messages of a file store that is deleted and made again at once.
    stream = STREAM | {"storage": "memory"}
    async with serving_streams(own, stream) as context:
        with running_proxy(own.port) as proxy:
            async with connect(proxy.url, environ={}) as middleware, middleware.events(since=ALL) as events:
                await store(own, some(0, 3))
                assert len(await take(events, 3)) == 3
                proxy.refuse()
                proxy.drop()
                if how == "replaced":
                    await context.delete_stream("CHORIA_EVENTS")
                    await context.add_stream(**stream)
                else:
                    await store(own, some(3, 6))
                    await context.purge_stream("CHORIA_EVENTS")
                await store(own, some(6, 9))
                proxy.heal()
                assert [event.identity for event in await take(events, 3)] == [f"n{n}.example.net" for n in range(6, 9)]
                assert (events.counters.gaps, events.counters.received) == (1, 6)


@pytest.mark.parametrize("component", [None, "server"])
async def test_messages_deleted_before_they_were_read_are_a_gap(own: embedded.Server, component: str | None) -> None:
    """The consumer survives, and silently continues after them."""
    async with serving_streams(own, STREAM | {"max_msgs": 1000}), slow(own.url) as middleware:
        first = time.time()
        await store(own, some(0, 1000))
        async with middleware.events(component=component, since=ALL) as events:
            found = [event.identity for event in await take(events, 10)]
            await store(own, some(1000, 5000))
            last = time.time()
            while found[-1] != "n4999.example.net":
                found.append((await anext(events)).identity)
            assert len(found) < 5000
            async with asyncio.timeout(10):
                while not events.counters.gaps:
                    await middleware.flush()
            (gap,) = events.gaps
            assert first <= gap.begin < gap.end <= last


@pytest.mark.parametrize(
    ("read", "purge", "gaps"), [(10, {}, 1), (10, {"seq": 201}, 1), (10, {"seq": 11}, 0), (0, {}, 1), (300, {}, 0)]
)
async def test_history_deleted_before_it_was_read_is_a_gap(
    own: embedded.Server, read: int, purge: dict[str, int], gaps: int
) -> None:
    async with serving_streams(own, STREAM) as context, slow(own.url) as middleware:
        first = time.time()
        await store(own, some(0, 300))
        last = time.time()
        async with middleware.events(since=ALL, until=timedelta(0)) as events:
            found = [event.identity for event in await take(events, read)]
            await context.purge_stream("CHORIA_EVENTS", **purge)
            found += [event.identity async for event in events]
            assert len(set(found)) == len(found)
            assert (len(found) == 300) == (not gaps)
            assert (events.counters.gaps, events.replaying) == (gaps, False)
            for gap in events.gaps:
                assert gap.reason == "the stream CHORIA_EVENTS discarded messages before they were read"
                assert (first if read else 0) <= gap.begin <= gap.end
                assert gap.begin <= last


async def test_what_is_purged_after_the_end_is_no_gap(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM) as context, slow(own.url) as middleware:
        await store(own, some(0, 10))
        until = time.time()
        await store(own, some(10, 300))
        async with middleware.events(since=ALL, until=until) as events:
            await anext(events)
            await context.purge_stream("CHORIA_EVENTS")
            assert len([event async for event in events]) == 9
            assert (events.counters.gaps, events.replaying) == (0, False)


async def test_the_stream_is_deleted_before_the_end(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM) as context, slow(own.url) as middleware:
        await store(own, some(0, 300))
        async with middleware.events(since=ALL, until=timedelta(0)) as events:
            await anext(events)
            await context.delete_stream("CHORIA_EVENTS")
            with pytest.raises(lifecycle.NoStream, match="no longer exists"):
                async for _ in events:
                    pass
            assert events.replaying


@pytest.mark.parametrize(
    ("limits", "since", "gaps"),
    [
        ({}, timedelta(hours=1), 1),
        ({}, timedelta(seconds=30), 0),  # clocks differ
        ({"max_age": 3600}, timedelta(hours=1), 0),  # what it discarded was older
        ({"max_age": 3600}, timedelta(hours=3), 1),
        ({"max_age": 3600, "max_msgs": 1000}, timedelta(hours=1), 1),
        ({"max_age": 3600, "max_bytes": 1000_000}, timedelta(hours=1), 1),
    ],
)
async def test_history_deleted_before_the_start_is_a_gap(
    own: embedded.Server, limits: dict[str, int], since: timedelta, gaps: int
) -> None:
    async with serving_streams(own, STREAM | limits) as context, connect(own.url, environ={}) as middleware:
        await store(own, some(0, 10))
        await context.purge_stream("CHORIA_EVENTS", seq=4)
        async with middleware.deliveries(since=since, until=timedelta(0)) as received:
            assert [delivery.sequence async for delivery in received] == list(range(4, 11))
            assert received.counters.gaps == gaps
            for gap in received.gaps:
                assert gap.reason == "the stream CHORIA_EVENTS no longer has them"
                assert abs(gap.begin - (time.time() - since.total_seconds())) < 30


async def test_a_server_that_does_not_tell_is_a_gap(own: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_streams(own, STREAM), connect(own.url, environ={}) as middleware:
        await store(own, some(0, 3))
        async with middleware.events(since=ALL, until=timedelta(0), timeout=0.3) as events:
            found = await take(events, 3)
            own.kill()
            assert [event async for event in events] == []
            assert len(found) == 3
            (gap,) = events.gaps
            assert "did not tell whether it has discarded any: " in gap.reason


async def test_messages_of_other_components_are_no_gap(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM), slow(own.url) as middleware:
        await store(own, [alive(number, ("server", "other")[number % 3 > 0]) for number in range(3000)])
        async with middleware.events(component="server", since=ALL) as events:
            assert len(await take(events, 1000)) == 1000
            await middleware.flush()
            assert events.counters.gaps == 0


async def test_a_message_larger_than_the_capacity(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM), connect(own.url, environ={}) as opened:
        await store(own, some(0, 5))
        middleware = Middleware(opened._transport, limit_bytes=10)
        async with middleware.events(since=ALL) as events:
            assert len(await take(events, 5)) == 5
            await store(own, some(5, 10))
            assert len(await take(events, 5)) == 5


async def has_consumers(context: JetStreamContext, count: int) -> None:
    """Wait until the stream has so many consumers: the server deletes them in the background."""
    async with asyncio.timeout(30):
        while len(await context.consumers_info("CHORIA_EVENTS")) != count:
            pass


async def test_nothing_is_left_behind(own: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_HEARTBEAT_TIMEOUT", 10.0)  # otherwise a busy machine makes another consumer
    async with serving_streams(own, STREAM) as context:
        await store(own, some(0, 500))
        async with slow(own.url) as middleware:
            for _ in range(3):
                async with middleware.events(since=ALL) as events, middleware.events(since=ALL):
                    await anext(events)
                    await has_consumers(context, 2)
            await has_consumers(context, 0)
            receiver = middleware.events(since=ALL)
            await receiver.__aenter__()
            running = [task for task in asyncio.all_tasks() if "NatsReplay" in repr(task)]
            assert running
        assert all(task.done() for task in running)
        await has_consumers(context, 0)


async def test_nothing_is_left_behind_if_leaving_is_cancelled(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM) as context, slow(own.url) as middleware:
        for steps in range(1, 6):
            receiver = middleware.events(since=ALL)
            await receiver.__aenter__()
            leaving = asyncio.create_task(receiver.__aexit__(None, None, None))
            for _ in range(steps):
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await middleware.flush()
        await middleware.flush()  # the server deletes consumers in the background
        assert not [task for task in asyncio.all_tasks() if "NatsReplay" in repr(task)]
        await has_consumers(context, 0)


async def test_begin_is_the_start_of_the_stream(own: embedded.Server) -> None:
    async with serving_streams(own, STREAM) as context, connect(own.url, environ={}) as middleware:
        async with middleware.events(since=ALL) as events:
            made = events.begin
        assert made is not None
        await store(own, some(0, 4))
        await context.purge_stream("CHORIA_EVENTS", seq=3)
        async with middleware.deliveries(since=ALL) as deliveries:
            assert deliveries.begin == pytest.approx((await anext(deliveries)).received, abs=1e-5)
            assert deliveries.begin > made
        async with middleware.events(since=deliveries.begin + 1e-3) as events:
            assert events.begin == pytest.approx(deliveries.begin + 1e-3, abs=1e-5)
        async with middleware.events(since=deliveries.begin + 1000) as events:  # the future counts as the present
            assert events.begin is not None
            assert deliveries.begin < events.begin < deliveries.begin + 900
            await store(own, some(4, 5))
            assert (await anext(events)).identity == "n4.example.net"
        await context.purge_stream("CHORIA_EVENTS")
        async with middleware.events(since=ALL) as events, middleware.events() as plain:
            assert events.begin is not None
            assert plain.begin is not None
            assert deliveries.begin < events.begin <= plain.begin
        assert middleware.events().begin is None


@pytest.mark.parametrize(
    ("stored", "name", "words"),
    [
        ([], "", "no JetStream stream stores choria.lifecycle.event.>"),
        ([], "OTHER", "there is no JetStream stream OTHER"),
        (
            [["choria.lifecycle.event.alive.*"]],
            "S0",
            r"S0 does not store all of .* but only choria.lifecycle.event.alive.\*",
        ),
        ([["choria.lifecycle.event.alive.*"]], "", "S0 does not store all of"),
        (
            [["choria.lifecycle.event.alive.*"], ["choria.lifecycle.event.startup.*"]],
            "",
            r"several streams store parts of .*, none all of it: S0 \(.*\.alive\.\*\), S1 \(.*\.startup\.\*\)$",
        ),
    ],
)
async def test_streams_that_do_not_fit(own: embedded.Server, stored: list[list[str]], name: str, words: str) -> None:
    streams = [{"name": f"S{number}", "subjects": subjects} for number, subjects in enumerate(stored)]
    async with serving_streams(own, *streams), connect(own.url, environ={}) as middleware:
        with pytest.raises(lifecycle.NoStream, match=words):
            async with middleware.events(since=ALL, stream=name):
                pytest.fail("entered")


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (3600, "is 3600 s behind this machine's: stored messages have its times; correct the clocks"),
        (-3600, "is 3600 s ahead of this machine's: stored messages have its times; correct the clocks"),
        (5, None),
    ],
)
async def test_clocks_that_differ(
    own: embedded.Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ahead: int,
    words: str | None,
) -> None:
    async with serving_streams(own, STREAM), connect(own.url, environ={}) as middleware:
        clock = partial(ServerClock, lambda: time.time() + ahead)
        monkeypatch.setattr(inbox, "ServerClock", clock)
        async with middleware.events(since=ALL):
            pass
    warned = [record.getMessage() for record in caplog.records if "the clock of the server" in record.getMessage()]
    assert warned == ([] if words is None else [f"the clock of the server {words}"])


async def test_a_stream_that_keeps_the_last_message_of_each_subject(own: embedded.Server) -> None:
    """All alive events of a component have the same subject."""
    stream = STREAM | {"max_msgs_per_subject": 1}
    async with serving_streams(own, stream), connect(own.url, environ={}) as middleware:
        with pytest.raises(lifecycle.NoStream, match=r"keeps only the last 1 messages of .*max_msgs_per_subject to -1"):
            async with middleware.events(since=ALL):
                pytest.fail("entered")


async def test_no_jetstream() -> None:
    with embedded.nats_server(jetstream=False) as server:
        async with connect(server.url, environ={}) as middleware:
            with pytest.raises(lifecycle.NoStream, match="JetStream is not enabled"):
                async with middleware.events(since=ALL):
                    pytest.fail("entered")


@pytest.mark.parametrize(("permission", "may"), [("streams_user", True), ("events_viewer", False)])
async def test_permissions_of_choria(permission: str, may: bool) -> None:
    publish, subscribe = allowed({"callerid": "up=me", "ou": "choria", "permissions": {permission: True}})
    user = {
        "user": "me",
        "password": "secret",
        "permissions": {"publish": publish, "subscribe": [*subscribe, "_INBOX.>"]},
    }
    config = "accounts: " + json.dumps(
        {"choria": {"jetstream": "enabled", "users": [user, {"user": "all", "password": "all"}]}}
    )
    with embedded.nats_server(config) as server:
        url = server.url.removeprefix("nats://")
        client = await nats_py.connect(f"nats://all:all@{url}")
        await client.jetstream().add_stream(**STREAM)
        await client.jetstream().publish("choria.lifecycle.event.alive.server", lifecycle.encode(alive(1)))
        await client.close()
        async with connect(f"nats://me:secret@{url}", environ={}) as middleware:
            for stream in "", "CHORIA_EVENTS":
                events = middleware.events(since=ALL, stream=stream)
                if may:
                    async with events:
                        await anext(events)
                else:
                    with pytest.raises(lifecycle.NotAuthorised, match=r"JS\.API"):
                        await events.__aenter__()


def test_rounding_does_not_change_the_order_of_times() -> None:
    """A message at the border of two intervals would be read twice, or never."""
    time = 1_796_558_726_167_977_082
    assert time / 1e9 < to_seconds(time // 1000 * 1000) <= to_seconds(time)
