from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.program import COMMANDS, program
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


STARTING_WITH_S = [name for name in lifecycle.EVENT_TYPES if name.startswith("s")]


def complete(*words: str) -> list[str]:
    *before, incomplete = words
    shell = ShellComplete(program, {}, "lifecycle", "_LIFECYCLE_COMPLETE")
    return [item.value for item in shell.get_completions(list(before), incomplete)]


def test_commands_are_completed() -> None:
    assert complete("") == list(COMMANDS)


def test_event_types_are_completed() -> None:
    assert complete("emit", "") == list(lifecycle.EVENT_TYPES)
    assert complete("view", "--type", "s") == STARTING_WITH_S


def test_protocols_are_completed() -> None:
    assert complete("schema", "show", "io.choria.lifecycle.v1.s") == [
        protocol for protocol in CONTRACTS if protocol.startswith("io.choria.lifecycle.v1.s")
    ]
    assert complete("schema", "show", "") == list(CONTRACTS)


def test_options_are_completed() -> None:
    assert {"--server", "--creds", "--tlsca"} <= set(complete("view", "--"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_call_the_command(shell: str, run: Callable[..., Result]) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_LIFECYCLE_COMPLETE={shell}_complete" in result.stdout


def test_the_script_works_in_bash(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    command = tmp_path / "lifecycle"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m choria_lifecycle "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(lifecycle completion bash)"
        COMP_WORDS=(lifecycle emit s) COMP_CWORD=2
        _lifecycle_completion lifecycle
        echo "${COMPREPLY[@]}"
    """
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([bash, "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == STARTING_WITH_S


def test_an_unknown_shell_is_refused(run: Callable[..., Result]) -> None:
    assert run("completion", "ksh").exit_code == 2
