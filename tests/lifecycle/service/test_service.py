"""Services as seen by their program and by the network, mostly on a real nats-server."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Service
from choria_lifecycle.demo import embedded
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, OptionError
from choria_lifecycle.service import exit_hooks, service
from choria_lifecycle.service.announcer import AnnouncerCounters
from choria_lifecycle.testing import Announcements, FakeClock, MemoryMiddleware, announcing
from tests.bed.background import background
from tests.bed.faults import running_proxy
from tests.bed.services import ENVIRON, NOWHERE, TYPES, WHO, ours

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("nothing_is_left", "time_stands_still")


@contextmanager
def listening(url: str) -> Iterator[Announcements]:
    """Records the events that a server receives from now on."""

    async def listen() -> None:
        async with lifecycle.connect(url, environ=ENVIRON) as middleware, middleware.events() as events:
            listens.set()
            async for event in events:
                heard.record(event)

    heard, listens = Announcements(), threading.Event()
    with background() as here:
        here.start(listen())
        assert listens.wait(10)
        yield heard


@pytest.fixture
def heard(server: embedded.Server) -> Iterator[Announcements]:
    with listening(server.url) as heard:
        yield heard


def test_a_block(server: embedded.Server, heard: Announcements) -> None:
    with Service(*WHO, servers=server.url, environ=ENVIRON) as billing:
        heard.wait("startup", timeout=5, component="billing", version="1.4.2", identity="n1.example.net")
        assert (billing.component, billing.version, billing.identity) == WHO
    heard.wait("shutdown", timeout=5)
    heard.assert_types(*TYPES)
    assert billing.counters == AnnouncerCounters(published=2)


async def test_an_async_block(server: embedded.Server, heard: Announcements) -> None:
    async with Service(*WHO, servers=server.url, environ=ENVIRON) as billing:
        await heard.wait_async("startup", timeout=5)
    await heard.wait_async("shutdown", timeout=5)
    heard.assert_types(*TYPES)
    assert billing.counters == AnnouncerCounters(published=2)


def test_provisioned_upgraded_and_alive(server: embedded.Server, heard: Announcements) -> None:
    clock = FakeClock()
    with Service(*WHO, servers=server.url, environ=ENVIRON, clock=clock) as billing:
        billing.provisioned()
        billing.upgraded("1.5.0")
        assert billing.version == "1.5.0"
        heard.wait("upgraded", version="1.4.2", new_version="1.5.0")
        clock.advance(service.INTERVAL)
        heard.wait("alive", version="1.5.0")
        with pytest.raises(OptionError, match="new_version"):
            billing.upgraded("")
    heard.wait("shutdown")
    heard.assert_types("startup", "provisioned", "upgraded", "alive", "shutdown")


@pytest.mark.parametrize("error", [ValueError("on purpose"), SystemExit(3), KeyboardInterrupt()])
def test_shutdown_is_published_when_the_block_raises(error: BaseException) -> None:
    with announcing() as announcements:
        with pytest.raises(type(error)), Service(*WHO):
            raise error
        announcements.assert_types(*TYPES)
        with pytest.raises(type(error)):
            asyncio.run(_raising(error))
        announcements.assert_types(*TYPES, *TYPES)


async def _raising(error: BaseException) -> None:
    async with Service(*WHO):
        raise error


async def test_shutdown_is_published_when_the_block_is_cancelled() -> None:
    async def serve() -> None:
        async with Service(*WHO):
            entered.set()
            await asyncio.get_running_loop().create_future()

    entered = asyncio.Event()
    with announcing() as announcements:
        task = asyncio.create_task(serve())
        await entered.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        announcements.assert_types(*TYPES)


async def test_a_second_cancellation_does_not_stop_the_end() -> None:
    """The end continues in the background, and restores the signal handlers."""

    async def serve() -> None:
        async with Service(*WHO):
            entered.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                asyncio.get_running_loop().call_soon(task.cancel)

    entered = asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)
    with announcing() as announcements:
        task = asyncio.create_task(serve())
        await entered.wait()
        assert signal.getsignal(signal.SIGTERM) is not before
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        await announcements.wait_async("shutdown")
        async with asyncio.timeout(5):
            while signal.getsignal(signal.SIGTERM) is not before:  # noqa: ASYNC110 - nothing tells when it changes
                await asyncio.sleep(0)


def test_start_and_stop() -> None:
    with announcing() as announcements:
        billing = Service(*WHO)
        billing.stop()  # does nothing before the start
        assert billing.counters == AnnouncerCounters()
        for publish in (billing.provisioned, lambda: billing.upgraded("2")):
            with pytest.raises(RuntimeError, match="the service billing is not running"):
                publish()
        billing.start()
        announcements.assert_types("startup")
        with pytest.raises(RuntimeError, match="can be started only once: create a new one"):
            billing.start()
        billing.stop()
        billing.stop()
        with pytest.raises(RuntimeError, match="the service billing is not running"):
            billing.provisioned()
        with pytest.raises(RuntimeError, match="started only once"):
            billing.start()
        announcements.assert_types(*TYPES)


async def test_start_and_stop_in_an_event_loop() -> None:
    with announcing() as announcements:
        billing = Service(*WHO)
        billing.start()
        await announcements.wait_async("startup")
        billing.stop()
        announcements.assert_types(*TYPES)
        with pytest.raises(RuntimeError, match="started only once"):
            async with billing:
                pass


def test_stopped_by_several_threads_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with announcing() as announcements, ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            billing = Service(*WHO)
            billing.start()
            for stopped in [threads.submit(billing.stop) for _ in range(8)]:
                stopped.result(5)
        announcements.assert_types(*TYPES * 20)
    assert signal.getsignal(signal.SIGTERM) is not before  # only the main thread can restore handlers
    billing.stop()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"component": ""}, "component"),
        ({"component": "a.b"}, "component"),
        ({"component": "a b"}, "component"),
        ({"version": ""}, "version"),
        ({"version": 5}, "version"),
        ({"identity": ""}, "identity"),
        ({"interval": 0}, "interval must be a number above 0, not 0"),
        ({"interval": -1.0}, "interval must be a number above 0, not -1.0"),
        ({"interval": math.nan}, "interval must be a number above 0, not NaN"),
        ({"interval": "30"}, 'interval must be a number above 0, not "30"'),
        ({"timeout": 0}, "timeout must be a number above 0, not 0"),
        ({"timeout": None}, "timeout must be a number above 0, not null"),
        ({"limit": 0}, "limit must be a number above 0, not 0"),
        ({"timeout": math.inf}, "timeout must be a number above 0, not Infinity"),
        (
            {"middleware": MemoryMiddleware(), "servers": NOWHERE},
            "pass either middleware= or connection options, not both",
        ),
        (
            {"middleware": MemoryMiddleware(), "user": "alice"},
            "pass either middleware= or connection options, not both",
        ),
    ],
)
def test_invalid_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Service(**{"component": "billing", "version": "1.4.2"} | options)
    assert message in str(caught.value)
    assert set(caught.value.invalid + caught.value.missing) & set(options)


async def test_a_misspelt_option() -> None:
    wrong: Any = {"intervall": 5, "pasword": "x"}
    with pytest.raises(
        OptionError, match='unknown option "intervall", "pasword"; the options are component, '
    ) as caught:
        Service(*WHO, **wrong)
    assert caught.value.unexpected == ("intervall", "pasword")
    with pytest.raises(OptionError, match='unknown option "intervall", "pasword"; the options are timeout, '):
        await lifecycle.connect(NOWHERE, **wrong).__aenter__()


def test_an_invalid_server() -> None:
    """It is reported as an error of the connection, which is made at the start."""
    billing = Service(*WHO, servers="http://a", environ=ENVIRON, strict=True)
    with pytest.raises(LifecycleError, match="http"):
        billing.start()


async def test_a_strict_service_needs_async_with_in_an_event_loop() -> None:
    billing = Service(*WHO, strict=True)
    with pytest.raises(RuntimeError, match="use async with"):
        billing.start()
    with announcing() as announcements:
        async with billing:
            announcements.assert_types("startup")


def test_the_seed_of_the_program_is_not_used() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with announcing(), Service(*WHO):
        assert random.random() == expected


def test_a_program_runs_without_a_broker(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "choria_lifecycle")
    before = descriptors()
    began = time.monotonic()
    with Service(*WHO, servers=NOWHERE, environ=ENVIRON) as billing:
        billing.upgraded("1.5.0")
    assert time.monotonic() - began < 2
    assert billing.counters == AnnouncerCounters(failures=1, dropped=2)
    first, last = caplog.messages
    assert first.startswith("billing is not announced: ")
    assert last.startswith("shutdown of billing was not announced: ")
    assert not ours()
    assert descriptors() == before


async def test_a_failed_start_leaves_nothing_in_the_loop() -> None:
    """Not even an exception that was never retrieved, which asyncio would report."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    before, tasks = descriptors(), asyncio.all_tasks()
    async with Service(*WHO, servers=NOWHERE, environ=ENVIRON):
        pass
    async with Service(*WHO, middleware=unreachable()):
        pass
    with pytest.raises(LifecycleError):
        await Service(*WHO, servers=NOWHERE, environ=ENVIRON, strict=True).__aenter__()
    with pytest.raises(LifecycleError):
        await Service(*WHO, middleware=unreachable(), strict=True).__aenter__()
    assert asyncio.all_tasks() == tasks
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []
    assert not ours()
    assert descriptors() == before


