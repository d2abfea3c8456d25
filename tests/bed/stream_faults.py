"""Faults of a replicated stream, and how many events each kind of reader sees: `python -m tests.bed.stream_faults`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import nats as nats_py

import choria_lifecycle as lifecycle

from .cluster import Cluster, cluster, move_leader, retry_request, server_named
from .faults import Proxy, running_proxy
from .stream_readers import Report, impatient_tallies, running_readers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from nats.aio.client import Client

    from choria_lifecycle.demo import embedded

    from .stream_readers import Published, Reader

__all__ = ["FAULTS", "RATE", "Bed", "Fault", "bed", "run_fault"]

RATE: Final = 100.0
"""Startup events per second."""

_STREAM: Final = "CHORIA_EVENTS"
_CONFIG: Final[dict[str, Any]] = {
    "name": _STREAM,
    "subjects": ["choria.lifecycle.event.>"],
    "num_replicas": 3,
    "discard": "old",
    "max_msgs": -1,
}

# The nodes that live throughout: how many, and the seconds between their alive events.
_FLEET: Final = 10
_ALIVE_SECONDS: Final = 0.3

_POLL_SECONDS: Final = 0.05
_HEALTHY_SECONDS: Final = 60.0


class Bed:
    """A cluster whose first server survives every fault; all clients connect to it.

    Attributes:
        cluster: the cluster.
        proxy: the readers' way to its first server.
        admin: a connection to the first server, within `stream`.
    """

    def __init__(self, cluster: Cluster, proxy: Proxy) -> None:
        self.cluster = cluster
        self.proxy = proxy
        self.admin: Client

    @property
    def url(self) -> str:
        """The URL of the first server."""
        return self.cluster.urls[0]

    @property
    def others(self) -> list[embedded.Server]:
        """The servers without which there is no quorum."""
        return self.cluster.servers[1:]

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Create the stream, whose leader is not on the first server, and delete it at the end."""
        self.admin = await nats_py.connect(self.url)
        try:
            await self.request("STREAM.CREATE", _CONFIG)
            try:
                await move_leader(self.admin, _STREAM)
                await self.wait_healthy()
                yield
            finally:
                await self.request("STREAM.DELETE", {})
        finally:
            await self.admin.close()

    async def request(self, function: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the stream's API until it succeeds."""
        return await retry_request(self.admin, f"{function}.{_STREAM}", request)

    async def leader(self) -> embedded.Server:
        """Return the server that leads the stream."""
        while not (name := (await self.request("STREAM.INFO", {}))["cluster"].get("leader")):  # noqa: ASYNC110 - another process
            await asyncio.sleep(_POLL_SECONDS)
        return server_named(self.cluster, name)

    async def wait_healthy(self) -> None:
        """Wait until the stream has a leader and two current replicas.

        Raises:
            TimeoutError: it did not recover within a minute.
        """
        async with asyncio.timeout(_HEALTHY_SECONDS):
            while True:
                peers = (await self.request("STREAM.INFO", {}))["cluster"]
                current = [peer for peer in peers.get("replicas", []) if peer["current"] and not peer.get("offline")]
                if peers.get("leader") and len(current) == 2:
                    return
                await asyncio.sleep(_POLL_SECONDS)

    async def consumers(self) -> list[dict[str, Any]]:
        """Return the stream's consumers."""
        return (await self.request("CONSUMER.LIST", {})).get("consumers") or []

    async def wait_delivered(self) -> None:
        """Wait until each consumer that a reader waits for has delivered what the stream stores."""
        async with asyncio.timeout(_HEALTHY_SECONDS):
            while any(each["num_pending"] and each["num_waiting"] for each in await self.consumers()):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)


@contextmanager
def bed() -> Iterator[Bed]:
    """Run the cluster within the block."""
    with cluster() as running, running_proxy(running.servers[0].port) as proxy:
        yield Bed(running, proxy)


@asynccontextmanager
async def _ended(bed: Bed, how: signal.Signals) -> AsyncIterator[None]:
    """End the stream's leader with a signal, and start it again."""
    leader = await bed.leader()
    leader.process.send_signal(how)
    await asyncio.to_thread(leader.process.wait)
    yield
    bed.cluster.restart(leader)


@asynccontextmanager
async def _stepped_down(bed: Bed) -> AsyncIterator[None]:
    await bed.request("STREAM.LEADER.STEPDOWN", {})
    yield


@contextmanager
def _frozen(*servers: embedded.Server) -> Iterator[None]:
    try:
        for server in servers:
            server.process.send_signal(signal.SIGSTOP)
            os.waitpid(server.process.pid, os.WUNTRACED)
        yield
    finally:
        for server in servers:
            server.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def _leader_frozen(bed: Bed) -> AsyncIterator[None]:
    with _frozen(await bed.leader()):
        yield


