"""Compare the hand-written factories of lifecycle events with the contracts."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codegen import names
from codegen.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.contract import ContractSet

_FOLDER = "lifecycle/choria_lifecycle"
_MODULE = "events/factories.py"


def check(root: Path, contracts: ContractSet) -> list[Problem]:
    """Return the event types without a factory, and the factories whose options are not the fields of their event.

    Args:
        root: the folder that contains lifecycle/; without that folder there is nothing to compare.
        contracts: the contracts.
    """
    if not (root / _FOLDER).exists():
        return []
    tree = ast.parse((root / _FOLDER / _MODULE).read_text(encoding="utf-8"))
    options = {
        node.name: {argument.arg for argument in node.args.kwonlyargs}
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    # A factory makes one of the versions of its type.
    versions: dict[str, list[set[str]]] = {}
    for contract in contracts.all:
        if names.family(contract.path) == names.LIFECYCLE:
            fields = set(contract.schema["properties"]) - {"protocol"}
            versions.setdefault(names.type_name(contract.protocol), []).append(fields)
    return [
        Problem(_MODULE, "", problem)
        for name, expected in sorted(versions.items())
        if (problem := _problem(name, expected, options.get(name)))
    ]


def _problem(name: str, versions: list[set[str]], options: set[str] | None) -> str:
    if options is None:
        return f"has no factory for `{name}`: write one, and export it in {_FOLDER}/__init__.py"
    if options in versions:
        return ""
    missing, unknown = sorted(versions[0] - options), sorted(options - versions[0])
    parts = [f"lacks the option {', '.join(missing)}"] if missing else []
    parts += [f"has the option {', '.join(unknown)}, which is not a field"] if unknown else []
    return f"the factory for `{name}` {' and '.join(parts)}"