def unreachable() -> lifecycle.Middleware:
    class Unreachable(lifecycle.InMemoryTransport):
        async def publish(self, messages: object, timeout: float) -> None:
            raise ConnectionFailed("the server is down")

    return lifecycle.Middleware(Unreachable())


async def test_a_failure_after_the_timeout_of_the_start_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            failed.set()

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    failed, handler = threading.Event(), Watch()
    logging.getLogger("choria_lifecycle").addHandler(handler)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listens:
            listens.settimeout(5)
            url = f"nats://127.0.0.1:{listens.getsockname()[1]}"
            async with Service(*WHO, servers=url, environ=ENVIRON, timeout=0.1):
                listens.accept()[0].close()
                listens.close()
                assert await asyncio.to_thread(failed.wait, 10)
    finally:
        logging.getLogger("choria_lifecycle").removeHandler(handler)
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []


def test_a_strict_service_raises_without_a_broker() -> None:
    before = descriptors()
    for options in ({"servers": NOWHERE}, {"servers": ["127.0.0.1:1", "127.0.0.1:2"]}):
        billing = Service(*WHO, environ=ENVIRON, strict=True, **options)  # type: ignore[arg-type]
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1"):
            billing.start()
        billing.stop()
        assert not ours()
        assert descriptors() == before


