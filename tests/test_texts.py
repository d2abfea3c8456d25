"""Text flows down: below cli/ the library names arguments and settings, which cli/ translates to flags and commands."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.parameters import MENTIONS
from choria_lifecycle.cli.program import COMMANDS
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "lifecycle" / "choria_lifecycle"
BELOW_CLI = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "cli" not in path.parents]
TREES = {path: ast.parse(path.read_text("utf-8")) for path in BELOW_CLI}

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


def texts(tree: ast.Module) -> Iterator[str]:
    """All strings, docstrings included; in an f-string {} stands for each value."""
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= set(map(id, node.values))
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def undocumented(tree: ast.Module) -> ast.Module:
    """The same without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return tree


@pytest.mark.parametrize("path", BELOW_CLI, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_library_names_no_flag_and_no_command(path: Path) -> None:
    foreign = FOREIGN.get(path.relative_to(PACKAGE).as_posix(), set())
    named = {found[0] for text in texts(TREES[path]) for rule in (FLAG, COMMAND) for found in rule.finditer(text)}
    assert named == foreign


def test_the_command_translates_every_argument_that_a_message_names() -> None:
    trees = [undocumented(ast.parse(path.read_text("utf-8"))) for path in BELOW_CLI]
    named = {mention for tree in trees for text in texts(tree) for mention in MENTION.findall(text)}
    assert named <= MENTIONS.keys() | LIBRARY_ONLY
    assert named >= LIBRARY_ONLY | {"ca=", "config=", "tls=False"}
    functions = {mention for mention in MENTIONS if not mention.endswith(("=", "=False"))}
    assert functions == {mention for mention in functions for tree in trees for text in texts(tree) if mention in text}
