"""The record of announced events, with ways to select, await and assert them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Final, get_args

from choria_lifecycle.events.description import describe
from choria_lifecycle.events.event import EVENT_TYPES, Event, EventType, event_type
from choria_lifecycle.support.text import quoted
from choria_lifecycle.testing.fake_clock import FakeClock

__all__ = ["Announcements"]

# Events shown in the text of a failure.
_MAX_SHOWN: Final = 50

_FIELDS: Final = frozenset(field.name for kind in get_args(Event) for field in fields(kind))


class Announcements:
    """The events that services and `publish_once` have announced, oldest first.

    All methods may be called from any thread.

    Methods select events by type, such as `startup`, and by the values of fields: `component="billing"`, `identity=`,
    `version=`. An event without a given field is not selected.

    Args:
        clock: the clock of the services; by default, a new one.

    Attributes:
        clock: the clock of the services, which stands still until it is advanced; see `FakeClock`.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock: Final = clock or FakeClock()
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []

    def of(self, type: EventType | None = None, **fields: object) -> list[Event]:  # noqa: A002 - the name users know
        """Return the events of a type and with these fields; by default, all.

        Raises:
            ValueError: the type or a field's name is unknown.
        """
        if type is not None and type not in EVENT_TYPES:
            raise ValueError(f"{quoted(type)} is not an event type; the types are {', '.join(EVENT_TYPES)}")
        for name in fields.keys() - _FIELDS:
            raise ValueError(f"{quoted(name)} is not a field of events; the fields are {', '.join(sorted(_FIELDS))}")
        with self._changed:
            events = list(self._events)
        return [event for event in events if _matches(event, type, fields)]

    def types(self, **fields: object) -> list[EventType]:
        """Return the types of the events with these fields, as in `["startup", "shutdown"]`; by default, of all."""
        return [event_type(event) for event in self.of(None, **fields)]

    def clear(self) -> None:
        """Discard the events recorded so far."""
        with self._changed:
            self._events.clear()

    def record(self, event: Event) -> None:
        """Add an event."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
            for wake in self._listeners:
                wake()

    def wait(self, type: EventType, *, count: int = 1, timeout: float = 5.0, **fields: object) -> Event:  # noqa: A002
        """Block until an event is announced, and return it; an event recorded earlier counts.

        This blocks a running event loop too: use `wait_async` in asynchronous code.

        Args:
            type: the event type.
            count: the number of events to wait for, at least 1; the last of them is returned.
            timeout: the maximum wait, in seconds.
            **fields: values of the event's fields.

        Raises:
            AssertionError: no such event came in time; the text shows the recorded events.
            ValueError: as for `of`, or `count` is less than 1.
        """
        __tracebackhide__ = True  # makes pytest show the calling line of the test
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(type, **fields)) >= count, timeout)
        return self._take(type, fields, count, timeout)

    async def wait_async(
        self,
        type: EventType,  # noqa: A002
        *,
        count: int = 1,
        timeout: float = 5.0,
        **fields: object,
    ) -> Event:
        """Do the same as `wait`, without blocking the event loop."""
        __tracebackhide__ = True
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        with self._changed:
            self._listeners.append(wake)
        try:
            async with asyncio.timeout(timeout):
                while len(self.of(type, **fields)) < count:
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._listeners.remove(wake)
        return self._take(type, fields, count, timeout)

    def assert_types(self, *types: EventType, **fields: object) -> None:
        """Fail unless exactly events of these types were announced, in this order.

        Args:
            *types: the types, in order; without types, the assertion is that nothing was announced.
            **fields: consider only the events with these fields, as in `component="billing"`.

        Raises:
            AssertionError: the events differ; the text shows the recorded events.
            ValueError: as for `of`.
        """
        __tracebackhide__ = True
        for type in types:  # noqa: A001
            self.of(type)  # raises for an unknown type
        if self.types(**fields) != list(types):
            wanted = ", ".join(types) or "nothing"
            raise AssertionError(f"{wanted}{_criteria(fields)} should have been announced; {self}")

    def __str__(self) -> str:
        events = self.of()
        if not events:
            return "nothing was announced; services with a middleware= of their own are not recorded here"
        before = [f"({len(events) - _MAX_SHOWN} earlier ones)"] if len(events) > _MAX_SHOWN else []
        return "\n  ".join(["announced so far:", *before, *map(describe, events[-_MAX_SHOWN:])])

    def _take(self, type: EventType, fields: dict[str, object], count: int, timeout: float) -> Event:  # noqa: A002
        __tracebackhide__ = True
        if count < 1:
            raise ValueError(f"count must be 1 or more, not {count}")
        events = self.of(type, **fields)
        if len(events) >= count:
            return events[count - 1]
        found = f"no {type} event" if count == 1 else f"only {len(events)} of {count} {type} events"
        raise AssertionError(f"{found}{_criteria(fields)} announced within {timeout:g} s; {self}")


def _matches(event: Event, type: str | None, fields: dict[str, object]) -> bool:  # noqa: A002
    missing = object()
    return (type is None or event_type(event) == type) and all(
        getattr(event, name, missing) == value for name, value in fields.items()
    )


def _criteria(fields: dict[str, object]) -> str:
    return f" with {', '.join(f'{name}={quoted(value)}' for name, value in fields.items())}" if fields else ""
