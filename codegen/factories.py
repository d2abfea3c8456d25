"""Compare the hand-written library with the contracts of lifecycle events."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from codegen import corrections, lock, names, subset
from codegen.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.contract import ContractSet, EffectiveContract

_FOLDER = "lifecycle/choria_lifecycle"
_MODULE = "events/factories.py"
_PACKAGE = "__init__.py"
_DECORATOR = "_makes"
_NEEDED = {"id": "string", "identity": "string", "component": "string", "timestamp": "integer"}
_WAY_OUT = f"correct it in {corrections.NAME}, or ignore the file in {lock.NAME}"
_REMOVE = f"remove it, its class in the imports, and its name in {_FOLDER}/{_PACKAGE}"


def check(root: Path, contracts: ContractSet) -> list[Problem]:
    """Return the fields that the library needs in every event, and the factories that are missing or do not fit.

    Args:
        root: the folder that contains lifecycle/; without that folder there is nothing to compare.
        contracts: the contracts.
    """
    if not (root / _FOLDER).exists():
        return []
    tree = ast.parse((root / _FOLDER / _MODULE).read_text(encoding="utf-8"))
    exported = _exported(ast.parse((root / _FOLDER / _PACKAGE).read_text(encoding="utf-8")))
    options = _factories(tree)
    published = [contract for contract in contracts.all if names.family(contract.path) == names.LIFECYCLE]
    # The others have problems of their own, and may lack even a title.
    lifecycle = [contract for contract in published if not subset.check(contract.schema, contract.path)]
    # A factory makes one of the versions of its type.
    versions: dict[str, list[set[str]]] = {}
    for contract in lifecycle:
        fields = set(contract.schema["properties"]) - {"protocol"}
        versions.setdefault(names.type_name(contract.protocol), []).append(fields)
    problems = [
        Problem(_MODULE, "", problem)
        for name, expected in sorted(versions.items())
        # A type with the name of something else in the public interface is created with `new` only.
        if (problem := _problem(name, expected, options.get(name))) and (name in options or name not in exported)
    ]
    problems += [problem for contract in lifecycle for problem in _unusable(contract)]
    return problems + [
        Problem(_MODULE, "", f"has a factory for `{name}`, which is not an event type: {_REMOVE}")
        for name in sorted(options.keys() - {PurePosixPath(contract.path).stem for contract in published})
    ]


def _unusable(contract: EffectiveContract) -> list[Problem]:
    """Return a problem for each field that subjects, envelopes, descriptions or the tally need, but cannot rely on."""
    schema, problems = contract.schema, []
    for name, type_ in _NEEDED.items():
        member = schema["properties"].get(name, {})
        while "$ref" in member:
            member = schema["definitions"][member["$ref"].rpartition("/")[2]]
        # Values are only listed for strings.
        if name not in schema.get("required", ()) or member.get("type", "string" if "enum" in member else "") != type_:
            message = f"must be required, and of the type {type_!r}, on which choria_lifecycle relies: {_WAY_OUT}"
            problems.append(Problem(contract.path, f"/properties/{name}", message))
    return problems


def _factories(tree: ast.Module) -> dict[str, set[str]]:
    """Return the options of each declaration that a decorator turns into a factory."""
    return {
        node.name: {argument.arg for argument in node.args.kwonlyargs}
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == _DECORATOR
    }


def _exported(tree: ast.Module) -> set[str]:
    """Return the names in `__all__`."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                return set(ast.literal_eval(node.value))
    return set()


def _problem(name: str, versions: list[set[str]], options: set[str] | None) -> str:
    if options is None:
        return f"has no factory for `{name}`: write one, and export it in {_FOLDER}/{_PACKAGE}"
    if options in versions:
        return ""
    missing, unknown = sorted(versions[0] - options), sorted(options - versions[0])
    parts = [f"lacks the option {', '.join(missing)}"] if missing else []
    parts += [f"has the option {', '.join(unknown)}, which is not a field"] if unknown else []
    return f"the factory for `{name}` {' and '.join(parts)}"