FAILING = """
import asyncio, gc, os, threading
from choria_lifecycle import LifecycleError, Service

def descriptors():
    return sorted(os.listdir("/dev/fd"))

async def asynchronous(**options):
    try:
        async with Service("billing", "1.4.2", "n1", servers="nats://127.0.0.1:1", environ={}, **options):
            pass
    except LifecycleError:
        print("raised")
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(threading.enumerate()) == 1, threading.enumerate()

def synchronous(**options):
    try:
        with Service("billing", "1.4.2", "n1", servers="nats://127.0.0.1:1", environ={}, **options):
            pass
    except LifecycleError:
        print("raised")
    assert len(threading.enumerate()) == 1, threading.enumerate()

synchronous()
before = descriptors()
for strict in (False, True) * 3:
    asyncio.run(asynchronous(strict=strict))
    synchronous(strict=strict)
gc.collect()
assert descriptors() == before, (descriptors(), before)
"""


def test_a_failed_start_leaves_no_thread_file_or_warning() -> None:
    command = [sys.executable, "-W", "error", "-c", FAILING]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "raised\n" * 6, "")


def descriptors() -> set[str]:
    """The open files: number and target."""
    found = set()
    for file in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            found.add(f"{file.name} {file.readlink()}")
    return found


def test_the_start_times_out(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1.2)

    async def asynchronous(strict: bool) -> None:
        async with Service(*WHO, servers=silent, environ=ENVIRON, timeout=0.2, strict=strict):
            raise TimeoutError(time.monotonic())

    for strict in (False, True):
        began = time.monotonic()
        billing = Service(*WHO, servers=silent, environ=ENVIRON, timeout=0.2, strict=strict)
        if strict:
            with pytest.raises(ConnectionFailed, match=r"startup of billing was not confirmed within 0\.2 s"):
                billing.start()
        else:
            billing.start()
            assert 0.2 <= time.monotonic() - began < 0.7
        billing.stop()
        assert time.monotonic() - began < 1.9
        began = time.monotonic()
        with pytest.raises(ConnectionFailed if strict else TimeoutError) as caught:
            asyncio.run(asynchronous(strict))
        if not strict:
            assert 0.2 <= caught.value.args[0] - began < 0.7
        assert time.monotonic() - began < 1.9


def test_a_broker_that_starts_later() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with Service(*WHO, servers=f"nats://127.0.0.1:{port}", environ=ENVIRON) as billing:
        assert billing.counters.published == 0
        with embedded.nats_server(jetstream=False, port=port) as server, listening(server.url) as heard:
            heard.wait("startup", timeout=10)
            billing.stop()
            heard.wait("shutdown")
            heard.assert_types(*TYPES)


def test_a_broker_that_is_killed_and_restarted(caplog: pytest.LogCaptureFixture) -> None:
    with embedded.nats_server(jetstream=False) as first:
        billing = Service(*WHO, servers=first.url, environ=ENVIRON)
        billing.start()
        first.kill()
        billing.upgraded("1.5.0")
        with embedded.nats_server(jetstream=False, port=first.port) as second, listening(second.url) as heard:
            heard.wait("upgraded", timeout=15)
            billing.stop()
            heard.wait("shutdown")
            heard.assert_types("upgraded", "shutdown")
    assert billing.counters.published == 3
    assert billing.counters.dropped == 0


