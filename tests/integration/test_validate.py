"""`lifecycle validate` as a process: with files, pipes and terminals, and a real nats-server."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.demo import embedded
from choria_lifecycle.nats import NatsTransport
from choria_lifecycle.validation.parallel import SEGMENT_SIZE
from tests.bed.samples import UNKNOWN_PROTOCOL, compact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30
COMMAND = [sys.executable, "-m", "choria_lifecycle", "validate"]
# Without PYTHONUNBUFFERED, so that the streams are buffered as in production.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "PYTHON", "NO_COLOR"))},
    "TZ": "UTC",
    "TERM": "xterm",
}
EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0")
GOOD = lifecycle.encode(EVENT)
WARNED = re.sub(rb'"id":"[^"]*"', b'"id":"17"', GOOD)
BAD = GOOD.replace(b'"n1.example.net"', b"5")
UNKNOWN = compact({"protocol": UNKNOWN_PROTOCOL})
FOUND = b": $.identity: identity must be of type string, not 5"
LONG = b'{"x":"' + b"y" * 70_000 + b'"}'


@contextmanager
def running(*arguments: object, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `lifecycle validate` in its own process group, and kill that if the test has not ended it."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    settings = {"env": ENVIRONMENT, "start_new_session": True, "bufsize": 0, **settings}
    with subprocess.Popen([*COMMAND, *map(str, arguments)], **settings) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Return the exit code, standard output and standard error.

    Children inherit standard error, so once it ends, no child is left.
    """
    out, err = process.communicate(timeout=SECONDS)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def validated(*arguments: object, **settings: Any) -> tuple[int, str, str]:
    with running(*arguments, **settings) as process:
        return ended(process)


def shell(redirection: str, *arguments: object) -> tuple[int, str, str]:
    """Run `lifecycle validate` to its end with a shell redirection."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *map(str, arguments)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, env=ENVIRONMENT
    )
    return done.returncode, done.stdout, done.stderr


def read_line(stream: IO[bytes] | None) -> bytes:
    assert stream is not None
    assert select.select([stream], [], [], SECONDS)[0]
    return stream.readline()


def totals(err: str) -> tuple[int, int, int]:
    sums = r"^checked ([\d,]+) = ([\d,]+) valid \+ ([\d,]+) rejected(?:, and [\d,]+ not checked)?, in [\d,.]+ s$"
    found = re.search(sums, err, re.MULTILINE)
    assert found is not None, err
    checked, valid, rejected = (int(each.replace(",", "")) for each in found.groups())
    assert checked == valid + rejected
    return checked, valid, rejected


def findings_in(err: str) -> int:
    """Return the total of the table of findings."""
    table = err.partition("CODE ")[2].partition("\n\n")[0].splitlines()[1:]
    return sum(int(line.split()[-1].replace(",", "")) for line in table)


def children(number: int) -> list[int]:
    """Return the worker processes of a process."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{number}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"validation.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))  # noqa: PERF401 - keep the result if a process vanishes
    return found


def has_loaded(number: int, name: str) -> bool:
    with suppress(OSError):
        return name in Path(f"/proc/{number}/maps").read_text()
    return False


shows_children = pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="this system does not show children"
)


def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition is true, and return its result."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)  # there is no event to wait for
    return found