@asynccontextmanager
async def _quorum_frozen(bed: Bed) -> AsyncIterator[None]:
    with _frozen(*bed.others):
        yield


@asynccontextmanager
async def _quorum_killed(bed: Bed) -> AsyncIterator[None]:
    killed = bed.others
    for server in killed:
        server.kill()
    yield
    for server in killed:
        bed.cluster.restart(server)


@asynccontextmanager
async def _narrowed(bed: Bed) -> AsyncIterator[None]:
    await bed.request("STREAM.UPDATE", _CONFIG | {"subjects": ["choria.lifecycle.event.shutdown.>"]})
    yield
    await bed.request("STREAM.UPDATE", _CONFIG)


@asynccontextmanager
async def _paused(bed: Bed) -> AsyncIterator[None]:
    """Pause the consumers that the readers have; they are free to make others."""
    names = [consumer["name"] for consumer in await bed.consumers()]

    async def pause(until: datetime) -> None:
        for name in names:
            request = json.dumps({"pause_until": until.isoformat()}).encode()
            # A consumer may no longer exist, so the answer may be an error.
            await bed.admin.request(f"$JS.API.CONSUMER.PAUSE.{_STREAM}.{name}", request, timeout=5)

    await pause(datetime.now(UTC) + timedelta(hours=1))
    yield
    await pause(datetime.fromtimestamp(0, UTC))


@asynccontextmanager
async def _full(bed: Bed) -> AsyncIterator[None]:
    stored = (await bed.request("STREAM.INFO", {}))["state"]["messages"]
    await bed.request("STREAM.UPDATE", _CONFIG | {"discard": "new", "max_msgs": stored})
    yield
    await bed.request("STREAM.UPDATE", _CONFIG)


@asynccontextmanager
async def _cut(bed: Bed) -> AsyncIterator[None]:
    """Cut the readers' connections while the stream has no quorum; first the readers come back, then the quorum."""
    async with _quorum_killed(bed):
        bed.proxy.refuse()
        bed.proxy.drop()
        try:
            yield
        finally:
            bed.proxy.heal()


class Fault(NamedTuple):
    """A fault of the stream.

    Attributes:
        occur: returns a block; the fault begins when it is entered, and is over once it has been left.
        seconds: how long it lasts in full.
    """

    occur: Callable[[Bed], AbstractAsyncContextManager[None]]
    seconds: float = 0.0


FAULTS: Final = {
    "leader killed": Fault(lambda bed: _ended(bed, signal.SIGKILL)),
    "leader terminated": Fault(lambda bed: _ended(bed, signal.SIGTERM)),
    "leader lame duck": Fault(lambda bed: _ended(bed, signal.SIGUSR2)),
    "leader steps down": Fault(_stepped_down),
    "leader frozen": Fault(_leader_frozen, 15.0),
    "quorum frozen": Fault(_quorum_frozen, 60.0),
    "quorum killed": Fault(_quorum_killed, 60.0),
    "subjects narrowed": Fault(_narrowed, 25.0),
    "consumers paused": Fault(_paused, 15.0),
    "stream full": Fault(_full, 25.0),
    "connection cut without quorum": Fault(_cut, 15.0),
}
"""The faults by name."""


class _Publisher:
    """Publishes startup events, each of its own node, beside a fleet that is alive throughout.

    Attributes:
        published: the time just before and just after each startup event was published, by the event's id.
        alive: the number of alive events.
        sent: the number of all events.
    """

    def __init__(self, middleware: lifecycle.Middleware) -> None:
        self.published: Published = {}
        self.alive = 0
        self.sent = 0
        self._middleware = middleware
        self._marks = 0

    async def startups(self, count: int) -> None:
        """Publish startup events at the usual rate."""
        now = asyncio.get_running_loop().time
        begin = now()
        for number in range(count):
            await asyncio.sleep(begin + number / RATE - now())
            name = f"event-{len(self.published):05}"
            event = lifecycle.startup(identity=f"{name}.example.net", component="server", version="1.0.0", id=name)
            before = time.time()
            await self._publish(event)
            self.published[name] = (before, time.time())

    async def keep_alive(self, stop: asyncio.Event) -> None:
        """Publish alive events of the fleet until told to stop, then its shutdown, so that no node expires later.

        The alive events of a node are identical, as Choria's are.
        """
        fleet = [
            lifecycle.alive(identity=f"n{number}.example.net", component="fleet", version="1.0.0")
            for number in range(_FLEET)
        ]
        while not stop.is_set():
            for event in fleet:
                await self._publish(event)
                self.alive += 1
            await asyncio.sleep(_ALIVE_SECONDS)
        for event in fleet:
            await self._publish(lifecycle.shutdown(identity=event.identity, component="fleet"))

    async def mark(self) -> str:
        """Publish an event that tells a reader that it is up to date; return its id."""
        self._marks += 1
        name = f"mark-{self._marks}"
        event = lifecycle.shutdown(identity="mark.example.net", component="mark", id=name)
        await self._publish(event)
        return name

    async def _publish(self, event: lifecycle.Event) -> None:
        await self._middleware.publish(event, timeout=30)
        self.sent += 1


