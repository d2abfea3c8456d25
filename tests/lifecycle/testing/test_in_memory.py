"""The in-memory middleware, and the block in which services announce to memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import unittest
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import ConnectionFailed, LifecycleError, OptionError, Service, testing
from choria_lifecycle.doctor import check_connection
from choria_lifecycle.service.service import INTERVAL
from choria_lifecycle.testing import MemoryMiddleware, allow_network, announcing

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = lifecycle.shutdown(component="billing", identity="n1.example.net")
NOWHERE: dict[str, Any] = {"servers": "nats://127.0.0.1:1", "environ": {}}


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
            announcements.clock.advance(INTERVAL)
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
                inner.clock.advance(INTERVAL)
            with Service("again", "1"):
                pass
        assert inner.types() == ["startup", "alive", "shutdown"]
        assert outer.types(component="outer") == ["startup", "alive", "shutdown"]
        assert outer.types(component="again") == ["startup", "shutdown"]
    with pytest.raises(RuntimeError), announcing():
        raise RuntimeError
    with pytest.raises(LifecycleError), Service("billing", "1", servers="nats://127.0.0.1:1", environ={}, strict=True):
        pass


async def connected(**options: Any) -> None:
    async with lifecycle.connect(**options):
        pass


BLOCKED: list[tuple[str, Callable[..., Any]]] = [("connect", connected), ("check_connection", check_connection)]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("options", [{}, NOWHERE, {"servers": "http://nonsense", "user": "alice"}])
def test_publish_once_is_recorded(options: dict[str, Any], stored: bool) -> None:
    with announcing() as announcements:
        lifecycle.publish_once(EVENT, stored=stored, format=lifecycle.Format.CLOUDEVENTS, **options)
        thread = threading.Thread(target=lifecycle.publish_once, args=(EVENT,), kwargs=options)
        thread.start()
        thread.join(5)
    assert announcements.of() == [EVENT, EVENT]


def test_publish_once_checks_its_arguments_when_recorded() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="publish_once is for synchronous programs"):
            lifecycle.publish_once(EVENT)

    with announcing() as announcements:
        with pytest.raises(OptionError, match="unknown option"):
            lifecycle.publish_once(EVENT, colour="red")  # type: ignore[call-arg]
        asyncio.run(main())
    announcements.assert_types()


@pytest.mark.parametrize(("name", "call"), BLOCKED)
def test_connections_are_blocked_in_every_thread(name: str, call: Callable[..., Any]) -> None:
    errors: list[str] = []

    def work() -> None:
        with pytest.raises(RuntimeError) as raised:
            asyncio.run(call(**NOWHERE))
        errors.append(str(raised.value))

    with announcing():
        work()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
    expected = (
        f"{name} is blocked by choria_lifecycle.testing.announcing (fixture lifecycle_announcements): give the program "
        "a MemoryMiddleware (fixture lifecycle_middleware), or connect within choria_lifecycle.testing.allow_network"
    )
    assert errors == [expected, expected]
    with pytest.raises(ConnectionFailed):
        asyncio.run(connected(**NOWHERE))


def test_the_network_is_allowed_within_its_block() -> None:
    with announcing() as announcements:
        with allow_network():
            with pytest.raises(ConnectionFailed):
                lifecycle.publish_once(EVENT, **NOWHERE)
            with pytest.raises(ConnectionFailed):
                asyncio.run(connected(**NOWHERE))
            with pytest.raises(ConnectionFailed), Service("billing", "1", strict=True, **NOWHERE):
                pass
            assert asyncio.run(check_connection(**NOWHERE))[-1].severity == "error"
            with announcing() as inner:
                lifecycle.publish_once(EVENT)
            inner.assert_types("shutdown")
        announcements.assert_types()
        lifecycle.publish_once(EVENT)
        announcements.assert_types("shutdown")
        with pytest.raises(RuntimeError, match="connect is blocked"):
            asyncio.run(connected(**NOWHERE))


def test_a_service_that_started_before_the_block_may_connect_again() -> None:
    with Service("billing", "1", **NOWHERE) as billing, announcing() as announcements:
        assert billing.counters.failures > 0
        with Service("other", "1"):
            pass
    announcements.assert_types("startup", "shutdown", component="other")
    announcements.assert_types(component="billing")


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
            await announcements.clock.advance_async(INTERVAL)
            assert len(announcements.of("alive")) == 100
        assert len(announcements.of("shutdown")) == 100


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
