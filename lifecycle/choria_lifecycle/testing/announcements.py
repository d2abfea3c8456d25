"""What was announced, in order: to look at, to wait for, and to hold against what should have been."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Final, get_args

from choria_lifecycle.events.description import describe
from choria_lifecycle.events.event import EVENT_TYPES, Event, event_type
from choria_lifecycle.support.text import quoted
from choria_lifecycle.testing.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Announcements"]

# In the text of a failure.
_MAX_SHOWN: Final = 50

_FIELDS: Final = frozenset(field.name for kind in get_args(Event) for field in fields(kind))


class Announcements:
    """The events that services have announced, oldest first. Everything may be called from any thread.

    Where events are chosen, it is by their type, `startup` for example, and by their fields: `component="billing"`,
    `identity=`, `version=`. An event without such a field is not chosen.

    Args:
        clock: tells the time of the services; by default one of its own.

    Attributes:
        clock: moves the time of the services, which stands still otherwise; see `FakeClock`.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []

    def of(self, type: str | None = None, **fields: object) -> list[Event]:  # noqa: A002 - the name users know
        """Return the events of a type and with these fields; by default all.

        Raises:
            ValueError: there is no such type, or no event has such a field.
        """
        if type is not None and type not in EVENT_TYPES:
            raise ValueError(f"{quoted(type)} is no event type; there are {', '.join(EVENT_TYPES)}")
        for name in fields.keys() - _FIELDS:
            raise ValueError(f"{quoted(name)} is a field of no event; there are {', '.join(sorted(_FIELDS))}")
        with self._changed:
            events = list(self._events)
        return [event for event in events if _matches(event, type, fields)]

    def types(self, **fields: object) -> list[str]:
        """Return the types of the events with these fields, by default of all: `["startup", "shutdown"]`."""
        return [event_type(event) for event in self.of(None, **fields)]

    def clear(self) -> None:
        """Forget what was announced so far."""
        with self._changed:
            self._events.clear()

    def record(self, event: Event) -> None:
        """Note that an event was announced."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
            for wake in self._listeners:
                wake()

    def wait(self, type: str, *, count: int = 1, timeout: float = 5.0, **fields: object) -> Event:  # noqa: A002
        """Block until an event was announced, and return it. One that was announced before counts.

        The event loop that runs here is blocked too: in asynchronous code there is `wait_async`.

        Args:
            type: the type of the event.
            count: wait for as many, 1 or more, and return the last of them.
            timeout: how many seconds to wait at most.
            **fields: what it says.

        Raises:
            AssertionError: it was not; the text shows what was announced instead.
            ValueError: as for `of`; or the count is not 1 or more.
        """
        __tracebackhide__ = True  # pytest then shows the line of the test that called
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(type, **fields)) >= count, timeout)
        return self._take(type, fields, count, timeout)

    async def wait_async(
        self,
        type: str,  # noqa: A002
        *,
        count: int = 1,
        timeout: float = 5.0,
        **fields: object,
    ) -> Event:
        """Wait likewise, while the event loop goes on.

        Args and raises: see `wait`.
        """
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

    def assert_types(self, *types: str, **fields: object) -> None:
        """Fail unless exactly events of these types were announced, in this order.

        Args:
            *types: the types, in order; none at all asserts that nothing was announced.
            **fields: look at the events with these fields alone, as `component="billing"`.

        Raises:
            AssertionError: it was different; the text shows what was announced instead.
            ValueError: as for `of`.
        """
        __tracebackhide__ = True
        for type in types:  # noqa: A001
            self.of(type)  # which knows the types
        if self.types(**fields) != list(types):
            wanted = ", ".join(types) or "nothing"
            raise AssertionError(f"{wanted}{_criteria(fields)} should have been announced; {self}")

    def __str__(self) -> str:
        events = self.of()
        if not events:
            return "nothing was announced; a service with a middleware of its own is not heard here"
        before = [f"({len(events) - _MAX_SHOWN} more before)"] if len(events) > _MAX_SHOWN else []
        return "\n  ".join(["announced was:", *before, *map(describe, events[-_MAX_SHOWN:])])

    def _take(self, type: str, fields: dict[str, object], count: int, timeout: float) -> Event:  # noqa: A002
        __tracebackhide__ = True
        if count < 1:
            raise ValueError(f"count is 1 or more, not {count}")
        events = self.of(type, **fields)
        if len(events) >= count:
            return events[count - 1]
        what = f"no {type}" if count == 1 else f"only {len(events)} of {count} {type}"
        raise AssertionError(f"{what}{_criteria(fields)} was announced within {timeout:g} s; {self}")


def _matches(event: Event, type: str | None, fields: dict[str, object]) -> bool:  # noqa: A002
    missing = object()
    return (type is None or event_type(event) == type) and all(
        getattr(event, name, missing) == value for name, value in fields.items()
    )


def _criteria(fields: dict[str, object]) -> str:
    return f" with {', '.join(f'{name}={quoted(value)}' for name, value in fields.items())}" if fields else ""
