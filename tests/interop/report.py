"""The records as text: VERDICTS.md, and the summary on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .judge import SAME, agree, difference
from .reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .judge import Record

Head = dict[str, str]


def problems(events: list[Record], rows: list[Record]) -> list[str]:
    """Return inconsistencies within the records: differences without a reason, reasons without a difference."""
    wrong = []
    for record in events:
        found, listed = difference(record), set(record.get("reasons", {}))
        where = record["name"]
        wrong += [f"{where}: the two sides differ in {aspect}, and no reason is given" for aspect in found - listed]
        wrong += [
            f"{where}: the two sides do not differ in {aspect}, and a reason is given" for aspect in listed - found
        ]
    for row in rows:
        is_same = row["here"] == SAME or agree(row["go"], row["here"])
        if is_same == ("reason" in row):
            given = "agree, and a reason is given" if is_same else "differ, and no reason is given"
            wrong.append(f"{row['name']}: the verdicts {given}: Go {_verdict(row['go'])}; here {_here(row)}")
    return sorted(wrong)


def markdown(head: Head, events: list[Record], rows: list[Record]) -> str:
    """Render the records as VERDICTS.md."""
    return "\n".join(_markdown(head, events, rows)) + "\n"


def summary(head: Head, events: list[Record], rows: list[Record]) -> str:
    """Summarise the differences for a terminal."""
    lines = [f"go-choria {head['choria']}, {head['go']}", ""]
    differing = [row for row in rows if "reason" in row]
    width = max((len(row["name"]) for row in differing), default=0)
    for row in differing:
        go, here = ("reads" if "reads" in _side(row, side) else "refuses" for side in ("go", "here"))
        lines.append(f"  {row['name']:<{width}}  Go {go:<8} here {here:<8} {REASONS[row['reason']]}")
    lines += [
        "",
        *(
            f"  {_ASPECTS[aspect]}: {REASONS[reason]} ({count} events)"
            for (aspect, reason), count in _reasons(events).items()
        ),
    ]
    alike = sum("reasons" not in record for record in events)
    lines += [
        "",
        f"events both ways: {len(events)}, {alike} of them equal in all respects",
        f"documents judged: {len(rows)}, {len(rows) - len(differing)} of them equal",
    ]
    return "\n".join(lines)


def _markdown(head: Head, events: list[Record], rows: list[Record]) -> Iterator[str]:
    alike = sum("reasons" not in record for record in events)
    differing = [row for row in rows if "reason" in row]
    yield "# Go and this library compared"
    yield ""
    yield (
        f"Recorded by `make interop ARGS=--record` of go-choria {head['choria']} ({head['go']}); the documents are in "
        "[tests/data/interop](../data/interop). `make test` checks this side against the records, without Go; `make "
        "interop` both sides."
    )
    yield ""
    yield "## Events made on one side and read on the other"
    yield ""
    yield (
        f"{len(events)} events of all types, in both formats, with awkward values: made by Go's own publishing code "
        f"and read here, made here and read by Go. {alike} of them agree in all respects: fields, format, "
        "subject, the line that viewers show, and every byte. The others:"
    )
    yield ""
    yield "| differs in | events | why | for example |"
    yield "|---|--:|---|---|"
    examples: dict[tuple[str, str], str] = {}
    for record in events:
        for pair in record.get("reasons", {}).items():
            examples.setdefault(pair, record["name"])
    for (aspect, reason), count in _reasons(events).items():
        yield f"| {_ASPECTS[aspect]} | {count} | {_cell(REASONS[reason])} | {_cell(examples[aspect, reason])} |"
    yield ""
    yield "## Documents with different verdicts"
    yield ""
    yield f"{len(differing)} of {len(rows)}."
    yield ""
    yield "| document | Go | here | why |"
    yield "|---|---|---|---|"
    for row in differing:
        cells = (row["name"], _verdict(row["go"]), _here(row), REASONS[row["reason"]])
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""
    yield "## Documents with equal verdicts"
    yield ""
    yield "| document | Go | here |"
    yield "|---|---|---|"
    for row in rows:
        if "reason" not in row:
            yield f"| {_cell(row['name'])} | {_cell(_verdict(row['go']))} | {_cell(_here(row))} |"


_ASPECTS = {
    "made": "Go's fields, from those requested",
    "codes": "reading here",
    "subject": "the subject",
    "text": "the line that viewers show",
    "body": "the bytes, with equal meaning",
    "content": "the envelope",
    "answer": "reading in Go",
}


def _reasons(events: list[Record]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for record in events:
        for pair in record.get("reasons", {}).items():
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def _side(row: Record, side: str) -> Record:
    verdict: Record = row["go"] if row[side] == SAME else row[side]
    return verdict


def _here(row: Record) -> str:
    if row["here"] == SAME:
        return "reads the same"
    is_other = "reads" in row["here"] and "reads" in row["go"]
    return "reads other fields" if is_other else _verdict(row["here"])


def _verdict(verdict: Record) -> str:
    if "no contract" in verdict:
        return "has no contract for it"
    if "refuses" in verdict:
        why = verdict["refuses"]
        return f"refuses: {', '.join(why) if isinstance(why, list) else why}"
    made_up = verdict.get("makes up")
    return f"reads it, and makes up {' and '.join(made_up)}" if made_up else "reads it"


def _cell(text: str) -> str:
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    for plain, marked in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("_", "\\_"), ("`", "\\`")):
        text = text.replace(plain, marked)
    return text
