"""Every file of the generated package, rendered in memory."""

from __future__ import annotations

import pprint
from collections import defaultdict
from pathlib import Path, PurePosixPath
from textwrap import fill, indent
from typing import TYPE_CHECKING

from codegen import classes, names, validators
from codegen.contract import LOCAL, ContractSet, EffectiveContract
from codegen.shape import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "choria_schemas"
COMMAND = "python -m codegen generate"

_TEMPLATES = Path(__file__).with_name("templates")


def render(contracts: ContractSet) -> dict[str, bytes]:
    """Return the bytes of every file of the package, by its path in the package.

    Raises:
        ContractError: the output of a generator is not as expected.
    """
    files = {"py.typed": ""}
    for template in ("__init__.py", "_contract.py", "lazy.py"):
        text = (_TEMPLATES / template).read_text(encoding="utf-8")
        files[template] = f"{_header(f'codegen/templates/{template}')}{text}"
    files["registry.py"] = _registry(contracts)
    for contract in contracts.all:
        header = _header(_origin(contract))
        module = f"{names.module_path(contract.path)}.py"
        files[module] = classes.render(contract, f'{header}"""The contract {contract.protocol}."""')
        files[f"_validate/{module}"] = validators.render(contract, header)
        files[f"_schema/{module}"] = validators.render_schema(contract, header)
    files |= _packages(contracts) | _events(contracts)
    return {path: text.encode() for path, text in sorted(files.items())}


def _header(origin: str) -> str:
    return f"# Generated from {origin}.\n# Do not edit: change the source and run `{COMMAND}`.\n"


def _origin(contract: EffectiveContract) -> str:
    # Only the registry names upstream's commit: one that does not touch a schema does not change its files.
    origin = f"upstream blob {contract.blob}" if contract.blob else "which upstream does not publish"
    return f"{contract.file},\n# {origin}"


def _packages(contracts: ContractSet) -> dict[str, str]:
    """Return the `__init__.py` of each folder; a folder with modules re-exports their classes."""
    members: dict[str, dict[str, str]] = defaultdict(dict)
    for contract in contracts.all:
        module = PurePosixPath(names.module_path(contract.path))
        members[str(module.parent)][names.class_name(contract.path)] = module.name
        for folder in module.parents:
            for tree in (PurePosixPath(), PurePosixPath("_validate"), PurePosixPath("_schema")):
                members.setdefault(str(tree / folder), {})
    del members["."]  # the package's own __init__.py is a template
    return {f"{folder}/__init__.py": _package(folder, modules) for folder, modules in members.items()}


def _package(folder: str, modules: dict[str, str]) -> str:
    header = _header(f"the files in schemas/ (codegen/{Path(__file__).name})")
    if not modules:
        return header
    exported = dict(sorted(modules.items()))
    imports = "".join(
        f"    from {NAME}.{folder.replace('/', '.')}.{module} import {name}\n" for name, module in exported.items()
    )
    return f'''{header}"""The classes of this folder; each one's module is imported on first use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
{imports}else:
    from {NAME}.lazy import exports

    __getattr__, __dir__ = exports(
        globals(),
{indent(pprint.pformat(exported, width=108, sort_dicts=False), " " * 8)},
    )

__all__ = {pprint.pformat(list(exported), width=108, compact=True)}
'''


def _events(contracts: ContractSet) -> dict[str, str]:
    """Return the `events.py` of each family: what type checkers must see of all its contracts together."""
    families: dict[str, list[EffectiveContract]] = defaultdict(list)
    for contract in contracts.all:
        families[names.family(contract.path)].append(contract)
    return {f"{family}/{names.EVENTS}.py": _family(family, members) for family, members in families.items()}


def _family(family: str, members: Sequence[EffectiveContract]) -> str:
    modules = {f"{NAME}.{names.module_path(contract.path).replace('/', '.')}": contract for contract in members}
    classes_ = [f"{module}.{names.class_name(contract.path)}" for module, contract in modules.items()]
    union = f"{names.pascal_case(family)}Event"
    text = f'''
{union}: TypeAlias = (
    {f"{chr(10)}    | ".join(classes_)}
)
"""An event of a contract in {NAME}.{family}."""
'''
    exported, typing_names = [union], "TypeAlias"
    if family == names.LIFECYCLE:
        exported.append(f"{union}Type")
        typing_names = "Literal, TypeAlias"
        types = sorted({names.type_name(contract.protocol) for contract in members})
        text += f'''
{union}Type: TypeAlias = Literal[
{"".join(f"    {name!r},{chr(10)}" for name in types)}]
"""The name of an event type: the last part of its protocol, in every version."""
'''
    header = _header(f"the files in schemas/ (codegen/{Path(__file__).name})")
    imports = "".join(f"import {module}\n" for module in modules)
    return f'''{header}"""The events of {NAME}.{family}."""

from typing import {typing_names}

{imports}
__all__ = {exported!r}
{text}'''


def _registry(contracts: ContractSet) -> str:
    entries = "".join(_entry(contract) for contract in contracts.all)
    header = _header(f"the files in schemas/ (codegen/{Path(__file__).name})")
    return f'''{header}"""All contracts by protocol, in every spelling.

Classes, validators and schemas are imported on first use, not by importing this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from {NAME}._contract import Contract

__all__ = ['CONTRACTS', 'Contract', 'UPSTREAM_COMMIT', 'UPSTREAM_REPOSITORY']

UPSTREAM_REPOSITORY: Final = {contracts.repository!r}
"""The git repository of upstream's schemas."""

UPSTREAM_COMMIT: Final = {contracts.commit!r}
"""The commit of that repository from which the schemas were taken."""

_ALL: Final = (
{entries})

CONTRACTS: Final[Mapping[str, Contract]] = MappingProxyType(
    {{spelling: contract for contract in _ALL for spelling in contract.protocols}}
)
"""Each contract under every spelling of its protocol."""
'''


def _entry(contract: EffectiveContract) -> str:
    corrections = "".join(
        f"            (\n                {pointer!r},\n{_wrapped(reason, 16)},\n                {upstream!r},\n"
        "            ),\n"
        for pointer, reason, upstream in contract.corrections
    )
    return f"""    Contract(
        protocol={contract.protocol!r},
        protocols={contract.protocols!r},
        schema_id={contract.schema["id"]!r},
        path={contract.path!r},
        source={"UPSTREAM_COMMIT" if contract.blob else repr(LOCAL)},
        fields=(
{_names(contract)}
        ),
        bounds={bounds(contract.schema)!r},
        corrections=({chr(10) + corrections + "        " if corrections else ""}),
        class_name={names.class_name(contract.path)!r},
    ),
"""


def _names(contract: EffectiveContract) -> str:
    """Return the fields as the elements of a tuple, in the order in which Choria sends them."""
    literals = ", ".join(map(repr, contract.descriptions[""].fields))
    return fill(f"{literals},", width=120, initial_indent=" " * 12, subsequent_indent=" " * 12)


def _wrapped(text: str, margin: int) -> str:
    """Return a string literal in lines of at most 120 columns."""
    literal = pprint.pformat(text, width=116 - margin)
    # Lines that belong together need no parentheses within a tuple's element of its own lines.
    return indent(literal.removeprefix("(").removesuffix(")").replace("\n ", "\n"), " " * margin)
