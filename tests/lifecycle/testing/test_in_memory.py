"""Test support for other projects: the assertion, the record of announcements, and the in-memory middleware."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import unittest
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import LifecycleError, OptionError, Service, testing
from choria_lifecycle.testing import Announcements, MemoryMiddleware, announcing, assert_valid
from choria_schemas.lifecycle.v1 import Startup
from choria_schemas.machine.v1 import Transition
from tests.bed import samples
from tests.bed.samples import compact

if TYPE_CHECKING:
    from pathlib import Path

# A time in the past, so that no clock counts it as ahead.
STARTUP, TRANSITION = (event | {"timestamp": 1700000000} for event in (samples.STARTUP, samples.TRANSITION))
ENVELOPE = samples.ENVELOPE | {"data": STARTUP}
SUBJECT = "choria.lifecycle.event.startup.server"


def failure(document: Any, subject: str | None = None, *, warnings: bool = False) -> list[str]:
    """Return the lines of the assertion's failure."""
    with pytest.raises(AssertionError) as caught:
        assert_valid(compact(document), subject, warnings=warnings)
    return str(caught.value).splitlines()


def test_the_event_is_returned() -> None:
    raw = compact(STARTUP)
    event = assert_valid(raw)
    assert isinstance(event, Startup)
    assert event.version == "0.30.2"
    for data in (raw.decode(), bytearray(raw), memoryview(raw), compact(ENVELOPE)):
        assert assert_valid(data, SUBJECT, warnings=True) == event
    assert isinstance(assert_valid(compact(TRANSITION), warnings=True), Transition)


def test_every_finding_is_a_line() -> None:
    head, *lines = failure(STARTUP | {"identity": 5, "timestamp": "1700000000", "id": "\x1b[2J\n"})
    assert head == "this is not a valid event:"
    assert lines[0] == "event: $.identity: identity must be of type string, not 5 [schema-type]"
    assert [line.rpartition(" ")[2] for line in lines] == ["[schema-type]", "[schema-type]", "[id-uuid]"]
    assert lines[2].startswith("event: $.id: warning: ")
    assert all(line.isprintable() for line in lines)
    assert len(failure({"protocol": "io.choria.machine.watcher.nagios.v1.state", "perfdata": [1] * 5000})) == 1 + 101


def test_unreadable_input_fails() -> None:
    for data in (b"", b"\xff", "\ud800", b" " * 70_000, b"[" * 300, b"[]"):
        with pytest.raises(AssertionError, match=r"event: \$: .* \[input-"):
            assert_valid(data)


@pytest.mark.parametrize(
    ("document", "subject", "code"),
    [
        (STARTUP | {"protocol": "choria:lifecycle:startup:1"}, None, "protocol-old"),
        (STARTUP, "choria.lifecycle.event.alive.server", "subject-differs"),
        (STARTUP | {"verison": "1"}, None, "field-misspelt"),
    ],
)
def test_warnings_fail_on_request(document: Any, subject: str | None, code: str) -> None:
    assert assert_valid(compact(document), subject) == assert_valid(compact(STARTUP))
    [_, line] = failure(document, subject, warnings=True)
    assert ": warning: " in line
    assert line.endswith(f"[{code}]")


@pytest.mark.parametrize("document", [STARTUP, ENVELOPE])
def test_a_misspelt_protocol_fails(document: dict[str, Any]) -> None:
    raw = compact(document).replace(b"v1.startup", b"v1.strtup")
    [_, line] = failure(json.loads(raw))
    assert "information: no contract covers" in line
    assert "io.choria.lifecycle.v1.startup?" in line


@pytest.mark.parametrize("data", [None, 5, {}, [b"{}"]])
def test_data_must_be_bytes_or_text(data: Any) -> None:
    with pytest.raises(TypeError, match="data must be bytes or str, not "):
        assert_valid(data)


