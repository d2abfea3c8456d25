from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

import click
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import _CODES
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.table import SETTINGS
from choria_lifecycle.view.viewer import Style

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


def test_help_names_every_command_and_exit_code(run: Callable[..., Result]) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)
    assert all(f"  {code}  " in result.stdout for code in {0, 1, 2, *_CODES.values(), 130})


def test_help_explains_every_variable(run: Callable[..., Result]) -> None:
    lines = run("--help").stdout.partition("Environment:\n")[2].splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for row in (*SETTINGS.values(), *KEYS.values()):
        assert not row.variable or f"{row.variable} {row.description}" in text, row.variable


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


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_output_format(name: str) -> None:
    command = import_module(f"choria_lifecycle.cli.{name}").command
    for each in (command, *getattr(command, "commands", {}).values()):
        for option in (option for option in each.params if {"--output", "--log-format"} & set(option.opts)):
            unexplained = [name for name in option.type.choices if name != "text" and name not in option.help]
            assert not unexplained, f"the help of {option.opts[0]} does not explain {unexplained}"


@pytest.mark.parametrize(
    ("name", "parameter", "owner", "argument"),
    [
        ("emit", "timeout", lifecycle.connect, "timeout"),
        ("emit", "wire_format", lifecycle.encode, "format"),
        ("run", "interval", lifecycle.Service, "interval"),
        ("run", "wire_format", lifecycle.Service, "format"),
        ("tally", "timeout", lifecycle.connect, "timeout"),
        ("validate", "timeout", lifecycle.connect, "timeout"),
        ("view", "output", Style, "output"),
        ("view", "time_format", Style, "time_format"),
        ("view", "timeout", lifecycle.connect, "timeout"),
    ],
)
def test_a_default_is_that_of_the_library(
    name: str, parameter: str, owner: Callable[..., object], argument: str
) -> None:
    command = import_module(f"choria_lifecycle.cli.{name}").command
    [option] = [each for each in command.params if each.name == parameter]
    default = option.type_cast_value(click.Context(command), option.get_default(click.Context(command)))
    assert default == signature(owner).parameters[argument].default


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
