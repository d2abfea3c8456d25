"""The transports, NATS and in memory, that the middleware's tests run over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nats as nats_py
import pytest

from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.demo import embedded
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.nats import NatsTransport
from tests.bed.subscriptions import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from choria_lifecycle.middleware.transport import Transport


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    """A server without streams; a test that adds one deletes it."""
    with embedded.nats_server() as running:
        yield running


@pytest.fixture(params=["memory", "nats"])
async def transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    made: Transport = InMemoryTransport()
    if request.param == "nats":
        url = request.getfixturevalue("server").url
        made = await NatsTransport.open(ConnectionSettings(servers=(url,)), 5)
    yield made
    await made.close()


@pytest.fixture(params=["memory", "nats"])
async def storing_transport(request: pytest.FixtureRequest) -> AsyncGenerator[Transport]:
    """Like `transport`, with a stream that stores the events."""
    if request.param == "memory":
        made = InMemoryTransport()
        yield made
        await made.close()
        return
    url = request.getfixturevalue("server").url
    client = await nats_py.connect(url)
    # In memory: nats-server 2.15 keeps the messages of a file store that is deleted and made again at once.
    await client.jetstream().add_stream(name="CHORIA_EVENTS", subjects=["choria.lifecycle.>"], storage="memory")
    real = await NatsTransport.open(ConnectionSettings(servers=(url,)), 5)
    yield real
    await real.close()
    await client.jetstream().delete_stream("CHORIA_EVENTS")
    await client.close()


@pytest.fixture
async def middleware(transport: Transport) -> AsyncGenerator[Middleware]:
    async with Middleware(transport, limit=LIMIT) as opened:
        yield opened
