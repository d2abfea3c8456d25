"""The viewer: deliveries in, lines and counts out, without I/O. Every line is safe to show on a terminal."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.events.description import describe
from choria_lifecycle.events.event import Event, event_time, event_type
from choria_lifecycle.support.text import safe
from choria_lifecycle.view.recording import encode_record

if TYPE_CHECKING:
    from choria_lifecycle.middleware.delivery import Counters, Delivery
    from choria_lifecycle.middleware.selection import EventFilter

__all__ = ["Style", "View", "ViewCounts", "ViewFormat", "ViewLine"]


class ViewFormat(StrEnum):
    """The output formats of the viewer."""

    TEXT = "text"
    """The line that Choria's viewers show."""

    JSON = "json"
    """A record, one object per line; see `recording`."""

    RAW = "raw"
    """The document as it arrived, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The appearance of lines.

    Attributes:
        output: the output format.
        color: colour the event types.
        color_rejected: colour the tag of rejected events.
        utc: show times in UTC instead of local time.
        time_format: the format of times, for strftime.
        own_time: show the time that an event states instead of its receive time.
        terminal: escape control characters in raw documents too, since they go to a terminal.
    """

    output: ViewFormat = ViewFormat.TEXT
    color: bool = False
    color_rejected: bool = False
    utc: bool = False
    time_format: str = "%H:%M:%S"
    own_time: bool = False
    terminal: bool = False


class ViewLine(NamedTuple):
    """A line to show.

    Attributes:
        text: the line, without a line feed.
        rejected: the line explains why a delivery is not a valid event, and belongs on standard error.
    """

    text: str
    rejected: bool


@dataclass(slots=True)
class ViewCounts:
    """Counts of messages, with received = shown + filtered + rejected + dropped.

    Attributes:
        received: messages that arrived.
        shown: events that were shown.
        filtered: events that the filter does not keep.
        rejected: messages that are not valid lifecycle events.
        dropped: messages that arrived faster than they could be shown, and lines that the reader did not accept.
    """

    received: int = 0
    shown: int = 0
    filtered: int = 0
    rejected: int = 0
    dropped: int = 0

    def including(self, counters: Counters, unread: int) -> ViewCounts:
        """Return the sum of these counts and those of the subscription that the deliveries came from.

        Args:
            counters: the counters of the subscription.
            unread: the number of messages still queued; they do not count as received.
        """
        return ViewCounts(
            received=counters.received - unread,
            shown=self.shown,
            filtered=self.filtered + counters.filtered,
            rejected=self.rejected,
            dropped=self.dropped + counters.dropped,
        )

    def __str__(self) -> str:
        parts = (f"{getattr(self, name)} {name}" for name in ("shown", "filtered", "rejected", "dropped"))
        return f"received {self.received} = {' + '.join(parts)}"


# Any other type is shown in the default colour.
_TYPE_COLORS: Final = {
    "alive": "2",  # faint: nearly all events are of this type
    "governor": "33",
    "provisioned": "35",
    "shutdown": "31",
    "startup": "32",
    "upgraded": "36",
}
_REJECTED_COLOR: Final = "1;31"

# Shown for a time outside the years 1 to 9999.
_NO_TIME: Final = "--:--:--"


@dataclass(slots=True)
class View:
    """A view of deliveries, which renders and counts them.

    Attributes:
        filter: the events to show.
        style: the appearance of the lines.
        counts: the deliveries so far, by outcome.
    """

    filter: EventFilter
    style: Style
    counts: ViewCounts = field(default_factory=ViewCounts)

    def render(self, delivery: Delivery, location: str = "") -> ViewLine | None:
        """Return the line for a delivery, or None if the filter does not keep its event.

        Args:
            delivery: the delivery, received or read from a file.
            location: the place in a file, shown if the event is rejected; the default is receive time and subject.
        """
        self.counts.received += 1
        try:
            event = _lifecycle_event(delivery)
            if not self.filter.matches_event(event):
                self.counts.filtered += 1
                return None
            text = self._format(event, delivery)
        except InvalidEvent as error:
            self.counts.rejected += 1
            return ViewLine(self._format_rejection(delivery, error, location), rejected=True)
        self.counts.shown += 1
        return ViewLine(text, rejected=False)

    def _format(self, event: Event, delivery: Delivery) -> str:
        match self.style.output:
            case ViewFormat.JSON:
                return encode_record(delivery, event)
            case ViewFormat.RAW:
                return self._format_raw(delivery.data)
            case ViewFormat.TEXT:
                when = _stated_time(event) if self.style.own_time else _receive_time(delivery.received)
                tag = f"[{event_type(event)}]"
                rest = describe(event).removeprefix(tag)
                if self.style.color:
                    tag = _colored(tag, _TYPE_COLORS.get(event_type(event), "0"))
                return f"{self._format_time(when)} {tag}{rest}"

    def _format_raw(self, data: bytes) -> str:
        # In a valid document, line breaks occur only between tokens, where a space is equivalent.
        text = data.decode().replace("\r", " ").replace("\n", " ")
        return safe(text) if self.style.terminal else text

    def _format_rejection(self, delivery: Delivery, error: InvalidEvent, location: str) -> str:
        tag = _colored("[rejected]", _REJECTED_COLOR) if self.style.color_rejected else "[rejected]"
        reason = safe(str(error), 300)
        if location:
            return f"{safe(location)}: {tag} {reason}"
        return f"{self._format_time(_receive_time(delivery.received))} {tag} {safe(delivery.subject, 200)}: {reason}"

    def _format_time(self, when: datetime | None) -> str:
        if when is None:
            return _NO_TIME
        if not self.style.utc:
            # At either end of the calendar, local time may lie outside it.
            with suppress(OverflowError, ValueError, OSError):
                when = when.astimezone()
        return safe(when.strftime(self.style.time_format))


def _lifecycle_event(delivery: Delivery) -> Event:
    """Return the lifecycle event of a delivery; raises InvalidEvent with the reason if it has none."""
    if isinstance(delivery.event, Event):
        return delivery.event
    if isinstance(delivery.error, InvalidEvent):
        raise delivery.error
    message = str(delivery.error or f"{getattr(delivery.event, 'protocol', 'this')} is not a lifecycle event")
    raise InvalidEvent(message, rule="protocol")


def _stated_time(event: Event) -> datetime | None:
    """Return the time that an event states, or None if it lies outside the calendar, which is still valid."""
    try:
        return event_time(event)
    except InvalidEvent:
        return None


def _receive_time(received: float) -> datetime:
    return datetime.fromtimestamp(0 if math.isnan(received) else received, UTC)


def _colored(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"
