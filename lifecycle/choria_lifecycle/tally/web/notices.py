"""What people must know to read the numbers right: why some may be too low, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.tally.web.markup import Html, age, foreign_text, join, number, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.tally.status import ConnectionStatus, Status

__all__ = ["Notice", "notices"]

# A connection is pinged every 20 s; one that answers none of three is as good as down.
_MAX_SILENCE: Final = 60.0

# How many senders of what could not be read are named.
_MAX_SOURCES: Final = 5

_OVERFLOW: Final = {"nodes": "nodes beyond it are not counted", "label_bytes": "names beyond it are cut"}


class Notice(NamedTuple):
    """One of them.

    Attributes:
        level: `error`, `warning` or `note`.
        text: the sentences.
    """

    level: str
    text: Html


def notices(status: Status) -> Iterator[Notice]:
    """Return what there is to say, the worst first."""
    yield from _connection(status["connection"], status["now"])
    yield from _losses(status)
    if status["role"] == "standby":
        election = foreign_text(status["election"] or "")
        if status["election_why"]:
            why = foreign_text(status["election_why"])
            yield _notice("warning", "Standby, without a part in the election ", election, ": ", why, ".")
        else:
            yield _notice("note", "Standby: another tally leads the election ", election, ". This one counts as well.")
    yield from _completeness(status)


def _notice(kind: str, *parts: str) -> Notice:
    return Notice(kind, join(parts))


def _connection(connection: ConnectionStatus, now: float) -> Iterator[Notice]:
    answered = connection["last_answer"]
    if not connection["up"]:
        yield _notice("error", "Not connected: what happens now is not counted. Connecting is tried again and again.")
    elif not connection["subscribed"]:
        yield _notice("error", "Connected, but not subscribed yet: what happens now is not counted.")
    elif answered is not None and now - answered > _MAX_SILENCE:
        yield _notice("error", f"The broker does not answer; it last did {age(now - answered)}.")


def _losses(status: Status) -> Iterator[Notice]:
    if dropped := status["connection"]["dropped"]:
        yield _notice(
            "warning",
            f"{plural(dropped, 'message')} came faster than could be counted; a missed node counts when next heard.",
        )
    if gaps := status["connection"]["gaps"]:
        yield _notice(
            "warning",
            f"The connection was lost {plural(gaps, 'time')} since the start; what was sent meanwhile may be missing.",
        )
    for name, times in sorted(status["limits_hit"].items()):
        if times:
            beyond = _OVERFLOW.get(name, "what is beyond it is counted as “other”")
            yield _notice(
                "warning", "The limit of ", foreign_text(name), f" was hit {plural(times, 'time')}: {beyond}."
            )
    errors = sorted(((count, name) for name, count in status["errors"].items() if count), reverse=True)
    if errors:
        text: list[str] = [f"{plural(sum(count for count, _ in errors), 'message')} could not be read: "]
        for count, name in errors[:_MAX_SOURCES]:
            text += [foreign_text(name), f" {number(count)}, "]
        others = len(errors) - _MAX_SOURCES
        text[-1] = text[-1].rstrip(", ") + (f" and {others} more." if others > 0 else ".")
        yield _notice("warning", *text)


def _completeness(status: Status) -> Iterator[Notice]:
    replay = status["replay"]
    if replay["state"] == "running":
        yield _notice("note", f"Reading what happened before the start: {plural(replay['events'], 'event')} so far.")
    elif replay["state"] == "waiting":
        why = foreign_text(replay["why"])
        yield _notice("warning", "Waiting for the stream, which keeps what happens meanwhile: ", why, ".")
    elif not status["complete"]:
        began = age(status["now"] - status["started"])
        complete = "The counts are complete after one alive interval, half an hour or so, when each node was heard."
        text: list[str] = [f"Counting began {began}. {complete}"]
        if replay["state"] == "none":
            reason = [" (", foreign_text(replay["why"]), ")"] if replay["why"] else []
            text += [" There is no stream to read the past from", *reason, "."]
        yield _notice("note", *text)
