"""Notices that explain why the page's numbers may be incomplete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.duration import minutes
from choria_lifecycle.tally.web.markup import Html, age, join, number, plural, tag, untrusted_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.tally.status import Status

__all__ = ["Notice", "notices"]

# Components that are named if they sent unreadable messages.
_MAX_SOURCES: Final = 5

_OVERFLOW: Final = {"nodes": "nodes beyond it are not counted", "label_bytes": "longer names are truncated"}


class Notice(NamedTuple):
    """A notice.

    Attributes:
        level: `error`, `warning` or `note`.
        text: one or more sentences.
    """

    level: str
    text: Html


def notices(status: Status) -> Iterator[Notice]:
    """Yield the notices, errors first."""
    for problem in status["problems"]:
        reason = problem["reason"]
        yield _notice(problem["level"], tag("bdi", f"{reason[:1].upper()}{reason[1:]}"), f". {problem['effect']}")
    yield from _counted(status)
    if status["role"] == "standby":
        election = untrusted_text(status["election"] or "")
        if status["election_why"]:
            reason = untrusted_text(status["election_why"])
            yield _notice("warning", "Standby, not taking part in the election ", election, ": ", reason, ".")
        else:
            yield _notice("note", "Standby: another tally leads the election ", election, ". This one counts too.")
    yield from _completeness(status)


def _notice(level: str, *parts: str) -> Notice:
    return Notice(level, join(parts))


def _counted(status: Status) -> Iterator[Notice]:
    """Yield what was not counted by its name, or at all, since the start."""
    for name, times in sorted(status["limits_hit"].items()):
        if times:
            overflow = _OVERFLOW.get(name, "names beyond it are counted as “other”")
            yield _notice(
                "warning", "The ", untrusted_text(name), f" limit was hit {plural(times, 'time')}: {overflow}."
            )
    errors = sorted(((count, name) for name, count in status["errors"].items() if count), reverse=True)
    if errors:
        text: list[str] = [f"{plural(sum(count for count, _ in errors), 'message')} could not be read: "]
        for count, name in errors[:_MAX_SOURCES]:
            text += [untrusted_text(name), f" {number(count)}, "]
        others = len(errors) - _MAX_SOURCES
        text[-1] = text[-1].rstrip(", ") + (f" and {others} more." if others > 0 else ".")
        yield _notice("warning", *text)


def _completeness(status: Status) -> Iterator[Notice]:
    replay = status["replay"]
    if replay["state"] == "running":
        yield _notice("note", f"Replaying the stream: {plural(replay['events'], 'event')} so far.")
    elif status["ready"] and not status["complete"]:
        running = status["now"] - status["started"]
        began = f"Counting began {age(running)}. " if running < ALIVE_INTERVAL else ""
        complete = f"The numbers are complete once every node has been seen, after about {minutes(ALIVE_INTERVAL)}."
        text: list[str] = [began + complete]
        if replay["state"] == "none":
            text.append(" There was no replay")
            text += [": ", untrusted_text(replay["why"]), "."] if replay["why"] else ["."]
        yield _notice("note", *text)
