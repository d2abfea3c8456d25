"""Every public name is documented, once: where a protocol or a base class documents a method, that is enough."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.bed.paths import ROOT
from tests.bed.sources import tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULES = [path for folder in ("lifecycle", "codegen") for path in sorted((ROOT / folder).rglob("*.py"))]
CLASSES = [node for path in MODULES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
# The methods that each protocol or abstract class documents, for all that implement it.
PROMISES = {
    (function.name, tuple(argument.arg for argument in function.args.args))
    for cls in CLASSES
    if any(ast.unparse(base).split("[")[0] in ("Protocol", "ABC") for base in cls.bases)
    for function in cls.body
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(function)
}


def undocumented(module: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(module):
        yield "the module"
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield node.name
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) or inner.name.startswith("_"):
                    continue
                promised = (inner.name, tuple(argument.arg for argument in inner.args.args)) in PROMISES
                if not ast.get_docstring(inner) and not promised:
                    yield f"{node.name}.{inner.name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_names_are_documented(path: Path) -> None:
    assert list(undocumented(tree(path))) == []