def wait_until_full(pipe: IO[bytes] | None) -> None:
    """Wait until a pipe is so full that the remaining output does not fit."""
    assert pipe is not None
    descriptor = pipe.fileno()
    until(lambda: int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder) > 40_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join([GOOD, BAD, WARNED, UNKNOWN, b""]))
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three segments with all kinds of lines, and more findings than a pipe holds."""
    path = tmp_path_factory.mktemp("large") / "large.ndjson"
    good, odd = GOOD + b"\n", [BAD, WARNED, UNKNOWN, b"nonsense", b"\xff", b" ", WARNED + b"\r", b""]
    with path.open("wb") as file:
        for number in range(600):
            file.write(good * 35 + b"".join(each + b"\n" for each in odd))
            if number % 150 == 100:
                file.write(LONG + b"\n")
        file.write(GOOD[:-10])
    assert path.stat().st_size > 2 * SEGMENT_SIZE
    return path


def lines_of(path: Path) -> list[bytes]:
    return [line.removesuffix(b"\n") + b"\n" for line in path.read_bytes().split(b"\n") if line.strip(b" \t\r\n")]


# ---- streaming


@pytest.mark.parametrize("output", ["text", "json", "github"])
def test_standard_input_is_validated_line_by_line(output: str) -> None:
    with running("--output", output, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for _ in range(3):
            process.stdin.write(GOOD + b"\n" + BAD + b"\n")
            assert b"schema-type" in read_line(process.stdout)
        process.stdin.close()
        process.stdin = None
        code, out, err = ended(process)
    assert (code, out, totals(err)) == (1, "", (6, 3, 3))


def test_elements_of_an_array_are_validated_one_by_one() -> None:
    with running(stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for before in (b"[\n", b",\n"):
            process.stdin.write(before + BAD)
            assert FOUND in read_line(process.stdout)
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 143


def test_a_compressed_stream_is_validated_as_it_arrives() -> None:
    with running(stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for _ in range(2):
            process.stdin.write(gzip.compress(BAD + b"\n"))
            assert FOUND in read_line(process.stdout)
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 143


def test_a_fifo_followed_by_a_file(tmp_path: Path, file: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running("--jobs", 2, fifo, file) as process:
        with fifo.open("wb", buffering=0) as events:
            events.write(BAD + b"\n")
            assert FOUND in read_line(process.stdout)
        code, out, err = ended(process)
    assert (code, len(out.splitlines()), totals(err)) == (1, 3, (5, 2, 3))


def test_standard_input_of_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        with running(stdin=theirs) as process:
            assert b"Ctrl-D" in read_line(process.stderr)
            os.write(ours, BAD + b"\n")
            assert FOUND in read_line(process.stdout)
            os.write(ours, b"\x04")
            code, out, err = ended(process)
        assert (code, out, totals(err)) == (1, "", (1, 0, 1))
    finally:
        os.close(ours)
        os.close(theirs)


def test_closed_streams(file: Path) -> None:
    assert shell("<&-")[0] == 1
    assert shell("--allow-empty <&-")[0] == 0
    assert shell("<&- >&- 2>&-", file) == (1, "", "")


# ---- signals

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_ends_reading_from_a_pipe(number: int, code: int, tmp_path: Path) -> None:
    rejects, valid = tmp_path / "rejects", tmp_path / "valid"
    with running("--rejects", rejects, "--valid", valid, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(GOOD + b"\n" + WARNED + b"\n" + BAD + b"\n" + GOOD)
        assert b"[id-uuid]" in read_line(process.stdout)
        assert FOUND in read_line(process.stdout)
        process.send_signal(number)
        result, out, err = ended(process)
    assert (result, out, totals(err)) == (code, "", (3, 2, 1))
    assert (rejects.read_bytes(), valid.read_bytes()) == (BAD + b"\n", GOOD + b"\n" + WARNED + b"\n")


@pytest.mark.parametrize(("number", "code"), SIGNALS[:2])
def test_a_signal_ends_waiting_for_a_writer(number: int, code: int, tmp_path: Path, file: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running(file, fifo) as process:
        for _ in range(3):
            read_line(process.stdout)
        process.send_signal(number)
        result, _, err = ended(process)
    assert (result, totals(err)) == (code, (4, 2, 2))


@pytest.mark.parametrize(
    ("jobs", "group", "number", "code"),
    [
        *[(jobs, False, number, code) for jobs in (1, 2) for number, code in SIGNALS[:2]],
        *[(2, True, number, code) for number, code in SIGNALS],
    ],
)
def test_a_signal_in_the_middle_of_a_large_file(
    jobs: int, group: bool, number: int, code: int, large: Path, tmp_path: Path
) -> None:
    rejects, valid = tmp_path / "rejects", tmp_path / "valid"
    with running("--jobs", jobs, "--rejects", rejects, "--valid", valid, large) as process:
        wait_until_full(process.stdout)
        (os.killpg if group else os.kill)(process.pid, number)
        result, out, err = ended(process)
    assert result == code
    checked, good, bad = totals(err)
    expected = lines_of(large)
    assert 0 < checked < len(expected)
    # Exactly the counted documents were written.
    assert sum(map(len, (lines_of(valid), lines_of(rejects)))) == checked
    assert (len(lines_of(valid)), len(lines_of(rejects))) == (good, bad)
    assert sorted([*lines_of(valid), *lines_of(rejects)]) == sorted(expected[:checked])
    assert len(out.splitlines()) == findings_in(err)


@shows_children
@pytest.mark.parametrize(
    ("number", "send", "module"),
    [
        (signal.SIGINT, os.kill, "python"),
        (signal.SIGTERM, os.kill, "python"),
        (signal.SIGINT, os.killpg, "msgspec"),
        (signal.SIGTERM, os.killpg, "msgspec"),
        (signal.SIGHUP, os.killpg, "python"),
    ],
)
def test_a_signal_while_processes_start(
    number: int, send: Callable[[int, int], None], module: str, large: Path
) -> None:
    """A terminal sends Ctrl-C to all processes, including those that do not handle it yet."""
    with running("--jobs", 2, large, stdout=subprocess.DEVNULL) as process:
        until(lambda: [each for each in children(process.pid) if has_loaded(each, module)])
        send(process.pid, number)
        code, _, err = ended(process)
    assert code == 128 + number
    totals(err)


def test_a_second_ctrl_c_does_not_hang(large: Path) -> None:
    with running("--jobs", 2, large) as process:
        wait_until_full(process.stdout)
        for _ in range(2):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        assert ended(process)[0] == 130


@shows_children
def test_no_worker_outlives_its_parent(large: Path) -> None:
    with running("--jobs", 3, large) as process:
        wait_until_full(process.stdout)
        started = children(process.pid)
        assert started
        process.kill()
        try:
            process.communicate(timeout=5)
        finally:
            for number in started:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)


@shows_children
def test_a_killed_worker_is_reported(large: Path, tmp_path: Path) -> None:
    path = tmp_path / "larger.ndjson"
    path.write_bytes(large.read_bytes() * 8)  # so that the worker is still needed
    with running("--jobs", 3, path) as process:
        wait_until_full(process.stdout)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        code, _, err = ended(process)
    assert code == 1
    assert "lifecycle: error: one of the processes ended unexpectedly; try --jobs 1\n" in err


# ---- closed and full outputs


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_closed_pipe_ends_the_command_quietly(jobs: int, large: Path) -> None:
    with running("--jobs", jobs, large) as process:
        assert process.stdout is not None
        assert read_line(process.stdout)
        process.stdout.close()
        process.stdout = None
        code, _, err = ended(process)
    assert (code, err) == (0, "")


def test_a_closed_pipe_is_quiet_with_little_output(file: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert validated(file, stdout=writer) == (0, "", "")
    finally:
        os.close(writer)


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@full
@pytest.mark.parametrize("arguments", [["--jobs", 1, "FILE"], ["--jobs", 2, "LARGE"]])
def test_findings_on_a_full_disk(arguments: list[object], large: Path, file: Path) -> None:
    code, _, err = shell(">/dev/full", *[{"FILE": file, "LARGE": large}.get(str(each), each) for each in arguments])
    assert code == 1
    assert err.splitlines()[-1] == "lifecycle: error: standard output: No space left on device"


@full
@pytest.mark.parametrize(
    "arguments",
    [
        ["--rejects", "/dev/full", "FILE"],
        ["--valid", "/dev/full", "FILE"],
        ["--valid", "/dev/full", "LARGE"],
        ["--jobs", 2, "--valid", "/dev/full", "LARGE"],
    ],
)
def test_documents_on_a_full_disk(arguments: list[object], large: Path, file: Path) -> None:
    names = [{"FILE": file, "LARGE": large}.get(str(each), each) for each in arguments]
    code, _, err = validated("-q", "-q", *names)
    assert (code, err) == (1, "lifecycle: error: cannot write /dev/full: No space left on device\n")


# ---- files


@pytest.mark.parametrize("option", ["--rejects", "--valid"])
def test_standard_input_is_not_overwritten(option: str, file: Path) -> None:
    before = file.read_bytes()
    for arguments in ([option, file], [option, file, "-"], [option, file, "/dev/stdin"]):
        with file.open("rb") as stream:
            code, out, err = validated(*arguments, stdin=stream)
        assert file.read_bytes() == before
        assert (code, out) == (2, "")
        assert "is also an input; choose another output file" in err


def test_results_do_not_depend_on_the_number_of_processes(large: Path, tmp_path: Path) -> None:
    found = []
    for jobs in (1, 2, 3):
        rejects, valid = tmp_path / f"rejects{jobs}", tmp_path / f"valid{jobs}"
        code, out, err = validated("--jobs", jobs, "--rejects", rejects, "--valid", valid, large)
        found.append((code, out, re.sub(r"in [\d,.]+ s", "", err), rejects.read_bytes(), valid.read_bytes()))
    assert found[0][0] == 1
    assert found[1] == found[0]
    assert found[2] == found[0]
    checked, good, bad = totals(err)
    expected = lines_of(large)
    assert (checked, good, bad) == (len(expected), len(lines_of(valid)), len(lines_of(rejects)))
    assert sorted([*lines_of(valid), *lines_of(rejects)]) == sorted(expected)
    codes = [
        "schema-type", "id-uuid", "protocol-unknown", "input-json", "input-utf-8", "input-size", "input-truncated"
    ]  # fmt: skip
    assert set(re.findall(r"\[([-a-z0-9]+)\]$", out, re.MULTILINE)) == set(codes)
    assert len(out.splitlines()) == findings_in(err)


def test_the_last_error_does_not_depend_on_the_number_of_processes(large: Path, tmp_path: Path) -> None:
    found = []
    for jobs in (1, 2):
        rejects, valid = tmp_path / f"rejects{jobs}", tmp_path / f"valid{jobs}"
        arguments = ["--max-errors", 1000, "--output", "json", "--rejects", rejects, "--valid", valid]
        code, out, err = validated("--jobs", jobs, *arguments, large)
        found.append((code, out, re.sub(r"in [\d,.]+ s", "", err), rejects.read_bytes(), valid.read_bytes()))
    assert found[1] == found[0]
    assert sum(json.loads(line)["severity"] == "error" for line in out.splitlines()) == 1000
    assert len(lines_of(rejects)) == 1000


# ---- terminals


def terminal(columns: int = 100) -> tuple[int, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def written_to(terminal: int) -> bytes:
    """Return the data written to a terminal so far; all of it once its other end is closed."""
    data = b""
    while select.select([terminal], [], [], 0)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    return data


def test_progress_is_shown_only_on_a_terminal_after_a_second(tmp_path: Path) -> None:
    fifos = tmp_path / "shown", tmp_path / "hidden"
    for fifo in fifos:
        os.mkfifo(fifo)
    ours, theirs = terminal()
    began = time.monotonic()
    with (
        running("--color", "never", fifos[0], stderr=theirs) as shown,
        running(fifos[1], stdout=subprocess.PIPE) as hidden,
        fifos[0].open("wb", buffering=0) as first,
        fifos[1].open("wb", buffering=0) as second,
    ):
        os.close(theirs)
        screen = b""
        lines = 0
        deadline = began + SECONDS
        while b"events/s" not in screen:
            assert time.monotonic() < deadline
            for fifo, process in ((first, shown), (second, hidden)):
                fifo.write(BAD + b"\n")
                assert FOUND in read_line(process.stdout)
            lines += 1
            if time.monotonic() < began + 1:
                assert written_to(ours) == b""
            else:
                screen += written_to(ours)
        first.close()
        second.close()
        code, out, err = ended(hidden)
        assert (code, out, totals(err)[0]) == (1, "", lines)
        assert "\r" not in err
        assert "events/s" not in err
        shown.wait(SECONDS)
        screen += written_to(ours)
    os.close(ours)
    progress, _, rest = screen.rpartition(b"\r\x1b[K")
    assert re.search(rb"^\r\x1b\[K[^\r\n]*shown  [\d.]+ [kM]?B  [\d,]+ events/s", progress)
    # It is erased before the summary.
    assert rest.startswith(b"FORMAT")
    assert totals(rest.decode().replace("\r\n", "\n"))[0] == lines


def test_progress_of_a_file_shows_its_share_and_the_time_left(tmp_path: Path) -> None:
    """A file with a finding every three bytes takes much longer than a second."""
    (tmp_path / "events.ndjson").write_bytes(b"{}\n" * 3_000_000)
    with ExitStack() as stack:
        rows: dict[int, str] = {}
        started = []
        for columns in (40, 120):
            ours, theirs = terminal(columns)
            stack.callback(os.close, ours)
            settings = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": theirs}
            started.append((columns, ours, stack.enter_context(running("events.ndjson", **settings))))
            os.close(theirs)
        for columns, ours, process in started:
            screen = b""
            while screen.count(b"\x1b[K") < 2:
                assert select.select([ours], [], [], SECONDS)[0]
                screen += os.read(ours, 65536)
            rows[columns] = screen.decode().split("\r\x1b[K")[1]
            process.kill()
    assert all(len(row) < columns for columns, row in rows.items())
    assert re.match(r"(\S+  )?\d+ %  [\d.]+ [kM]B of 9.0 MB", rows[40])
    pattern = r"events\.ndjson  \d+ %  [\d.]+ [kM]B of 9\.0 MB  [\d,]+ events/s  \d+:\d\d left  \[#*-+\]"
    assert re.fullmatch(pattern, rows[120])


@pytest.mark.parametrize(
    ("environment", "arguments", "colored"),
    [
        ({"NO_COLOR": ""}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({}, ["--color", "never"], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
    ],
)
def test_colours_on_a_terminal(environment: dict[str, str], arguments: list[str], colored: bool, file: Path) -> None:
    ours, theirs = terminal(300)
    with running(*arguments, file, stdout=theirs, env={**ENVIRONMENT, **environment}) as process:
        os.close(theirs)
        assert ended(process)[0] == 1
        screen = written_to(ours).decode()
    os.close(ours)
    assert ("\x1b[31m[schema-type]\x1b[0m" in screen) == colored
    assert ("\x1b" in screen) == colored


def test_no_finding_forges_a_line_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "hostile.ndjson"
    hostile = "\x1b[2J\r\nforged.ndjson:1: $: \u202e\x9b\u2028"
    odd = [{"protocol": hostile}, {**json.loads(GOOD), "id": hostile}, {**json.loads(GOOD), "identity": [hostile]}]
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in [*odd, {hostile: 1}, hostile]))
    for output in ("text", "json", "github"):
        ours, theirs = terminal(60)
        with running("--output", output, "--color", "never", path, stdout=theirs) as process:
            os.close(theirs)
            process.wait(SECONDS)
            lines = written_to(ours).decode().split("\r\n")
        os.close(ours)
        assert all(line.isprintable() and not line.startswith("forged") for line in lines)
        assert len(lines) > 5


# ---- messages

SUBJECT = "choria.lifecycle.event.startup."


async def publish(url: str, subject: str, *payloads: bytes) -> None:
    """Publish arbitrary bytes."""
    transport = await NatsTransport.open(resolve(url, environ={}), timeout=5)
    try:
        await transport.publish([(subject, data) for data in payloads], 10)
    finally:
        await transport.close()


async def publish_anywhere(server: embedded.Server, subject: str, payload: bytes) -> None:
    """Publish on a subject that the client rejects and the server accepts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b'CONNECT {"verbose":false}\r\nPUB %b %d\r\n%b\r\nPING\r\n' % (subject.encode(), len(payload), payload)
    )
    async with asyncio.timeout(SECONDS):
        assert b"PONG" in await reader.readuntil(b"PONG\r\n")
    writer.close()
    await writer.wait_closed()


