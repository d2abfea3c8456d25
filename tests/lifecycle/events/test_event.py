from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.events.event import EVENT_CONTRACTS, Event, type_name
from choria_schemas.lifecycle.v1 import Startup
from tests.bed.samples import BASE, LIFECYCLE


def test_event_types() -> None:
    assert tuple(sorted(LIFECYCLE)) == lifecycle.EVENT_TYPES
    assert set(get_args(Event)) == set(EVENT_CONTRACTS)


def test_the_type_of_an_event_is_that_of_its_class() -> None:
    assert type_name(Startup) == "startup"

    class Restart(Startup):
        pass

    with pytest.raises(TypeError, match=r"^Restart is not a lifecycle event$"):
        type_name(Restart)


def test_event_time() -> None:
    def at(timestamp: int) -> datetime:
        return lifecycle.event_time(lifecycle.shutdown(**BASE, timestamp=timestamp))

    assert at(1795336436) == datetime(2026, 11, 22, 8, 33, 56, tzinfo=UTC)
    assert at(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert at(-62135596800) == datetime(1, 1, 1, tzinfo=UTC)
    assert at(253402300799) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for beyond in (-62135596801, 253402300800, 2**63 - 1, -(2**63)):
        with pytest.raises(lifecycle.InvalidEvent, match=f"years 1 to 9999.* not {beyond}") as caught:
            at(beyond)
        assert (caught.value.path, caught.value.rule) == ("$.timestamp", "timestamp")
        assert caught.value.value == beyond


def test_objects_that_are_not_events_raise_a_type_error() -> None:
    for function in (lifecycle.event_type, lifecycle.event_time, lifecycle.subject, lifecycle.describe):
        with pytest.raises(TypeError, match="dict is not a lifecycle event"):
            function({})  # type: ignore[arg-type]
