"""Receiving: `events()` against nats-py's own ways, with the same messages."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import nats

from . import corpus, golang
from .broker import ALL, Message, Wire, burst, messages, once, wire
from .measure import Peer, Settings, demand, take_turns
from .report import Section, Target, section

OURS = "choria_lifecycle, events"
ITERATOR = "nats-py, its own iterator"
CALLBACK = "nats-py, a callback"

TARGETS = (
    Target(what="events(): rate of nats-py's iterator", ours=OURS, bound=2.5, at_least=True, peers=(ITERATOR,)),
    Target(what="events(): rate of nats-py's callback", ours=OURS, bound=1.1, at_least=True, peers=(CALLBACK,)),
)

_REMARK = (
    "The messages wait at the server and in the socket when the clock starts, so that no publisher competes for the "
    "cores."
)

Keep = Callable[[Any], object]


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the mixed events."""
    from choria_lifecycle import parse

    documents = burst(corpus.mixed(settings.size), settings.burst)
    expected = messages(documents)
    with wire() as on, _publisher(on.url, expected) as publish:
        ways = _Ways(on, publish, len(expected))
        parsed = [parse(document.data) for document in documents]
        demand(_received(on, ways.events) == parsed, OURS, "received other events")
        for name, way in (ITERATOR, ways.iterator), (CALLBACK, ways.callback):
            received = [(message.subject, message.data) for message in _received(on, way)]
            demand(received == expected, name, "received other messages")
        peers = [
            _peer(on, OURS, ways.events, len(expected), "opened, checked, returned as events"),
            _peer(on, ITERATOR, ways.iterator, len(expected), "bytes"),
            _peer(on, CALLBACK, ways.callback, len(expected), "bytes"),
        ]
        samples = take_turns(peers, settings.rounds // 2, passes=once)
    return section("Receive the mix", "rate", peers, samples, targets=TARGETS, remarks=(_REMARK,))


class _Ways:
    """The ways to receive: each subscribes, triggers publishing, and returns the nanoseconds until all have arrived."""

    def __init__(self, on: Wire, publish: Callable[[], None], count: int) -> None:
        self._on = on
        self._publish = publish
        self._count = count

    async def events(self, keep: Keep) -> int:
        async with self._on.middleware.events() as events:
            return await self._iterated(events, keep)

    async def iterator(self, keep: Keep) -> int:
        subscription = await self._on.client.subscribe(ALL)
        await self._on.client.flush()
        spent = await self._iterated(subscription.messages, keep)
        await subscription.unsubscribe()
        return spent

    async def callback(self, keep: Keep) -> int:
        left, done = self._count, asyncio.Event()

        async def received(message: Any) -> None:
            nonlocal left
            keep(message)
            left -= 1
            if not left:
                done.set()

        subscription = await self._on.client.subscribe(ALL, cb=received)
        await self._on.client.flush()
        self._publish()
        begin = perf_counter_ns()
        await done.wait()
        spent = perf_counter_ns() - begin
        await subscription.unsubscribe()
        return spent

    async def _iterated(self, messages: Any, keep: Keep) -> int:
        self._publish()
        left = self._count
        begin = perf_counter_ns()
        async for message in messages:
            keep(message)
            left -= 1
            if not left:
                break
        return perf_counter_ns() - begin


@contextmanager
def _publisher(url: str, messages: Sequence[Message]) -> Iterator[Callable[[], None]]:
    """Return a function that publishes all messages from another thread and returns once the server has them.

    It blocks the calling loop on purpose: nothing is received before the clock starts.
    """
    with ThreadPoolExecutor(1) as thread:
        # A runner must be opened and closed in the thread that uses it.
        runner = thread.submit(asyncio.Runner).result()

        def run(work: Callable[[], Any]) -> Any:
            return thread.submit(lambda: runner.run(work())).result()

        client = run(lambda: nats.connect(url))

        async def publish() -> None:
            for subject, data in messages:
                await client.publish(subject, data)
            await client.flush()

        try:
            yield lambda: run(publish)
        finally:
            run(client.close)
            thread.submit(runner.close).result()


def _received(on: Wire, way: Callable[[Keep], Any]) -> list[Any]:
    kept: list[Any] = []
    on.runner.run(way(kept.append))
    return kept


def _peer(on: Wire, name: str, way: Callable[[Keep], Any], count: int, note: str) -> Peer:
    return Peer(name, lambda passes: on.runner.run(way(_drop)) / count, note)


def _drop(received: object) -> None:
    pass
