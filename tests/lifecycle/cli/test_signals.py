from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.signals import Signals, open_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def signals() -> Iterator[Signals]:
    made = Signals()
    with made.handling():
        yield made


def test_run_returns_the_result_of_the_coroutine(signals: Signals) -> None:
    async def program() -> int:
        await asyncio.sleep(0)
        return 7

    assert signals.run(program()) == 7
    assert signals.signal is None


def test_a_cancellation_without_a_signal_is_raised(signals: Signals) -> None:
    async def program() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        signals.run(program())


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_cancels_the_coroutine_which_cleans_up(number: int, code: int, signals: Signals) -> None:
    done: list[str] = []

    async def program() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        signals.run(program())
    assert done == ["cleaned up"]
    assert (signals.exit_code, signals.terminated) == (code, number != signal.SIGINT)


def test_a_second_signal_interrupts_the_cleanup(signals: Signals) -> None:
    async def program() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the second signal did not interrupt")

    with pytest.raises(KeyboardInterrupt):
        signals.run(program())
    assert signals.terminated


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_without_a_coroutine_interrupts(number: int, code: int, signals: Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert signals.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ignored_signals_stay_ignored_and_handlers_are_restored(number: int) -> None:
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


def test_other_threads_do_not_handle_signals() -> None:
    found: list[object] = []

    def work() -> None:
        with Signals().handling():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_a_deferred_signal_interrupts_after_the_block(signals: Signals) -> None:
    done: list[int] = []

    def interrupted() -> None:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done
    assert signals.exit_code == 143
    with signals.deferred():
        pass  # raised only once


def test_a_signal_just_before_a_read_interrupts_it(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulates a signal just before the system call: its handler has not run, but the pipe has it.
    read, write = os.pipe()
    real = select.select

    def late(*arguments: object) -> object:
        monkeypatch.setattr(select, "select", real)
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(select, "select", late)
    with os.fdopen(read, "rb") as stream, os.fdopen(write, "wb"), pytest.raises(KeyboardInterrupt):
        signals.reader(stream).readline()


def test_the_reader_reads_what_is_available(signals: Signals) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        with os.fdopen(write, "wb") as writer:
            writer.write(b"a\nb")
        assert list(signals.reader(stream)) == [b"a\n", b"b"]
    assert signals.reader(io.BytesIO(b"c\n")).readline() == b"c\n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe without a writer looks like one that has ended")
def test_a_signal_before_a_named_pipe_is_opened_ends_the_wait_for_its_writer(signals: Signals, tmp_path: Path) -> None:
    """The system call would not return: only the reader, which watches for signals, may wait."""
    os.mkfifo(tmp_path / "fifo")

    def interrupted_open() -> None:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            open_input(str(tmp_path / "fifo")).__enter__().close()

    with pytest.raises(KeyboardInterrupt):
        interrupted_open()

    def interrupted_read() -> None:
        with open_input(str(tmp_path / "fifo")) as file:
            threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
            signals.reader(file).read(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted_read()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe without a writer looks like one that has ended")
def test_a_named_pipe_is_read_from_its_first_writer_to_the_end_of_its_last(signals: Signals, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"first\nsecond\n"))
    with open_input(str(path)) as file:
        writer.start()
        assert signals.reader(file).read() == b"first\nsecond\n"
        writer.join()
