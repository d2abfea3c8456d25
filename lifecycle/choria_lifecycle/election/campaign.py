"""Which one of several programs leads: an election as Choria's own are held, beside Go's candidates.

An election is a key of a bucket, its leader whoever wrote it last. A candidate creates the key, which the server allows
only while it is not there; the leader replaces its own last revision. A key that is not written again expires with the
bucket's TTL (go-choria v0.30.2, providers/election/streams).

What holds, as long as nobody else deletes the key or the bucket, or shortens its TTL:

- There is one leader at most, at any instant, whatever answers are lost, late or held up: the server keeps a key for
  at least the TTL after the write was *sent*, and a leader leads for less than that.
- The leader's is the last value that the server has.

Where somebody does delete it, the leader learns so with its next renewal, or leads no longer than the TTL; whoever
takes the key leads only after a renewal of its own, as in Go, to give it time for that. Where somebody shortens the
TTL, the leader learns so within 5 s.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from choria_lifecycle.election.timing import MAX_WAIT_SECONDS, RENEWAL_SECONDS, STAND_DOWN_SECONDS, Timing
from choria_lifecycle.errors import ConfigError, ConnectionFailed, LifecycleError, NoStream, NotAuthorised, OptionError
from choria_lifecycle.middleware.bucket import RevisionConflict, check_key
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.ids import uuid4
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from choria_lifecycle.middleware.bucket import Bucket

__all__ = ["Campaign"]

_RETRY_SECONDS: Final = 0.5
_RELEASE_SECONDS: Final = 2.0
# What is refused once will be refused again, and the broker logs each time.
_REFUSED_FACTOR: Final = 6
# Choria's bucket takes 1024 bytes, headers included.
_NAME_BYTES: Final = 512


class Campaign:
    """A candidate of an election: `async with Campaign(bucket, "TALLY", "host.example.net") as campaign`.

    It campaigns in a task of its own until the block is left: at once, then each `interval`, give or take a quarter. Go
    waits for up to 5 s first; that is left out, as the server decides who is first, and who restarts is to lead again
    soon. The leader renews each 0.25 s, as often as Go's tally at most. On leaving, the key is released, within 2 s.

    Whatever happens within the block, nothing is raised there: `why` says what is wrong, and it goes on trying. A
    bucket that is not there, whose TTL cannot be used, or that may not be written is warned of once.

    Args:
        bucket: where; Choria's is `middleware.bucket("CHORIA_LEADER_ELECTION")`. It keeps keys for 1 s to 1 h.
        election: its name, which is the key.
        candidate: whose candidate this is, for people to read; usually the host's name.
        interval: seconds between two campaigns of a candidate; by default 0.75 of the TTL, at most 5 s. Six times as
            many where the server does not allow to campaign.
        changed: called with True for each win and False for each loss. What it raises is logged.
        clock: the time in seconds; by default `choria_lifecycle.support.clock.steady`.

    Attributes:
        campaigns: how often it asked for the key, renewals included.
        wins: how often it became the leader.
        losses: how often it ceased to be, clean ends included.
        reason: what keeps it from campaigning, or why it has lost, in words; empty while all is well.

    Raises:
        OptionError: no key can have this name, or no candidate.
    """

    def __init__(
        self,
        bucket: Bucket,
        election: str,
        candidate: str,
        *,
        interval: float | None = None,
        changed: Callable[[bool], object] | None = None,
        clock: Callable[[], float] = steady,
    ) -> None:
        check_key(election)
        if not candidate.strip() or not candidate.isprintable() or len(candidate.encode()) > _NAME_BYTES:
            reason = f"a name is 1 to {_NAME_BYTES} bytes that can be read"
            raise OptionError(f"{quoted(candidate)} is no candidate: {reason}", invalid=("candidate",))
        self.campaigns = 0
        self.wins = 0
        self.losses = 0
        self.reason = ""
        self._bucket = bucket
        self._election = election
        self._candidate = candidate
        self._fixed_interval = interval
        self._changed = changed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._timing: Timing | None = None  # not known
        self._measured_at = 0.0
        self._warned = ""
        # The revision that we have written, and until when it is ours; 0 for none.
        self._revision = 0
        self._lease_end = 0.0
        self._won = False
        # The write that nobody has answered yet, and when it was first sent.
        self._token = ""
        self._sent_at = 0.0

    @property
    def leader(self) -> bool:
        """Whether this is the leader at this instant. Ask each time: it ends with the clock, not with an event."""
        return self._won and self._clock() < self._lease_end

    @property
    def state(self) -> str:
        """`leader` or `candidate`."""
        return "leader" if self.leader else "candidate"

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a campaign is entered once: make another one")
        self._task = asyncio.create_task(self._run(), name=f"election {self._election}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None  # noqa: S101 - it was entered
        self._task.cancel()
        try:
            await asyncio.gather(self._task, return_exceptions=True)
        finally:
            self._lose("")  # first of all: others may lead as soon as the key is released
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._release()
        except (RevisionConflict, LifecycleError, TimeoutError) as failed:
            logger.debug("election %s: the key was not released: %s", self._election, failed)

    async def _release(self) -> None:
        if self._token and self._timing is not None:
            # It may have made the revision that is to be released.
            await self._write(self._timing, _RELEASE_SECONDS)
        if self._revision:
            await self._bucket.release(self._election, self._revision, _RELEASE_SECONDS)

    async def _run(self) -> None:
        while True:
            try:
                pause = await self._round()
            except RevisionConflict:
                pause = self._handle_conflict()
            except ConnectionFailed as error:
                # It may have been written: the same token, and the same revision, until there is an answer.
                self.reason = str(error)
                self._check_lease()
                pause = _RETRY_SECONDS if self._timing is None else min(_RETRY_SECONDS, self._timing.write_timeout / 4)
            except (NoStream, ConfigError) as error:
                pause = self._stand_down(str(error))
            except NotAuthorised as error:
                pause = self._stand_down(str(error)) * _REFUSED_FACTOR
            except Exception as error:  # noqa: BLE001 - a defect must not end the campaign in silence
                logger.exception("election %s: please report this", self._election)
                pause = self._stand_down(f"unexpected: {type(error).__name__}") * _REFUSED_FACTOR
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Ask for the key, or for another term of it; returns how many seconds to wait before the next time."""
        self._check_lease()
        timing = self._timing
        if timing is None or not self._won:
            timing = await self._measure(MAX_WAIT_SECONDS)
        timeout = (
            timing.write_timeout
            if not self._won
            else max(0.0, min(timing.write_timeout, self._lease_end - self._clock()))
        )
        first = not self._revision
        released = await self._write(timing, timeout)
        self.reason = self._warned = ""
        if first and not released:
            return timing.confirmation  # its last holder may not know yet
        if not self._won:
            if not released:
                await asyncio.sleep(STAND_DOWN_SECONDS)
            self._win()
        await self._refresh_timing()
        return max(0.0, self._sent_at + RENEWAL_SECONDS - self._clock())

    async def _refresh_timing(self) -> None:
        """Measure once more while leading, in the time until the next renewal, which that must not hold up."""
        if self._clock() >= self._measured_at + MAX_WAIT_SECONDS:
            self._measured_at = self._clock()
            with suppress(ConnectionFailed):
                timing = await self._measure(max(0.0, self._sent_at + RENEWAL_SECONDS - self._clock()))
                self._lease_end = min(self._lease_end, self._sent_at + timing.lease)

    async def _measure(self, timeout: float) -> Timing:
        """Look how long the bucket keeps keys."""
        timing = Timing(await self._bucket.ttl(timeout))
        self._measured_at = self._clock()
        if timing != self._timing and not timing.usual:
            logger.warning("election %s: keys are kept for %g s, 5 s to 1 min are usual", self._election, timing.ttl)
        self._timing = timing
        return timing

    async def _write(self, timing: Timing, timeout: float) -> bool:
        """Write the key; returns whether it was handed over."""
        if not self._token:
            self._token, self._sent_at = uuid4(), self._clock()
            self.campaigns += 1
        result = await self._bucket.write(self._election, self._candidate, self._revision, self._token, timeout)
        self._check_lease()  # the answer came after the time was over, where this process was stopped in between
        self._revision, self._token = result.revision, ""
        self._lease_end = self._sent_at + timing.lease
        return result.previous_released

    def _handle_conflict(self) -> float:
        """Somebody else has the key, or has deleted it."""
        stale = self._revision and not self._won
        self._forget()
        self.reason = self._warned = ""
        self._lose("somebody else took the key, or deleted it")
        return 0.0 if stale else self._interval

    def _stand_down(self, reason: str) -> float:
        """The key cannot be asked for: warn once, and go on trying."""
        self._forget()
        self.reason = reason
        self._lose(reason)
        if self._warned != reason:
            self._warned = reason
            logger.warning("no part in the election %s: %s; trying on", self._election, reason)
        return self._interval

    def _forget(self) -> None:
        self._revision, self._token = 0, ""

    def _check_lease(self) -> None:
        """Note that the time of a leader is over."""
        if self._won and not self.leader:
            self._lose(f"the key was not renewed in time: {self.reason or 'this program was stopped'}")

    def _lose(self, reason: str) -> None:
        if self._won:
            self.reason = reason
            self._won = False
            self.losses += 1
            self._notify(won=False)

    def _win(self) -> None:
        if not self._won and self._clock() < self._lease_end:
            self._won = True
            self.wins += 1
            self._notify(won=True)

    def _notify(self, *, won: bool) -> None:
        if self._changed is not None:
            try:
                self._changed(won)
            except Exception:  # noqa: BLE001 - nor may the host program's
                logger.exception("election %s: what was to be told of it has failed", self._election)

    @property
    def _interval(self) -> float:
        usual = MAX_WAIT_SECONDS if self._timing is None else self._timing.interval
        return (usual if self._fixed_interval is None else self._fixed_interval) * random.uniform(0.75, 1.25)  # noqa: S311 - to spread them
