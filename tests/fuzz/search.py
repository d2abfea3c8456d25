"""The search for inputs that violate a property."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

import hypothesis

from tests.fuzz.failure import Failure
from tests.fuzz.inputs import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.targets import Target

__all__ = ["KB", "Searched", "search"]

KB = 1024

# How many inputs hypothesis generates, and how many more are made from those and from known ones by mutation, which is
# cheap: hypothesis takes longer to generate an input than the library to read it.
_MADE = 50
_DAMAGED = 1000

# How many attempts are made to shorten a failing input.
_CUTS = 1000


@dataclass(slots=True)
class Searched:
    """The result of a search.

    Attributes:
        inputs: the number of inputs tried.
        seconds: the duration, including generation and checks.
        slowest: the input with the longest library time per kB; shorter ones count as one kB.
        per_kb: that time in seconds.
        failure: the first failing input, which ended the search.
    """

    inputs: int = 0
    seconds: float = 0.0
    slowest: bytes = b""
    per_kb: float = 0.0
    failure: Failure | None = None


def search(target: Target, seconds: float, seed: int) -> Searched:
    """Try inputs for some time; with the same corpus, the same seed tries the same ones in the same order."""
    found = Searched()
    started = monotonic()
    numbers = count(seed * 1_000_000)
    while found.failure is None and found.seconds < seconds:
        number = next(numbers)
        try:
            made = _made(target, number, found)
            for raw in _changed(made, number):
                if monotonic() - started > seconds:
                    break
                _try(target, raw, found)
        except Failure as failure:
            found.failure = shortened(target, failure)
        found.seconds = monotonic() - started
    return found


def _made(target: Target, seed: int, found: Searched) -> list[bytes]:
    """Try inputs from hypothesis, and return them."""
    made: list[bytes] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=_MADE,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(target.inputs)
    def attempt(raw: bytes) -> None:
        made.append(raw)
        _try(target, raw, found)

    attempt()
    return made


def _changed(made: list[bytes], seed: int) -> Iterator[bytes]:
    random = Random(seed)
    return (damaged(random, made) for _ in range(_DAMAGED))


def _try(target: Target, raw: bytes, found: Searched) -> None:
    found.inputs += 1
    try:
        took = target(raw)
        kilobytes = max(len(raw) / KB, 1)
        if took / kilobytes > found.per_kb:
            # Other load makes it slower, never faster.
            took = min(took, *(target.time(raw) for _ in range(4)))
            if took / kilobytes > found.per_kb:
                found.slowest, found.per_kb = raw, took / kilobytes
    except Exception as error:
        raise Failure(raw, error) from error


def shortened(target: Target, failure: Failure) -> Failure:
    """Return a failure of the same kind, with its input shortened as far as a limited number of attempts allows."""
    size, tries = len(failure.raw), 0
    while (size := size // 2) > 0:
        at = 0
        while at < len(failure.raw) and (tries := tries + 1) < _CUTS:
            raw = failure.raw[:at] + failure.raw[at + size :]
            try:
                target(raw)
            except type(failure.error) as error:
                failure = Failure(raw, error)
            except Exception:  # noqa: BLE001 - another failure, which another run finds
                at += size
            else:
                at += size
    return failure
