"""A private nats-server with two clients in one event loop: this project's, and plain nats-py."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import nats

from . import corpus
from .measure import Peer

ALL = "choria.lifecycle.event.>"
STREAM = "CHORIA_EVENTS"

Message = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Wire:
    """The environment of a section that uses a broker.

    Attributes:
        url: the server's URL.
        runner: the loop of both clients, which runs only during turns.
        middleware: this project's client.
        client: the client of nats-py.
    """

    url: str
    runner: asyncio.Runner
    middleware: Any
    client: Any


@contextmanager
def wire(*, jetstream: bool = False) -> Iterator[Wire]:
    """Start a server and connect both clients."""
    import choria_lifecycle as lifecycle
    from choria_lifecycle.demo.embedded import nats_server

    with nats_server(jetstream=jetstream) as server, asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> Wire:
            middleware = await stack.enter_async_context(lifecycle.connect(servers=server.url))
            client = await nats.connect(server.url)
            stack.push_async_callback(client.close)
            return Wire(server.url, runner, middleware, client)

        try:
            yield runner.run(opened())
        finally:
            runner.run(stack.aclose())


async def store(client: Any) -> None:
    """Make the server store lifecycle events as Choria's brokers do, but in memory, so that the disk is not timed."""
    await client.jetstream().add_stream(name=STREAM, subjects=[ALL], storage="memory")


def burst(documents: Sequence[corpus.Document], count: int) -> list[corpus.Document]:
    """Return this many documents, repeating them as needed."""
    return list(islice(cycle(documents), count))


def messages(documents: Sequence[corpus.Document]) -> list[Message]:
    """Return the documents with their subjects."""
    return [(_subject(document.fields), document.data) for document in documents]


def once(peer: Peer) -> int:
    """Make each turn a single pass, after one to warm up."""
    peer.turn(1)
    return 1


def _subject(fields: corpus.Fields) -> str:
    return f"choria.lifecycle.event.{corpus.event_type(fields)}.{fields['component']}"
