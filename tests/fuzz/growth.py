"""Measurement of how time grows with the size of the input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.fuzz.failure import Failure

if TYPE_CHECKING:
    from tests.fuzz.families import Family
    from tests.fuzz.targets import Target

__all__ = ["SIZES", "Growth", "measure"]

SIZES = tuple(MAX_SIZE // part for part in (8, 4, 2, 1))
BEYOND = 16 * MAX_SIZE

# Linear time has exponent 1, sorting 1.1, quadratic time 2.
STEEP = 1.5
# Below this many seconds growth is harmless, and the clock unreliable.
FLOOR = 0.005
# Above this many seconds a single measurement is reliable.
SURE = 0.1


@dataclass(frozen=True, slots=True)
class Growth:
    """The best times of a family at `SIZES`, and above the maximum size if there is one."""

    seconds: tuple[float, ...]
    beyond: float | None = None

    @property
    def exponent(self) -> float:
        """Return x for a time that grows as size ** x, by the median of the doublings.

        Above some size the library reads a document more thoroughly, which adds a step to one of the doublings.
        """
        return median(math.log2(after / before) for before, after in pairwise(self.seconds))

    @property
    def per_kb(self) -> float:
        """Return the seconds per kB at the largest size."""
        return self.seconds[-1] / (SIZES[-1] / 1024)

    @property
    def failure(self) -> str:
        """Return a description of the problem, or "" if there is none."""
        if self.exponent > STEEP and self.seconds[-1] > FLOOR:
            times = ", ".join(f"{time * 1000:.1f} ms" for time in self.seconds)
            return f"the time grows as size^{self.exponent:.1f}: {times} for {', '.join(map(str, SIZES))} bytes"
        if self.beyond is not None and self.beyond > max(FLOOR, self.seconds[-1]):
            return f"{BEYOND} bytes are not refused at once, but after {self.beyond * 1000:.1f} ms"
        return ""


def measure(target: Target, family: Family) -> Growth:
    """Measure a family; repeat a suspicious measurement, which may be due to other load on the machine."""
    growth = _times(target, family, rounds=2)
    if growth.failure:
        again = _times(target, family, rounds=8)
        beyond = None if growth.beyond is None or again.beyond is None else min(growth.beyond, again.beyond)
        growth = Growth(tuple(map(min, growth.seconds, again.seconds)), beyond)
    return growth


def _times(target: Target, family: Family, rounds: int) -> Growth:
    documents = [family.of(size) for size in SIZES]
    if target.max_size is not None:
        documents.append(family.of(BEYOND))
    best = tuple(_time(target, document, rounds) for document in documents)
    return Growth(best[: len(SIZES)], *best[len(SIZES) :])


def _time(target: Target, raw: bytes, rounds: int) -> float:
    try:
        best = target(raw)
        for _ in range(rounds if best < SURE else 1):
            best = min(best, target.time(raw))  # other load makes it slower, never faster
    except Exception as error:
        raise Failure(raw, error) from error
    return best
