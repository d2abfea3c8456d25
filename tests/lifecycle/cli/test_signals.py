from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def stop() -> Iterator[Signals]:
    made = Signals()
    with made.handling():
        yield made


def test_without_a_signal_it_is_asyncio_run(stop: Signals) -> None:
    async def program() -> int:
        await asyncio.sleep(0)
        return 7

    assert stop.run(program()) == 7
    assert stop.signal is None


def test_a_cancellation_of_its_own_is_no_signal(stop: Signals) -> None:
    async def program() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        stop.run(program())


@pytest.mark.parametrize(("number", "code"), BOTH)
def test_a_signal_lets_a_coroutine_clean_up(number: int, code: int, stop: Signals) -> None:
    done: list[str] = []

    async def program() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        stop.run(program())
    assert done == ["cleaned up"]
    assert (stop.exit_code, stop.terminated) == (code, number != signal.SIGINT)


def test_a_second_signal_does_not_wait(stop: Signals) -> None:
    async def program() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("it was to be interrupted before")

    with pytest.raises(KeyboardInterrupt):
        stop.run(program())
    assert stop.terminated


@pytest.mark.parametrize(("number", "code"), BOTH)
def test_a_signal_without_a_coroutine(number: int, code: int, stop: Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert stop.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_ignored_stays_ignored_and_all_is_as_it_was(number: int) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Signals().handling():
            assert signal.getsignal(number) is signal.SIG_IGN
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    with Signals().handling():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_a_thread_leaves_signals_alone() -> None:
    found: list[object] = []

    def work() -> None:
        with Signals().handling():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_what_is_held_happens_as_a_whole(stop: Signals) -> None:
    done: list[int] = []

    def interrupted() -> None:
        with stop.deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done
    assert stop.exit_code == 143
    with stop.deferred():
        pass  # it is raised once


def test_a_signal_that_came_before_interrupts_waiting(stop: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if it came just before the system call, and too late for its handler: the pipe has it already.
    read, write = os.pipe()
    real = select.select

    def late(*arguments: object) -> object:
        monkeypatch.setattr(select, "select", real)
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(select, "select", late)
    with os.fdopen(read, "rb") as stream, os.fdopen(write, "wb"), pytest.raises(KeyboardInterrupt):
        stop.reader(stream).readline()


def test_what_is_there_is_read(stop: Signals) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        with os.fdopen(write, "wb") as writer:
            writer.write(b"a\nb")
        assert list(stop.reader(stream)) == [b"a\n", b"b"]
    assert stop.reader(io.BytesIO(b"c\n")).readline() == b"c\n"
