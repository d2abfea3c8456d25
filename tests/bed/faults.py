"""A TCP proxy on the loopback interface that simulates network faults."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from .background import accept, background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .background import Background

__all__ = ["Direction", "Proxy", "proxy", "running_proxy"]

_CHUNK = 65536
_AHEAD = 64
_Queue = asyncio.Queue[tuple[float, bytes]]
# Far enough apart for the receiver to read slices one by one, most of the time.
_PAUSE_SECONDS = 0.001
_AT_ONCE = struct.pack("ii", 1, 0)


class Direction:
    """The faults of one direction; each may be changed at any time, for all connections.

    Attributes:
        slices: the most bytes to send at once; 0 is unlimited.
        latency: the delay of each byte in seconds. Bytes stay in order.
        cut_after: close each connection after this many bytes, including those before the setting; None never does.
    """

    def __init__(self) -> None:
        self.slices = 0
        self.latency = 0.0
        self.cut_after: int | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()


class Proxy:
    """A proxy between a client and a server. All methods are thread-safe.

    Attributes:
        port: its port, which never changes.
        to_server: the faults of the way from client to server.
        to_client: the faults of the way from server to client.
        accepted: the number of connections so far.
        sent: every byte that clients sent, on all connections.
    """

    def __init__(self, here: Background, target_port: int) -> None:
        self.to_server = Direction()
        self.to_client = Direction()
        self.accepted = 0
        self.sent = bytearray()
        self.until = here.wait_until
        self._here = here
        self._target_port = target_port
        self._resetting = False
        self._listening: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        # Bound but never listening, this socket reserves the port while connections are refused.
        self._keeper = _bound(0)
        self.port: int = self._keeper.getsockname()[1]

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def heal(self) -> None:
        """End all faults, and listen. Data held back by a black hole is delivered now."""

        async def heal() -> None:
            self._resetting = False
            for way in (self.to_server, self.to_client):
                way.slices, way.latency, way.cut_after = 0, 0.0, None
                way.flowing.set()
            if self._listening is None:
                self._listening = asyncio.create_task(accept(_bound(self.port), self._serve))
                await asyncio.sleep(0)  # it is listening now

        self._here.run(heal())

    def refuse(self) -> None:
        """Stop listening until `heal`. Existing connections stay open; see `drop`."""

        async def refuse() -> None:
            if self._listening is not None:
                self._listening.cancel()
                await asyncio.gather(self._listening, return_exceptions=True)
                self._listening = None

        self._here.run(refuse())

    def drop(self) -> None:
        """Reset (RST) the open connections."""

        async def drop() -> None:
            for task, client in list(self._connections.items()):
                _reset(client)
                if task is not None:
                    task.cancel()

        self._here.run(drop())

    def reset(self) -> None:
        """Reset (RST) the open connections and, until `heal`, each new one as soon as it is accepted."""
        self._resetting = True
        self.drop()

    def black_hole(self, *ways: Direction) -> None:
        """Hold back all data until `heal`; connections are accepted and stay open.

        Args:
            ways: `to_server` or `to_client`; default both.
        """

        async def hold() -> None:
            for way in ways or (self.to_server, self.to_client):
                way.flowing.clear()

        self._here.run(hold())

    def slice(self, size: int) -> None:
        """Limit how many bytes are sent at once, both ways."""
        self.to_server.slices = self.to_client.slices = size

    def delay(self, seconds: float) -> None:
        """Delay data by this many seconds, both ways."""
        self.to_server.latency = self.to_client.latency = seconds

    def close(self) -> None:
        """Refuse new connections for good, and reset the open ones."""
        self.refuse()
        self.drop()
        self._keeper.close()

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        task = asyncio.current_task()
        self._connections[task] = writer
        self.accepted += 1
        self._here.notify()
        try:
            if self._resetting:
                _reset(writer)
            else:
                await self._connect(reader, writer)
        except OSError:
            pass  # one of the two sides disconnected
        finally:
            writer.transport.abort()
            del self._connections[task]
            self._here.notify()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            for each in (writer, server_writer):
                each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                each.transport.set_write_buffer_limits(high=0)  # what was drained has been sent
        except OSError:  # the client has already disconnected
            server_writer.transport.abort()
            raise
        to_server: _Queue = asyncio.Queue(_AHEAD)
        to_client: _Queue = asyncio.Queue(_AHEAD)
        tasks = [
            asyncio.create_task(_read(reader, to_server, self._record)),
            asyncio.create_task(_read(server_reader, to_client, lambda _: None)),
            asyncio.create_task(_deliver(to_server, server_writer, self.to_server)),
            asyncio.create_task(_deliver(to_client, writer, self.to_client)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            server_writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _record(self, data: bytes) -> None:
        self.sent += data
        self._here.notify()


async def _read(reader: asyncio.StreamReader, queue: _Queue, record: Callable[[bytes], None]) -> None:
    """Queue the data as it arrives; an empty item marks the end."""
    now = asyncio.get_running_loop().time
    data = b"not yet"
    while data:
        data = await reader.read(_CHUNK)
        record(data)
        await queue.put((now(), data))


async def _deliver(queue: _Queue, writer: asyncio.StreamWriter, way: Direction) -> None:
    """Write each item when it is due."""
    now = asyncio.get_running_loop().time
    passed = 0
    while True:
        read_at, data = await queue.get()
        await asyncio.sleep(max(0.0, read_at + way.latency - now()))
        await way.flowing.wait()
        if not data:
            writer.write_eof()
            return
        while data:
            await way.flowing.wait()
            size = way.slices or len(data)
            if way.cut_after is not None:
                size = min(size, max(0, way.cut_after - passed))
            writer.write(data[:size])
            await writer.drain()
            passed += len(data[:size])
            data = data[size:]
            if way.cut_after is not None and passed >= way.cut_after:
                raise ConnectionAbortedError("cut")
            if way.slices:
                await asyncio.sleep(_PAUSE_SECONDS)


def _bound(port: int) -> socket.socket:
    """Return a socket bound to a port that several sockets may share while only one listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()


@contextmanager
def running_proxy(target_port: int) -> Iterator[Proxy]:
    """Run a proxy to a port of the loopback interface within the block."""
    with background() as here:
        running = Proxy(here, target_port)
        try:
            running.heal()
            yield running
        finally:
            running.close()


@asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Run `running_proxy` as an asynchronous context manager."""
    with running_proxy(target_port) as running:
        yield running
