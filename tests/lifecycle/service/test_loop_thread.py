"""The thread that services share exists while one of them runs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle import Service
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service import loop_thread as module
from choria_lifecycle.service.environment import Environment, override_environment
from choria_lifecycle.service.loop_thread import LoopThread
from choria_lifecycle.testing import FakeClock, MemoryMiddleware, announcing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "choria" in thread.name] == []
    assert module._current is None


def release(loop: LoopThread) -> None:
    done = threading.Event()
    loop.release(done.set)
    assert done.wait(5)


def test_acquire_returns_the_same_thread_until_the_last_release() -> None:
    first, second = LoopThread.acquire(), LoopThread.acquire()
    assert first is second
    release(first)
    assert first._thread.is_alive()
    first.join(5)  # returns at once, because the thread is still used
    release(second)
    second.join(5)
    assert not first._thread.is_alive()
    third = LoopThread.acquire()
    assert third is not first
    release(third)
    third.join(5)


def test_many_threads_acquire_at_once() -> None:
    barrier = threading.Barrier(8)

    def use() -> LoopThread:
        barrier.wait(5)
        return LoopThread.acquire()

    with ThreadPoolExecutor(8) as threads:
        loops = [each.result(5) for each in [threads.submit(use) for _ in range(8)]]
    assert len({id(loop) for loop in loops}) == 1
    for loop in loops:
        release(loop)
    loops[0].join(5)


def test_work_runs_in_the_thread() -> None:
    loop = LoopThread.acquire()

    async def name() -> tuple[str, bool, bool]:
        return threading.current_thread().name, loop.on_loop_thread, loop.dead

    assert loop.submit(name()).result(5) == ("choria-lifecycle", True, False)
    assert not loop.on_loop_thread
    called: list[Any] = []
    loop.call(lambda *arguments, **named: called.append((arguments, named)), 1, two=2)
    loop.submit(asyncio.sleep(0)).result(5)
    assert called == [((1,), {"two": 2})]
    release(loop)
    loop.join(5)


def test_a_lookup_that_hangs_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may take minutes; its late result is ignored, and is not an error."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    lookups: list[threading.Thread] = []

    def identity(*_: object) -> str:
        lookups.append(threading.current_thread())
        began.set()
        go_on.wait(10)
        ended.set()
        return "n1.example.net"

    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1.2)
    slow = Environment(connect=lambda *_, **__: MemoryMiddleware(), identity=identity, clock=FakeClock())
    unhandled: list[Any] = []
    before, threading.excepthook = threading.excepthook, unhandled.append
    try:
        with override_environment(slow):
            billing = Service("billing", "1", timeout=0.01)
            billing.start()
            assert began.wait(5)
            assert lookups[0].daemon
            billing.stop()
        go_on.set()
        assert ended.wait(5)
        lookups[0].join(5)
    finally:
        threading.excepthook = before
        go_on.set()
    assert unhandled == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_gets_its_own_thread() -> None:
    loop = LoopThread.acquire()
    child = os.fork()
    if not child:
        code = 1
        try:
            fresh = LoopThread.acquire()
            code = 0 if loop.dead and fresh is not loop and not fresh.dead else 2
            release(fresh)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop.submit(asyncio.sleep(0, "alive")).result(5) == "alive"
    release(loop)
    loop.join(5)


def test_the_thread_has_exited_when_the_service_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the thread takes a while to exit after its loop has ended."""
    run = LoopThread._run

    def slow(self: LoopThread) -> None:
        run(self)
        time.sleep(0.05)

    monkeypatch.setattr(LoopThread, "_run", slow)
    with announcing():
        with Service("billing", "1"):
            pass
        assert [thread.name for thread in threading.enumerate() if "choria" in thread.name] == []
