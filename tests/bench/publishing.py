"""Publishing in batches: this library against nats-py, each batch confirmed by the server before the next."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import nats.errors

from . import corpus, golang
from .broker import ALL, Message, Wire, burst, messages, once, wire
from .measure import Peer, Settings, demand, take_turns
from .report import Section, Target, section

OURS = "choria_lifecycle, publish_many"
RAW = "nats-py, publish and flush"

TARGETS = (
    Target(
        what="publish in batches: rate of nats-py",
        ours=OURS,
        bound=0.9,
        at_least=True,
        peers=(RAW,),
        why="half of the time is encoding, checking and the subject of each event, which nats-py's row leaves out",
    ),
)

_BATCH = 1000

Batches = Sequence[Sequence[Any]]
Publish = Callable[[Batches], Awaitable[None]]


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure native events, without subscribers."""
    from choria_lifecycle import parse

    documents = burst(corpus.native(settings.size), settings.burst)
    expected = messages(documents)
    with wire() as on:
        work = [
            (OURS, _ours(on), _batches([parse(document.data) for document in documents]), "checks, encodes, subject"),
            (RAW, _raw(on), _batches(expected), "bytes and subjects made beforehand"),
        ]
        for name, publish, batches, _ in work:
            sent = on.runner.run(_overheard(on, publish, batches, len(expected)))
            demand(len(sent) == len(expected), name, f"published {len(expected)} messages, {len(sent)} arrived")
            demand(sent == expected, name, "published something else")
        peers = [_peer(on, *item) for item in work]
        samples = take_turns(peers, settings.rounds // 2, passes=once)
    return section(f"Publish, in batches of {_BATCH:,}", "rate", peers, samples, targets=TARGETS)


def _ours(on: Wire) -> Publish:
    async def publish(batches: Batches) -> None:
        for batch in batches:
            await on.middleware.publish_many(batch)

    return publish


def _raw(on: Wire) -> Publish:
    async def publish(batches: Batches) -> None:
        for batch in batches:
            for subject, data in batch:
                await on.client.publish(subject, data)
            await on.client.flush()

    return publish


async def _overheard(on: Wire, publish: Publish, batches: Batches, count: int) -> list[Message]:
    """Publish, and return what another connection receives of this many messages."""
    listener = await nats.connect(on.url)
    subscription = await listener.subscribe(ALL)
    await listener.flush()
    await publish(batches)
    received: list[Any] = []
    with suppress(nats.errors.TimeoutError):  # fewer arrived; the caller reports it
        while len(received) < count:
            received.append(await subscription.next_msg(timeout=10))
    await listener.close()
    return [(message.subject, message.data) for message in received]


def _peer(on: Wire, name: str, publish: Publish, batches: Batches, note: str) -> Peer:
    count = sum(map(len, batches))

    async def timed() -> float:
        begin = perf_counter_ns()
        await publish(batches)
        return (perf_counter_ns() - begin) / count

    return Peer(name, lambda passes: on.runner.run(timed()), note)


def _batches(items: Sequence[Any]) -> Batches:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
