"""Timing: peers take turns, round by round, so that disturbances affect all of them alike."""

import gc
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns
from typing import Any


class WrongAnswerError(Exception):
    """A peer returned a wrong result, so its figure would be worthless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The extent of a run.

    Attributes:
        rounds: turns per peer.
        budget: approximate duration of one turn, in seconds.
        size: distinct events per turn.
        burst: messages per turn through the broker.
        starts: turns for sections that start processes.
        lines: lines in the files that all validators read.
        archive: lines in the file that the command and Go read.
        archives: turns for that file.
        nodes: nodes in the tallied fleet.
        seconds: how long a tally is under load.
        stored: events in the stream that is read.
    """

    rounds: int = 40
    budget: float = 0.03
    size: int = 1200
    burst: int = 20_000
    starts: int = 40
    lines: int = 100_000
    archive: int = 2_000_000
    archives: int = 3
    nodes: int = 1_000_000
    seconds: int = 60
    stored: int = 100_000

    @classmethod
    def quick(cls) -> "Settings":
        """Return settings for a smoke test; the figures are rough."""
        return cls(
            rounds=5,
            budget=0.01,
            size=300,
            burst=5_000,
            starts=5,
            lines=12_000,
            archive=100_000,
            archives=1,
            nodes=100_000,
            seconds=3,
            stored=10_000,
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """The times of one peer's rounds, in nanoseconds per event (or per start).

    Ratios use `best`, as timeit does: disturbances make a round slower, never faster.
    """

    best: float
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Samples":
        return cls(min(rounds), tuple(rounds))

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def minus(self, base: "Samples") -> "Samples":
        """Subtract, round by round, the times measured without the work."""
        net = tuple(own - without for own, without in zip(self.rounds, base.rounds, strict=True))
        return Samples(self.best - base.best, net)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One peer's time divided by another's: of the best rounds, and the median over the rounds."""

    best: float
    median: float

    @classmethod
    def of(cls, upper: Samples, lower: Samples) -> "Ratio":
        rounds = [one / other for one, other in zip(upper.rounds, lower.rounds, strict=True) if other > 0]
        return cls(upper.best / lower.best, statistics.median(rounds))


@dataclass(frozen=True, slots=True)
class Peer:
    """A participant in a comparison.

    Attributes:
        name: its name in the table.
        turn: makes this many passes over all events and returns nanoseconds per event.
        note: how its work differs, for the table.
    """

    name: str
    turn: Callable[[int], float]
    note: str = ""


def looping(
    name: str, loop: Callable[[Any], object], items: Collection[Any], note: str = "", events: int | None = None
) -> Peer:
    """Return a Python peer whose `loop` goes over the items once.

    The cost of the iteration itself is subtracted. Where items are groups, `events` is the total number of events, and
    almost nothing is subtracted.
    """
    count = len(items) if events is None else events

    def turn(passes: int) -> float:
        # The collector stays on, as for users of the library; collect the previous peer's garbage first.
        gc.collect()
        return (_spent(loop, items, passes) - _spent(_idle, items, passes)) / (passes * count)

    return Peer(name, turn, note)


def each(function: Callable[[Any], object]) -> Callable[[Sequence[Any]], None]:
    """Return a loop that calls the function with each item and drops the result."""

    def loop(items: Sequence[Any]) -> None:
        for item in items:
            function(item)

    return loop


def take_turns(peers: Sequence[Peer], rounds: int, passes: Callable[[Peer], int]) -> dict[str, Samples]:
    """Measure the peers in turn; the first one changes from round to round."""
    counts = {peer.name: passes(peer) for peer in peers}
    taken: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        first = number % len(peers)
        for peer in [*peers[first:], *peers[:first]]:
            taken[peer.name].append(peer.turn(counts[peer.name]))
    return {name: Samples.of(values) for name, values in taken.items()}


def passes_for(budget: float, events: int) -> Callable[[Peer], int]:
    """Return the number of passes over the events that fill a turn of about `budget` seconds; at least one."""

    def passes(peer: Peer) -> int:
        peer.turn(1)  # the first call warms the caches
        return max(1, round(budget * 1e9 / (max(peer.turn(1), 1.0) * events)))

    return passes


def demand(right: bool, name: str, what: str) -> None:
    """Raise WrongAnswerError if a result is not right."""
    if not right:
        raise WrongAnswerError(f"{name}: {what}")


def _idle(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def _spent(loop: Callable[[Any], object], items: Collection[Any], passes: int) -> int:
    begin = perf_counter_ns()
    for _ in repeat(None, passes):
        loop(items)
    return perf_counter_ns() - begin
