"""A cluster of Choria's brokers that loses its stream's leader while events are published: `python -m` this module.

The tally starts with the brokers, before Choria makes its streams. While the stream has no leader it stores nothing;
even so, every reader must receive each event once, or tell in which interval it may have missed events.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

import nats

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.nats import replay
from choria_lifecycle.tally import daemon, intake, recorder
from choria_lifecycle.tally.daemon import Tally, TallyOptions
from tests.bed.cluster import SIZE, move_leader, retry_request

from .broker import choria, write
from .broker.site import build_site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nats.aio.client import Client

    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Subscription

    from .broker import Broker
    from .broker.site import Site

__all__ = ["FailedOver", "Reading", "problems", "run", "summary"]

STREAM = "CHORIA_EVENTS"
EVENTS = 900
_PER_SECOND = 100
_NODES = 100
# The numbers of events after which the readers start, and after which the leader is killed.
_READ_AFTER = 100
_KILL_AFTER = 300

# A node announces itself each second.
_EXPIRY = 6.0
# Shorter intervals, so that seconds show what takes hours; nodes expire by the minute.
_INTERVALS = (
    (daemon, "_SWEEP_INTERVAL", 0.2),
    (intake, "ALIVE_INTERVAL", 2.0),
    (intake, "_SEARCH_INTERVAL", 1.0),
    (recorder, "MINUTE", 0.5),
    (replay, "_CHECK_INTERVAL", 1.0),
)

# It takes 25 s; the rest allows for a busy machine.
_SECONDS = 60.0
_START_SECONDS = 20.0
_STARTS = 3
# How long readers may still catch up once all is published: an event counts as unstored after 10 s. Then nothing may
# come twice.
_END_SECONDS = 10.0
_QUIET_SECONDS = 1.0
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class Reading:
    """The events that a subscription has received.

    Attributes:
        seen: how often each event was received, by its id.
        gaps: the intervals in which events may have been missed, in Unix seconds.
        unstored: the number of events that the stream did not store, by the subscription's own count.
    """

    seen: Counter[str] = field(default_factory=Counter)
    gaps: Sequence[tuple[float, float]] = ()
    unstored: int = 0


@dataclass(slots=True)
class FailedOver:
    """The result of a run.

    Attributes:
        published: the time at which each event was published, in Unix seconds, by its id.
        stored: the number of events that the stream stored.
        readings: the readers by their name.
        tallied: the number of events that the tally counted.
        tally_gaps: how often the tally may have missed events, by its own count.
        expired: the number of nodes that expired in the tally while all announced themselves.
        streams_after: seconds from the start of the tally until it has found the stream.
        failure: the reason why the run ended early; empty if it did not.
    """

    published: dict[str, float] = field(default_factory=dict)
    stored: int = 0
    readings: dict[str, Reading] = field(default_factory=dict)
    tallied: int = 0
    tally_gaps: int = 0
    expired: int = 0
    streams_after: float = 0.0
    failure: str = ""


def problems(found: FailedOver) -> list[str]:
    """Return the events that were received twice, or missed without a gap that tells so."""
    if found.failure:
        return [found.failure]
    wrong = []
    count = len(found.published)
    for name, reading in found.readings.items():
        missing = found.published.keys() - reading.seen.keys()
        untold = sum(not _within(found.published[each], reading.gaps) for each in missing)
        if repeated := sum(times > 1 for times in reading.seen.values()):
            wrong.append(f"{name}: {repeated} events were received more than once")
        if untold:
            wrong.append(f"{name}: {len(missing)} of {count} events are missing, {untold} of them outside its gaps")
        if found.stored < reading.seen.total() and not reading.unstored:
            wrong.append(f"{name}: the stream stored {found.stored} events, and none is counted as unstored")
    if found.tallied > count:
        wrong.append(f"tally: {found.tallied} events were counted of {count}")
    if found.tallied < count and not found.tally_gaps:
        wrong.append(f"tally: {count - found.tallied} of {count} events are missing, and it has no gap")
    if found.expired:
        wrong.append(f"tally: {found.expired} nodes expired, although all announced themselves")
    return wrong


def _within(at: float, gaps: Sequence[tuple[float, float]]) -> bool:
    return any(begin <= at <= end for begin, end in gaps)


def summary(found: FailedOver) -> str:
    """Summarise the result in a line."""
    received = [f"{name} {reading.seen.total()}, {len(reading.gaps)} gaps" for name, reading in found.readings.items()]
    return (
        f"{SIZE} of Choria's brokers, the leader of the stream killed: {len(found.published)} events published, "
        f"{found.stored} stored; {'; '.join(received)}; tally {found.tallied}, {found.tally_gaps} gaps "
        f"(it found the stream after {found.streams_after:.1f} s)"
    )


def run() -> FailedOver:
    """Run the cluster once.

    Raises:
        GoError: the Go program could not be built, or failed.
    """
    with ExitStack() as stack:
        program = stack.enter_context(choria())
        site = build_site(program, Path(stack.enter_context(TemporaryDirectory(prefix="lifecycle-site-"))))
        (site.folder / "home").mkdir()
        for module, name, seconds in _INTERVALS:
            stack.enter_context(mock.patch.object(module, name, seconds))
        # nats-py's connections over TLS log a warning when they close.
        stack.enter_context(mock.patch.object(logging.getLogger("asyncio"), "disabled", True))
        # It admits certificates too: nats-py cannot send Choria's tokens.
        settings = site.brokers["issuer and authority"]
        for _ in range(_STARTS):
            found = FailedOver()
            with program.cluster(settings, size=SIZE, environ=site.environ) as brokers:
                try:
                    asyncio.run(asyncio.wait_for(_run(site, brokers, found), _SECONDS))
                except (OSError, ExceptionGroup, lifecycle.LifecycleError, nats.errors.Error) as error:
                    found.failure = f"failover: {error!r}"
                if not found.failure or not _given_up(brokers):
                    break
    return found


async def _run(site: Site, brokers: Mapping[str, Broker], found: FailedOver) -> None:
    file = write(site.folder / "client.conf", {"loglevel": "warn", **site.jwt("tally"), **site.trusting()})
    options: Any = {"config": file, "environ": site.environ}
    async with AsyncExitStack() as stack:
        admin = await _admin(site, brokers["b1"])
        stack.push_async_callback(admin.close)
        middleware = await stack.enter_async_context(lifecycle.connect(_url(brokers["b1"]), **options))
        tally = Tally(middleware, TallyOptions(election="tally", expiry=_EXPIRY), notify=lambda _: None)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(tally.run())]
        begin = time.monotonic()
        await _until(lambda: tally.state().replay_state == "done" or _given_up(brokers), _START_SECONDS)
        found.streams_after = time.monotonic() - begin
        if not await _until(lambda: _is_settled(tally) or _given_up(brokers), _START_SECONDS) or _given_up(brokers):
            raise TimeoutError(f"the tally, started with the brokers, is not complete: {tally.state()}")
        leader = await move_leader(admin, STREAM, source="b1", target="b3")
        [other] = brokers.keys() - {"b1", leader}
        publisher = await stack.enter_async_context(lifecycle.connect(_url(brokers[other]), **options))
        publishing = group.create_task(_publish(publisher, found, events=EVENTS - 1))
        await _until(lambda: len(found.published) >= _READ_AFTER)
        subscriptions: dict[str, Subscription[Any]] = {
            "events": middleware.events(since=timedelta(minutes=1)),
            "deliveries": middleware.deliveries(since=timedelta(minutes=1)),
        }
        for name, subscription in subscriptions.items():
            await stack.enter_async_context(subscription)
            found.readings[name] = Reading()
            tasks.append(group.create_task(_read(subscription, found.readings[name])))
        await _until(lambda: len(found.published) >= _KILL_AFTER)
        brokers[leader].kill()
        await publishing
        found.expired = sum(tally.recorder.nodes_expired.values())
        await retry_request(admin, f"STREAM.INFO.{STREAM}", {})  # there is a leader again
        await _publish(publisher, found, events=1, stored=True)
        found.stored = (await retry_request(admin, f"STREAM.INFO.{STREAM}", {}))["state"]["messages"]
        await _until(lambda: not problems(_collect(found, tally, subscriptions)), _END_SECONDS)
        await asyncio.sleep(_QUIET_SECONDS)
        _collect(found, tally, subscriptions)
        for task in tasks:
            task.cancel()


def _url(broker: Broker) -> str:
    return f"tls://localhost:{broker.port}"


async def _admin(site: Site, broker: Broker) -> Client:
    """Connect to a broker that is starting, as a client that may use the whole API of streams."""
    folder = site.folder / "ours"
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "rip.pem", folder / "rip.key")
    while True:
        with suppress(OSError, nats.errors.NoServersError):
            return await nats.connect(_url(broker), tls=context, allow_reconnect=False, error_cb=_ignore)
        await asyncio.sleep(_POLL_SECONDS)


async def _ignore(_: Exception) -> None:
    """Drop an error that the call raises too."""


def _given_up(brokers: Mapping[str, Broker]) -> bool:
    """Return True if Choria has not made its streams, as on a busy machine that answers its request late."""
    return any("could not setup system streams" in broker.log.read_text("utf-8") for broker in brokers.values())


def _is_settled(tally: Tally) -> bool:
    state = tally.state()
    return state.replay_state == "done" and state.complete and state.active and not state.election_reason


async def _publish(middleware: Middleware, found: FailedOver, *, events: int, stored: bool = False) -> None:
    """Publish events of all nodes in turn, at a steady rate."""
    begin = time.monotonic()
    for number in range(events):
        await asyncio.sleep(begin + number / _PER_SECOND - time.monotonic())
        identity = f"n{number % _NODES}.example.net"
        event = lifecycle.alive(identity=identity, component="server", version="1.0.0")
        found.published[event.id] = time.time()
        await middleware.publish(event, stored=stored)


async def _read(subscription: Subscription[Any], reading: Reading) -> None:
    async for item in subscription:
        event: Any = item.event if isinstance(item, Delivery) else item
        reading.seen[event.id] += 1


def _collect(found: FailedOver, tally: Tally, subscriptions: Mapping[str, Subscription[Any]]) -> FailedOver:
    """Take over what the readers count."""
    for name, subscription in subscriptions.items():
        reading = found.readings[name]
        reading.gaps = [(gap.begin, gap.end) for gap in subscription.gaps]
        reading.unstored = subscription.counters.unstored
    found.tallied = sum(tally.recorder.good_events.values()) + tally.state().replayed
    found.tally_gaps = tally.state().gaps
    return found


async def _until(happened: Callable[[], object], seconds: float = _SECONDS) -> bool:
    """Wait until something has happened; return False if it has not in time."""
    deadline = time.monotonic() + seconds
    while not (is_over := bool(happened())) and time.monotonic() < deadline:  # noqa: ASYNC110 - also in other processes
        await asyncio.sleep(_POLL_SECONDS)
    return is_over


def main() -> int:
    found = run()
    wrong = problems(found)
    print(summary(found))
    for problem in wrong:
        print(f"interop: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
