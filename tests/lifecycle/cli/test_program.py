from __future__ import annotations

import logging
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import messages
from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.program import COMMANDS, program

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


def test_help_names_every_command_and_exit_code(run: Callable[..., Result]) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)
    assert all(f"  {code}  " in result.stdout for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_begins_its_help_with_the_sentence_of_the_list(name: str) -> None:
    command = import_module(f"choria_lifecycle.cli.{name}").command
    assert (command.help or "").startswith(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, run: Callable[..., Result]) -> None:
    result = run(name, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: lifecycle {name} ")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_version(run: Callable[..., Result]) -> None:
    assert run("--version").stdout == f"lifecycle {lifecycle.__version__}\n"


def test_an_unknown_command(run: Callable[..., Result]) -> None:
    result = run("vieww")
    assert result.exit_code == 2
    assert "vieww" in result.stderr


def test_listing_the_commands_imports_none_of_them() -> None:
    code = (
        "import sys\n"
        "from choria_lifecycle.cli.program import program\n"
        "program.main(['--help'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not {f"choria_lifecycle.cli.{name}" for name in COMMANDS} & loaded
    assert not {"asyncio", "nats"} & loaded


def test_without_click_the_command_says_what_to_install() -> None:
    code = "import sys\nsys.modules['click'] = None\nfrom choria_lifecycle.cli import main\nmain()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "lifecycle: error: the command needs an optional dependency: pip install 'choria-lifecycle[cli]'\n"
    )


@pytest.mark.parametrize("arguments", [["--version"], ["schema", "list"]])
def test_it_is_a_module_too(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "choria_lifecycle", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> Callable[..., Result]:
    """Runs a command that raises, logs, or returns."""

    def invoke(does: Callable[[], int | None], *arguments: str) -> Result:
        module = type(sys)("choria_lifecycle.cli.probe")
        module.command = Command("probe", callback=does)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(program.commands, "probe", click.Command("probe"))
        return run(*(arguments or ["probe"]))

    return invoke


def raising(error: BaseException) -> Callable[[], None]:
    def does() -> None:
        raise error

    return does


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
def test_errors_are_one_line_and_an_exit_code(error: Exception, code: int, failing: Callable[..., Result]) -> None:
    result = failing(raising(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "lifecycle: error: it broke\n")


def test_foreign_text_in_an_error_is_cleaned(failing: Callable[..., Result]) -> None:
    result = failing(raising(lifecycle.ConnectionFailed("a\x1b[2J\nb")))
    assert result.stderr == "lifecycle: error: a\\x1b[2J\\nb\n"


def test_an_option_error_shows_the_usage(failing: Callable[..., Result]) -> None:
    result = failing(raising(lifecycle.OptionError("it broke")))
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: lifecycle probe")
    assert result.stderr.endswith("Error: it broke\n")


def test_a_closed_pipe_ends_quietly(failing: Callable[..., Result]) -> None:
    result = failing(raising(BrokenPipeError()))
    assert (result.exit_code, result.stderr) == (0, "")


def test_ctrl_c(failing: Callable[..., Result]) -> None:
    result = failing(raising(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (130, "")


@pytest.mark.parametrize("code", [None, 0, 1])
def test_a_command_returns_its_exit_code(code: int | None, failing: Callable[..., Result]) -> None:
    assert failing(lambda: code).exit_code == (code or 0)


@pytest.mark.parametrize("arguments", [["-v", "-v", "probe"], ["probe", "-vv"], ["-v", "probe", "-v"]])
def test_twice_verbose_shows_where_an_error_comes_from(arguments: list[str], failing: Callable[..., Result]) -> None:
    result = failing(raising(lifecycle.ConnectionFailed("it broke")), *arguments)
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("lifecycle: error: it broke\n")


def test_no_line_of_a_traceback_is_foreign(failing: Callable[..., Result]) -> None:
    result = failing(raising(lifecycle.ConnectionFailed("a\x1b[2J\u2028\n10:00:00 [startup] forged")), "probe", "-vv")
    *trace, last, _ = result.stderr.split("\n")
    assert "  10:00:00 [startup] forged" in trace
    assert all(line.startswith("  ") and line.isprintable() for line in trace)
    assert last.startswith("lifecycle: error: a\\x1b[2J")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["probe", "-q"], ["error"]),
        (["probe"], ["warning", "error"]),
        (["probe", "-v"], ["info", "warning", "error"]),
        (["probe", "-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "probe", "-q"], ["warning", "error"]),
    ],
)
def test_how_much_of_the_log_is_said(arguments: list[str], said: list[str], failing: Callable[..., Result]) -> None:
    def does() -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("choria_lifecycle").log(level, "some\nthing")

    result = failing(does, *arguments)
    assert result.stderr.splitlines() == [f"lifecycle: {level}: some\\nthing" for level in said]


def test_the_log_is_left_as_it_was(failing: Callable[..., Result]) -> None:
    logger = logging.getLogger("choria_lifecycle")
    before = (logger.level, list(logger.handlers))
    failing(lambda: None, "probe", "-vv")
    assert (logger.level, list(logger.handlers)) == before


def test_nothing_is_said_of_no_command() -> None:
    assert messages.verbosity() == 0
