"""A real nats-server, and a scripted one."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.demo import embedded
from tests.bed.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    """Run a server without users, shared by tests that do not change its state."""
    with embedded.nats_server() as running:
        yield running


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of certificates: an authority, an unknown one, and a server certificate."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.create("known")
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "other-ca.pem").write_bytes(Authority.create("unknown").pem)
    authority.issue("localhost", addresses=("127.0.0.1",)).write(folder, "server")
    return folder


class FakeServer:
    """A server that sends a scripted INFO and records every byte it receives.

    Args:
        info: its INFO, or None for silence.
        answers: the answers to successive PINGs, over all connections; None closes the connection. Afterwards it
            answers PONG.
        greetings: other greetings for the first connections.
    """

    def __init__(
        self, info: dict[str, object] | None, answers: Sequence[bytes | None], greetings: Sequence[bytes]
    ) -> None:
        self.received = bytearray()
        self.connections: asyncio.Queue[None] = asyncio.Queue()
        self.url = ""
        self._greeting = b"" if info is None else b"INFO " + json.dumps(info).encode() + b"\r\n"
        self._greetings = list(greetings)
        self._answers = list(answers)
        self._writers: list[asyncio.StreamWriter] = []

    def drop(self) -> None:
        """Close the open connections; asyncio would otherwise complain after the loop has ended."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections.put_nowait(None)
        writer.write(self._greetings.pop(0) if self._greetings else self._greeting)
        try:
            while line := await reader.readline():
                self.received += line
                if line == b"PING\r\n":
                    answer = self._answers.pop(0) if self._answers else b"PONG\r\n"
                    if answer is None:
                        break
                    writer.write(answer)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
def fake_server() -> Callable[..., AbstractAsyncContextManager[FakeServer]]:
    """Return a function that starts a `FakeServer`."""

    @asynccontextmanager
    async def start(
        info: dict[str, object] | None, *answers: bytes | None, port: int = 0, greetings: Sequence[bytes] = ()
    ) -> AsyncGenerator[FakeServer]:
        fake = FakeServer(info, answers, greetings)
        listener = await asyncio.start_server(fake.serve, "127.0.0.1", port)
        fake.url = f"nats://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield fake
        finally:
            listener.close()
            await listener.wait_closed()
            fake.drop()
            await asyncio.sleep(0)

    return start
