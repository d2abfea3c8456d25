"""Results as tables that are aligned for a terminal and valid Markdown at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from .measure import Peer, Ratio, Samples

REACHED = "reached"
NOT_REACHED = "not reached"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target.

    Attributes:
        what: the work, and what is required of it.
        ours: the row that is judged.
        bound: the required number.
        at_least: True if more is better (their time over ours), False for a limit (our time over theirs).
        peers: the rows to compare with; the fastest counts. None for an absolute bound.
        why: the obstacle, shown if the target is not reached.
        unit: the unit of the bound.
    """

    what: str
    ours: str
    bound: float
    at_least: bool
    peers: tuple[str, ...] = ()
    why: str = ""
    unit: str = "x"

    @property
    def asked(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.bound:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target's result; `ratio` is None if it could not be measured, and `missing` is the reason."""

    target: Target
    ratio: Ratio | None
    missing: str = ""

    @property
    def word(self) -> str:
        if self.ratio is None:
            return NOT_MEASURED
        target = self.target
        reached = self.ratio.best >= target.bound if target.at_least else self.ratio.best <= target.bound
        return REACHED if reached else NOT_REACHED

    @property
    def note(self) -> str:
        """The reason why a target was not reached or not measured."""
        return {REACHED: "", NOT_REACHED: self.target.why, NOT_MEASURED: self.missing}[self.word]


@dataclass(slots=True, kw_only=True)
class Section:
    """One table with its targets.

    Attributes:
        title: the heading.
        unit: "ns" (per event), "rate" (events a second), "ms" (per start), "s", "memory" (bytes), or "cores"
            (nanoseconds of a core per second).
        ours: the name of the row that the others are compared with; "" for no comparison.
        samples: the measurements, by name.
        notes: how a row's work differs, by name.
        targets: the section's targets.
        missing: the peers that could not take part, and why.
        remarks: sentences below the table.
    """

    title: str
    unit: str
    ours: str
    samples: dict[str, Samples]
    notes: dict[str, str] = field(default_factory=dict)
    targets: Sequence[Target] = ()
    missing: dict[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def verdicts(self) -> list[Verdict]:
        return [self._verdict(target) for target in self.targets]

    def _verdict(self, target: Target) -> Verdict:
        there = [name for name in target.peers if name in self.samples]
        if not target.peers:
            if target.ours in self.missing:
                return Verdict(target, None, self.missing[target.ours])
            ours, scale = self.samples[target.ours], _UNITS[self.unit][2].scale
            return Verdict(target, Ratio(ours.best / scale, ours.median / scale))
        if not there:
            return Verdict(target, None, "; ".join(dict.fromkeys(self.missing[name] for name in target.peers)))
        fastest = min((self.samples[name] for name in there), key=lambda samples: samples.best)
        ours = self.samples[target.ours]
        return Verdict(target, Ratio.of(fastest, ours) if target.at_least else Ratio.of(ours, fastest))

    def render(self) -> list[str]:
        """Return the section's lines: heading, table, remarks. Targets stand together at the top of the report."""
        lines = [f"## {self.title}", ""]
        best, median, show = _UNITS[self.unit]
        heads = ["", best, median, "time, ours = 1", "note"]
        lines += table(heads, [self._row(name, show) for name in self._order()], right={1, 2, 3})
        for remark in self.remarks:
            lines += ["", remark]
        return [*lines, ""]

    def _order(self) -> list[str]:
        return sorted(self.samples, key=lambda name: self.samples[name].best) + list(self.missing)

    def _row(self, name: str, show: "_Show") -> list[str]:
        if name in self.missing:
            return [name, "-", "-", "-", self.missing[name]]
        samples = self.samples[name]
        times = f"{Ratio.of(samples, self.samples[self.ours]).best:.2f}" if self.ours else ""
        shown = f"**{name}**" if name == self.ours else name
        median = show(samples.median) if len(samples.rounds) > 1 else ""
        return [shown, show(samples.best), median, times, self.notes.get(name, "")]


def section(
    title: str,
    unit: str,
    peers: Sequence[Peer],
    samples: dict[str, Samples],
    *,
    targets: Sequence[Target] = (),
    missing: Mapping[str, str] = MappingProxyType({}),
    remarks: Sequence[str] = (),
) -> Section:
    """Return a section whose first peer is this library, with the peers' notes."""
    notes = {peer.name: peer.note for peer in peers}
    return Section(
        title=title,
        unit=unit,
        ours=peers[0].name,
        samples=samples,
        notes=notes,
        targets=targets,
        missing=dict(missing),
        remarks=remarks,
    )


def verdict_table(verdicts: Iterable[Verdict]) -> list[str]:
    """Return a table with one row per target."""
    rows = [_verdict_row(verdict) for verdict in verdicts]
    return table(["target", "asked", "measured", "by medians", "verdict", "note"], rows, right={2, 3})


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    """Return a Markdown table whose columns are also aligned in a terminal; the columns in `right` are numbers.

    An empty column is left out.
    """
    kept = [column for column in range(len(heads)) if not rows or any(row[column] for row in rows)]
    heads, rows = [heads[column] for column in kept], [[row[column] for column in kept] for row in rows]
    right = {position for position, column in enumerate(kept) if column in right}
    widths = [max(3, *(len(line[column]) for line in [heads, *rows])) for column in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (width - 1) + ":") if column in right else "-" * width for column, width in enumerate(widths)]
    return [line(heads), f"| {' | '.join(rule)} |", *map(line, rows)]


def _verdict_row(verdict: Verdict) -> list[str]:
    ratio = verdict.ratio
    target = verdict.target
    digits = 2 if target.peers or target.bound < 10 else 0
    shown = [f"{value:.{digits}f}{target.unit}" for value in (ratio.best, ratio.median)] if ratio else ["-", "-"]
    return [target.what, target.asked, *shown, verdict.word, verdict.note]


class _Show:
    """The format of a number of nanoseconds."""

    def __init__(self, scale: float, form: str, inverse: bool = False) -> None:
        self.scale, self.form, self.inverse = scale, form, inverse

    def __call__(self, nanoseconds: float) -> str:
        value = self.scale / nanoseconds if self.inverse else nanoseconds / self.scale
        return format(value, self.form)


_UNITS = {
    "ns": ("best ns", "median ns", _Show(1, ",.0f")),
    "ms": ("best ms", "median ms", _Show(1e6, ".1f")),
    "s": ("best s", "median s", _Show(1e9, ".2f")),
    "cores": ("cores", "", _Show(1e9, ".2f")),
    "rate": ("best events/s", "median events/s", _Show(1e9, ",.0f", inverse=True)),
    "memory": ("peak MB", "", _Show(1e6, ".0f")),
}
