"""Leader election compatible with Choria's own, alongside candidates written in Go.

An election is a key in a bucket; its leader is the candidate that wrote it last. A candidate creates the key, which the
server allows only while the key does not exist; the leader replaces its own last revision. Without renewal a key
expires with the bucket's TTL (go-choria v0.30.2, providers/election/streams).

Unless another client deletes the key or the bucket, or shortens its TTL:

- There is at most one leader at any instant, even if replies are lost or late: the server keeps a key for at least the
  TTL after the write was *sent*, and a leader leads for less than that.
- The last value on the server is the leader's.

If the key is deleted, the leader notices at its next renewal, and leads no longer than the TTL in any case. As in Go,
the next leader leads only after renewing once, which leaves time for that. A leader notices a shorter TTL within 5 s.
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
# The interval grows by this factor after a refusal, which is likely to repeat and which the broker logs each time.
_REFUSED_FACTOR: Final = 6
# Choria's bucket accepts 1024 bytes, including headers.
_NAME_BYTES: Final = 512


class Campaign:
    """A candidate in an election: `async with Campaign(bucket, "TALLY", "host.example.net") as campaign`.

    It campaigns in a background task until the block is left: at once, then every `interval`, give or take a quarter.
    Go first waits up to 5 s; this does not, so that a restarted leader soon leads again. The leader renews every
    0.25 s, the shortest interval of Go's tally. Leaving the block releases the key, within 2 s.

    Errors are not raised in the block: `reason` describes them, and the campaign keeps trying. It warns once about
    a bucket that does not exist, has an unusable TTL, or may not be written.

    Args:
        bucket: the bucket, with a TTL of 1 s to 1 h; Choria's is `middleware.bucket("CHORIA_LEADER_ELECTION")`.
        election: the election's name, which is the key.
        candidate: the candidate's name, for people to read; usually the host name.
        interval: seconds between a candidate's campaigns; by default 0.75 of the TTL, at most 5 s. Six times as long
            while the server refuses the campaign.
        changed: called with True for each win and False for each loss. Exceptions that it raises are logged.
        clock: returns the time in seconds; by default `choria_lifecycle.support.clock.steady`.

    Attributes:
        campaigns: how often it tried to write the key, including renewals.
        wins: how often it became the leader.
        losses: how often it stopped being the leader, including clean exits.
        reason: the reason why it cannot campaign or has lost; empty if all is well.

    Raises:
        OptionError: the election or the candidate has an unusable name.
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
            reason = f"use 1 to {_NAME_BYTES} bytes of printable text"
            raise OptionError(f"{quoted(candidate)} is not a valid candidate: {reason}", invalid=("candidate",))
        self.campaigns: int = 0
        self.wins: int = 0
        self.losses: int = 0
        self.reason: str = ""
        self._bucket = bucket
        self._election = election
        self._candidate = candidate
        self._fixed_interval = interval
        self._changed = changed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._timing: Timing | None = None  # not known yet
        self._measured_at = 0.0
        self._warned = ""
        # The revision that we wrote last, 0 for none, and the end of its lease.
        self._revision = 0
        self._lease_end = 0.0
        self._won = False
        # The token of the write without a reply, and when it was first sent.
        self._token = ""
        self._sent_at = 0.0

    @property
    def leader(self) -> bool:
        """True while this is the leader. Check it each time: a lease ends with the clock, not with an event."""
        return self._won and self._clock() < self._lease_end

    @property
    def state(self) -> str:
        """`leader` or `candidate`."""
        return "leader" if self.leader else "candidate"

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a campaign can be entered only once: create another one")
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
            self._lose("")  # before the release, after which others may lead
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._release()
        except (RevisionConflict, LifecycleError, TimeoutError) as failed:
            logger.debug("election %s: the key was not released: %s", self._election, failed)

    async def _release(self) -> None:
        if self._token and self._timing is not None:
            # The write may have created the revision to release.
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
                # The key may have been written: retry with the same token and revision until a reply comes.
                self.reason = str(error)
                self._check_lease()
                pause = _RETRY_SECONDS if self._timing is None else min(_RETRY_SECONDS, self._timing.write_timeout / 4)
            except (NoStream, ConfigError) as error:
                pause = self._stand_down(str(error))
            except NotAuthorised as error:
                pause = self._stand_down(str(error)) * _REFUSED_FACTOR
            except Exception as error:  # noqa: BLE001 - a bug must not end the campaign silently
                logger.exception("election %s: please report this", self._election)
                pause = self._stand_down(f"unexpected: {type(error).__name__}") * _REFUSED_FACTOR
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Take or renew the key; return the seconds to wait before the next round."""
        self._check_lease()
        timing = self._timing
        if timing is None or not self._won:
            timing = await self._measure(MAX_WAIT_SECONDS)
        timeout = timing.write_timeout
        if self._won:
            timeout = max(0.0, min(timeout, self._lease_end - self._clock()))
        first = not self._revision
        released = await self._write(timing, timeout)
        self.reason = self._warned = ""
        if first and not released:
            return timing.confirmation  # the previous holder may not know yet
        if not self._won:
            if not released:
                await asyncio.sleep(STAND_DOWN_SECONDS)
            self._win()
        await self._refresh_timing()
        return max(0.0, self._sent_at + RENEWAL_SECONDS - self._clock())

    async def _refresh_timing(self) -> None:
        """Read the TTL again while leading, without delaying the next renewal."""
        if self._clock() >= self._measured_at + MAX_WAIT_SECONDS:
            self._measured_at = self._clock()
            with suppress(ConnectionFailed):
                timing = await self._measure(max(0.0, self._sent_at + RENEWAL_SECONDS - self._clock()))
                self._lease_end = min(self._lease_end, self._sent_at + timing.lease)

    async def _measure(self, timeout: float) -> Timing:
        """Derive the timing from the bucket's TTL."""
        timing = Timing(await self._bucket.ttl(timeout))
        self._measured_at = self._clock()
        if timing != self._timing and not timing.usual:
            logger.warning("election %s: the bucket's TTL is %g s; 5 s to 1 min is usual", self._election, timing.ttl)
        self._timing = timing
        return timing

    async def _write(self, timing: Timing, timeout: float) -> bool:
        """Write the key; return True if the previous holder had released it."""
        if not self._token:
            self._token, self._sent_at = uuid4(), self._clock()
            self.campaigns += 1
        result = await self._bucket.write(self._election, self._candidate, self._revision, self._token, timeout)
        self._check_lease()  # the lease may have ended before the reply, if this process was stopped in between
        self._revision, self._token = result.revision, ""
        self._lease_end = self._sent_at + timing.lease
        return result.previous_released

    def _handle_conflict(self) -> float:
        """Handle a key that another candidate has taken, or that was deleted; return the seconds to wait."""
        stale = self._revision and not self._won
        self._forget()
        self.reason = self._warned = ""
        self._lose("another candidate took the key, or it was deleted")
        return 0.0 if stale else self._interval

    def _stand_down(self, reason: str) -> float:
        """Handle an election that cannot be held now: warn once; return the seconds to wait."""
        self._forget()
        self.reason = reason
        self._lose(reason)
        if self._warned != reason:
            self._warned = reason
            logger.warning("cannot take part in the election %s: %s; retrying", self._election, reason)
        return self._interval

    def _forget(self) -> None:
        self._revision, self._token = 0, ""

    def _check_lease(self) -> None:
        """Lose the election if the lease has ended."""
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
            except Exception:  # noqa: BLE001 - nor may a bug in the caller's function
                logger.exception("election %s: the function `changed` failed", self._election)

    @property
    def _interval(self) -> float:
        usual = MAX_WAIT_SECONDS if self._timing is None else self._timing.interval
        return (usual if self._fixed_interval is None else self._fixed_interval) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