@contextmanager
def listening(server: embedded.Server, subject: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run `lifecycle validate` on a subject, and wait until it is subscribed."""
    with running("--server", server.url, "--subject", subject, *arguments) as process:
        assert read_line(process.stderr).startswith(b"Validating messages on ")
        yield process


def of(component: str, raw: bytes = GOOD) -> bytes:
    return raw.replace(b'"server"', json.dumps(component).encode())


async def test_messages_are_validated(server: embedded.Server, tmp_path: Path) -> None:
    rejects, valid = tmp_path / "rejects", tmp_path / "valid"
    subject = SUBJECT + "some"
    pretty = json.dumps(json.loads(of("some", BAD)), indent=1).encode()
    payloads = [of("some"), of("some", BAD), of("some", WARNED), UNKNOWN, of("other"), b"nonsense", pretty, b"", LONG]
    with listening(server, subject, "--count", len(payloads), "--rejects", rejects, "--valid", valid) as process:
        await publish(server.url, subject, *payloads)
        code, out, err = ended(process)
    assert (code, totals(err)) == (1, (9, 3, 6))
    found = [re.match(r"(.+):(\d+): .* \[([-a-z0-9]+)\]$", line) for line in out.splitlines()]
    assert [each.groups() for each in found if each] == [
        (subject, "2", "schema-type"),
        (subject, "3", "id-uuid"),
        (subject, "4", "protocol-unknown"),
        (subject, "5", "subject-differs"),
        (subject, "6", "input-json"),
        (subject, "7", "schema-type"),
        (subject, "8", "input-json"),
        (subject, "9", "input-size"),
    ]
    lines = [payload.replace(b"\n", b" ") + b"\n" for payload in payloads]
    assert valid.read_bytes() == b"".join(lines[at] for at in (0, 2, 4))
    assert rejects.read_bytes() == b"".join(lines[at] for at in (1, 3, 5, 6, 7, 8))


async def test_messages_as_json_and_for_github(server: embedded.Server) -> None:
    for output in ("json", "github"):
        subject = f"{SUBJECT}{output}"
        with listening(server, subject, "--output", output, "--count", 1) as process:
            await publish(server.url, subject, of(output, BAD))
            code, out, _ = ended(process)
        assert code == 1
        if output == "json":
            shown = json.loads(out)
            assert (shown["subject"], shown["number"], shown["code"]) == (subject, 1, "schema-type")
            assert "file" not in shown
        else:
            assert out.startswith(f"::error title=schema-type::{subject}:1: $.identity")


async def test_the_default_subject_is_that_of_lifecycle_events(server: embedded.Server) -> None:
    with running("--server", server.url, "--count", 1) as process:
        assert b"Validating messages on choria.lifecycle.event.> from " in read_line(process.stderr)
        await publish(server.url, SUBJECT + "default", of("default"))
        assert ended(process)[0] == 0


async def test_a_subject_without_a_server(server: embedded.Server) -> None:
    with running("--subject", "choria.machine.>", "--for", "50ms", env={**ENVIRONMENT, "NATS_URL": server.url}) as one:
        assert b"choria.machine.>" in read_line(one.stderr)
        code, _, err = ended(one)
    assert code == 1
    assert "lifecycle: warning: there was no message to validate; --allow-empty accepts that" in err
    arguments = ["--subject", "choria.machine.>", "--for", "50ms", "--allow-empty"]
    with running(*arguments, env={**ENVIRONMENT, "NATS_URL": server.url}) as one:
        assert ended(one)[0] == 0


async def test_hostile_subjects(server: embedded.Server) -> None:
    for output in ("text", "json", "github"):
        with listening(server, f"hostile{output}.>", "--output", output, "--count", 1) as process:
            await publish_anywhere(server, f"hostile{output}.\x1b[2J\u202eé", BAD)
            code, out, err = ended(process)
        assert code == 1
        assert len(out.splitlines()) == 2
        assert all(line.isprintable() for line in [*out.splitlines(), *err.splitlines()])


@pytest.mark.parametrize(("count", "code"), [([], 0), (["--count", 2], 1)])
async def test_it_ends_when_the_time_is_over(count: list[object], code: int, server: embedded.Server) -> None:
    subject = f"{SUBJECT}over{code}"
    with listening(server, subject, "--for", "300ms", *count) as process:
        await publish(server.url, subject, of(f"over{code}"))
        result, out, err = ended(process)
    assert (result, out, totals(err)) == (code, "", (1, 1, 0))


async def test_errors_count_when_the_time_is_over(server: embedded.Server) -> None:
    with listening(server, SUBJECT + "wrong", "--for", "300ms") as process:
        await publish(server.url, SUBJECT + "wrong", b"nonsense")
        assert ended(process)[0] == 1


@pytest.mark.parametrize(
    ("number", "arguments", "code"),
    [
        (signal.SIGINT, [], 130),
        (signal.SIGTERM, [], 0),
        (signal.SIGHUP, [], 0),
        (signal.SIGINT, ["--count", 9], 130),
        (signal.SIGTERM, ["--count", 9], 143),
    ],
)
async def test_signals_end_it_with_the_summary(
    number: int, arguments: list[object], code: int, server: embedded.Server
) -> None:
    subject = f"{SUBJECT}signal{number}{len(arguments)}"
    with listening(server, subject, *arguments) as process:
        await publish(server.url, subject, of("elsewhere"))
        assert b"[subject-differs]" in read_line(process.stdout)
        process.send_signal(number)
        result, out, err = ended(process)
    assert (result, out, totals(err)) == (code, "", (1, 1, 0))


async def test_errors_count_after_sigterm(server: embedded.Server) -> None:
    with listening(server, SUBJECT + "late") as process:
        await publish(server.url, SUBJECT + "late", b"nonsense")
        assert read_line(process.stdout)
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 1


@pytest.mark.parametrize(("arguments", "code"), [([], 1), (["--allow-empty"], 0)])
async def test_a_signal_before_the_first_message(arguments: list[str], code: int, server: embedded.Server) -> None:
    with listening(server, f"{SUBJECT}none{code}", *arguments) as process:
        process.send_signal(signal.SIGTERM)
        result, out, err = ended(process)
    assert (result, out, totals(err)) == (code, "", (0, 0, 0))
    assert ("there was no message to validate" in err) == (code == 1)


async def test_max_errors_ends_it(server: embedded.Server) -> None:
    with listening(server, SUBJECT + "most", "--max-errors", 2) as process:
        await publish(server.url, SUBJECT + "most", *[b"nonsense"] * 5)
        code, out, err = ended(process)
    assert (code, len(out.splitlines()), totals(err)) == (1, 2, (2, 0, 2))


async def test_a_closed_pipe_ends_watching_quietly(server: embedded.Server) -> None:
    with listening(server, SUBJECT + "pipe") as process:
        assert process.stdout is not None
        await publish(server.url, SUBJECT + "pipe", b"nonsense")
        assert read_line(process.stdout)
        process.stdout.close()
        process.stdout = None
        code, _, err = ended(process)
    assert (code, err) == (0, "")


@pytest.fixture(scope="module")
def guarded() -> Iterator[embedded.Server]:
    """A server whose user may only subscribe to one subject."""
    config = 'authorization { users = [ { user: me, password: "open", permissions: { subscribe: "x" } } ] }'
    with embedded.nats_server(config, jetstream=False) as running_server:
        yield running_server


def test_no_permission(guarded: embedded.Server, tmp_path: Path) -> None:
    password = tmp_path / "password"
    for word in ("open", "wrong"):
        password.write_text(word)
        code, out, err = validated("--server", guarded.url, "--user", "me", "--password-file", password)
        assert (code, out) == (4, "")
        assert err.count("\n") == 1


def test_connection_refused(unused_tcp_port: int) -> None:
    code, out, err = validated("--server", f"127.0.0.1:{unused_tcp_port}")
    assert (code, out) == (3, "")
    assert "connection refused" in err


@pytest.mark.parametrize("subject", ["not a subject", "a\x1b[31m\nb", ""])
def test_an_invalid_subject_is_rejected(subject: str, server: embedded.Server) -> None:
    code, out, err = validated("--server", server.url, "--subject", subject, "--for", "50ms")
    assert (code, out) == (2, ""), err
    assert all(line.isprintable() for line in err.split("\n"))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("output", ["sarif", "gitlab"])
def test_a_report_is_complete_after_a_signal(output: str, end: signal.Signals) -> None:
    with running("--output", output, "--summary", "/dev/null", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(BAD + b"\n")
        begun = b""
        while b"$.identity" not in begun:
            begun += process.stdout.read(65536)
        process.send_signal(end)
        code, rest, _ = ended(process)
    assert code == 128 + end
    report = json.loads(begun.decode() + rest)
    assert len(report if output == "gitlab" else report["runs"][0]["results"]) == 1
