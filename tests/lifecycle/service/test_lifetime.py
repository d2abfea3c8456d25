from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle import Service
from choria_lifecycle.errors import ConnectionFailed
from choria_lifecycle.service.announcer import AnnouncerCounters
from choria_lifecycle.testing import FakeClock, announcing
from tests.bed.faults import running_proxy
from tests.bed.services import ENVIRON, TYPES, WHO, ours

if TYPE_CHECKING:
    from choria_lifecycle.demo import embedded

pytestmark = pytest.mark.usefixtures("nothing_is_left", "time_stands_still")


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("can't start new thread")])
def test_a_lack_of_files_or_threads_does_not_stop_the_program(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: threading.Thread) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        with Service(*WHO) as billing:
            billing.provisioned()
        with pytest.raises(ConnectionFailed, match=f"billing cannot be announced: .*{str(error)[-8:]}"):
            Service(*WHO, strict=True).start()
    assert billing.counters == AnnouncerCounters(failures=1, dropped=1)
    assert [message for message in caplog.messages if "cannot be announced" in message] == caplog.messages
    with announcing() as announcements, Service(*WHO):
        announcements.assert_types("startup")


def test_a_failing_clock_does_not_stop_the_program(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeClock):
        def now(self) -> float:
            raise ZeroDivisionError("no clock")

    with announcing():
        with Service(*WHO, clock=Broken()) as billing:
            billing.provisioned()
        assert billing.counters == AnnouncerCounters(failures=1, dropped=1)
        assert caplog.messages == ["billing cannot be announced: no clock"]
        with pytest.raises(ConnectionFailed, match="billing cannot be announced: no clock"):
            Service(*WHO, clock=Broken(), strict=True).start()


def test_stopped_while_it_starts() -> None:
    """By another thread or a signal handler; if startup was announced, so is shutdown."""
    for _ in range(20):
        with announcing() as announcements:
            billing = Service(*WHO, timeout=5)
            starting = threading.Thread(target=billing.start)
            starting.start()
            while billing._run is None:
                pass
            billing.stop()
            starting.join()
            announcements.assert_types(*TYPES)
            assert not ours()


def test_an_abandoned_start_ends_at_once(silent: str) -> None:
    """No subscriber knows of the service, so shutdown need not be published."""

    async def cancelled() -> None:
        async with asyncio.timeout(0.1), Service(*WHO, servers=silent, environ=ENVIRON):
            pytest.fail("the block was entered")

    begun = time.monotonic()
    with pytest.raises(ConnectionFailed, match="not confirmed within 0"):
        Service(*WHO, servers=silent, environ=ENVIRON, timeout=0.1, strict=True).start()
    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert time.monotonic() - begun < 3


def test_the_end_takes_at_most_5_seconds(server: embedded.Server, silent: str) -> None:
    """For servers that never answered and that stopped answering; in synchronous and asynchronous programs."""

    def synchronous(url: str) -> float:
        billing = Service(*WHO, servers=url, environ={}, timeout=5 if url == holding.url else 0.1)
        billing.start()
        ready.wait(10)
        began = time.monotonic()
        billing.stop()
        return time.monotonic() - began

    async def asynchronous(url: str) -> float:
        async with Service(*WHO, servers=url, environ={}, timeout=5 if url == holding.url else 0.1):
            await asyncio.to_thread(ready.wait, 10)
            began = time.monotonic()
        return time.monotonic() - began

    with running_proxy(server.port) as holding, ThreadPoolExecutor(4) as threads:
        ready = threading.Barrier(4, action=holding.black_hole)
        ends = [threads.submit(synchronous, url) for url in (holding.url, silent)]
        ends += [threads.submit(lambda url=url: asyncio.run(asynchronous(url))) for url in (holding.url, silent)]  # type: ignore[misc]
        took = [end.result(20) for end in ends]
        assert not ours()  # the unresponsive connection is closed too
    assert all(seconds <= 5.25 for seconds in took), took
