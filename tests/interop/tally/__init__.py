"""Sequences of messages counted by both the Go tally and this library's; their scrapes are compared.

The Go tally's side is in `main.go`. This side reads, selects and counts messages as `lifecycle tally` does, at
simulated times.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from choria_lifecycle.errors import InvalidEvent, UnknownProtocol
from choria_lifecycle.events.event import Event
from choria_lifecycle.middleware.selection import Selection
from choria_lifecycle.tally.exposition import render
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from choria_lifecycle.wire import codec
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.exec.v1 import ExecState

from .sequences import EXEC, TRANSITION, Message, Role, Scrape, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.interop.golang import Ask

    from .sequences import Sequence

__all__ = ["ALWAYS", "Record", "compared", "explained", "go", "here", "problems", "series"]

Series = dict[str, float]
Record = dict[str, Any]

ALWAYS = {
    "zero": "A version that no node runs any more stays at 0 forever in Go; here its series ends.",
    "role": (
        "Go keeps series apart by the role at the time of the event, so that a node counted in one role is taken off "
        "in another, which freezes one series and makes the other negative; here all series have the current role."
    ),
}
"""Reasons that are detected automatically; every other reason is given by a sequence."""

_PREFIX = "lifecycle_tally_"
_MACHINES = {TRANSITION: (Transition, "transition"), EXEC: (ExecState, "exec_watcher")}
_MINUTE = 60.0
# Of the Go tally.
_EXPIRY = 80 * _MINUTE


def go(ask: Ask, sequences: list[Sequence]) -> list[Record]:
    """Count with the Go tally; each record has its scrapes as series, with this library's where they differ."""
    answers = ask(
        [{"component": each.component, "steps": [_request(step) for step in each.steps]} for each in sequences]
    )
    scrapes = [[series(text) for text in answer["scrapes"]] for answer in answers]
    known = metrics(scrapes)
    return [compared(each, found, known) for each, found in zip(sequences, scrapes, strict=True)]


def metrics(scrapes: Iterable[list[Series]]) -> set[str]:
    """Return the metrics of the Go tally, from all of its scrapes; this library has more."""
    return {_metric(name) for found in scrapes for scrape in found for name in scrape}


def _metric(name: str) -> str:
    return name.partition("{")[0]


def compared(sequence: Sequence, scrapes: list[Series], known: set[str]) -> Record:
    """Return the record: Go's results and, where they differ, the reasons and results here that do not follow."""
    own = [{name: value for name, value in found.items() if _metric(name) in known} for found in here(sequence)]
    found = sorted(set().union(*(explained(*pair) for pair in zip(scrapes, own, strict=True))))
    made: Record = {"name": sequence.name, "go": scrapes}
    if found:
        made["differs"] = found
    if "more" in found:
        made["here"] = own
    return made


def problems(sequence: Sequence, made: Record) -> list[str]:
    """Return differences without a reason, and reasons without a difference."""
    differs = "more" in made.get("differs", [])
    if differs == bool(sequence.reason):
        return []
    if not differs:
        return [f"{sequence.name}: both sides have the same, although {sequence.reason}"]
    return [
        f"{sequence.name}: scrape {number} differs without a reason: {_difference(summed(theirs), summed(own))}"
        for number, (theirs, own) in enumerate(zip(made["go"], made["here"], strict=True))
        if "more" in explained(theirs, own)
    ]


def explained(theirs: Series, own: Series) -> set[str]:
    """Return the reasons why two scrapes differ: names of `ALWAYS`, and `more` if these do not explain everything."""
    if theirs == own:
        return set()
    merged = summed(theirs)
    left = {name: value for name, value in merged.items() if value or not name.startswith("versions{")}
    found = {"zero"} if left != merged else set()
    if len({_role(name) for name in theirs.keys() | own.keys()}) > 1:
        found.add("role")
    return found if left == summed(own) else found | {"more"}


def summed(found: Series) -> Series:
    """Return the series without the role, with both roles added up."""
    sums: Series = {}
    for name, value in found.items():
        bare = name.replace('{active="0",', "{").replace('{active="1",', "{")
        sums[bare] = sums.get(bare, 0) + value
    return sums


def _role(name: str) -> str:
    return name.partition('active="')[2][:1]


def _difference(theirs: Series, own: Series) -> str:
    names = sorted(name for name in theirs.keys() | own.keys() if theirs.get(name) != own.get(name))
    return "; ".join(f"{name} is {theirs.get(name)} with Go, and {own.get(name)} here" for name in names[:5])


def series(text: str) -> Series:
    """Return the series of a scrape, without the processing time, which varies."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX).removesuffix("_total")  # which the parser has added
            if name != "processing_time_sum":
                labels = ",".join(f"{key}={json.dumps(sample.labels[key])}" for key in sorted(sample.labels))
                found[f"{name}{{{labels}}}"] = sample.value
    return dict(sorted(found.items()))


def here(sequence: Sequence) -> list[Series]:
    """Count a sequence with this library."""
    now, active, scrapes = 0.0, True, []
    recorder = Recorder(expiry=_EXPIRY, now=now)
    selection = Selection.events(None, None if sequence.component == "*" else sequence.component)
    for step in sequence.steps:
        match step:
            case Message():
                _hear(recorder, selection, step, now)
            case Wait():
                end = now + step.seconds
                while (now // _MINUTE + 1) * _MINUTE <= end:
                    now = (now // _MINUTE + 1) * _MINUTE
                    while recorder.expire(now):
                        pass
                now = end
            case Role():
                active = step.active
            case Scrape():
                facts = TallyState(connected=True, active=active, started=0.0, now=now)
                scrapes.append(series(render(recorder, facts, now=now).decode()))
    return scrapes


def _hear(recorder: Recorder, selection: Selection, message: Message, now: float) -> None:
    kind, name = _MACHINES.get(message.subject, (Event, message.subject.rpartition(".")[2]))
    if kind is Event and selection.filter_subjects and not selection.filter.matches_subject(message.subject):
        return
    if kind is Event and len(selection.filter.components) == 1 and name not in selection.filter.components:
        return
    try:
        event = codec.decode(message.body)
    except (InvalidEvent, UnknownProtocol):
        event = None
    if event is None or not isinstance(event, kind):
        recorder.record_error(name)
    elif kind is not Event or not selection.filter_events or selection.filter.matches_event(event):
        recorder.record(event, now)


def _request(step: Message | Wait | Role | Scrape) -> dict[str, Any]:
    match step:
        case Message():
            return {"subject": step.subject, "body": base64.b64encode(step.body).decode()}
        case Wait():
            return {"wait": step.seconds}
        case Role():
            return {"role": int(step.active)}
        case Scrape():
            return {"scrape": True}
