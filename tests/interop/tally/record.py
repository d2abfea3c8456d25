"""Records of the Go tally: a header, then one sequence per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bed.paths import DATA

from . import ALWAYS, go, problems
from .sequences import sequences, varied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.golang import Ask

    from . import Record
    from .sequences import Sequence

__all__ = ["PATH", "SOURCE", "Live", "live", "load"]

SOURCE = Path(__file__).parent
PATH = DATA / "interop" / "tally.jsonl"

NOTE = (
    "One sequence of tests/interop/tally/sequences.py per line, with the Go tally's series at each scrape; where this "
    "library's differ, the reasons, by the names in tests/interop/tally, and its series if these do not explain all."
)

# Only compared live.
_LIVE_SEED, _LIVE, _LIVE_COUNT = 100, 30, 150


class Live(NamedTuple):
    """The current results of both sides: the recorded sequences, and further ones."""

    recorded: list[Record]
    further: list[Record]

    def problems(self) -> list[str]:
        """Return differences without a reason, and unused reasons."""
        wanted = [*sequences(), *_further()]
        found = [
            problem for each in zip(wanted, self.recorded + self.further, strict=True) for problem in problems(*each)
        ]
        given = {reason for record in self.recorded for reason in record.get("differs", [])}
        return found + [f"nothing differs any more for the reason {name}" for name in ALWAYS.keys() - given]

    def changes(self) -> list[str]:
        """Return deviations from the records."""
        known = {record["name"]: record for record in load()[1]} if PATH.exists() else {}
        now = {record["name"]: record for record in self.recorded}
        return [
            f"{PATH.name}: {name} is not as recorded"
            for name in known.keys() | now.keys()
            if known.get(name) != now.get(name)
        ]

    def write(self, about: Record) -> None:
        """Write the records."""
        lines = (about | {"note": NOTE}, *self.recorded)
        PATH.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), "utf-8")

    def summary(self) -> str:
        """Summarise the comparison and the differences."""
        found = self.recorded + self.further
        alike = sum("differs" not in record for record in found)
        lines = [
            f"  {reason} ({sum(name in record.get('differs', []) for record in found)})"
            for name, reason in ALWAYS.items()
        ]
        lines += [f"  {each.name}: {each.reason}" for each in sequences() if each.reason]
        return "\n".join(["", *lines, "", f"sequences tallied: {len(found)}, {alike} of them equal in all respects"])


def _further() -> Iterator[Sequence]:
    return (varied(_LIVE_SEED + number, _LIVE_COUNT) for number in range(_LIVE))


def live(ask: Ask) -> Live:
    """Count on both sides."""
    return Live(go(ask, list(sequences())), go(ask, list(_further())))


def load() -> tuple[Record, list[Record]]:
    """Return the header, and the sequences with Go's results."""
    head, *records = map(json.loads, PATH.read_text("utf-8").splitlines())
    return head, records