def test_a_hundred_services_share_a_thread_and_a_connection(server: embedded.Server, heard: Announcements) -> None:
    with running_proxy(server.port) as counted:
        services = [Service(f"s{number}", "1", "n1", servers=counted.url, environ=ENVIRON) for number in range(100)]
        for each in services:
            each.start()
        heard.wait("startup", count=100)
        assert len(ours()) == 1
        assert (counted.accepted, counted.open) == (1, 1)
        for each in services:
            each.stop()
    heard.wait("shutdown", count=100)
    assert all(heard.types(component=f"s{number}") == TYPES for number in range(100))


def test_services_with_other_settings_have_a_connection_of_their_own(server: embedded.Server) -> None:
    with running_proxy(server.port) as counted:
        with (
            Service("a", "1", "n1", servers=counted.url, environ=ENVIRON),
            Service("b", "1", "n1", servers=counted.url, environ=ENVIRON),
            Service("c", "1", "n1", servers=counted.url, environ=ENVIRON, name="another"),
        ):
            assert counted.accepted == 2
            assert len(ours()) == 1
        with Service("d", "1", "n1", servers=counted.url, environ=ENVIRON):
            assert counted.accepted == 3
            for number in range(5):
                with Service("e", "1", "n1", servers=counted.url, environ=dict(ENVIRON), name=f"e{number}"):
                    assert counted.open == 2
                counted.until(lambda: counted.open == 1)
                with Service("f", "1", "n1", servers=counted.url, environ=dict(ENVIRON)):
                    assert counted.open == 1


async def test_the_programs_own_middleware(server: embedded.Server, heard: Announcements) -> None:
    clock = FakeClock()
    async with lifecycle.connect(server.url, environ=ENVIRON) as middleware:
        async with Service(*WHO, middleware=middleware, clock=clock) as billing:
            await heard.wait_async("startup")
            await clock.advance_async(service.INTERVAL)
            await heard.wait_async("alive")
            billing.upgraded("2")
            assert not ours()
        await heard.wait_async("shutdown")
        await middleware.flush()  # the middleware is still open
        heard.assert_types("startup", "alive", "upgraded", "shutdown")
        billing = Service(*WHO, middleware=middleware)
        with pytest.raises(RuntimeError, match="use async with"):
            billing.start()
        billing.stop()
        async with billing:
            with pytest.raises(RuntimeError, match="started only once"):
                await billing.__aenter__()


async def test_the_programs_own_middleware_may_be_used_from_any_thread() -> None:
    middleware = MemoryMiddleware()
    async with Service(*WHO, middleware=middleware) as billing:
        await asyncio.to_thread(billing.provisioned)
        await middleware.announcements.wait_async("provisioned", timeout=1)


async def test_a_middleware_of_another_loop_is_rejected() -> None:
    middleware = MemoryMiddleware()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, middleware.flush()).result(5)
    with pytest.raises(RuntimeError, match="another event loop"):
        async with Service(*WHO, middleware=middleware):
            pass


def test_the_programs_own_middleware_when_the_loop_ends() -> None:
    """The main coroutine returns, and asyncio.run cancels all other tasks, including the service's."""
    middleware = MemoryMiddleware()

    async def serve() -> None:
        async with Service(*WHO, middleware=middleware):
            entered.set()
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        nonlocal entered
        entered = asyncio.Event()
        task = asyncio.create_task(serve())
        await entered.wait()
        assert not task.done()

    entered = asyncio.Event()
    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 2
    middleware.announcements.assert_types(*TYPES)


@pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt(), ValueError("on purpose")])
async def test_the_exception_that_ends_the_block_takes_precedence(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1.2)
    middleware = MemoryMiddleware()

    async def serve() -> None:
        async with Service(*WHO, middleware=middleware, strict=True):
            await middleware.close()
            raise error

    with pytest.raises(type(error)):
        await serve()
    with embedded.nats_server(jetstream=False) as own, pytest.raises(type(error)):
        await asyncio.to_thread(_serving, own, error)


def _serving(own: embedded.Server, error: BaseException) -> None:
    with Service(*WHO, servers=own.url, environ=ENVIRON, strict=True):
        own.kill()
        raise error


async def test_an_unpublished_shutdown_is_logged_or_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Leaving(lifecycle.InMemoryTransport):
        async def publish(self, messages: Any, timeout: float) -> None:
            if ".shutdown." in messages[0][0]:
                raise ConnectionFailed("the server is down")
            await super().publish(messages, timeout)

    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1.2)
    async with Service(*WHO, middleware=lifecycle.Middleware(Leaving())):
        pass
    assert caplog.messages[-1] == "shutdown of billing was not announced: the server is down"
    with pytest.raises(ConnectionFailed, match="the server is down"):
        async with Service(*WHO, middleware=lifecycle.Middleware(Leaving()), strict=True):
            pass
