"""The merge of a live subscription with a stream: each message once, and the intervals in which one may be missing."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MARGIN", "Interval", "Merge"]

MARGIN: Final = 10.0
"""How far apart the two copies of a message may arrive, and their times may differ, in seconds."""

# A message stored after this machine has lost the connection, or before it was back: the clocks differ by less.
_CLOCK_ERROR: Final = 1.0
# The times of a mirror are those of its origin, whose clock is not measured.
_MIRROR_CLOCK_ERROR: Final = 600.0
# A stream may store a message late, as sources do after a lost link: so long a live message waits for its copy.
_LATE: Final = 600.0
# Messages that wait for their other copy; older ones are then told by their time alone.
_MAX_WAITING: Final = 262_144
# Interruptions of the live subscription that are kept apart.
_MAX_LOST: Final = 100
_NOT_STORED: Final = "the stream did not store what was published"


class Interval(NamedTuple):
    """An interval in which messages may be missing, by the clock `choria_lifecycle.support.clock.steady`."""

    begin: float
    end: float
    reason: str


class Merge:
    """Decides which of the copies of a message, live and stored, to hand out, and finds out what may be missing.

    A message is told by a key for its subject and bytes. Keys may repeat, as Choria repeats identical alive events:
    each live message has one stored copy. All times are those of `choria_lifecycle.support.clock.steady`.

    Args:
        missing: called with each interval in which messages may be missing.

    Attributes:
        unstored: live messages that the stream has not stored.
        lost: messages left to the stream that it has not stored.
        direct: whether the stream stores what is published on the subject; False if it only copies other streams,
            under subjects on which nothing may ever be published here.
        any_live: whether anything was received live.
    """

    def __init__(self, missing: Callable[[Interval], None]) -> None:
        self.unstored: int = 0
        self.lost: int = 0
        self.direct: bool = True
        self.any_live: bool = False
        self._missing = missing
        # From when and until when messages arrive live, and the intervals in between in which they did not.
        self._live_asked = self._live_since = self._live_until = math.inf
        self._lost: list[_Lost] = []
        # Until when the stream has delivered what it stored; until when it has stored all that was received live; and
        # from when on it may not have, if it has not.
        self._checked = self._good = -math.inf
        self._bad: float | None = None
        # Live messages that were handed out, are held back, were left to the stream, and were not stored in time; and
        # stored messages that were handed out, whose live copy may follow.
        self._handed_out = _Waiting()
        self._held = _Waiting()
        self._left = _Waiting()
        self._late = _Waiting()
        self._supplied = _Waiting()
        # Live messages until then no longer wait.
        self._forgotten = -math.inf

    @property
    def verified(self) -> bool:
        """False from a lost connection until the stream has delivered what it stored in the meantime."""
        return not self._lost or self._lost[-1].end <= self._checked

    @property
    def live_over(self) -> bool:
        """True once nothing arrives live any more."""
        return self._live_until < math.inf

    # The live subscription.

    def live_begins(self, asked: float, now: float) -> None:
        """Note that messages published from now on arrive live, and perhaps some published since it was asked for."""
        self._live_asked, self._live_since, self._good = asked, now, now

    def live_ends(self, now: float) -> None:
        """Note that nothing arrives live any more."""
        self._live_until = now

    def live_lost(self, begin: float, end: float) -> None:
        """Note that messages published in an interval did not arrive live."""
        self._lost.append(_Lost(begin, end))
        if len(self._lost) > _MAX_LOST:
            self._lost[1].begin = self._lost.pop(0).begin

    def is_copy(self, key: int, now: float) -> bool:
        """Return True for a live message whose stored copy was handed out before."""
        self.any_live = True
        self._supplied.drop_before(now - MARGIN)
        if not self._supplied.take(key):
            return False
        self._note_good(now)
        return True

    def handed_out(self, key: int, now: float) -> None:
        """Note that a live message was handed out: its stored copy will not be."""
        self._handed_out.add(key, now)
        self._forget(self._handed_out)

    def left_to_stream(self, key: int, now: float) -> None:
        """Note that a live message was not handed out: its stored copy will be."""
        self._left.add(key, now)
        if len(self._left) > _MAX_WAITING:
            dropped = self._left.drop_oldest()
            if not self._lost or self._lost[-1].end < dropped - MARGIN:
                self.live_lost(dropped, dropped)
            last = self._lost[-1]
            last.begin, last.end = min(last.begin, dropped), max(last.end, dropped)

    def held(self, key: int, now: float) -> None:
        """Note that a live message is held back until the stream has caught up."""
        self._held.add(key, now)

    def release(self, key: int, now: float) -> bool:
        """Return True if a message that was held back has not come from the stream: hand it out now."""
        if not self._held.take(key):
            return False
        self.handed_out(key, now)
        return True

    # The stream.

    @property
    def copies_since(self) -> float:
        """The time from which on messages of the history may be copies of live ones.

        Older messages of the same bytes are others: a program may publish the same event every minute.
        """
        return self._live_asked - (0.0 if self.direct else _MIRROR_CLOCK_ERROR)

    def history(self, key: int, at: float, now: float) -> None:
        """Note a message that the stream had stored at the start, not before `copies_since`, and that is handed out."""
        if not self._held.take(key) and not self._left.take(key) and at > self._live_asked:
            self._supplied.add(key, now)

    def stored(self, key: int, at: float, now: float) -> bool:
        """Return True if a message of the stream must be handed out, False if it was, live."""
        if self._handed_out.take(key):
            self._note_good(at)
            return False
        if any(self._late.take(each) for each in self._late_keys(key, at)):
            return False
        if self._held.take(key) or self._left.take(key):
            self._note_good(at)
            return True
        if self._was_live(at):
            return False
        self._supplied.drop_before(now - MARGIN)
        if not self._was_lost(at, -_CLOCK_ERROR):
            self._supplied.add(key, now)
        if len(self._supplied) > _MAX_WAITING:
            self._supplied.drop_oldest()
        return True

    def checked(self, at: float) -> None:
        """Note that the stream has delivered everything that it stored before a time."""
        self._checked = max(self._checked, at)
        for when, key in self._handed_out.pop_before(at - MARGIN):
            self.unstored += 1
            self._late.add(self._late_key(key, when), when)
            self._note_bad(when)
        for when, _ in self._left.pop_before(at - MARGIN):
            self.lost += 1
            self._note_bad(when)
        self._late.drop_before(at - _LATE)
        self._forget(self._late)
        if self._bad is not None:
            self.doubt(self._bad - MARGIN, at, _NOT_STORED)

    def doubt(self, begin: float, end: float, reason: str) -> None:
        """Note that the stream may not have stored, or may have lost, what was published in an interval.

        What was received live in it is not in doubt.
        """
        if begin < self._live_since and self._checked < self._live_since:
            self._missing(Interval(begin, min(end, self._live_since), reason))
        elif not self.direct and not self.any_live:
            self._missing(Interval(begin, end, reason))
        elif end > self._live_until:
            self._missing(Interval(max(begin, self._live_until), end, reason))
        if self._left.has_before(end):
            self._missing(Interval(max(begin, self._left.oldest), end, reason))
        for lost in self._lost:
            if not lost.reported and lost.begin <= end and begin <= lost.end:
                lost.reported = True
                self._missing(Interval(lost.begin, lost.end, reason))

    def _note_good(self, at: float) -> None:
        """Note that a message received live was also stored."""
        if self._handed_out.has_before(at):
            return  # an earlier one may be missing
        if self._bad is not None and at > self._bad:
            begin, self._bad = self._bad, None
            self.doubt(begin - MARGIN, at + MARGIN, _NOT_STORED)
        while self._lost and self._lost[0].end < min(at, self._checked) - MARGIN:
            del self._lost[0]
        self._good = max(self._good, at)

    def _note_bad(self, at: float) -> None:
        if self._bad is None:
            self._bad = min(self._good, at)

    def _late_key(self, key: int, at: float) -> int:
        """Return the key of a message that the stream stores late.

        Its copy has nearly the time at which it was received, except in a stream that copies others, which stamps it
        anew: so a later message of the same bytes is not taken for it.
        """
        return hash((key, at // MARGIN)) if self.direct else key

    def _late_keys(self, key: int, at: float) -> set[int]:
        return {self._late_key(key, each) for each in (at, at - MARGIN, at + MARGIN)}

    def _was_live(self, at: float) -> bool:
        """Return True if a stored message must have been received live, though its copy no longer waits for it."""
        if not self._live_since + MARGIN < at < min(self._forgotten, self._live_until) - MARGIN:
            return False
        if self._left.has_before(at + MARGIN) or self._held.has_before(at + MARGIN):
            return False
        return not self._was_lost(at, MARGIN)

    def _was_lost(self, at: float, margin: float) -> bool:
        """Return True if nothing arrived live at a time; a margin extends each interval, a negative one shortens it."""
        return any(lost.begin - margin < at < lost.end + margin for lost in self._lost)

    def _forget(self, waiting: _Waiting) -> None:
        """Drop the oldest of those that were handed out if they are too many."""
        while len(waiting) > _MAX_WAITING:
            self._forgotten = max(self._forgotten, waiting.drop_oldest())


@dataclass(slots=True)
class _Lost:
    """An interval in which nothing arrived live, and whether it was reported as missing."""

    begin: float
    end: float
    reported: bool = False


class _Waiting:
    """A multiset of keys, in the order of their times."""

    __slots__ = ("_counts", "_order", "_taken")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._order: deque[tuple[float, int]] = deque()
        # Keys that were taken, but are still in the order.
        self._taken: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._order)

    def add(self, key: int, time: float) -> None:
        self._counts[key] += 1
        self._order.append((time, key))

    def take(self, key: int) -> bool:
        """Remove the oldest of a key; return False if there is none."""
        if key not in self._counts:
            return False
        _subtract(self._counts, key)
        self._taken[key] += 1
        order, taken = self._order, self._taken
        while order and order[0][1] in taken:
            _subtract(taken, order.popleft()[1])
        return True

    def pop_before(self, time: float) -> Iterator[tuple[float, int]]:
        """Remove what is older than a time, and yield it."""
        # The first of the order is never one that was taken, see `has_before`.
        while self._order and (self._order[0][0] < time or self._order[0][1] in self._taken):
            when, key = self._order.popleft()
            if key in self._taken:
                _subtract(self._taken, key)
            else:
                _subtract(self._counts, key)
                yield when, key

    def drop_before(self, time: float) -> None:
        """Remove what is older than a time."""
        for _ in self.pop_before(time):
            pass

    def has_before(self, time: float) -> bool:
        """Return True if anything is older than a time."""
        return bool(self._order) and self._order[0][0] < time

    @property
    def oldest(self) -> float:
        """The time of the oldest."""
        return self._order[0][0]

    def drop_oldest(self) -> float:
        """Remove the oldest; return its time."""
        when = self.oldest
        self.drop_before(math.nextafter(when, math.inf))
        return when


def _subtract(counter: Counter[int], key: int) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
