"""Whether a stream can be read, and stores what is published: what its leader and its configuration tell."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from choria_lifecycle.middleware.transport import covers
from choria_lifecycle.nats.stream_choice import Cluster
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import ReplaySink
    from choria_lifecycle.nats.stream_choice import StreamInfo

__all__ = ["StreamWatch"]

# An origin sends a heartbeat each second; longer silence than this, in nanoseconds, is a lost link.
_MAX_SILENCE: Final = 30 * 10**9

# Members of a cluster need so long to agree on a new leader, and their clocks may differ, in seconds.
_MARGIN: Final = 2.0


class StreamWatch:
    """Judges a stream again and again, and reports the intervals in which it may not have stored everything.

    A lifecycle event is published without an acknowledgement: while a stream has no leader, is full or takes other
    subjects, the event is lost to it.

    Args:
        sink: receives the intervals in doubt.
        subject: the subject that is read.
    """

    def __init__(self, sink: ReplaySink, subject: str) -> None:
        self._reading = _Fault("can be read again")
        self._storing = _Fault("stores events again")
        self._sink = sink
        self._subject = subject
        # When it was last seen well, by `steady`, its leader then, and the reason to doubt what it has stored since.
        self._well_at: float | None = None
        self._leader = ""
        self._suspicion = ""
        # A state, its time and the offset, from which no conclusion was drawn yet.
        self._seen: tuple[StreamInfo, float, float] | None = None
        # Whether it takes all of the subject from those who publish it.
        self._direct: bool | None = None

    @property
    def fault(self) -> str:
        """The reason why it cannot be read, or stores nothing; empty if it is well."""
        return self._reading.reason or self._storing.reason

    def seen(self, info: StreamInfo, at: float, offset: float) -> None:
        """Judge the stream by its present state.

        Args:
            info: the state.
            at: when it was requested, by `choria_lifecycle.support.clock.steady`.
            offset: the server's time minus that of `steady`.
        """
        reason = self._storing_fault(info)
        self._storing.note(info.config.name, reason)
        self._seen = None if reason else (info, at, offset)
        if reason:
            self._suspicion = reason
        elif not self._reading.reason:
            self._conclude()

    def _conclude(self) -> None:
        """Report what is in doubt until the stream was seen to be well, once it can be read."""
        if self._seen is None:
            return
        (info, at, offset), self._seen = self._seen, None
        cluster = info.cluster if info.cluster is not None and info.cluster.name else Cluster()
        leader = cluster.leader
        if self._well_at is not None and info.config.subjects:
            if self._leader not in ("", leader):
                self._suspicion = self._suspicion or f"its leader changed from {self._leader} to {leader}"
            elif _time(cluster.leader_since) - offset > self._well_at:
                self._suspicion = self._suspicion or "its leader was elected anew"
            if self._suspicion:
                why = f"the stream {info.config.name} may not have stored them: {safe(self._suspicion, 200)}"
                self._sink.doubt(self._well_at - _MARGIN, at, why)
        self._well_at, self._leader, self._suspicion = at, leader, ""

    def readable(self, name: str) -> None:
        """Note that the stream can be read."""
        self._reading.note(name, "")
        self._conclude()

    def unreadable(self, name: str, reason: str, *, storing: bool = False) -> None:
        """Note that the stream cannot be read.

        Args:
            name: its name.
            reason: the reason.
            storing: whether it stores events all the same.
        """
        if not storing:
            self._suspicion = self._suspicion or reason
        self._reading.note(name, f"it cannot be read: {reason}")

    def _storing_fault(self, info: StreamInfo) -> str:
        """Return the reason why it does not store what is published, or what others store; empty if it does."""
        config, state = info.config, info.state
        direct = any(covers(each, self._subject) for each in config.subjects or ())
        if self._direct is None:
            self._direct = direct
        if self._direct and not direct:
            return f"it no longer stores all of {self._subject}"
        if not config.subjects:
            return _silence(info)
        if info.cluster is not None and info.cluster.name and not info.cluster.leader:
            return "it has no leader"
        if config.sealed:
            return "it is sealed"
        if config.discard == "new" and (0 < config.max_msgs <= state.messages or 0 < config.max_bytes <= state.bytes):
            return "it is full and refuses new messages"
        return ""


class _Fault:
    """A fault that is logged when it begins, for each further reason once, and when it is over."""

    def __init__(self, over: str) -> None:
        self.reason = ""
        self._over = over
        self._logged: set[str] = set()

    def note(self, name: str, reason: str) -> None:
        """Note the present reason; empty if there is no fault."""
        if reason and reason not in self._logged:
            self._logged.add(reason)
            logger.warning("the stream %s: %s", name, reason)
        elif self.reason and not reason:
            self._logged.clear()
            logger.warning("the stream %s %s", name, self._over)
        self.reason = reason


def _silence(info: StreamInfo) -> str:
    """Return the reason why a stream that copies others stores nothing: none of them is heard."""
    origins = info.origins
    if not origins or any(each.active <= _MAX_SILENCE for each in origins):
        return ""
    return f"it hears nothing from {safe(', '.join(each.name for each in origins), 200)}"


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("-inf")
