from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import tty
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from choria_lifecycle.cli.command import Command, Failure
from choria_lifecycle.cli.messages import printer_of
from choria_lifecycle.cli.printer import Printer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30
LONG = "x" * 999
MANY = 1000  # times LONG exceeds the capacity of any pipe, and the printer's limit


class End:
    """Both ends of a pipe or a terminal: the tested code writes to one, the test reads from the other."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer

    def read_until(self, end: bytes) -> bytes:
        """Return the data up to an expected end."""
        data = b""
        while not data.endswith(end):
            assert select.select([self.reader], [], [], SECONDS)[0], data
            more = os.read(self.reader, 65536)
            assert more, data
            data += more
        return data

    def read_all(self) -> bytes:
        """Close the writer, and return the remaining data."""
        os.close(self.writer)
        self.writer = -1
        data = b""
        while select.select([self.reader], [], [], SECONDS)[0]:
            try:
                more = os.read(self.reader, 65536)
            except OSError as error:  # the end of a terminal on Linux
                assert error.errno == errno.EIO
                return data
            if not more:
                return data
            data += more
        raise AssertionError(data)

    def leave(self) -> None:
        """Close the reader."""
        os.close(self.reader)
        self.reader = -1

    def close(self) -> None:
        for descriptor in (self.reader, self.writer):
            if descriptor != -1:
                os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Callable[[], End]]:
    with ExitStack() as stack:

        def make() -> End:
            end = End(*os.pipe())
            stack.callback(end.close)
            return end

        yield make


@pytest.fixture
def terminal() -> Iterator[End]:
    end = End(*pty.openpty())
    tty.setraw(end.writer)
    fcntl.ioctl(end.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        yield end
    finally:
        end.close()


@contextmanager
def streams(out: int, err: int, encoding: str = "utf-8") -> Iterator[None]:
    """Replace the standard streams with these descriptors within this context."""
    with (
        pytest.MonkeyPatch.context() as patch,
        open(out, "w", encoding=encoding, closefd=False) as stdout,
        open(err, "w", encoding=encoding, closefd=False) as stderr,
    ):
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        yield


@pytest.fixture
def printer_to() -> Iterator[Callable[..., Printer]]:
    """Return a factory of printers, which are closed after the test."""
    made: list[Printer] = []

    def make(out: End, err: End, encoding: str = "utf-8") -> Printer:
        with streams(out.writer, err.writer, encoding):
            made.append(Printer())
        return made[-1]

    yield make
    for printer in made:
        printer.close(0.01)


@contextmanager
def reading(end: End) -> Iterator[list[bytes]]:
    """Read in a thread within this context, and return the data in pieces."""
    found: list[bytes] = []
    stop, stopped = os.pipe()

    def read() -> None:
        while end.reader in select.select([end.reader, stop], [], [])[0]:
            found.append(os.read(end.reader, 65536))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield found
    finally:
        os.close(stopped)
        thread.join(SECONDS)
        os.close(stop)
        assert not thread.is_alive()


def screen(data: bytes) -> list[str]:
    """Return the rows that a terminal shows; the cursor is in the last one."""
    rows, column = [""], 0
    for unit in re.findall(r"\x1b\[K|[^\x1b]", data.decode()):
        if unit == "\n":
            rows.append("")
        elif unit == "\r":
            column = 0
            continue
        elif unit == "\x1b[K":
            rows[-1] = rows[-1][:column]
            continue
        else:
            rows[-1] = rows[-1][:column] + unit + rows[-1][column + 1 :]
        column = len(rows[-1]) if unit != "\n" else 0
    return rows


def test_lines_keep_their_order(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    out, err = pipe(), pipe()
    printer = printer_to(out, err)
    for number in range(200):
        printer.line(f"line {number}")
    printer.say("said")
    printer.close(None)
    assert out.read_all() == b"".join(b"line %d\n" % number for number in range(200))
    assert err.read_all() == b"said\n"
    assert (printer.out.lines_written, printer.err.lines_written) == (200, 1)


def test_lines_of_both_streams_keep_their_order(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    both = pipe()
    printer = printer_to(both, both)
    for number in range(100):
        (printer.line if number % 3 else printer.say)(str(number))
    printer.flush(None)
    assert both.read_all().split() == [b"%d" % number for number in range(100)]


def test_characters_missing_in_the_encoding_are_escaped(
    pipe: Callable[[], End], printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, pipe(), "ascii")
    printer.line("é漢")
    printer.out.encoding = "utf-8"
    printer.line("é漢")
    printer.flush(None)
    assert out.read_all() == "\\xe9\\u6f22\né漢\n".encode()


def test_a_line_longer_than_a_pipe_is_written_completely(
    pipe: Callable[[], End], printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, pipe())
    printer.line("x" * 500_000)
    with reading(out) as found:
        printer.flush(None)
    rest = out.read_all()
    assert b"".join([*found, rest]) == b"x" * 500_000 + b"\n"
    assert printer.out.lines_written == 1


def test_a_closed_reader_raises_broken_pipe(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    out, err = pipe(), pipe()
    printer = printer_to(out, err)
    out.leave()
    printer.line("lost")
    printer.flush(None)
    with pytest.raises(BrokenPipeError) as caught:
        printer.check()
    assert caught.value.filename == "standard output"
    with pytest.raises(BrokenPipeError):
        printer.line("lost")
    printer.say("said")
    printer.flush(None)
    assert (err.read_all(), printer.out.lines_written) == (b"said\n", 0)


def test_a_failure_of_standard_error_is_ignored(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    out, err = pipe(), pipe()
    printer = printer_to(out, err)
    err.leave()
    printer.say("lost")
    printer.line("kept")
    printer.flush(None)
    printer.say("lost")
    printer.check()
    assert (out.read_all(), printer.err.lines_written) == (b"kept\n", 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_raises(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    full = End(-1, os.open("/dev/full", os.O_WRONLY))
    printer = printer_to(full, pipe())
    printer.line("lost")
    printer.flush(None)
    with pytest.raises(OSError, match="standard output") as caught:
        printer.check()
    assert (caught.value.errno, printer.out.lines_written) == (errno.ENOSPC, 0)
    full.close()


def test_a_reader_that_accepts_nothing_is_abandoned(
    pipe: Callable[[], End], printer_to: Callable[..., Printer], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = pipe(), pipe()
    printer = printer_to(out, err)
    wait_for = printer._wait_for

    def only_for_out(condition: Callable[[], bool], timeout: float | None) -> bool:
        # Standard error would be abandoned too if the printer's thread did not run in time.
        is_stuck = printer.out.lines_written and not printer.out.abandoned
        return wait_for(condition, timeout if is_stuck else SECONDS)

    monkeypatch.setattr(printer, "_wait_for", only_for_out)
    for _ in range(MANY):
        printer.line(LONG)
    printer.say("said")
    printer.flush(0.01)
    assert printer.out.abandoned
    assert err.read_until(b"\n") == b"said\n"
    printer.line("discarded")
    printer.close(None)
    written = printer.out.lines_written
    out_lines = out.read_all().split(b"\n")
    assert 0 < written <= len(out_lines) - 1 <= MANY


def fill(printer: Printer) -> None:
    for _ in range(MANY):
        printer.line(LONG)


async def test_wait_writable_waits_while_too_much_is_queued(
    pipe: Callable[[], End], printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, pipe())
    printer.line("a")
    await asyncio.wait_for(printer.wait_writable(), SECONDS)
    fill(printer)
    waiting = asyncio.ensure_future(printer.wait_writable())
    await asyncio.sleep(0)
    assert not waiting.done()
    with reading(out):
        await asyncio.wait_for(waiting, SECONDS)
        printer.flush(None)
    assert printer.out.lines_written == MANY + 1


async def test_wait_writable_ends_when_the_reader_closes(
    pipe: Callable[[], End], printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, pipe())
    fill(printer)
    waiting = asyncio.ensure_future(printer.wait_writable())
    await asyncio.sleep(0)
    out.leave()
    await asyncio.wait_for(waiting, SECONDS)


def test_wait_writable_blocking_waits_without_an_event_loop(
    pipe: Callable[[], End], printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, pipe())
    printer.wait_writable_blocking()
    fill(printer)
    with reading(out):
        printer.wait_writable_blocking()
        printer.flush(None)
    fill(printer)
    out.leave()
    printer.wait_writable_blocking()


async def test_a_closed_reader_cancels_the_task(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    out = pipe()
    printer = printer_to(out, pipe())

    async def watch() -> None:
        with printer.cancel_on_failure():
            out.leave()
            await asyncio.Event().wait()

    with pytest.raises(BrokenPipeError):
        await asyncio.wait_for(watch(), SECONDS)


async def test_the_task_can_still_be_cancelled(pipe: Callable[[], End], printer_to: Callable[..., Printer]) -> None:
    printer = printer_to(pipe(), pipe())

    async def watch() -> None:
        with printer.cancel_on_failure():
            await asyncio.Event().wait()

    task = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_status_is_below_all_lines_until_the_next_line(terminal: End, printer_to: Callable[..., Printer]) -> None:
    printer = printer_to(terminal, terminal)
    printer.line("one")
    printer.status("10 %")
    data = terminal.read_until(b"10 %")
    assert screen(data) == ["one", "10 %"]
    printer.status("9 %")
    data += terminal.read_until(b"9 %")
    assert screen(data) == ["one", "9 %"]
    printer.say("two")
    data += terminal.read_until(b"two\n")
    assert screen(data) == ["one", "two", ""]
    printer.status("20 %")
    data += terminal.read_until(b"20 %")
    printer.line("three")
    data += terminal.read_until(b"three\n")
    assert screen(data) == ["one", "two", "three", ""]
    printer.flush(None)
    assert (printer.out.lines_written, printer.err.lines_written) == (2, 1)


@pytest.mark.parametrize("end", [lambda printer: printer.status(None), lambda printer: printer.close(None)])
def test_a_status_is_erased_at_the_end(
    end: Callable[[Printer], None], terminal: End, printer_to: Callable[..., Printer]
) -> None:
    printer = printer_to(terminal, terminal)
    printer.line("one")
    printer.status("10 %")
    printer.flush(None)
    end(printer)
    printer.flush(None)
    assert screen(terminal.read_all()) == ["one", ""]


def test_nothing_is_erased_without_a_status(terminal: End, printer_to: Callable[..., Printer]) -> None:
    printer = printer_to(terminal, terminal)
    printer.status(None)
    printer.line("one")
    printer.status(None)
    printer.close(None)
    assert terminal.read_all() == b"one\n"


def test_a_status_remains_while_lines_go_to_a_pipe(
    pipe: Callable[[], End], terminal: End, printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, terminal)
    printer.status("10 %")
    printer.flush(None)
    printer.line("one")
    printer.flush(None)
    printer.status("20 %")
    printer.flush(None)
    printer.close(None)
    assert out.read_all() == b"one\n"
    data = terminal.read_all()
    assert data.count(b"\r") == 3  # shown twice, and erased at the end
    assert screen(data) == [""]


def test_no_status_is_written_to_a_pipe(
    pipe: Callable[[], End], terminal: End, printer_to: Callable[..., Printer]
) -> None:
    err = pipe()
    printer = printer_to(terminal, err)
    printer.status("10 %")
    printer.flush(None)
    printer.say("one")
    printer.status(None)
    printer.close(None)
    assert (terminal.read_all(), err.read_all()) == (b"", b"one\n")


def test_no_status_on_a_terminal_that_cannot_erase(terminal: End, monkeypatch: pytest.MonkeyPatch) -> None:
    with streams(terminal.writer, terminal.writer):
        monkeypatch.setenv("TERM", "dumb")
        printer = Printer()
    printer.status("10 %")
    printer.flush(None)
    printer.close(None)
    assert terminal.read_all() == b""


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("x" * 200, "utf-8", "x" * 79),
        ("漢" * 200, "utf-8", "漢" * 39),
        ("é" * 200, "ascii", ("\\xe9" * 20)[:79]),
    ],
)
def test_a_status_is_truncated_to_the_terminal(
    text: str, encoding: str, shown: str, terminal: End, printer_to: Callable[..., Printer]
) -> None:
    printer = printer_to(terminal, terminal, encoding)
    printer.status(text)
    assert screen(terminal.read_until(shown.encode())) == [shown]


def test_queued_statuses_replace_each_other(
    pipe: Callable[[], End], terminal: End, printer_to: Callable[..., Printer]
) -> None:
    out = pipe()
    printer = printer_to(out, terminal)
    fill(printer)
    waiting = len(printer._queue)
    for number in range(1000):
        printer.status(f"{number:3} of 999")
    assert len(printer._queue) <= waiting + 1
    with reading(out):
        data = terminal.read_until(b"999 of 999")
        printer.flush(None)
    assert screen(data) == ["999 of 999"]
    assert data.count(b"of") == 1


def test_a_stopped_terminal_delays_the_end_until_the_timeout(terminal: End, printer_to: Callable[..., Printer]) -> None:
    printer = printer_to(terminal, terminal)
    printer.status("10 %")
    terminal.read_until(b"10 %")
    termios.tcflow(terminal.writer, termios.TCOOFF)
    try:
        printer.close(0.01)
        assert printer.err.abandoned
    finally:
        termios.tcflow(terminal.writer, termios.TCOON)


def failure(printer: Printer) -> None:
    raise Failure("no")


def interrupt(printer: Printer) -> None:
    signal.raise_signal(signal.SIGINT)


def no_reader(printer: Printer) -> None:
    raise BrokenPipeError


def nothing(printer: Printer) -> None:
    pass


@pytest.mark.parametrize(
    ("end", "code", "rows"),
    [
        (nothing, 0, [""]),
        (interrupt, 130, [""]),
        (no_reader, 0, [""]),
        (failure, 1, ["lifecycle: error: no", ""]),
    ],
)
def test_a_status_is_erased_however_a_command_ends(
    end: Callable[[Printer], None], code: int, rows: list[str], terminal: End
) -> None:
    @click.command(cls=Command)
    @click.pass_context
    def command(ctx: click.Context) -> None:
        printer = printer_of(ctx)
        printer.status("10 %")
        printer.flush(None)
        end(printer)

    with streams(terminal.writer, terminal.writer), pytest.raises(SystemExit) as caught:
        command.main([], "lifecycle")
    assert caught.value.code == code
    assert screen(terminal.read_all()) == rows
