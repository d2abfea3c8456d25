"""The receiver of what a stream had stored before a time."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from choria_lifecycle.middleware.inbox import StreamSink
from choria_lifecycle.middleware.merge import Interval
from choria_lifecycle.support.clock import steady

if TYPE_CHECKING:
    from choria_lifecycle.middleware.inbox import Inbox

__all__ = ["HistorySink"]


class HistorySink(StreamSink):
    """Receives what a stream had stored before a time, without a live subscription.

    Nothing follows the first message that was stored later, or after the replay began: `caught_up_once` is then set.

    Args:
        inbox: the queue.
        until: the end, in seconds since the epoch, or back from the present time.
        since: the start in the same form. A transport may deliver messages that are a little older: both ends must be
            compared with the same times, or a message at the border of two intervals is read twice, or never.
    """

    def __init__(self, inbox: Inbox, until: float | timedelta, since: float | timedelta = 0.0) -> None:
        super().__init__(inbox)
        self._begin = 0.0 if isinstance(since, timedelta) else since
        self._until = until
        self._asked = steady()
        # By the server's clock, once the first message shows that this was measured.
        self._end: float | None = None

    def stored(self, subject: str, data: bytes, at: float, history: bool, sequence: int | None = None) -> None:
        if self.caught_up_once.is_set() or at < self._begin:
            return
        if self._end is None:
            self._end = self._server_end()
        if history and at < self._end:
            super().stored(subject, data, at, history, sequence)
        else:
            self.caught_up()

    def _server_end(self) -> float:
        if not isinstance(self._until, timedelta):
            return self._until
        # The times of a mirror may be later than the present: they do not tell what was stored by now.
        return self.clock.to_server(self._asked) - self._until.total_seconds() if self._until else math.inf

    def capacity(self) -> tuple[int, int]:
        return (0, 0) if self.caught_up_once.is_set() else super().capacity()

    def caught_up(self) -> None:
        self.caught_up_once.set()
        self._inbox.wake.set()

    def doubt(self, begin: float, end: float, reason: str) -> None:
        latest = min(self.clock.to_monotonic(self._server_end()), self._asked)
        if begin < latest:
            self._inbox.missed(Interval(begin, min(end, latest), reason))

    def closed(self) -> None:
        self._inbox.end()
