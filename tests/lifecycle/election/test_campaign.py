"""Elections in memory and in virtual time, with injected faults of networks and programs.

These invariants are checked at each win, loss and write, and four times a second:

1. At most one candidate leads at any instant, unless the key was deleted: then for no longer than its TTL.
2. The last value on the server is the leader's.
3. The key is free after a clean end.
4. Candidates without faults have a leader within a bound.
5. Wins minus losses are 0 or 1, and 1 for the leader.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from choria_lifecycle.election.campaign import Campaign
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NotAuthorised, OptionError
from choria_lifecycle.middleware.bucket import InMemoryBucket, RevisionConflict, WriteResult
from tests.bed import virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = "TALLY"
TTL = 10.0
RENEWAL = 0.25
CONFIRMED = 0.75 + 0.2
# A key just written by a candidate that has gone, a campaign, its confirmation, and replies on their way.
BOUND = TTL + 5 * 1.25 + CONFIRMED + 1.0
TICK = 0.01


def now() -> float:
    return asyncio.get_running_loop().time()


class Server(InMemoryBucket):
    """A bucket that can be deleted and created again."""

    def __init__(self, ttl: float | None = TTL) -> None:
        super().__init__("B", ttl, clock=now)

    def vanish(self) -> None:
        self._ttl = None

    def make(self, ttl: float = TTL) -> None:
        self._ttl = ttl
        self.entries.clear()
        self._revisions = count(1)

    def holder(self) -> str | None:
        last = self._last(KEY, self._ttl or 0.0) if self._ttl is not None else None
        return last.value if last else None


class Link:
    """One candidate's connection to the server.

    Attributes:
        running: cleared while the program is stopped.
        request_delay: seconds until a request arrives and is carried out, even after its timeout; None loses it.
        reply_delay: seconds until a reply arrives; None loses it.
        refused: the error with which the server refuses every request.
        replies_to_lose: how many of the next replies are lost.
    """

    def __init__(self, server: Server, on_write: Callable[[], None]) -> None:
        self.server = server
        self.on_write = on_write
        self.running = asyncio.Event()
        self.running.set()
        self.request_delay: float | None = 0.001
        self.reply_delay: float | None = 0.001
        self.refused: type[Exception] | None = None
        self.requests = 0
        self.replies_to_lose = 0
        self._pending: set[asyncio.Future[Any]] = set()

    async def _request(self, timeout: float, operation: Callable[[], Awaitable[Any]]) -> Any:
        self.requests += 1
        await self.running.wait()
        if self.refused is not None:
            raise self.refused("refused")

        async def round_trip() -> Any:
            if self.request_delay is None:
                await asyncio.Event().wait()
            await asyncio.sleep(self.request_delay or 0.0)
            reply: Any
            try:
                reply = await operation()
            except (RevisionConflict, LifecycleError) as error:
                reply = error
            self.on_write()
            if self.reply_delay is None or self.replies_to_lose:
                self.replies_to_lose = max(0, self.replies_to_lose - 1)
                await asyncio.Event().wait()
            await asyncio.sleep(self.reply_delay or 0.0)
            return reply

        pending = asyncio.ensure_future(round_trip())
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)
        await asyncio.wait([pending], timeout=timeout)
        await self.running.wait()
        if not pending.done():
            raise ConnectionFailed("no reply in time")
        reply = pending.result()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def ttl(self, timeout: float) -> float:
        ttl: float = await self._request(timeout, lambda: self.server.ttl(timeout))
        return ttl

    async def write(self, key: str, value: str, revision: int, token: str, timeout: float) -> WriteResult:
        result: WriteResult = await self._request(
            timeout, lambda: self.server.write(key, value, revision, token, timeout)
        )
        return result

    async def release(self, key: str, revision: int, timeout: float) -> None:
        await self._request(timeout, lambda: self.server.release(key, revision, timeout))

    async def end(self) -> None:
        for pending in self._pending:
            pending.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)


class Simulation:
    """The candidates of one election, and checks of the invariants."""

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or Server()
        self.links: list[Link] = []
        self.campaigns: list[Campaign] = []
        self.alive: list[Campaign] = []
        self.changes: list[tuple[float, int, bool]] = []
        self.deleted = -1e9  # when the key was last deleted by another client
        self.problems: list[str] = []

    def candidate(self, *, rate: float = 1.0, **more: Any) -> Campaign:
        number = len(self.campaigns)
        self.links.append(Link(self.server, self.check))
        loop = asyncio.get_running_loop()

        def changed(won: bool) -> None:
            self.changes.append((now(), number, won))
            self.check()

        campaign = Campaign(
            self.links[-1],
            KEY,
            f"host{number}",
            clock=lambda: loop.time() * rate,
            changed=changed,
            **more,
        )
        self.campaigns.append(campaign)
        self.alive.append(campaign)
        return campaign

    @property
    def leader(self) -> Campaign | None:
        return next((campaign for campaign in self.alive if campaign.leader), None)

    async def wait_for_leader(self, timeout: float = BOUND) -> Campaign:
        """Wait until there is a leader."""
        end = now() + timeout
        while (leader := self.leader) is None:
            assert now() < end, f"no leader within {timeout} s: {[each.reason for each in self.campaigns]}"
            await asyncio.sleep(TICK)
        return leader

    def evict(self) -> None:
        self.deleted = now()
        self.server.delete(KEY)

    def vanish(self) -> None:
        self.deleted = now()
        self.server.vanish()

    def make(self) -> None:
        self.deleted = now()
        self.server.make()

    async def watch(self) -> None:
        while not self.problems:
            self.check()
            await asyncio.sleep(0.25)
        raise AssertionError("; ".join(self.problems[:3]))

    def check(self) -> None:
        leaders = [campaign._candidate for campaign in self.alive if campaign.leader]
        if now() - self.deleted > TTL:
            holder = self.server.holder()
            if leaders not in ([], [holder]):
                self.problems.append(f"at {now():.2f} {leaders} lead, {holder} has the key: {self.changes[-5:]}")
        for campaign in self.campaigns:
            if campaign.wins - campaign.losses not in ((1,) if campaign.leader else (0, 1)):
                self.problems.append(f"{campaign.wins} wins, {campaign.losses} losses")

    def kill(self, campaign: Campaign) -> None:
        """Kill a candidate: nothing is released."""
        if campaign in self.alive:
            assert campaign._task is not None
            campaign._task.cancel()
            self.alive.remove(campaign)


def simulate(scenario: Callable[[Simulation], Awaitable[None]], server: Callable[[], Server] = Server) -> Simulation:
    """Run a scenario, checking the invariants throughout."""

    async def main() -> Simulation:
        sim = Simulation(server())
        watching = asyncio.create_task(sim.watch())
        acting = asyncio.ensure_future(scenario(sim))
        await asyncio.wait([watching, acting], return_when=asyncio.FIRST_COMPLETED)
        for task in (watching, acting):
            task.cancel()
        for link in sim.links:
            link.running.set()
            await link.end()
        others = [campaign._task for campaign in sim.campaigns if campaign._task is not None]
        for other in others:
            other.cancel()
        for task in await asyncio.gather(watching, acting, *others, return_exceptions=True):
            if isinstance(task, Exception):
                raise task
        return sim

    return virtual.run(main())


def test_a_lone_candidate_leads_after_a_renewal_and_releases_the_key() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            assert campaign.state == "candidate"
            await asyncio.sleep(0.1)
            assert sim.server.holder() == "host0"
            assert not campaign.leader
            assert await sim.wait_for_leader() is campaign
            assert CONFIRMED < now() < CONFIRMED + 0.05
            await asyncio.sleep(100)
            assert (campaign.leader, campaign.state, campaign.reason) == (True, "leader", "")
            assert 395 < campaign.campaigns < 410
        assert not campaign.leader
        assert (campaign.wins, campaign.losses) == (1, 1)
        assert sim.server.holder() is None

    assert [won for _, _, won in simulate(scenario).changes] == [True, False]


def test_a_clean_end_hands_over_at_once() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate(interval=0.1) as second:
            await sim.wait_for_leader()
            async with sim.candidate(interval=0.1) as third:
                await asyncio.sleep(1)
                second._fixed_interval = 50.0
                await second.__aexit__(None, None, None)
                left = now()
                assert await sim.wait_for_leader() is third
                assert now() - left < 0.2

    simulate(scenario)


def test_a_killed_leader_is_replaced_within_the_bound() -> None:
    async def scenario(sim: Simulation) -> None:
        for _ in range(3):
            await sim.candidate().__aenter__()
        for _ in range(2):
            sim.kill(await sim.wait_for_leader())
            stopped = now()
            await sim.wait_for_leader()
            assert TTL - RENEWAL < now() - stopped < BOUND

    simulate(scenario)


@pytest.mark.parametrize("seconds", [1.0, TTL - 0.1, TTL + 0.1, 3 * TTL])
def test_a_suspended_leader_does_not_lead_when_it_continues(seconds: float) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as first:
            await sim.wait_for_leader()
            async with sim.candidate(interval=0.2) as second:
                sim.links[0].running.clear()
                await asyncio.sleep(seconds)
                assert first.leader == (seconds < 0.9 * TTL)
                sim.links[0].running.set()
                await asyncio.sleep(BOUND)
                assert first.leader != second.leader
                if seconds > TTL:
                    assert second.leader
                    assert (first.wins, first.losses) == (1, 1)

    simulate(scenario)


@pytest.mark.parametrize("ttl", [1.0, 5.0, TTL, 60.0])
def test_a_leader_survives_two_lost_replies(ttl: float) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await sim.wait_for_leader()
            for _ in range(20):
                await asyncio.sleep(random.uniform(0, RENEWAL))
                before = campaign.campaigns
                sim.links[0].replies_to_lose = 2
                # The third new write shows that the one after the late write was confirmed, which renewed the lease.
                while sim.links[0].replies_to_lose or campaign.campaigns < before + 3:
                    assert campaign.leader
                    await asyncio.sleep(TICK)
                assert (campaign.leader, campaign.reason) == (True, "")
            assert (campaign.wins, campaign.losses) == (1, 0)

    simulate(scenario, lambda: Server(ttl))


def test_a_leader_without_replies_steps_down_before_its_key_expires_and_wins_again() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await sim.wait_for_leader()
            written = sim.server.entries[KEY].written
            sim.links[0].request_delay = None
            while campaign.wins == 1 and not campaign.losses:
                written = sim.server.entries[KEY].written
                await asyncio.sleep(TICK)
            assert 0.9 * TTL < now() - written < TTL
            assert "was not renewed in time: no reply in time" in campaign.reason
            sim.links[0].request_delay = 0.001
            assert await sim.wait_for_leader(TTL + 1) is campaign
            assert (campaign.wins, campaign.losses) == (2, 1)

    simulate(scenario)


def test_a_candidate_whose_reply_was_lost_still_gets_its_key() -> None:
    async def scenario(sim: Simulation) -> None:
        campaign = sim.candidate()
        sim.links[0].reply_delay = None
        async with campaign:
            await asyncio.sleep(3 * TTL)
            sim.links[0].reply_delay = 0.001
            assert await sim.wait_for_leader() is campaign

    simulate(scenario)


def test_a_clean_end_during_a_write_leaves_no_key() -> None:
    async def scenario(sim: Simulation) -> None:
        for after in range(1, 60):
            async with sim.candidate():
                sim.links[-1].request_delay = sim.links[-1].reply_delay = 0.5
                await asyncio.sleep(after * 0.1)
            assert sim.server.holder() is None

    simulate(scenario)


def test_an_end_takes_no_longer_than_two_seconds() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await sim.wait_for_leader()
            sim.links[0].request_delay = None
            left = now()
        assert now() - left == pytest.approx(2.0, abs=0.01)
        assert not campaign.leader

    simulate(scenario)


def test_a_missing_bucket_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await asyncio.sleep(100)
            assert campaign.reason.startswith("there is no bucket B")
            assert campaign.wins == 0
            assert 10 < sim.links[0].requests < 30
            sim.server.make()
            assert await sim.wait_for_leader() is campaign
            assert campaign.reason == ""
            sim.vanish()
            await asyncio.sleep(RENEWAL + 0.1)
            assert not campaign.leader
            assert campaign.reason.startswith("there is no bucket B")
            sim.server.make()
            assert await sim.wait_for_leader() is campaign

    with caplog.at_level(logging.WARNING, "choria_lifecycle"):
        simulate(scenario, lambda: Server(None))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all(each.startswith("cannot take part in the election TALLY: there is no bucket B") for each in messages)


def test_a_refusal_is_warned_of_once_and_retried_slowly(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await sim.wait_for_leader()
            sim.links[0].refused = NotAuthorised
            before = sim.links[0].requests
            await asyncio.sleep(RENEWAL + 0.1)
            assert (campaign.leader, campaign.reason) == (False, "refused")
            await asyncio.sleep(300)
            assert sim.links[0].requests - before < 15
            sim.links[0].refused = None
            assert await sim.wait_for_leader(40 + BOUND) is campaign

    with caplog.at_level(logging.WARNING, "choria_lifecycle"):
        simulate(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "cannot take part in the election TALLY: refused; retrying"
    ]


@pytest.mark.parametrize("ttl", [0.0, 0.5, 3601.0])
def test_a_bucket_with_an_unusable_ttl_is_warned_of_once(ttl: float, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await asyncio.sleep(60)
            assert "an election needs 1 s to 1 h: set plugin.choria" in campaign.reason
            assert campaign.wins == campaign.campaigns == 0
            sim.server.make()
            assert await sim.wait_for_leader() is campaign

    with caplog.at_level(logging.WARNING, "choria_lifecycle"):
        simulate(scenario, lambda: Server(ttl))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("ttl", "warned"), [(1.0, 1), (4.0, 1), (5.0, 0), (60.0, 0), (61.0, 1), (3600.0, 1)])
def test_an_unusual_ttl_is_warned_of(ttl: float, warned: int, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate():
            await sim.wait_for_leader()
            assert now() == pytest.approx(min(ttl / 4, 0.75) + 0.2, abs=0.05)

    with caplog.at_level(logging.WARNING, "choria_lifecycle"):
        simulate(scenario, lambda: Server(ttl))
    assert len(caplog.records) == warned


def test_a_leader_notices_a_changed_ttl() -> None:
    """Otherwise it would lead for its first lease, alongside the next leader."""

    async def scenario(sim: Simulation) -> None:
        async with sim.candidate(), sim.candidate():
            leader = await sim.wait_for_leader()
            sim.server._ttl = 5.0
            await asyncio.sleep(5.5)
            assert sim.leader is leader
            sim.links[sim.campaigns.index(leader)].request_delay = None
            await asyncio.sleep(5)
            assert not leader.leader
            assert await sim.wait_for_leader(10 + BOUND) is not leader

    simulate(scenario)


def test_a_leader_renews_although_the_ttl_cannot_be_read() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate() as campaign:
            await sim.wait_for_leader()

            async def ttl(timeout: float) -> float:
                raise ConnectionFailed("no reply in time")

            campaign._bucket.ttl = ttl  # type: ignore[method-assign]
            await asyncio.sleep(300)
            assert (campaign.leader, campaign.losses) == (True, 0)

    simulate(scenario)


def test_an_eviction_never_makes_two_leaders_if_replies_arrive() -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.candidate(interval=0.1), sim.candidate(interval=0.1), sim.candidate(interval=0.1):
            for _ in range(200):
                await sim.wait_for_leader()
                await asyncio.sleep(random.uniform(0, 2 * CONFIRMED))
                sim.evict()
                evicted = now()
                while sim.leader is not None:
                    leaders = [campaign for campaign in sim.campaigns if campaign.leader]
                    assert len(leaders) == 1
                    await asyncio.sleep(TICK)
                assert now() - evicted < RENEWAL + 0.1

    assert simulate(scenario).campaigns[0].wins > 20


def test_unexpected_errors_of_the_bucket_or_the_callback_do_not_end_the_campaign(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(sim: Simulation) -> None:
        def complain(won: bool) -> None:
            raise ZeroDivisionError

        campaign = sim.candidate()
        campaign._changed = complain
        sim.links[0].refused = ValueError
        async with campaign:
            await asyncio.sleep(1)
            assert campaign.reason == "unexpected: ValueError"
            sim.links[0].refused = None
            assert await sim.wait_for_leader(40 + BOUND) is campaign

    with caplog.at_level(logging.ERROR, "choria_lifecycle"):
        simulate(scenario)
    assert len(caplog.records) == 3  # the defect, a win, a loss


def test_an_error_in_the_block_is_raised_and_releases_the_key() -> None:
    async def scenario(sim: Simulation) -> None:
        async def failing() -> None:
            async with sim.candidate():
                await sim.wait_for_leader()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await failing()
        assert sim.server.holder() is None
        entered = asyncio.Event()

        async def leading() -> None:
            async with sim.candidate():
                entered.set()
                await asyncio.Event().wait()

        for after in range(40):
            task = asyncio.create_task(leading())
            await entered.wait()
            await asyncio.sleep(after * 0.1)
            task.cancel()
            assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
            assert sim.server.holder() is None
            entered.clear()

    simulate(scenario)


async def test_a_campaign_can_be_entered_only_once() -> None:
    async with Campaign(InMemoryBucket("B", 10.0), KEY, "host") as campaign:
        with pytest.raises(RuntimeError, match="create another one"):
            await campaign.__aenter__()


@pytest.mark.parametrize(
    ("election", "candidate", "message"),
    [
        ("", "host", '"" is not a valid key'),
        ("a b", "host", '"a b" is not a valid key'),
        ("TALLY", "", '"" is not a valid candidate'),
        ("TALLY", " ", '" " is not a valid candidate'),
        ("TALLY", "a\nb", '"a\\\\nb" is not a valid candidate'),
        ("TALLY", "x" * 513, "is not a valid candidate: use 1 to 512 bytes of printable text"),
    ],
)
def test_unusable_names_are_refused(election: str, candidate: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Campaign(InMemoryBucket("B", 10.0), election, candidate)


@dataclass
class Fault:
    """A temporary fault of one candidate, or of the server."""

    at: float
    kind: str
    candidate: int
    seconds: float
    amount: float = field(default=0.0)

    async def inject(self, sim: Simulation) -> None:
        await asyncio.sleep(self.at)
        link = sim.links[self.candidate]
        match self.kind:
            case "stop":
                link.running.clear()
                await asyncio.sleep(self.seconds)
                link.running.set()
            case "kill":
                sim.kill(sim.campaigns[self.candidate])
            case "cut":
                link.request_delay = link.reply_delay = None
            case "lose replies":
                link.reply_delay = None
            case "late":
                link.request_delay, link.reply_delay = self.amount, self.amount / 2
            case "late replies":
                link.reply_delay = self.amount
            case "evict":
                sim.evict()
            case "delete":
                sim.vanish()
                await asyncio.sleep(self.seconds)
                sim.make()
        if self.kind in ("cut", "lose replies", "late", "late replies"):
            await asyncio.sleep(self.seconds)
            link.request_delay = link.reply_delay = 0.001


def fault_lists(*kinds: str) -> st.SearchStrategy[list[Fault]]:
    seconds = st.floats(0.0, 3 * TTL)
    return st.lists(
        st.builds(Fault, st.floats(0.0, 90.0), st.sampled_from(kinds), st.integers(0, 2), seconds, st.floats(0.0, 4.0)),
        max_size=12,
    )


def run_with_faults(injected: list[Fault], rates: tuple[float, float, float]) -> None:
    async def scenario(sim: Simulation) -> None:
        for rate in rates:
            sim.candidate(rate=rate)
        for campaign in sim.campaigns:
            await campaign.__aenter__()
        await asyncio.gather(*(fault.inject(sim) for fault in injected))
        for link in sim.links:
            link.request_delay = link.reply_delay = 0.001
            link.running.set()
        if sim.alive:
            # A late request may still take the key for a candidate that has given it up.
            await sim.wait_for_leader(2 * BOUND)
            await asyncio.sleep(TTL)
        for campaign in sim.alive:
            await campaign.__aexit__(None, None, None)
        killed = [campaign._candidate for campaign in sim.campaigns if campaign not in sim.alive]
        assert sim.server.holder() in (None, *killed)

    simulate(scenario)


RATES = st.tuples(*[st.sampled_from([0.98, 1.0, 1.02])] * 3)


@settings(max_examples=60)
@given(fault_lists("stop", "kill", "cut", "lose replies", "late", "late replies"), RATES)
@example([Fault(3.0, "stop", 0, 9.9), Fault(3.0, "stop", 1, 9.9), Fault(3.0, "stop", 2, 9.9)], (1.0, 1.0, 1.0))
def test_never_two_leaders(injected: list[Fault], rates: tuple[float, float, float]) -> None:
    run_with_faults(injected, rates)


@settings(max_examples=40)
@given(fault_lists("stop", "cut", "lose replies", "late", "evict", "delete"), RATES)
def test_never_two_leaders_for_longer_than_the_ttl(injected: list[Fault], rates: tuple[float, float, float]) -> None:
    run_with_faults(injected, rates)