def test_it_fails_under_optimization_and_needs_no_framework() -> None:
    code = """
import sys
from choria_lifecycle.testing import assert_valid

unwanted = {"pytest", "unittest", "asyncio", "nats", "click"} & set(sys.modules)
try:
    assert_valid(b"{}")
except AssertionError as failure:
    print(sys.flags.optimize, sorted(unwanted), failure)
"""
    for option, level in (("-I", 0), ("-O", 1), ("-OO", 2)):
        ran = subprocess.run([sys.executable, option, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(f"{level} [] this is not a valid event:\nevent: $.protocol: protocol is missing")


def test_pytest_shows_the_line_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from choria_lifecycle.testing import assert_valid\n\n\ndef test_mine():\n    assert_valid(b'[]')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_mine.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ">   assert_valid(b'[]')".replace(" ", "") in ran.stdout.replace(" ", "")
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("E       event: ")]
    assert line.endswith("$: an event must be a JSON object, not []; send one document per event [input-type]")
    assert "__tracebackhide__" not in ran.stdout


def test_names_are_imported_on_first_use() -> None:
    code = "import sys; before = set(sys.modules); import choria_lifecycle.testing; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & {"asyncio", "msgspec", "json", "threading", "pytest"}
    for name in testing.__all__:
        assert getattr(testing, name) is not None
        assert name in dir(testing)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = testing.nothing


def test_announcements_are_recorded_at_once() -> None:
    with announcing() as announcements, Service("billing", "1.4.2") as billing:
        assert billing.identity == "test.example.net"
        announcements.assert_types("startup")
        for beats in range(1, 20):
            announcements.clock.advance(1800)
            assert len(announcements.of("alive")) == beats
        announcements.clear()
        announcements.assert_types()
    [shutdown] = announcements.of()
    assert shutdown.component == "billing"


def test_module_level_services_and_other_threads_are_recorded() -> None:
    ours = Service("billing", "1.4.2", "n1", servers="http://nonsense", user="alice", strict=True)

    def work() -> None:
        with Service("worker", "1"):
            pass

    with announcing(identity="n9.example.net") as announcements:
        ours.start()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
        ours.stop()
    assert announcements.types(identity="n1") == ["startup", "shutdown"]
    assert announcements.types(component="worker", identity="n9.example.net") == ["startup", "shutdown"]


def test_nested_blocks() -> None:
    with announcing() as outer:
        with Service("outer", "1"):
            with announcing(clock=outer.clock) as inner, Service("inner", "1"):
                inner.clock.advance(1800)
            with Service("again", "1"):
                pass
        assert inner.types() == ["startup", "alive", "shutdown"]
        assert outer.types(component="outer") == ["startup", "alive", "shutdown"]
        assert outer.types(component="again") == ["startup", "shutdown"]
    with pytest.raises(RuntimeError), announcing():
        raise RuntimeError
    with pytest.raises(LifecycleError), Service("billing", "1", servers="nats://127.0.0.1:1", environ={}, strict=True):
        pass


def test_an_invalid_identity() -> None:
    with pytest.raises(OptionError, match="identity"), announcing(identity=""):
        pass


async def test_a_hundred_heartbeats_are_published_before_advance_returns() -> None:
    with announcing() as announcements:
        async with AsyncExitStack() as stack:
            for number in range(50):
                await stack.enter_async_context(Service(f"own{number}", "1"))
                middleware = MemoryMiddleware(announcements)
                await stack.enter_async_context(Service(f"given{number}", "1", middleware=middleware))
            await announcements.clock.advance_async(1800)
            assert len(announcements.of("alive")) == 100
        assert len(announcements.of("shutdown")) == 100


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


async def test_the_middleware_receives_what_it_publishes() -> None:
    middleware = MemoryMiddleware()
    event = lifecycle.startup(component="billing", identity="n1", version="1")
    async with middleware, middleware.events() as events:
        await middleware.publish(event, format=lifecycle.Format.CLOUDEVENTS)
        assert await anext(aiter(events)) == event
    assert middleware.announcements.of("startup") == [event]


class ForUnittest(unittest.TestCase):
    def setUp(self) -> None:
        self.announcements = self.enterContext(announcing())

    def test_it(self) -> None:
        with Service("billing", "1"):
            self.announcements.wait("startup", component="billing")
        self.announcements.assert_types("startup", "shutdown")
