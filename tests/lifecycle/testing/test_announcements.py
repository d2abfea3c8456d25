from __future__ import annotations

import threading
from dataclasses import replace

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.testing import Announcements


async def test_waiting_for_events() -> None:
    announcements = Announcements()
    events = [lifecycle.alive(component="billing", identity=f"n{number}", version="1") for number in range(3)]
    later = threading.Timer(0.05, lambda: [announcements.record(event) for event in events])
    later.start()
    assert await announcements.wait_async("alive", count=3) == events[2]
    later.join()
    assert announcements.wait("alive") == events[0]
    assert announcements.wait("alive", identity="n1", component="billing") == events[1]
    assert announcements.types(version="2") == announcements.types(new_version="1") == []
    assert announcements._listeners == []
    announcements.clear()
    later = threading.Timer(0.05, lambda: [announcements.record(event) for event in events])
    later.start()
    assert announcements.wait("alive", identity="n2") == events[2]
    later.join()


async def test_failures_show_what_was_announced() -> None:
    announcements = Announcements()
    with pytest.raises(AssertionError) as caught:
        announcements.wait("alive", timeout=0.01)
    nothing = "nothing was announced; services with a middleware= of their own are not recorded here"
    assert str(caught.value) == f"no alive event announced within 0.01 s; {nothing}"
    event = lifecycle.startup(component="billing", identity="n1", version="1.4.2")
    announcements.record(replace(event, identity="n1\x1b[2J\n"))
    shown = "announced so far:\n  [startup] n1\\x1b[2J\\n: billing version 1.4.2"
    with pytest.raises(AssertionError) as caught:
        await announcements.wait_async("alive", timeout=0.01, component="a\n")
    assert str(caught.value) == f'no alive event with component="a\\n" announced within 0.01 s; {shown}'
    with pytest.raises(AssertionError) as caught:
        announcements.wait("startup", count=2, timeout=0)
    assert str(caught.value) == f"only 1 of 2 startup events announced within 0 s; {shown}"
    with pytest.raises(AssertionError) as caught:
        announcements.assert_types("startup", "shutdown", component="billing")
    assert str(caught.value) == f'startup, shutdown with component="billing" should have been announced; {shown}'
    with pytest.raises(AssertionError) as caught:
        announcements.assert_types()
    assert str(caught.value) == f"nothing should have been announced; {shown}"
    for _ in range(1000):
        announcements.record(lifecycle.shutdown(component="billing", identity="n1"))
    assert str(announcements).splitlines()[:2] == ["announced so far:", "  (951 earlier ones)"]
    assert len(str(announcements).splitlines()) == 52


async def test_an_unknown_type_is_an_error() -> None:
    announcements = Announcements()
    for call in (announcements.of, announcements.wait, announcements.assert_types):
        with pytest.raises(ValueError, match='"started" is not an event type; the types are alive, '):
            call("started")
    with pytest.raises(ValueError, match='"started" is not an event type'):
        await announcements.wait_async("started")


async def test_an_unknown_field_or_a_count_of_0_is_an_error() -> None:
    announcements = Announcements()
    for call in (announcements.of, announcements.assert_types, announcements.types):
        with pytest.raises(ValueError, match='"componet" is not a field of events; the fields are component, '):
            call(componet="billing")
    with pytest.raises(ValueError, match="count must be 1 or more, not 0"):
        announcements.wait("startup", count=0)
