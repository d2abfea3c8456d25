"""The thread that services share: there while one runs, and gone afterwards."""

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
from choria_lifecycle.service.environment import Environment, replaced
from choria_lifecycle.service.loop_thread import LoopThread
from choria_lifecycle.testing import FakeClock, MemoryMiddleware, announcing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "choria" in thread.name] == []
    assert module._current is None


def give_back(engine: LoopThread) -> None:
    done = threading.Event()
    engine.release(done.set)
    assert done.wait(5)


def test_all_borrow_the_same_and_the_last_one_ends_it() -> None:
    first, second = LoopThread.acquire(), LoopThread.acquire()
    assert first is second
    give_back(first)
    assert first._thread.is_alive()
    first.join(5)  # which does not wait for one that goes on
    give_back(second)
    second.join(5)
    assert not first._thread.is_alive()
    third = LoopThread.acquire()
    assert third is not first
    give_back(third)
    third.join(5)


def test_borrowed_by_many_threads_at_once() -> None:
    barrier = threading.Barrier(8)

    def use() -> LoopThread:
        barrier.wait(5)
        return LoopThread.acquire()

    with ThreadPoolExecutor(8) as threads:
        engines = [each.result(5) for each in [threads.submit(use) for _ in range(8)]]
    assert len({id(engine) for engine in engines}) == 1
    for engine in engines:
        give_back(engine)
    engines[0].join(5)


def test_work_is_done_in_its_thread() -> None:
    engine = LoopThread.acquire()

    async def name() -> tuple[str, bool, bool]:
        return threading.current_thread().name, engine.on_loop_thread, engine.dead

    assert engine.submit(name()).result(5) == ("choria-lifecycle", True, False)
    assert not engine.on_loop_thread
    called: list[Any] = []
    engine.call(lambda *given, **named: called.append((given, named)), 1, two=2)
    engine.submit(asyncio.sleep(0)).result(5)
    assert called == [((1,), {"two": 2})]
    give_back(engine)
    engine.join(5)


def test_a_lookup_that_hangs_holds_nobody_up_and_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may take minutes; what it says after the service has ended is of no use, and no error either."""
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
        with replaced(slow):
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_nothing_to_do_with_it() -> None:
    engine = LoopThread.acquire()
    child = os.fork()
    if not child:
        code = 1
        try:
            fresh = LoopThread.acquire()
            code = 0 if engine.dead and fresh is not engine and not fresh.dead else 2
            give_back(fresh)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.submit(asyncio.sleep(0, "alive")).result(5) == "alive"
    give_back(engine)
    engine.join(5)


def test_no_thread_is_left_the_moment_it_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the thread takes its time between its last word and its end."""
    run = LoopThread._run

    def slow(self: LoopThread) -> None:
        run(self)
        time.sleep(0.05)

    monkeypatch.setattr(LoopThread, "_run", slow)
    with announcing():
        with Service("billing", "1"):
            pass
        assert [thread.name for thread in threading.enumerate() if "choria" in thread.name] == []
