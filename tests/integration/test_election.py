"""Candidates in separate processes, and three real servers that are killed, partitioned and reset."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import nats as nats_py
import pytest

from choria_lifecycle.support.clock import steady
from tests.bed.cluster import cluster, move_leader, retry_request, server_named
from tests.bed.race import bucket, race, wait_until

if TYPE_CHECKING:
    from choria_lifecycle.demo import embedded
    from tests.bed.cluster import Cluster
    from tests.bed.race import Candidate, Race

TTL = 1.0


async def make(client: nats_py.NATS, replicas: int) -> str:
    """Make the bucket; return the server that leads its stream."""
    made = await retry_request(client, "STREAM.CREATE.KV_ELECTION", bucket(TTL, replicas))
    return str(made.get("cluster", {}).get("leader", ""))


@pytest.mark.slow
async def test_candidates_and_servers_are_partitioned_suspended_and_killed() -> None:
    with cluster() as running, race() as candidates:
        async with await nats_py.connect(running.urls[1:]) as client:
            await retry_request(client, "STREAM.NAMES", {})
            apart = candidates.enter(running.urls[0])
            await wait_until(lambda: apart.samples and "there is no bucket ELECTION" in apart.samples[-1]["why"])
            await make(client, 3)
            await move_leader(client, "KV_ELECTION")  # may cost the leader its key
            await candidates.wait_for_leader(apart)
            other = candidates.enter(*running.urls[1:])
            third = candidates.enter(*running.urls[1:])
            await wait_until(lambda: other.samples and third.samples)
            await _parted(running, candidates, apart)
            await _deleted(client, candidates)
            await _stopped(candidates)
            killed = await candidates.wait_for_leader(*candidates.all)
            killed.process.kill()
            left = [each for each in candidates.all if each is not killed]
            await candidates.wait_for_leader(*left)
            led = (await retry_request(client, "STREAM.INFO.KV_ELECTION", {}))["cluster"]["leader"]
            server_named(running, led).kill()
            await wait_until(lambda: not candidates.leaders())
            (await candidates.wait_for_leader(*left)).resign()


async def _parted(running: Cluster, candidates: Race, apart: Candidate) -> None:
    """Separate the leader from the servers that hold the key."""
    await candidates.wait_for_leader(apart)
    running.isolate()
    await candidates.wait_for_leader(*(each for each in candidates.all if each is not apart))
    running.heal()
    await wait_until(lambda: apart.samples[-1]["why"] == "")  # it learns again who holds the key


async def _deleted(client: nats_py.NATS, candidates: Race) -> None:
    await client.jetstream().delete_key_value("ELECTION")
    await wait_until(lambda: not candidates.leaders())
    await make(client, 3)
    await candidates.wait_for_leader(*candidates.all)


async def _stopped(candidates: Race) -> None:
    stopped = await candidates.wait_for_leader(*candidates.all)
    stopped.process.send_signal(signal.SIGSTOP)
    await candidates.wait_for_leader(*(each for each in candidates.all if each is not stopped))
    woken = steady()
    stopped.process.send_signal(signal.SIGCONT)
    await wait_until(lambda: stopped.samples[-1]["at"] >= woken)
    assert not next(line for line in stopped.samples if line["at"] >= woken)["leader"]


async def test_a_leader_is_suspended_for_less_than_the_ttl(server: embedded.Server) -> None:
    async with await nats_py.connect(server.url) as client:
        await make(client, 1)
        with race() as candidates:
            one = candidates.enter(server.url)
            await candidates.wait_for_leader(one)
            two = candidates.enter(server.url)
            await wait_until(lambda: two.samples)
            for seconds in (0.5, 0.9):
                leader = await candidates.wait_for_leader(one, two)
                leader.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(seconds)
                leader.process.send_signal(signal.SIGCONT)
                await wait_until(candidates.leaders)
            one.resign()
            two.resign()
        await client.jetstream().delete_key_value("ELECTION")
