"""Text flows down: below cli/ the library names arguments and settings, which cli/ translates to flags and commands."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.parameters import MENTIONS
from choria_lifecycle.cli.program import COMMANDS
from tests.bed.paths import ROOT
from tests.bed.sources import tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "lifecycle" / "choria_lifecycle"
BELOW_CLI = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "cli" not in path.parents]

FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
COMMAND = re.compile(rf"\blifecycle (?:{'|'.join(COMMANDS)})\b(?! events?\b)")
# The command lines of other programs.
FOREIGN = {
    "config/choria/machine.py": {"--environment", "--configprint"},  # puppet
    "demo/embedded.py": {
        "--config",
        "--log",
        "--addr",
        "--port",
        "--ports_file_dir",
        "--jetstream",
        "--store_dir",
    },  # nats-server
    "service/asgi.py": {"--lifespan"},  # uvicorn
    "validation/codecs.py": {"--long"},  # zstd
}

# An argument as a message names it: `ca=`, `tls=False`.
MENTION = re.compile(r"(?<![\w./;-])[a-z_]+=(?:True|False|(?=[\s,.;:)`]|$))")
# No flag sets these, so a command shows no message about them.
LIBRARY_ONLY = {"middleware=", "strict=True", "tls=True"}


def texts(module: ast.Module, *, documented: bool = True) -> Iterator[str]:
    """All strings, with or without docstrings; in an f-string {} stands for each value."""
    parts = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and not documented:
            parts.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            parts |= set(map(id, node.values))
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


@pytest.mark.parametrize("path", BELOW_CLI, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_library_names_no_flag_and_no_command(path: Path) -> None:
    foreign = FOREIGN.get(path.relative_to(PACKAGE).as_posix(), set())
    named = {found[0] for text in texts(tree(path)) for rule in (FLAG, COMMAND) for found in rule.finditer(text)}
    assert named == foreign


def test_the_command_translates_every_argument_that_a_message_names() -> None:
    shown = "\n".join(text for path in BELOW_CLI for text in texts(tree(path), documented=False))
    named = set(MENTION.findall(shown))
    assert named <= MENTIONS.keys() | LIBRARY_ONLY
    assert named >= LIBRARY_ONLY | {"ca=", "config=", "tls=False"}
    functions = {mention for mention in MENTIONS if not mention.endswith(("=", "=False"))}
    assert functions == {mention for mention in functions if mention in shown}
