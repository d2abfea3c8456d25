"""Read back the contracts that a generated package holds, without importing it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from codegen import descriptions, names
from codegen.contract import LOCAL, ContractSet, EffectiveContract
from codegen.descriptions import Description
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_BLOB = re.compile(r"^# upstream blob ([0-9a-f]+)\.$", re.MULTILINE)


def read(package: Path) -> ContractSet:
    """Return the contracts of a generated package; empty if there is no package.

    Raises:
        ContractError: the package was edited, or written by another version of codegen.
    """
    if not (package / "registry.py").exists():
        return ContractSet("", "", ())
    try:
        constants = _constants(_parse(package / "registry.py"))
        # Anything unexpected raises, which the except clause reports.
        entries: list[Any] = constants["_ALL"].elts  # type: ignore[attr-defined]
        repository, commit = (ast.literal_eval(constants[f"UPSTREAM_{name}"]) for name in ("REPOSITORY", "COMMIT"))
        return ContractSet(repository, commit, tuple(_contract(package, entry) for entry in entries))
    except (AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError) as error:
        message = f"cannot be compared, as it is not what this version of codegen wrote ({type(error).__name__})"
        raise ContractError([Problem(f"generated/{package.name}", "", message)]) from None


def _contract(package: Path, entry: ast.Call) -> EffectiveContract:
    given = {keyword.arg: keyword.value for keyword in entry.keywords}
    path = ast.literal_eval(given["path"])
    module = f"{names.module_path(path)}.py"
    (function,) = (node for node in _parse(package / "_schema" / module).body if isinstance(node, ast.FunctionDef))
    schema: dict[str, Any] = ast.literal_eval(function.body[-1].value)  # type: ignore[attr-defined]
    is_local = isinstance(given["source"], ast.Constant) and given["source"].value == LOCAL
    blob = "" if is_local else _BLOB.findall((package / module).read_text(encoding="utf-8"))[0]
    classes = {node.name: node for node in _parse(package / module).body if isinstance(node, ast.ClassDef)}
    described = {
        pointer: _description(classes[names.class_at(path, pointer)])
        for pointer, _ in descriptions.walk_objects(schema)
        # A definition that nothing refers to has no class.
        if not pointer or names.class_at(path, pointer) in classes
    }
    return EffectiveContract(path, schema, blob, ast.literal_eval(given["corrections"]), described)


def _description(class_: ast.ClassDef) -> Description:
    fields: dict[str, str] = {}
    for statement, following in zip(class_.body, class_.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign):
            fields[statement.target.id] = ast.literal_eval(following.value)  # type: ignore[union-attr, attr-defined]
    return Description(ast.get_docstring(class_) or "", fields)


def _constants(module: ast.Module) -> dict[str, ast.expr]:
    return {
        statement.target.id: statement.value
        for statement in module.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value
    }


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