async def _until_up_to_date(publisher: _Publisher, readers: list[Reader], deadline: float) -> None:
    """Publish marks until every reader has seen one of them, or the time is up."""
    marks: set[str] = set()
    now = asyncio.get_running_loop().time
    while now() < deadline and not all(marks & reader.ids.keys() for reader in readers):
        marks.add(await publisher.mark())
        await asyncio.sleep(_POLL_SECONDS)


async def run_fault(
    bed: Bed,
    name: str,
    *,
    events: int,
    seconds: float | None = None,
    patience: float = 30.0,
    count_unstored: bool = False,
) -> list[Report]:
    """Publish while a fault occurs, and return what each reader saw of it.

    A quarter of the events is published before the fault, half of them during it, and the rest once it is over.

    Args:
        bed: the cluster.
        name: the fault, a key of `FAULTS`.
        events: the number of startup events.
        seconds: how long the fault lasts at least, in seconds; None for its full length.
        patience: how long to wait, once the stream has recovered, for readers that miss events without saying so.
        count_unstored: wait for the readers to find out which messages were not stored, which takes them 20 s or more.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bed.stream())
        publisher = _Publisher(await stack.enter_async_context(lifecycle.connect(bed.url, environ={})))
        stack.enter_context(impatient_tallies())
        readers = await stack.enter_async_context(running_readers(bed.proxy.url))
        stop = asyncio.Event()
        fleet = asyncio.create_task(publisher.keep_alive(stop))
        try:
            await publisher.startups(events // 4)
            async with FAULTS[name].occur(bed):
                end = loop.time() + (FAULTS[name].seconds if seconds is None else seconds)
                await publisher.startups(events // 2)
                await asyncio.sleep(end - loop.time())
            await publisher.startups(events - len(publisher.published))
            await bed.wait_healthy()
            deadline = loop.time() + patience
            await _until_up_to_date(publisher, readers, deadline)
            while loop.time() < deadline and any(  # noqa: ASYNC110 - other processes
                reader.report(publisher.published).problems for reader in readers
            ):
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            stop.set()
            await fleet
        await bed.wait_delivered()
        await _until_up_to_date(publisher, readers, loop.time() + patience)
        never_stored = await _wait_counted(bed, publisher, readers, patience) if count_unstored else None
        await asyncio.gather(*(reader.stop() for reader in readers))
        return [
            reader.report(publisher.published, alive_published=publisher.alive, never_stored=never_stored)
            for reader in readers
        ]


async def _wait_counted(bed: Bed, publisher: _Publisher, readers: list[Reader], patience: float) -> int:
    """Wait for the readers to find out how many messages the stream has not stored, and return the number."""
    now = asyncio.get_running_loop().time
    deadline = now() + patience
    while True:
        never_stored: int = publisher.sent - (await bed.request("STREAM.INFO", {}))["state"]["messages"]
        reports = [reader.report(publisher.published, never_stored=never_stored) for reader in readers]
        if now() > deadline or not any(report.problems for report in reports):
            return never_stored
        await asyncio.sleep(_POLL_SECONDS)


async def _print_table(names: list[str], events: int, seconds: float | None, patience: float) -> bool:
    """Print what each reader saw of each fault; return False if one of them lost or repeated events unnoticed."""
    fine = True
    print(f"{events} startups at {RATE:g}/s beside {_FLEET / _ALIVE_SECONDS:.0f} alive/s")
    print(Report.HEADER, flush=True)
    with bed() as running:
        for name in names:
            for report in await run_fault(
                running, name, events=events, seconds=seconds, patience=patience, count_unstored=True
            ):
                fine = fine and not report.problems
                print(f"{name:30} {report}", *(f"\n{'':30} PROBLEM: {each}" for each in report.problems), flush=True)
    return fine


def main() -> int:
    """Run the faults that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.bed.stream_faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"default all: {', '.join(FAULTS)}")
    parser.add_argument("--events", type=int, default=900)
    parser.add_argument("--seconds", type=float, help="how long a fault lasts at least; default its full length")
    parser.add_argument("--patience", type=float, default=30.0, help="how long readers that miss events may take")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - FAULTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    names = arguments.faults or list(FAULTS)
    return 0 if asyncio.run(_print_table(names, arguments.events, arguments.seconds, arguments.patience)) else 1


if __name__ == "__main__":
    sys.exit(main())
