"""Search for failing inputs and superlinear time; exit with 1 if there are any.

A failing input is written to tests/data/fuzz. As long as that folder is unchanged, the same seed tries the same inputs,
and so reproduces those that crash the interpreter itself.
"""

import argparse
import faulthandler
import secrets
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fuzz.failure import Failure
from tests.fuzz.families import FAMILIES, Family
from tests.fuzz.growth import Growth, measure
from tests.fuzz.inputs import CORPUS
from tests.fuzz.search import KB, search
from tests.fuzz.targets import TARGETS, Target


def main(
    argv: Sequence[str] | None = None,
    targets: Mapping[str, Target] = TARGETS,
    families: Mapping[str, Family] = FAMILIES,
    folder: Path = CORPUS,
) -> int:
    """Run the selected targets; return the exit code."""
    arguments = _arguments(argv, targets)
    wanted = [targets[name] for name in arguments.target or targets]
    failures: list[str] = []
    if arguments.seconds:
        print(f"--seed {arguments.seed}")
        _row("target", "inputs", "a second", "slowest kB", "its size", "which begins with")
        for target in wanted:
            failures += _search(target, arguments.seconds / len(wanted), arguments.seed, folder)
        print()
    if not arguments.no_growth:
        _row("target", "families", "steepest", "slowest kB", "too large", "the steepest; the slowest")
        for target in wanted:
            failures += _grow(target, families, folder)
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


def _search(target: Target, seconds: float, seed: int, folder: Path) -> list[str]:
    found = search(target, seconds, seed)
    rate, size = found.inputs / found.seconds, f"{len(found.slowest) / KB:.1f} kB"
    begin = ascii(found.slowest[:50])[2:-1]
    _row(target.name, f"{found.inputs:,}", f"{rate:,.0f}", _time(found.per_kb), size, begin)
    return [_failed(target.name, found.failure, folder)] if found.failure else []


def _grow(target: Target, families: Mapping[str, Family], folder: Path) -> list[str]:
    grown: dict[str, Growth] = {}
    failures: list[str] = []
    for name, family in families.items():
        try:
            grown[name] = measure(target, family)
        except Failure as failure:
            failures.append(_failed(target.name, failure, folder))
        else:
            failures += [f"{target.name}: {name}: {wrong}" for wrong in [grown[name].failure] if wrong]
    if grown:
        steepest = max(grown, key=lambda name: grown[name].exponent)
        slowest = max(grown, key=lambda name: grown[name].per_kb)
        beyond = max((growth.beyond or 0 for growth in grown.values()), default=0)
        power, per_kb = f"size^{grown[steepest].exponent:.1f}", _time(grown[slowest].per_kb)
        _row(target.name, str(len(grown)), power, per_kb, _time(beyond) if beyond else "-", f"{steepest}; {slowest}")
    return failures


def _failed(name: str, failure: Failure, folder: Path) -> str:
    for line in "".join(traceback.format_exception(failure.error)).splitlines():
        print(ascii(line)[1:-1][:500], file=sys.stderr)
    return f"{name}: {ascii(str(failure))[1:-1][:500]}: {failure.write(name, folder)}"


def _row(name: str, *cells: str) -> None:
    *figures, text = cells
    print(f"{name:10}", *(f"{figure:>10}" for figure in figures), f" {text}", flush=True)


def _time(seconds: float) -> str:
    return f"{seconds * 1_000_000:,.0f} us"


def _arguments(argv: Sequence[str] | None, targets: Mapping[str, Target]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="duration of the search for inputs, without the measurement of growth"
    )
    parser.add_argument("--target", nargs="+", metavar="NAME", choices=targets, help=f"of {', '.join(targets)}")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="try the inputs of an earlier run"
    )
    parser.add_argument("--no-growth", action="store_true", help="only search for inputs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
