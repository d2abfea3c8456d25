"""A running tally, which feeds a recorder from a middleware and serves its numbers."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from choria_lifecycle.election.campaign import Campaign
from choria_lifecycle.errors import ConnectionFailed, NotAuthorised
from choria_lifecycle.middleware.transport import check_pattern
from choria_lifecycle.support.choria import ELECTION_BUCKET
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.log import logger
from choria_lifecycle.tally.defaults import DEFAULT_REPLAY, EXPIRY, METRIC_PREFIX
from choria_lifecycle.tally.exposition import check_prefix, render
from choria_lifecycle.tally.intake import Intake, log_unreadable
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from choria_lifecycle.tally.status import status
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Deliveries
    from choria_lifecycle.tally.state import Problem
    from choria_lifecycle.tally.status import Status

__all__ = ["Tally", "TallyOptions"]

# Machine events to count: subject, class, and the component under which unreadable messages are counted.
_MACHINE_EVENTS: Final = (
    ("choria.machine.transition", Transition, "transition"),
    ("choria.machine.watcher.exec.state", ExecState, "exec_watcher"),
)

_SWEEP_INTERVAL: Final = 60.0
_PING_INTERVAL: Final = 15.0
_PING_TIMEOUT: Final = 5.0
# How often to look for new problems, and for those that are over.
_WATCH_INTERVAL: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyOptions:
    """The settings of a tally.

    Attributes:
        subject: the subject of the events, for a stream that stores them under another one; empty for Choria's.
        components: the components to count; empty for all.
        prefix: the prefix of the metrics' names.
        expiry: seconds of silence after which a node expires.
        limits: bounds on what is kept.
        replay: the seconds of the stream to replay; 0 disables the replay.
        stream: the stream to replay; empty for CHORIA_EVENTS, else the one that stores the events. If it does not
            exist or may not be read, counting begins now.
        election: the election in which several tallies choose the active one; empty for a tally that is always active.
        candidate: the name of this tally in the election; empty for the host's name.

    Raises:
        ConfigError: the prefix is invalid.
        OptionError: the subject is invalid.
    """

    subject: str = ""
    components: tuple[str, ...] = ()
    prefix: str = METRIC_PREFIX
    expiry: float = EXPIRY
    limits: Limits = field(default_factory=Limits)
    replay: float = DEFAULT_REPLAY
    stream: str = ""
    election: str = ""
    candidate: str = ""

    def __post_init__(self) -> None:
        check_prefix(self.prefix)
        if self.subject:
            check_pattern(self.subject, "")


class Tally:
    """Counts the events of a middleware and serves the numbers, as a `StatusSource`.

    Attributes:
        recorder: the numbers.

    Args:
        middleware: the source of events; the caller closes it.
        options: what to count.
        notify: called with each message for the operator; the log by default.

    Raises:
        OptionError: the name of the election or the candidate is invalid.
    """

    def __init__(
        self, middleware: Middleware, options: TallyOptions, notify: Callable[[str], None] = logger.info
    ) -> None:
        self.recorder: Final = Recorder(limits=options.limits, expiry=options.expiry, now=steady())
        self._middleware = middleware
        self._options = options
        self._started = steady()
        self._intake = Intake(
            middleware,
            self.recorder,
            subject=options.subject,
            components=options.components,
            replay=options.replay,
            stream=options.stream,
            notify=notify,
        )
        self._machine_deliveries: list[Deliveries] = []
        self._notify = notify
        self._campaign = (
            Campaign(
                middleware.bucket(ELECTION_BUCKET),
                options.election,
                options.candidate or socket.gethostname(),
                changed=self._election_changed,
            )
            if options.election
            else None
        )
        self._last_answer: float | None = None
        self._last_failed_ping = -math.inf
        self._gaps, self._dropped, self._unstored = _Rising(), _Rising(), _Rising()

    def metrics(self) -> bytes:
        return render(self.recorder, self.state(), prefix=self._options.prefix, now=steady())

    def status(self) -> Status:
        return status(self.recorder, self.state(), prefix=self._options.prefix, now=steady())

    def not_ready_reason(self) -> str:
        error = self.state().error
        return "" if error is None else error.reason

    def state(self) -> TallyState:
        """Return the state of the tally apart from the recorder's numbers."""
        server = self._middleware.server
        now = time.time()
        # Only the present is read from the machine's clock; whatever was before counts back from it.
        offset = now - steady()
        intake = self._intake
        stream = intake.stream

        def shown(when: float | None) -> float | None:
            return None if when is None else when + offset

        return TallyState(
            connected=bool(server),
            server=server,
            subscribed=intake.receiving,
            last_answer=shown(self._last_answer),
            # The maximum, because each subscription counts the same lost connections.
            gaps=max([intake.gaps, *(machines.counters.gaps for machines in self._machine_deliveries)]),
            recent_gaps=intake.recent_gaps,
            last_gap=shown(self._gaps.rose),
            dropped=self._dropped_messages,
            last_dropped=shown(self._dropped.rose),
            active=self._campaign is None or self._campaign.leader,
            election=self._options.election,
            election_reason=self._election_reason(),
            components=self._options.components,
            all_seen=intake.complete,
            replay_state=intake.replay_state,
            replayed=intake.replayed,
            replay_reason=intake.reason,
            replay_requested=self._options.replay,
            replay_available=intake.available,
            known_since=shown(intake.known_since),
            stream=stream,
            stream_last_event=shown(None if stream is None else stream.last_stored),
            unstored=intake.unstored,
            last_unstored=shown(self._unstored.rose),
            started=self._started + offset,
            now=now,
        )

    @property
    def _dropped_messages(self) -> int:
        return self._intake.dropped + sum(machines.counters.dropped for machines in self._machine_deliveries)

    def _election_reason(self) -> str:
        if self._campaign is None:
            return ""
        return "the stream has not been read yet" if self._intake.catching_up else self._campaign.reason

    async def run(self) -> None:
        """Count until cancelled, or until the middleware closes.

        Raises:
            NotAuthorised: the broker does not permit receiving lifecycle events.
            ConnectionFailed: the broker did not confirm a subscription.
        """
        async with AsyncExitStack() as stack:
            work = [self._intake.run(), self._sweep_loop(), self._ping_loop(), self._watch_loop()]
            if self._campaign is not None:
                work.append(self._run_campaign(self._campaign))
            for subject, kind, name in _MACHINE_EVENTS:
                machines = self._middleware.deliveries(subject=subject)
                try:
                    self._machine_deliveries.append(await stack.enter_async_context(machines))
                except NotAuthorised as error:
                    _warn(error)
                else:
                    work.append(self._count_machine_events(machines, kind, name))
            tasks = [asyncio.create_task(each) for each in work]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_campaign(self, campaign: Campaign) -> None:
        await self._intake.wait_replay_over()  # a tally without nodes must not lead
        async with campaign:
            await asyncio.get_running_loop().create_future()

    def _election_changed(self, won: bool) -> None:
        name = self._options.election
        reason = (self._campaign.reason if self._campaign is not None else "") or "shutting down"
        self._notify(f"active: won the election {name}" if won else f"standby: lost the election {name}: {reason}")

    async def _count_machine_events(self, received: Deliveries, kind: type, name: str) -> None:
        try:
            async for delivery in received:
                if isinstance(delivery.event, kind):
                    self.recorder.record(delivery.event, steady())
                else:
                    self.recorder.record_error(name)
                    log_unreadable(delivery)
        except NotAuthorised as error:
            _warn(error)
            await asyncio.get_running_loop().create_future()  # returning would end the other tasks

    async def _sweep_loop(self) -> None:
        while True:
            before = steady()
            await asyncio.sleep(_SWEEP_INTERVAL)
            now = steady()
            # A node expires once its events would have arrived for as long as it was silent. After an
            # outage or a suspension, the missed events come first.
            deaf = not self._middleware.server or now - self._last_failed_ping < _SWEEP_INTERVAL
            if deaf or now - before > 2 * _SWEEP_INTERVAL or self._intake.unbroken < self._options.expiry:
                continue
            while self.recorder.expire(steady()):  # noqa: ASYNC110 - works in slices, does not poll
                await asyncio.sleep(0)

    async def _watch_loop(self) -> None:
        """Log each problem, and when it is over, unless another part does."""
        await self._intake.wait_replay_over()
        known: dict[str, Problem] = {}
        while True:
            self._gaps.note(self._intake.gaps)
            self._dropped.note(self._dropped_messages)
            self._unstored.note(self._intake.unstored)
            state = self.state()
            found = {each.over: each for each in state.problems if each.over}
            for over, problem in found.items():
                if over not in known and not problem.logged:
                    logger.warning("%s. %s", problem.reason, problem.effect)
            for over in known.keys() - found:
                if state.receiving and (state.stream is not None or not known[over].of_stream):
                    self._notify(over)
                else:
                    found[over] = known[over]  # hidden by something worse
            known = found
            await asyncio.sleep(_WATCH_INTERVAL)

    async def _ping_loop(self) -> None:
        while True:
            await self._ping()
            await asyncio.sleep(_PING_INTERVAL)

    async def _ping(self) -> None:
        try:
            await self._middleware.flush(timeout=_PING_TIMEOUT)
        except ConnectionFailed as error:
            self._last_failed_ping = steady()
            logger.debug("the broker did not answer: %s", error)
        else:
            self._last_answer = steady()


class _Rising:
    """A counter, and when it last rose by `steady`; None if it never did."""

    def __init__(self) -> None:
        self.rose: float | None = None
        self._value = 0

    def note(self, value: int) -> None:
        if value > self._value:
            self._value, self.rose = value, steady()


def _warn(error: NotAuthorised) -> None:
    logger.warning("%s: these events are not counted", error)
