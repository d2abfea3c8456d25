"""The proxy applies each fault to bytes that the tests count."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING

import pytest

from .faults import Proxy, proxy, running_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 10


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def running(echo: int) -> Iterator[Proxy]:
    with running_proxy(echo) as started:
        yield started


@contextlib.contextmanager
def connected(running: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def exactly(client: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        data = client.recv(size - len(received))
        assert data, f"closed after {received!r}"
        received += data
    return received


def echoes(client: socket.socket, data: bytes) -> bool:
    client.sendall(data)
    return exactly(client, len(data)) == data


def test_bytes_pass_and_are_recorded(running: Proxy) -> None:
    with connected(running) as client:
        assert echoes(client, b"hello" * 100_000)
        assert running.open == 1
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    running.until(lambda: running.open == 0)
    assert running.sent == b"hello" * 100_000
    assert running.accepted == 1
    assert running.url == f"nats://127.0.0.1:{running.port}"


def test_refuse_and_listen_again_on_the_same_port(running: Proxy) -> None:
    port = running.port
    with connected(running) as client:
        assert echoes(client, b"before")
        for _ in range(3):
            running.refuse()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            with pytest.raises(OSError, match="in use"), socket.socket() as thief:
                thief.bind(("127.0.0.1", port))
            assert echoes(client, b"goes on")
            running.heal()
            with connected(running) as other:
                assert echoes(other, b"after")
    assert running.port == port


def test_drop_resets_only_connected_clients(running: Proxy) -> None:
    with connected(running) as client:
        assert echoes(client, b"before")
        running.drop()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    running.until(lambda: running.open == 0)
    with connected(running) as client:
        assert echoes(client, b"after")


def test_reset_affects_open_and_new_connections(running: Proxy) -> None:
    with connected(running) as client:
        assert echoes(client, b"before")
        running.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionResetError), connected(running) as client:
        client.recv(1)
    running.heal()
    with connected(running) as client:
        assert echoes(client, b"after")


def test_black_hole(running: Proxy) -> None:
    with connected(running) as old:
        assert echoes(old, b"before")
        running.black_hole()
        with connected(running) as new:
            for client in (old, new):
                client.sendall(b"into the dark")
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(SECONDS)
            assert running.open == 2
            running.until(lambda: running.sent.count(b"into the dark") == 2)
            running.heal()
            for client in (old, new):
                assert exactly(client, 13) == b"into the dark"


def test_black_hole_one_way(running: Proxy) -> None:
    with connected(running) as client:
        assert echoes(client, b"before")
        running.black_hole(running.to_client)
        client.sendall(b"heard, never answered")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_client_in_a_black_hole_can_be_dropped(running: Proxy) -> None:
    running.black_hole()
    with connected(running) as client:
        client.sendall(b"x")
        running.until(lambda: running.sent == b"x")
        running.drop()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    running.until(lambda: running.open == 0)


def test_slices_arrive_one_by_one(running: Proxy) -> None:
    running.slice(7)
    data = bytes(range(256)) * 4
    with connected(running) as client:
        client.sendall(data)
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < len(data):
            pieces.append(client.recv(65536))
    assert b"".join(pieces) == data
    # Two may be read as one on a busy machine.
    assert len(pieces) > len(data) / 7 / 4
    assert min(len(piece) for piece in pieces[:-1]) == 7


@pytest.mark.parametrize(("ways", "least"), [(("to_server",), 0.2), (("to_client",), 0.2), (None, 0.4)])
def test_latency_delays_and_keeps_the_order(running: Proxy, ways: tuple[str, ...] | None, least: float) -> None:
    if ways is None:
        running.delay(0.2)
    else:
        getattr(running, ways[0]).latency = 0.2
    with connected(running) as client:
        begun = time.monotonic()
        for number in range(200):
            client.sendall(b"%03d" % number)
        received = exactly(client, 600)
        took = time.monotonic() - begun
    assert received == b"".join(b"%03d" % number for number in range(200))
    assert least <= took < least + 5


@pytest.mark.parametrize(("way", "slices"), [("to_client", 0), ("to_client", 7), ("to_server", 0)])
def test_cut_after_a_number_of_bytes(running: Proxy, way: str, slices: int) -> None:
    running.slice(slices)
    getattr(running, way).cut_after = 10
    with connected(running) as client:
        received = b""
        with contextlib.suppress(ConnectionResetError):
            client.sendall(b"0123456789ABCDEF")
            while data := client.recv(100):
                received += data
    assert received == b"0123456789" or (way == "to_server" and received in b"0123456789")
    running.heal()
    with connected(running) as client:
        assert echoes(client, b"0123456789ABCDEF")


def test_a_proxy_without_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with running_proxy(port) as running, connected(running) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("fault", [Proxy.heal, Proxy.black_hole, Proxy.refuse, Proxy.reset])
def test_nothing_is_left_behind(echo: int, fault: Callable[[Proxy], None]) -> None:
    threads = threading.active_count()
    with running_proxy(echo) as running, connected(running) as client:
        client.sendall(b"x")
        running.until(lambda: running.sent == b"x")
        fault(running)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS)
    assert "test bed" not in [thread.name for thread in threading.enumerate()]
    assert threading.active_count() <= threads + 1  # the echo server may not have noticed yet


async def test_from_a_coroutine(echo: int) -> None:
    async with proxy(echo) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        running.drop()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()


def test_until_raises_on_timeout(running: Proxy) -> None:
    with pytest.raises(TimeoutError, match="did not happen"):
        running.until(lambda: running.open == 1, 0.05)
