from __future__ import annotations

from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING

import click
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command, Failure
from choria_lifecycle.cli.program import COMMANDS

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


def commands() -> list[click.Command]:
    """Return all commands, those of groups included."""
    modules = [import_module(f"choria_lifecycle.cli.{name}") for name in COMMANDS]
    return [each for module in modules for each in getattr(module.command, "commands", {"": module.command}).values()]


VERBOSITY = {"-v", "--verbose", "-q", "--quiet"}
OPTIONS = [
    pytest.param(command, option, spelling, id=f"{command.name} {spelling}")
    for command in commands()
    for option in command.params
    if isinstance(option, click.Option)
    for spelling in option.opts
]


@pytest.mark.parametrize(("command", "option", "spelling"), OPTIONS)
def test_only_lists_and_flags_may_be_repeated(command: click.Command, option: click.Option, spelling: str) -> None:
    once = [spelling] if option.is_flag or option.count else [spelling, "x"]
    may_repeat = option.multiple or option.is_flag or option.count
    # Without the other options, some of which are required. Every command has -v and -q.
    bare = Command("bare", params=[] if spelling in VERBOSITY else [without_checks(option)])
    with bare.make_context("bare", list(once)):
        pass
    if may_repeat:
        with bare.make_context("bare", once * 2):
            pass
    else:
        with pytest.raises(click.UsageError, match=f"{max(option.opts, key=len)} may be given only once"):
            bare.make_context("bare", once * 2)
    assert isinstance(command, Command)


def without_checks(option: click.Option) -> click.Option:
    """Return the option with any text as its value."""
    changed = copy(option)
    changed.callback = None
    if not (option.is_flag or option.count):
        changed.type = click.STRING
    return changed


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["emit", "startup", "--component", "a", "--component", "b"], "--component"),
        (["emit", "startup", "--component=a", "--component=b"], "--component"),
        (["validate", "--jobs", "1", "--jobs", "1"], "--jobs"),
        (["schema", "list", "--output", "json", "--output", "text"], "--output"),
        (["config", "show", "--config", "a", "--config", "b"], "--config"),
    ],
    ids=" ".join,
)
def test_a_repeated_option_is_wrong_usage(arguments: list[str], option: str, run: Callable[..., Result]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: lifecycle ")
    assert result.stderr.endswith(f"Error: {option} may be given only once\n")


def test_help_is_shown_despite_a_repeated_option(run: Callable[..., Result]) -> None:
    assert run("validate", "--jobs", "1", "--jobs", "2", "--help").exit_code == 0


def test_the_environment_does_not_count_as_a_repetition(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    assert run("config", "show", "--server", "nats://127.0.0.1:2").exit_code == 0


def test_options_of_the_program_that_run_starts_may_be_repeated() -> None:
    command = copy(import_module("choria_lifecycle.cli.run").command)  # it keeps its first help option
    program = ["p", "--version", "1", "--version", "2"]
    context = command.make_context("run", ["--component", "a", "--version", "1", "--", *program])
    assert list(context.params["program"]) == program


def test_completion_ignores_repetitions() -> None:
    command = Command("probe", params=[click.Option(["--name"])])
    command.make_context("probe", ["--name", "a", "--name", "b"], resilient_parsing=True)
