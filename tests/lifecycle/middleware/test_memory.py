"""The in-memory transport."""

from __future__ import annotations

import asyncio

import pytest

from choria_lifecycle.errors import DeliveryFailed, NotAuthorised
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from tests.bed.subscriptions import startup


class Recorder:
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.ended = 0
        self.failures: list[NotAuthorised] = []

    def message(self, subject: str, data: bytes) -> None:
        self.messages.append((subject, data))

    def gap(self) -> None: ...

    def failed(self, error: NotAuthorised) -> None:
        self.failures.append(error)

    def closed(self) -> None:
        self.ended += 1


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*", "a", False),
        ("*.b", "a.b", True),
        ("a.*.c", "a.b.c", True),
        ("a.>", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("a+b", "aab", False),
    ],
)
async def test_wildcards_match_as_in_nats(pattern: str, subject: str, matches: bool) -> None:
    transport, sink = InMemoryTransport(), Recorder()
    await transport.subscribe(pattern, "", sink, 1)
    await transport.publish([(subject, b"x")], 1)
    assert sink.messages == ([(subject, b"x")] if matches else [])


async def test_published_and_stored_messages_are_kept() -> None:
    transport = InMemoryTransport(streams=["kept.>"])
    messages = [("kept.a", b"1"), ("gone.a", b"2")]
    await transport.publish(messages, 1)
    assert transport.published == messages
    assert transport.stored == messages[:1]
    await transport.publish_stored(messages[:1], 1)
    with pytest.raises(DeliveryFailed, match=r"gone\.a") as raised:
        await transport.publish_stored([messages[1], messages[0]], 1)
    assert raised.value.may_arrive
    assert transport.published[3:] == [messages[1], messages[0]]  # as with a server, which has received them by then
    assert transport.stored == [messages[0]] * 3


@pytest.mark.parametrize("stored", [False, True])
async def test_publishing_lets_other_tasks_run(stored: bool) -> None:
    transport = InMemoryTransport(streams=["a"])
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    await (transport.publish_stored if stored else transport.publish)([("a", b"")], 1)
    assert ran.is_set()


async def test_a_refused_subject_fails_its_subscriptions() -> None:
    transport, refused, other = InMemoryTransport(), Recorder(), Recorder()
    await transport.subscribe("a.*", "", refused, 1)
    await transport.subscribe("a.b", "", other, 1)
    transport.refuse("a.*")
    await transport.publish([("a.b", b"x")], 1)
    assert (refused.messages, len(refused.failures), refused.ended) == ([], 1, 0)
    assert (other.messages, other.failures) == ([("a.b", b"x")], [])
    with pytest.raises(NotAuthorised):
        await transport.subscribe("a.*", "", refused, 1)


async def test_queue_groups_take_turns() -> None:
    transport = InMemoryTransport()
    sinks = [Recorder(), Recorder()]
    for sink in sinks:
        await transport.subscribe("a", "group", sink, 1)
    await transport.publish([("a", b"%d" % number) for number in range(4)], 1)
    assert [[data for _, data in sink.messages] for sink in sinks] == [[b"0", b"2"], [b"1", b"3"]]


async def test_unsubscribing_and_closing_end_subscriptions() -> None:
    transport, left, stayed = InMemoryTransport(), Recorder(), Recorder()
    subscription = await transport.subscribe("a", "", left, 1)
    await transport.subscribe("a", "", stayed, 1)
    await subscription.unsubscribe()
    await subscription.unsubscribe()
    await transport.publish([("a", b"x")], 1)
    assert (left.messages, stayed.messages) == ([], [("a", b"x")])
    assert transport.server == "memory"
    await transport.close()
    await transport.close()
    assert (left.ended, stayed.ended, transport.server) == (0, 1, "")


async def test_a_lost_connection_is_not_a_gap_of_a_replay_in_memory() -> None:
    transport = InMemoryTransport()
    async with Middleware(transport) as middleware, middleware.events(since=0) as events:
        transport.interrupt()
        await middleware.publish(startup())
        assert (await anext(events)).identity == "n1.example.net"
        assert events.counters.gaps == 0
