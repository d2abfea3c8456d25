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
def test_help_of_a_command_starts_with_its_sentence_in_the_list(name: str) -> None:
    command = import_module(f"choria_lifecycle.cli.{name}").command
    assert (command.help or "").startswith(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_fits_80_columns(name: str, run: Callable[..., Result]) -> None:
    result = run(name, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: lifecycle {name} ")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_version_is_printed(run: Callable[..., Result]) -> None:
    assert run("--version").stdout == f"lifecycle {lifecycle.__version__}\n"


def test_an_unknown_command_is_refused(run: Callable[..., Result]) -> None:
    result = run("vieww")
    assert result.exit_code == 2
    assert "vieww" in result.stderr


def test_listing_the_commands_does_not_import_them() -> None:
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


def test_a_missing_click_is_reported_with_what_to_install() -> None:
    code = "import sys\nsys.modules['click'] = None\nfrom choria_lifecycle.cli import main\nmain()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "lifecycle: error: the command needs an optional dependency: pip install 'choria-lifecycle[cli]'\n"
    )


@pytest.mark.parametrize("arguments", [["--version"], ["schema", "list"]])
def test_the_package_runs_as_a_module(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "choria_lifecycle", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> Callable[..., Result]:
    """Run a command that raises, logs or returns."""

    def invoke(action: Callable[[], int | None], *arguments: str) -> Result:
        module = type(sys)("choria_lifecycle.cli.probe")
        module.command = Command("probe", callback=action)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(program.commands, "probe", click.Command("probe"))
        return run(*(arguments or ["probe"]))

    return invoke


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


def test_foreign_text_in_an_error_is_escaped(probe: Callable[..., Result]) -> None:
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
    ("arguments", "said"),
    [
        (["probe", "-q"], ["error"]),
        (["probe"], ["warning", "error"]),
        (["probe", "-v"], ["info", "warning", "error"]),
        (["probe", "-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "probe", "-q"], ["warning", "error"]),
    ],
)
def test_verbosity_selects_the_log_levels(arguments: list[str], said: list[str], probe: Callable[..., Result]) -> None:
    def action() -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("choria_lifecycle").log(level, "some\nthing")

    result = probe(action, *arguments)
    assert result.stderr.splitlines() == [f"lifecycle: {level}: some\\nthing" for level in said]


def test_the_logger_is_restored(probe: Callable[..., Result]) -> None:
    logger = logging.getLogger("choria_lifecycle")
    before = (logger.level, list(logger.handlers))
    probe(lambda: None, "probe", "-vv")
    assert (logger.level, list(logger.handlers)) == before


def test_verbosity_outside_a_command_is_zero() -> None:
    assert messages.verbosity() == 0
