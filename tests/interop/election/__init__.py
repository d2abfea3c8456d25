"""Elections between go-choria's candidates and this library's on one nats-server, each in its own process."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nats

from choria_lifecycle.demo import embedded
from tests.bed.golang import build
from tests.bed.race import bucket, race, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bed.race import Candidate, Race

__all__ = ["compare", "summary"]

# The shortest that Go supports: its campaign interval must be a second shorter.
TTL = 4.0
# Go's candidates start up to 5 s late, then campaign every half second, give or take another half.
_CAMPAIGN = 2.0


class _Field:
    """One election.

    Attributes:
        race: all candidates.
    """

    def __init__(self, running: Race, binary: Path, url: str) -> None:
        self.race = running
        self._binary = binary
        self._url = url

    async def go(self) -> Candidate:
        """Start a Go candidate; return once it runs."""
        return await self._heard(self.race.enter(self._url, program=(str(self._binary),)))

    async def ours(self) -> Candidate:
        """Start one of this library's candidates."""
        return await self._heard(self.race.enter(self._url))

    async def _heard(self, candidate: Candidate) -> Candidate:
        await wait_until(lambda: candidate.samples)
        return candidate


async def _go_is_killed(field: _Field) -> None:
    go = await field.go()
    await field.race.wait_for_leader(go)
    ours = await field.ours()
    await _waited(ours)
    go.process.kill()
    await _led(field, ours, TTL + _CAMPAIGN + TTL / 4)


async def _ours_leaves(field: _Field) -> None:
    ours = await field.ours()
    await field.race.wait_for_leader(ours)
    go = await _campaigning(field)
    ours.resign()
    # Go waits for its next renewal before it leads.
    await _led(field, go, 2 * _CAMPAIGN)


async def _ours_is_killed(field: _Field) -> None:
    ours = await field.ours()
    await field.race.wait_for_leader(ours)
    go = await _campaigning(field)
    ours.process.kill()
    await _led(field, go, TTL + 2 * _CAMPAIGN)


async def _each_is_evicted(field: _Field) -> None:
    ours = await field.ours()
    await field.race.wait_for_leader(ours)
    go = await _campaigning(field)
    for _ in range(6):
        leader = await field.race.wait_for_leader(ours, go)
        assert go.process.stdin is not None
        go.process.stdin.write("evict\n")
        go.process.stdin.flush()
        await wait_until(lambda leader=leader: not leader.leads)  # type: ignore[misc]
    await field.race.wait_for_leader(ours, go)


# How long two candidates may lead at once: an evicted one notices at its next renewal, which a busy machine can delay.
# The guarantee without delays is tested in virtual time by tests/lifecycle/election/test_campaign.py.
_CASES: dict[str, tuple[Callable[[_Field], Awaitable[None]], float]] = {
    "Go leads and is killed": (_go_is_killed, 0.0),
    "ours leads and resigns": (_ours_leaves, 0.0),
    "ours leads and is killed": (_ours_is_killed, 0.0),
    "the leader is evicted": (_each_is_evicted, TTL),
}


async def _campaigning(field: _Field) -> Candidate:
    """Start a Go candidate, and wait until it has certainly asked for the key, which another candidate holds."""
    go = await field.go()
    await asyncio.sleep(5.0 + _CAMPAIGN)  # nothing reports the attempt
    assert not go.leads
    return go


async def _waited(ours: Candidate) -> None:
    said = len(ours.samples)
    await wait_until(lambda: len(ours.samples) > said + 100 * TTL)
    assert not any(line["leader"] for line in ours.samples)


async def _led(field: _Field, candidate: Candidate, timeout: float) -> None:
    started = time.monotonic()
    await field.race.wait_for_leader(candidate)
    took = time.monotonic() - started
    assert took < timeout, f"led after {took:.1f} s, not within {timeout:g} s"


def compare() -> dict[str, str]:
    """Run each election; return the problem by its name, empty for none.

    Raises:
        GoError: the build failed.
    """
    with TemporaryDirectory(prefix="lifecycle-election-") as folder:
        binary = Path(folder) / "election"
        build(Path(__file__).parent, binary)
        return {name: asyncio.run(_hold(case, together, binary)) for name, (case, together) in _CASES.items()}


async def _hold(case: Callable[[_Field], Awaitable[None]], together: float, binary: Path) -> str:
    try:
        with embedded.nats_server() as server:
            async with await nats.connect(server.url) as client:
                await client.request("$JS.API.STREAM.CREATE.KV_ELECTION", json.dumps(bucket(TTL)).encode())
            with race(together) as running:
                await case(_Field(running, binary, server.url))
    except (AssertionError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return ""


def summary(held: dict[str, str]) -> str:
    """Summarise the results in a line."""
    return (
        f"{len(held)} elections among Go's candidates and ours, {sum(not problem for problem in held.values())} correct"
    )
