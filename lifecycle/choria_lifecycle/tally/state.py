"""The state of a tally apart from its recorder's numbers, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.duration import minutes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.middleware.delivery import Gap, StreamState

__all__ = ["MAX_ANSWER_AGE", "Problem", "TallyState"]

MAX_ANSWER_AGE: Final = 45.0
"""Seconds without an answer after which the broker counts as silent: three pings."""

# A stream that reaches back nearly as far as requested is not a problem: its first event may have come a little later.
_NEARLY: Final = 0.9


class Problem(NamedTuple):
    """Something that is wrong at present.

    Attributes:
        level: `error` while events cannot arrive, so that the tally is not ready; otherwise `warning`.
        reason: a clause, safe to show.
        effect: what it means and what to do, in sentences.
        over: what is logged once it is over; empty if another part logs both.
        logged: whether another part logs that it began.
        of_stream: whether it is a problem of the stream.
    """

    level: Literal["error", "warning"]
    reason: str
    effect: str
    over: str = ""
    logged: bool = False
    of_stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyState:
    """The state of a tally apart from its recorder's numbers.

    Times are Unix seconds for people: all count back from `now`, and follow it if the machine's clock is set.

    Attributes:
        connected: whether the connection is up.
        server: the connected server, safe to show; empty while not connected.
        subscribed: whether there is a subscription, live or to a stream, that may bring events.
        last_answer: when the server last answered; None before the first time.
        gaps: in how many intervals events may have been missed.
        recent_gaps: the last of these intervals, oldest first; of lifecycle events only, with times by the machine's
            clock of then.
        last_gap: when the last of them was noticed; None if there was none.
        dropped: messages dropped because the tally was too slow.
        last_dropped: when that number last rose; None if it never did.
        active: whether this tally leads its election, or has none.
        election: the name of the election; empty without one.
        election_reason: why the tally takes no part in the election or lost it, safe to show; empty if all is well.
        components: the components to count; empty for all.
        all_seen: whether every live node must have been seen, up to when events could last arrive.
        replay_state: `off`, `waiting` for a stream that cannot be read yet, `running`, `done`, or `none` without a
            stream.
        replayed: the number of stored events replayed.
        replay_reason: why the stream is not replayed, or not yet, safe to show.
        replay_requested: how many seconds of the stream to replay; 0 if replay is off.
        replay_available: how many of them the stream had when it was read; None without a stream.
        known_since: when the events that are known begin; None without a stream.
        stream: the state of the stream; None without one.
        stream_last_event: when the stream stored the last event that was read; None before the first.
        unstored: events received that the stream should have stored and has not.
        last_unstored: when that number last rose; None if it never did.
        started: when the tally started.
        now: the current time.
    """

    connected: bool
    server: str = ""
    subscribed: bool = False
    last_answer: float | None = None
    gaps: int = 0
    recent_gaps: tuple[Gap, ...] = ()
    last_gap: float | None = None
    dropped: int = 0
    last_dropped: float | None = None
    active: bool = True
    election: str = ""
    election_reason: str = ""
    components: tuple[str, ...] = ()
    all_seen: bool = False
    replay_state: str = "off"
    replayed: int = 0
    replay_reason: str = ""
    replay_requested: float = 0.0
    replay_available: float | None = None
    known_since: float | None = None
    stream: StreamState | None = None
    stream_last_event: float | None = None
    unstored: int = 0
    last_unstored: float | None = None
    started: float
    now: float

    @property
    def error(self) -> Problem | None:
        """The reason not to be ready: events cannot arrive, or the stream has yet to be read; None if there is none."""
        if self.receiving and self.replay_state == "waiting":
            effect = "Events are counted as they are published; nodes appear with their next alive event."
            return Problem("error", f"waiting for the stream: {self.replay_reason}", effect)
        return self._silence

    @property
    def _silence(self) -> Problem | None:
        """The reason why events cannot arrive; None if they can."""
        stream = self.stream
        if not self.connected:
            effect = "Retrying. Nothing is counted until the connection is restored."
            return Problem("error", "not connected to a broker", effect)
        if not self.subscribed:
            if self.replay_reason:
                reason = f"waiting for the stream: {self.replay_reason}"
                return Problem("error", reason, "Nothing is counted until it can be read.")
            return Problem("error", "not subscribed yet", "Nothing is counted.")
        if self.last_answer is None:
            return Problem("error", "the broker has not answered yet", "Events may not arrive.")
        if (silence := self.now - self.last_answer) > MAX_ANSWER_AGE:
            effect = f"Its last answer was {silence:.0f} s ago. Events may not arrive."
            return Problem("error", "the broker does not answer", effect, over="the broker answers again")
        if stream is not None and stream.only and stream.fault:
            reason = f"the only source of events, {stream}, has a fault: {stream.fault}"
            return Problem("error", reason, "Nothing is counted until this is fixed.")
        if stream is not None and stream.fault and self.replay_state == "running":
            reason = f"the replay of {stream} is not finished, and it has a fault: {stream.fault}"
            return Problem("error", reason, "New events are counted once the replay is finished.")
        return None

    @property
    def receiving(self) -> bool:
        """True while events can arrive."""
        return self._silence is None

    @property
    def complete(self) -> bool:
        """True while every live node must have been seen."""
        return self.all_seen and self.receiving

    @property
    def stream_readable(self) -> bool:
        """True while the stream can be read and stores events."""
        return self.connected and self.stream is not None and not self.stream.fault

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that keeps the numbers from being right and complete, now or after a restart; an error first."""
        error = self.error
        found = [] if error is None else [error]
        return (*found, *self._stream_problems(), *self._losses())

    def _stream_problems(self) -> Iterator[Problem]:
        stream = self.stream
        if stream is None:
            return
        if self.connected and stream.fault and not stream.only and self.replay_state != "running":
            yield Problem(
                "warning",
                f"{stream} has a fault: {stream.fault}",
                "Events are counted as they are published, but a restart may find fewer nodes.",
            )
        available = self.replay_available
        if available is not None and available < self.replay_requested * _NEARLY and self._lately(self.known_since):
            yield Problem(
                "warning",
                f"{stream} had only {_duration(available)} of the {_duration(self.replay_requested)} to replay",
                "Nodes not seen since then appear with their next alive event. If the stream is not new, let it keep"
                " events for longer: raise its limits.",
                over=f"every event of the last {minutes(ALIVE_INTERVAL)} is known; every live node has been seen",
                of_stream=True,
            )
        if self._lately(self.last_unstored):
            count = f"{self.unstored:,} event{'s' * (self.unstored != 1)}"
            yield Problem(
                "warning",
                f"{stream} has not stored {count}",
                "They are counted, but a restart would miss them. Check the stream's limits and its brokers.",
                over=f"{stream} has stored every event of the last {minutes(ALIVE_INTERVAL)}",
                of_stream=True,
            )

    def _lately(self, when: float | None) -> bool:
        """Return True if a node may not have been seen since a time."""
        return when is not None and self.now - when < ALIVE_INTERVAL

    def _losses(self) -> Iterator[Problem]:
        """Yield what was lost, until every node must have been seen since."""
        over = f"every event of the last {minutes(ALIVE_INTERVAL)} has arrived; the numbers are complete again"
        effect = f"Nodes may be missing until their next alive event, within {minutes(ALIVE_INTERVAL)}."
        if self.recent_gaps and self._lately(self.last_gap):
            begin, end, reason = self.recent_gaps[-1]
            what = f"events may have been missed from {_clock(begin)} to {_clock(end)} UTC: {reason}"
            yield Problem("warning", what, effect, over, logged=True)
        if self._lately(self.last_dropped):
            count = "1 message was" if self.dropped == 1 else f"{self.dropped:,} messages were"
            yield Problem("warning", f"{count} dropped because the tally was too slow", effect, over)


def _clock(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%H:%M:%S}"


def _duration(seconds: float) -> str:
    """Return a duration in whole seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
