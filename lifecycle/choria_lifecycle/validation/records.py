"""Records of received events, as `view` writes them: one JSON object per line.

{"received":"2026-11-22T08:33:56.123456Z","subject":"choria.lifecycle.event.alive.server","format":"cloudevents","event":{...}}
"""

from __future__ import annotations

import msgspec

from choria_lifecycle.wire.cloudevents import Format  # noqa: TC001 - msgspec evaluates annotations
from choria_lifecycle.wire.locations import AUTO, EventAt, Location, events_at

__all__ = ["Record", "events_in", "read_record"]


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A record; the members are never absent.

    Attributes:
        received: the receive time, in RFC 3339 format; None if it is unknown.
        subject: the subject on which it was received; None if it is unknown.
        format: the format in which it was received; None if it had neither.
        event: the event in Choria's own format.
    """

    received: str | None
    subject: str | None
    format: Format | None
    event: msgspec.Raw


_decode = msgspec.json.Decoder(Record).decode


def read_record(line: bytes) -> Record | None:
    """Return the record in a document, or None if it is something else."""
    if b'"event"' not in line:  # nearly always
        return None
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def events_in(raw: bytes, location: Location) -> list[EventAt]:
    """Return the events in a document as `events_at` does; with `AUTO`, a record is left as it is."""
    is_record = location == AUTO and read_record(raw) is not None
    return [EventAt("$", raw)] if is_record else events_at(raw, location)
