"""The clock: peers take turns, round by round, so that whatever else the machine does disturbs all of them alike."""

import gc
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns
from typing import Any


class WrongAnswerError(Exception):
    """A peer does not do the work that it is timed for: its figure would be worth nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long to measure.

    Attributes:
        rounds: how many turns each peer gets.
        budget: about how long one turn takes, in seconds.
        size: how many distinct events a turn goes over.
        burst: how many messages one turn sends through the broker.
        starts: how many turns the starting processes get.
        lines: how many lines the files have that all validators read.
        archive: how many lines the file has that the command and Go read.
        archives: how many turns they get.
        nodes: how many nodes the fleet has that is tallied.
        seconds: how long a tally is under load.
        stored: how many events the stream has that is read.
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
        """Enough to see whether everything works; the figures are rough."""
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
    """What the rounds of one peer took, in nanoseconds per event (or per start).

    `best` is what ratios are judged by, as in timeit: everything that disturbs makes a round slower, never faster.
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
        """Net of what was measured in the same rounds without the work."""
        net = tuple(own - without for own, without in zip(self.rounds, base.rounds, strict=True))
        return Samples(self.best - base.best, net)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One peer's time over another's: by the best rounds, and the median of the ratios round by round."""

    best: float
    median: float

    @classmethod
    def of(cls, upper: Samples, lower: Samples) -> "Ratio":
        rounds = [one / other for one, other in zip(upper.rounds, lower.rounds, strict=True) if other > 0]
        return cls(upper.best / lower.best, statistics.median(rounds))


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that does the work.

    Attributes:
        name: as the table shows it.
        turn: goes over all events so many times and returns nanoseconds per event.
        note: what it leaves out or does otherwise, for the table.
    """

    name: str
    turn: Callable[[int], float]
    note: str = ""


def looping(
    name: str, loop: Callable[[Any], object], items: Collection[Any], note: str = "", events: int | None = None
) -> Peer:
    """A peer in Python whose `loop` goes over the items once.

    What it costs to go over the items is taken off. Where items are groups of events, `events` says how many those
    are, and next to nothing is taken off.
    """
    count = len(items) if events is None else events

    def turn(passes: int) -> float:
        # The collector stays on, as it is where the library is used; garbage of the peer before is not this one's.
        gc.collect()
        return (_spent(loop, items, passes) - _spent(_idle, items, passes)) / (passes * count)

    return Peer(name, turn, note)


def each(function: Callable[[Any], object]) -> Callable[[Sequence[Any]], None]:
    """A loop that calls the function with each item and drops what it returns."""

    def loop(items: Sequence[Any]) -> None:
        for item in items:
            function(item)

    return loop


def take_turns(peers: Sequence[Peer], rounds: int, passes: Callable[[Peer], int]) -> dict[str, Samples]:
    """Measure the peers in turn; who begins changes from round to round."""
    counts = {peer.name: passes(peer) for peer in peers}
    taken: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        first = number % len(peers)
        for peer in [*peers[first:], *peers[:first]]:
            taken[peer.name].append(peer.turn(counts[peer.name]))
    return {name: Samples.of(values) for name, values in taken.items()}


def filling(budget: float, events: int) -> Callable[[Peer], int]:
    """How many passes over the events fill a turn of about `budget` seconds; at least one."""

    def passes(peer: Peer) -> int:
        peer.turn(1)  # the first call fills caches
        return max(1, round(budget * 1e9 / (max(peer.turn(1), 1.0) * events)))

    return passes


def demand(right: bool, name: str, what: str) -> None:
    """Raise WrongAnswerError unless right."""
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
