"""Event filters, and the subject and start time of a subscription."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from choria_lifecycle.errors import OptionError
from choria_lifecycle.events.event import EVENT_TYPES, TYPE_NAMES
from choria_lifecycle.events.options import check_component
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.support.text import quoted

__all__ = ["EventFilter", "Selection", "check_interval", "parse_since"]

_TYPE_INDEX = SUBJECT_PREFIX.count(".") + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """The events to keep, by type, component and identity.

    Attributes:
        types: event types; empty for all.
        components: components; empty for all.
        identities: patterns for identities with `*`, `?` and `[...]`; empty for all.
    """

    types: Collection[str] = ()
    components: Collection[str] = ()
    identities: Collection[str] = ()

    def matches_event(self, event: object) -> bool:
        """Return True if the filter keeps an event, judging by the event itself."""
        return (
            (not self.types or TYPE_NAMES.get(type(event)) in self.types)
            and (not self.components or getattr(event, "component", None) in self.components)
            and (
                not self.identities
                or any(fnmatchcase(getattr(event, "identity", ""), pattern) for pattern in self.identities)
            )
        )

    def matches_subject(self, subject: str) -> bool:
        """Return True if the filter keeps the type and component that a subject names; the event may have others."""
        tokens = subject.split(".", _TYPE_INDEX + 1)
        if len(tokens) != _TYPE_INDEX + 2:
            return False
        return (not self.types or tokens[_TYPE_INDEX] in self.types) and (
            not self.components or tokens[_TYPE_INDEX + 1] in self.components
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """A subject to subscribe to, and a filter for the messages on it.

    Attributes:
        subject: the subject, with wildcards.
        filter: the events to keep.
        filter_subjects: whether the subject matches more than the filter keeps, so that subjects must be checked.
        filter_events: whether the filter drops any events, so that events must be checked.
        since: the start of a replay, as for `Transport.replay`; None for a live subscription.
        until: the end of the replay, in the same form; None to continue with new messages.
        stream: the stream to replay; empty for CHORIA_EVENTS, else the only one that stores the subject.
    """

    subject: str
    filter: EventFilter = field(default_factory=EventFilter)
    filter_subjects: bool = False
    filter_events: bool = False
    since: float | timedelta | None = None
    until: float | timedelta | None = None
    stream: str = ""

    @classmethod
    def events(cls, type: str | Iterable[str] | None, component: str | Iterable[str] | None) -> Selection:  # noqa: A002
        """Select lifecycle events by types and components; None selects all.

        One type and one component become tokens of the subject. Several are received with a wildcard and filtered
        here, because separate subscriptions would not keep the order between them. Without a component, or for one
        with dots in it, as Go publishes them, the wildcard is `>`.

        Raises:
            OptionError: a type is unknown, a component cannot be part of a subject, or a list is empty.
        """
        types = _names("type", type)
        components = _names("component", component)
        unknown = sorted(types.difference(EVENT_TYPES))
        if unknown:
            raise OptionError(
                f"{quoted(unknown[0])} is not an event type: use one of {', '.join(EVENT_TYPES)}", invalid=("type",)
            )
        for name in sorted(components):
            for wrong in filter(None, map(check_component, name.split("."))):
                raise OptionError(f"component {wrong}", invalid=("component",))
        dotted = any("." in name for name in components)
        if components and not dotted:
            tokens = [*types] if len(types) == 1 else ["*"]
            tokens += [*components] if len(components) == 1 else ["*"]
        else:
            tokens = [*types, ">"] if len(types) == 1 else [">"]
        return cls(
            subject=".".join([SUBJECT_PREFIX, *tokens]),
            filter=EventFilter(types=types, components=components),
            filter_subjects=len(types) > 1 or len(components) > 1 or dotted,
            filter_events=bool(types or components),
        )

    @classmethod
    def on_subject(cls, subject: str) -> Selection:
        """Select every message on a subject, wildcards allowed."""
        return cls(subject=subject)


def parse_since(since: datetime | timedelta | float, name: str = "since") -> float | timedelta:
    """Return an end of a replay in seconds since the epoch, or a timedelta, which counts back by the server's clock.

    Args:
        since: a datetime with its time zone, a timedelta back from now, or seconds since the epoch.
        name: the name of the argument, for messages.

    Raises:
        OptionError: `since` is something else, or out of range.
    """
    try:
        if isinstance(since, datetime):
            if since.tzinfo is None:
                raise OptionError(f"{name} needs a time zone: {since.isoformat()}", invalid=(name,))
            since = since.timestamp()
        elif isinstance(since, timedelta):
            if since < timedelta(0):
                raise OptionError(f"{name} as a timedelta counts back from now and cannot be negative", invalid=(name,))
            return since
        if not since >= 0:
            raise OptionError(f"{name} must be a time from 1970 on, not {quoted(since)}", invalid=(name,))
        datetime.fromtimestamp(since, UTC)
    except (OverflowError, ValueError, TypeError, OSError) as error:
        raise OptionError(
            f"{name} must be a datetime, a timedelta or a number, not {quoted(since)}", invalid=(name,)
        ) from error
    return float(since)


def check_interval(since: float | timedelta, until: float | timedelta) -> None:
    """Check the start and the end of a replay, both as `parse_since` returns them.

    Raises:
        OptionError: the end is not later than the start.
    """
    now = time.time()
    begin, end = (now - each.total_seconds() if isinstance(each, timedelta) else each for each in (since, until))
    if end <= begin:
        raise OptionError("until= must be later than since=", invalid=("until",))


def _names(option: str, value: str | Iterable[str] | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    names = frozenset([value] if isinstance(value, str) else value)
    if not names:
        raise OptionError(f"{option} is empty; leave it out to receive all", invalid=(option,))
    return names
