"""Each message once, and every interval in which one was missed: a model of a stream beside a live subscription."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from choria_lifecycle.middleware import merge as module
from choria_lifecycle.middleware.merge import Interval, Merge


@dataclass
class Message:
    """A message, and what becomes of it."""

    key: int
    at: float
    live: float | None
    stored: float | None


@dataclass
class Reader:
    """A reader that applies a merge to what arrives, as an inbox does."""

    room: bool = True
    holding: bool = True
    gaps: list[Interval] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    kept: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.merge = Merge(self.gaps.append)

    def live(self, key: int, now: float) -> None:
        if self.merge.is_copy(key, now):
            return
        if self.holding:
            self.merge.held(key, now)
            self.kept.append((key, now))
        elif self.room:
            self.merge.handed_out(key, now)
            self.out.append(key)
        else:
            self.merge.left_to_stream(key, now)

    def stored(self, key: int, at: float, now: float, *, history: bool) -> None:
        if history:
            if at > self.merge.copies_since:
                self.merge.history(key, at, now)
            self.out.append(key)
        elif self.merge.stored(key, at, now):
            self.out.append(key)

    def caught_up(self) -> None:
        self.holding = False
        kept, self.kept = self.kept, []
        self.out += [key for key, now in kept if self.merge.release(key, now)]

    def covers(self, time: float) -> bool:
        return any(gap.begin <= time <= gap.end for gap in self.gaps)


START, END = 100.0, 400.0


def world(chance: random.Random) -> tuple[list[Message], list[tuple[float, float]], list[tuple[float, float]]]:
    """Return messages, the intervals in which nothing arrives live, and those in which the stream stores nothing."""
    lost = _intervals(chance)
    down = _intervals(chance)
    messages: list[Message] = []
    # Ten programs that each repeat the same event every few seconds; then only one of the two ways fails.
    repeated = chance.random() < 0.3
    if repeated:
        (lost if chance.random() < 0.5 else down).clear()
    now, number = 50.0, 0
    while now < END:
        now += chance.expovariate(3)
        number += 1
        live = None if now < START or _within(now, lost) else now + chance.random() / 10
        stored = None if _within(now, down) and now >= START else now + chance.random() / 10
        if now < START and stored is not None:
            stored = min(stored, START)  # within milliseconds, only the time of storage tells old from new
        # Some events repeat the bytes of one long ago.
        key = messages[number // 2].key if number > 200 and chance.random() < 0.1 else number
        messages.append(Message(number % 10 if repeated else key, now, live, stored))
    return messages, lost, down


def _intervals(chance: random.Random) -> list[tuple[float, float]]:
    found = []
    for _ in range(chance.randrange(3)):
        begin = chance.uniform(START + 30, END - 60)
        found.append((begin, begin + chance.uniform(0.5, 30)))
    return found


def _within(time: float, intervals: list[tuple[float, float]]) -> bool:
    return any(begin <= time <= end for begin, end in intervals)


@pytest.mark.parametrize("seed", range(100))
def test_each_message_once_and_each_gap(seed: int) -> None:
    chance = random.Random(seed)
    messages, lost, down = world(chance)
    reader = Reader()
    # What happens, in the order of its arrival.
    happens: list[tuple[float, int, str, object]] = []
    for message in messages:
        if message.live is not None:
            happens.append((message.live, 0, "live", message))
        if message.stored is not None:
            # While the connection is lost, the stream's messages wait.
            arrives = max([message.stored, *(end + 0.2 for begin, end in lost if begin <= message.stored <= end)])
            happens.append((max(arrives, START + 1), 1, "stored", message))
    happens += [(end, 0, "restored", (begin, end)) for begin, end in lost]
    happens += [(end + 1, 2, "caught up", None) for _, end in lost] + [(START + 2, 2, "caught up", None)]
    happens += [(now, 3, "checked", None) for now in range(int(START) + 10, int(END) + 60, 10)]
    # Without a message that arrived live and was not stored, only the stream's own state tells.
    unstored = [each for each in messages if each.live is not None and each.stored is None]
    for begin, end in down:
        if chance.random() < 0.5 or not any(begin <= each.at <= end for each in unstored):
            heard = max([end, *(back + 0.5 for gone, back in lost if gone <= end <= back)])
            happens.append((heard, 3, "doubt", (begin, end)))
    reader.merge.live_begins(START, START)
    for now, _, what, subject in sorted(happens, key=lambda each: each[:2]):
        if isinstance(subject, Message) and what == "live":
            reader.live(subject.key, now)
        elif isinstance(subject, Message):
            reader.stored(subject.key, subject.stored or 0.0, now, history=(subject.stored or 0.0) < START + 1)
        elif what == "restored":
            reader.merge.live_lost(*subject)  # type: ignore[misc]
            reader.holding = True
        elif what == "caught up":
            reader.caught_up()
        elif what == "doubt":
            reader.merge.doubt(*subject, "no leader")  # type: ignore[misc]
        elif not _within(now, [(begin, end + 0.5) for begin, end in lost]):
            reader.merge.checked(now)
    sent = Counter(message.key for message in messages if message.live is not None or message.stored is not None)
    assert Counter(reader.out) == sent
    for message in messages:
        if message.live is None and message.stored is None:
            assert reader.covers(message.at), (seed, message, reader.gaps, lost, down)
    assert reader.merge.unstored == len(unstored)
    if not (lost and down):
        assert not reader.gaps


def test_messages_that_no_longer_wait_raise_no_doubt() -> None:
    gaps: list[Interval] = []
    merge = Merge(gaps.append)
    merge.live_begins(0.0, 0.0)
    merge.checked(0.0)
    merge.left_to_stream(1, 10.0)
    merge.left_to_stream(2, 12.0)
    assert merge.stored(2, 12.0, 13.0)
    merge.checked(21.0)
    assert merge.lost == 1
    merge.doubt(28.0, 40.0, "no leader")
    assert not gaps


def test_nothing_that_the_stream_stored_is_missing_if_too_many_messages_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 10)
    merge = Merge([].append)
    merge.live_begins(0.0, 0.0)
    merge.checked(0.0)
    times = [100.0 + 5 * number for number in range(60)]
    left = set(times[::2])  # a slow reader, and a stream that cannot be read
    for at in times:
        (merge.left_to_stream if at in left else merge.handed_out)(int(at), at)
    assert left <= {at for at in times if merge.stored(int(at), at, 400.0)}


def test_what_was_not_stored_in_time_waits_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 10)
    reader = Reader(holding=False)
    reader.merge.live_begins(START, START)
    for key in range(10):
        reader.live(key, START + key)
    reader.merge.checked(START + 50)
    for key in range(10, 20):
        reader.live(key, START + 60 + key)
    reader.merge.checked(START + 100)
    assert reader.merge.unstored == 20
    assert len(reader.merge._late) == 10
