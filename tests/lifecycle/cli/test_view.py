from __future__ import annotations

import errno
import io
import json
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import view
from tests.bed.compressed import COMPRESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

NOON = 1795348800  # 2026-11-22T12:00:00Z
STARTUP = lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0", timestamp=NOON)
SHUTDOWN = lifecycle.shutdown(identity="n2.example.net", component="billing", timestamp=NOON + 1)
TEXT = [
    "12:00:00 [startup] n1.example.net: server version 0.6.0",
    "12:00:01 [shutdown] n2.example.net: billing",
]
BAD = b'{"protocol":"io.choria.lifecycle.v1.alive"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    wrapped = lifecycle.encode(SHUTDOWN, format=lifecycle.Format.CLOUDEVENTS)
    path.write_bytes(b"\n".join([lifecycle.encode(STARTUP), BAD, wrapped, b""]))
    return path


def test_events_of_a_file_are_shown_with_their_own_times(run: Callable[..., Result], file: Path) -> None:
    result = run("view", "--input", file)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == TEXT
    assert result.stderr.splitlines() == [
        f"{file}:2: [rejected] $.id: id is missing; it must be of type string",
        "received 3 = 2 shown + 0 filtered + 1 rejected + 0 dropped",
    ]


def test_quiet_shows_only_the_events(run: Callable[..., Result], file: Path) -> None:
    result = run("view", "-q", "--input", file)
    assert (result.stdout.splitlines(), result.stderr) == (TEXT, "")


@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_files_are_read(name: str, run: Callable[..., Result], file: Path) -> None:
    data = COMPRESS[name](b"\xef\xbb\xbf" + file.read_bytes())
    file.write_bytes(data)
    assert run("view", "--input", file).stdout.splitlines() == TEXT
    assert run("view", "--input", "-", stdin=data).stdout.splitlines() == TEXT


def test_the_command_to_convert_other_formats_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b"PK\x03\x04")
    result = run("view", "--input", tmp_path / "events")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"for example with `unzip -p {tmp_path / 'events'} | lifecycle view --input -`" in result.stderr


@pytest.mark.parametrize("output", ["json", "raw"])
def test_output_can_be_read_again(output: str, run: Callable[..., Result], file: Path) -> None:
    once = run("view", "--input", file, "--output", output)
    again = run("view", "--input", "-", "--output", output, stdin=once.stdout_bytes)
    assert once.stdout == again.stdout
    assert run("view", "--input", "-", stdin=once.stdout_bytes).stdout.splitlines() == TEXT


def test_json_output_is_one_object_per_line(run: Callable[..., Result], file: Path) -> None:
    lines = [json.loads(line) for line in run("view", "--input", file, "--output", "json").stdout.splitlines()]
    assert [list(line) for line in lines] == [["received", "subject", "format", "event"]] * 2
    assert [line["format"] for line in lines] == ["choria", "cloudevents"]


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["--type", "startup"], [0]),
        (["--type", "startup", "--type", "shutdown"], [0, 1]),
        (["--component", "billing"], [1]),
        (["--component", "billing", "--component", "server"], [0, 1]),
        (["--identity", "n1.*"], [0]),
        (["--identity", "*.example.net", "--type", "alive"], []),
    ],
)
def test_filters_select_events(arguments: list[str], kept: list[int], run: Callable[..., Result], file: Path) -> None:
    result = run("view", "--input", file, *arguments)
    assert result.stdout.splitlines() == [TEXT[index] for index in kept]
    shown, filtered = len(kept), 2 - len(kept)
    assert result.stderr.endswith(f"received 3 = {shown} shown + {filtered} filtered + 1 rejected + 0 dropped\n")


@pytest.mark.parametrize(("count", "code", "shown"), [(1, 0, 1), (2, 0, 2), (3, 1, 2)])
def test_count_limits_the_events_and_sets_the_exit_code(
    count: int, code: int, shown: int, run: Callable[..., Result], file: Path
) -> None:
    result = run("view", "--input", file, "--count", count)
    assert result.exit_code == code
    assert result.stdout.splitlines() == TEXT[:shown]


