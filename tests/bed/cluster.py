"""A cluster of three nats-servers with JetStream on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import nats as nats_py

from choria_lifecycle.demo import embedded

from .faults import Proxy, running_proxy
from .ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nats.aio.client import Client

__all__ = ["Cluster", "cluster", "move_leader", "retry_request", "server_named"]

SIZE = 3
# A cluster elects its leader within a second or two; the rest allows for a busy machine.
_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


class Cluster:
    """Three servers. The first and the others reach each other only through proxies.

    Attributes:
        servers: the servers, each with its own store.
        routes: the proxies, for `isolate`.

    Args:
        start: starts a server: its number, from 0, and its port, or -1 for a free one.
        routes: the proxies.
    """

    def __init__(self, start: Callable[[int, int], embedded.Server], routes: list[Proxy]) -> None:
        self._start = start
        self.servers = [start(number, -1) for number in range(SIZE)]
        self.routes = routes

    @property
    def urls(self) -> list[str]:
        """The servers' URLs."""
        return [server.url for server in self.servers]

    def isolate(self) -> None:
        """Separate the first server from the others; clients can still reach it."""
        for route in self.routes:
            route.black_hole()

    def restart(self, server: embedded.Server) -> None:
        """Replace a server that has ended by a new one with its port and store."""
        number = self.servers.index(server)
        self.servers[number] = self._start(number, server.port)

    def heal(self) -> None:
        """Undo `isolate`. Delayed data is lost, as after a long outage."""
        for route in self.routes:
            route.drop()
            route.heal()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster within the block; it needs some seconds to elect a leader, see `retry_request`."""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(SIZE)]
        routes: list[Proxy] = []

        def through(port: int) -> int:
            routes.append(stack.enter_context(running_proxy(port)))
            return routes[-1].port

        neighbours = [
            [through(ports[1]), through(ports[2])],
            [through(ports[0]), ports[2]],
            [through(ports[0]), ports[1]],
        ]
        stores = [
            Path(stack.enter_context(TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True)))
            for _ in range(SIZE)
        ]

        def start(number: int, port: int) -> embedded.Server:
            config = _config(f"s{number + 1}", ports[number], neighbours[number])
            return stack.enter_context(embedded.nats_server(config, port=port, store=stores[number]))

        yield Cluster(start, routes)


def _config(name: str, port: int, neighbours: list[int]) -> str:
    block = {
        "name": "bed",
        "listen": f"127.0.0.1:{port}",
        # The proxies are the only routes: clients learn of no other server, and servers advertise an unused address.
        "no_advertise": True,
        "advertise": "127.0.0.1:1",
        "pool_size": -1,
        "connect_retries": 1000,
        "routes": [f"nats://127.0.0.1:{neighbour}" for neighbour in neighbours],
    }
    return f"server_name: {name}\ncluster: {json.dumps(block)}"


async def retry_request(
    client: Client, what: str, request: dict[str, Any], *, prefix: str = "$JS.API"
) -> dict[str, Any]:
    """Repeat a JetStream request until it succeeds; it fails until a cluster has elected its leaders.

    Args:
        client: the connection.
        what: the API function, without the prefix.
        request: its argument.
        prefix: the prefix of the API.

    Raises:
        TimeoutError: it did not succeed within 30 seconds.
    """
    deadline = time.monotonic() + _SECONDS
    answer: dict[str, Any] = {}
    while time.monotonic() < deadline:
        try:
            answer = json.loads(
                (await client.request(f"{prefix}.{what}", json.dumps(request).encode(), timeout=2)).data
            )
        except (nats_py.errors.Error, TimeoutError) as error:
            answer = {"error": repr(error)}
        if "error" not in answer:
            return answer
        await asyncio.sleep(_PAUSE_SECONDS)
    raise TimeoutError(f"JetStream was not ready: {answer}")


async def move_leader(client: Client, stream: str, *, source: str = "s1", target: str = "s2") -> str:
    """Move the leadership of a stream away from a server, preferably to another one; return the leader."""
    stepdown = json.dumps({"placement": {"preferred": target}}).encode()
    while True:
        leader: str = (await retry_request(client, f"STREAM.INFO.{stream}", {}))["cluster"].get("leader", "")
        if leader not in ("", source):
            return leader
        if leader:
            with suppress(nats_py.errors.Error, TimeoutError):  # the move may have succeeded anyway
                await client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", stepdown, timeout=2)


def server_named(cluster: Cluster, name: str) -> embedded.Server:
    """Return the server of this name, as used in JetStream's cluster information."""
    return cluster.servers[int(name.removeprefix("s")) - 1]
