from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


def raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lifecycle.LifecycleError("it broke"), 1),
        (lifecycle.DeliveryFailed("it broke", subject="s", may_arrive=True), 1),
        (lifecycle.UnknownProtocol("it broke", protocol="p"), 1),
        (lifecycle.ConfigError("it broke"), 2),
        (lifecycle.ConnectionFailed("it broke"), 3),
        (lifecycle.NotAuthorised("it broke"), 4),
        (OSError("it broke"), 1),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error: Exception, code: int, probe: Callable[..., Result]) -> None:
    result = probe(raising(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "lifecycle: error: it broke\n")


def test_untrusted_text_in_an_error_is_escaped(probe: Callable[..., Result]) -> None:
    result = probe(raising(lifecycle.ConnectionFailed("a\x1b[2J\nb")))
    assert result.stderr == "lifecycle: error: a\\x1b[2J\\nb\n"


def test_an_option_error_shows_the_usage(probe: Callable[..., Result]) -> None:
    result = probe(raising(lifecycle.OptionError("it broke")))
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: lifecycle probe")
    assert result.stderr.endswith("Error: it broke\n")


def test_a_closed_pipe_is_not_an_error(probe: Callable[..., Result]) -> None:
    result = probe(raising(BrokenPipeError()))
    assert (result.exit_code, result.stderr) == (0, "")


def test_ctrl_c_exits_with_130(probe: Callable[..., Result]) -> None:
    result = probe(raising(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (130, "")


@pytest.mark.parametrize("code", [None, 0, 1])
def test_the_result_of_a_command_is_its_exit_code(code: int | None, probe: Callable[..., Result]) -> None:
    assert probe(lambda: code).exit_code == (code or 0)


@pytest.mark.parametrize("arguments", [["-v", "-v", "probe"], ["probe", "-vv"], ["-v", "probe", "-v"]])
def test_twice_verbose_shows_the_traceback(arguments: list[str], probe: Callable[..., Result]) -> None:
    result = probe(raising(lifecycle.ConnectionFailed("it broke")), *arguments)
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("lifecycle: error: it broke\n")


def test_foreign_lines_in_a_traceback_are_indented_and_escaped(probe: Callable[..., Result]) -> None:
    result = probe(raising(lifecycle.ConnectionFailed("a\x1b[2J\u2028\n10:00:00 [startup] forged")), "probe", "-vv")
    *trace, last, _ = result.stderr.split("\n")
    assert "  10:00:00 [startup] forged" in trace
    assert all(line.startswith("  ") and line.isprintable() for line in trace)
    assert last.startswith("lifecycle: error: a\\x1b[2J")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lifecycle.NoStream("it broke"), 2),
        (lifecycle.MissingExtra("it broke", extra="cli"), 2),
        (lifecycle.AddressInUse("it broke", host="127.0.0.1", port=8080), 5),
        (Failure("it broke"), 1),
        (Failure("it broke", 2), 2),
    ],
)
def test_an_error_of_the_command_has_its_exit_code(error: Exception, code: int, probe: Callable[..., Result]) -> None:
    result = probe(raising(error))
    assert (result.exit_code, result.stderr) == (code, f"lifecycle: error: {error}\n")


def test_an_error_about_a_file_names_it(probe: Callable[..., Result]) -> None:
    result = probe(raising(PermissionError(13, "Permission denied", "events\n")))
    assert (result.exit_code, result.stderr) == (1, "lifecycle: error: events\\n: Permission denied\n")


def test_output_is_flushed_before_the_command_ends(probe: Callable[..., Result]) -> None:
    result = probe(lambda: print("shown", end=""))
    assert (result.exit_code, result.stdout) == (0, "shown")