def test_the_time_format_is_used(run: Callable[..., Result], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("view", "--input", file, "--utc", "--time-format", "%Y-%m-%dT%H:%M:%SZ")
    assert result.stdout.startswith("2026-11-22T12:00:00Z [startup] ")


@pytest.mark.parametrize(
    ("choice", "environment", "colored"),
    [
        ("auto", {}, False),  # stdout is not a terminal here
        ("never", {}, False),
        ("always", {}, True),
        ("always", {"NO_COLOR": "1"}, True),
    ],
)
def test_color_follows_the_option(
    choice: str,
    environment: dict[str, str],
    colored: bool,
    run: Callable[..., Result],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[32m[startup]\x1b[0m" in run("view", "--input", file, "--color", choice).stdout) is colored


@pytest.mark.parametrize("name", ["missing", "."])
def test_unreadable_input_exits_with_2(name: str, run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("view", "--input", tmp_path / name)
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"lifecycle: error: cannot read {tmp_path}")


def test_a_read_error_after_the_first_event_exits_with_2(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            block = super().read1(size)
            if not block:
                raise OSError(errno.EIO, "Input/output error")
            return block

    monkeypatch.setattr(view, "open_input", lambda name: Breaking(lifecycle.encode(STARTUP)))
    result = run("view", "--input", "events.ndjson")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == TEXT[:1]
    assert result.stderr.splitlines() == [
        "received 1 = 1 shown + 0 filtered + 0 rejected + 0 dropped",
        "lifecycle: error: cannot read events.ndjson: Input/output error",
    ]


@pytest.mark.parametrize(
    "option",
    [
        ["--server", "x"],
        ["--for", "3s"],
        ["--since", "1h"],
        ["--stream", "X"],
        ["--subject", "x"],
        ["--password-file", "x"],
        ["--timeout", "5s"],
    ],
)
def test_connection_options_are_refused_with_input(option: list[str], run: Callable[..., Result], file: Path) -> None:
    result = run("view", "--input", file, *option)
    assert result.exit_code == 2
    assert f"{option[0]} cannot be used with --input" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--count", "0"], ["--for", "3"], ["--type", "reboot"], ["--output", "xml"], ["--time-format", "\udcff"]],
)
def test_wrong_usage_exits_with_2(arguments: list[str], run: Callable[..., Result]) -> None:
    assert run("view", *arguments).exit_code == 2


def test_an_invalid_component_is_refused(run: Callable[..., Result]) -> None:
    result = run("view", "--component", "a b", "--server", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "one token of the subject" in result.stderr


HOSTILE = [
    "",
    "\x1b[2J\r\n10:00:00 [startup] forged: server version 6.6.6",
    "\u2028\x85\x9b\u202e\x7f\x00",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
    "cloudevents",
    "x" * 70_000,
    None,
    True,
    -1,
    2**63,
    10**400,
    1.5,
    [],
    [[]] * 5000,
    {},
    {"received": None},
]


@pytest.mark.parametrize("output", ["text", "json", "raw"])
@pytest.mark.parametrize("name", ["received", "subject", "format", "event", "version", "timestamp", "protocol", "id"])
def test_hostile_values_do_not_break_the_view(name: str, output: str, run: Callable[..., Result]) -> None:
    event = json.loads(lifecycle.encode(STARTUP))
    whole = {"received": "2026-11-22T12:00:00Z", "subject": "s", "format": "choria", "event": event}
    wholes = [
        {**whole, name: value} if name in whole else {**whole, "event": {**event, name: value}} for value in HOSTILE
    ]
    result = run("view", "--input", "-", "--output", output, stdin="\n".join(map(json.dumps, wholes)))
    assert result.exit_code == 0
    shown, said = result.stdout.removesuffix("\n").split("\n"), result.stderr.removesuffix("\n").split("\n")
    shown = [line for line in shown if line]
    if output != "raw":  # escaped on a terminal only
        assert all(line.isprintable() for line in shown)
    assert all(line.isprintable() for line in said)
    rejected = len(HOSTILE) - len(shown)
    assert [line.split(": ")[1][:10] for line in said[:-1]] == ["[rejected]"] * rejected
    assert said[-1] == f"received {len(HOSTILE)} = {len(shown)} shown + 0 filtered + {rejected} rejected + 0 dropped"


@pytest.mark.parametrize("output", ["text", "json", "raw"])
def test_an_event_with_a_time_outside_the_calendar_is_shown(output: str, run: Callable[..., Result]) -> None:
    document = {**json.loads(lifecycle.encode(STARTUP)), "timestamp": 2**60}
    result = run("view", "--input", "-", "--output", output, stdin=json.dumps(document))
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == "received 1 = 1 shown + 0 filtered + 0 rejected + 0 dropped\n"
