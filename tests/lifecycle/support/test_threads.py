"""Blocking functions run in threads that delay nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from choria_lifecycle.support.threads import run_in_thread

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


async def test_a_function_runs_in_a_daemon_thread_with_the_caller_s_context() -> None:
    def work(*arguments: int, **named: int) -> tuple[Any, ...]:
        thread = threading.current_thread()
        return thread is threading.main_thread(), thread.daemon, VARIABLE.get(), arguments, named

    VARIABLE.set("given")
    before = threading.enumerate()
    assert await run_in_thread(work, 1, two=2) == (False, True, "given", (1,), {"two": 2})
    assert threading.enumerate() == before


async def test_an_exception_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 / 0)


async def test_a_function_is_called_in_place_if_no_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert await run_in_thread(threading.current_thread) is threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 / 0)


def test_a_function_that_hangs_delays_nothing() -> None:
    """Its late result is ignored, even after the event loop has closed."""
    go_on = threading.Event()
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        go_on.wait(10)

    async def main() -> None:
        async with asyncio.timeout(0.1):
            await run_in_thread(hang)

    unhandled: list[Any] = []
    before, threading.excepthook = threading.excepthook, unhandled.append
    begun = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            asyncio.run(main())
        assert time.monotonic() - begun < 5
    finally:
        go_on.set()
        threads[0].join(5)
        threading.excepthook = before
    assert unhandled == []
