"""Dataclasses rendered by datamodel-code-generator; its output is checked before use."""

from __future__ import annotations

import ast
import json
import re
from textwrap import indent
from typing import TYPE_CHECKING

from datamodel_code_generator import InputFileType, LiteralType, PythonVersion, generate
from datamodel_code_generator.enums import DataModelType

from codegen.problems import ContractError, Problem
from codegen.shape import Shape, build

if TYPE_CHECKING:
    from codegen.contract import EffectiveContract


def render(contract: EffectiveContract, header: str) -> str:
    """Return the module of a contract: its class, SCHEMA_ID, PROTOCOL and PROTOCOLS.

    Raises:
        ContractError: the generator's output differs from the request.
    """
    shape = build(contract)
    text = generate(
        json.dumps(shape.document),
        input_file_type=InputFileType.JsonSchema,
        output=None,
        output_model_type=DataModelType.DataclassesDataclass,
        target_python_version=PythonVersion.PY_311,
        dataclass_arguments={"frozen": True, "slots": True, "kw_only": True},
        enum_field_as_literal=LiteralType.All,
        use_typed_nullable_map_values=True,
        use_schema_description=True,
        use_field_description=True,
        use_attribute_docstrings=True,
        use_single_line_docstring=True,
        additional_imports=["typing.TYPE_CHECKING", "typing.Final"],
        strict_refs=True,
        allow_remote_refs=False,
        disable_timestamp=True,
        # Classes are defined before they are used, so annotations can be evaluated at once and never resolved by name.
        disable_future_imports=True,
        custom_file_header=header,
        formatters=[],
    )
    if not isinstance(text, str):
        raise ContractError(
            [
                Problem(
                    contract.path, "", f"datamodel-code-generator returned {type(text).__name__} instead of one module"
                )
            ]
        )
    fields = {name for names in shape.classes.values() for name in names}
    if fields & HIDEABLE:
        text = _qualify(text)
    text = _lay_out(text) + _constants(contract, shape)
    problem = _unexpected(text, shape)
    if problem:
        raise ContractError([Problem(contract.path, "", f"datamodel-code-generator {problem}")])
    return text


def _constants(contract: EffectiveContract, shape: Shape) -> str:
    exported = sorted(["PROTOCOL", "PROTOCOLS", "SCHEMA_ID", *shape.classes])
    return f'''

__all__ = {exported!r}

SCHEMA_ID: Final = {contract.schema["id"]!r}
"""The id of the schema."""

PROTOCOL: Final = {contract.protocol!r}
"""The current spelling of the protocol."""

PROTOCOLS: Final = {contract.protocols!r}
"""Every spelling of the protocol that the schema accepts, the current one first."""
'''


def _qualify(text: str) -> str:
    """Write annotations that no field hides: a field named `int` would shadow the type for the fields of its class.

    No field begins with an underscore, and the generator writes each field into a line of its own.
    """
    lines = [line for line in text.split("\n") if not re.match("from (typing|builtins) import (?!.*Final)", line)]
    for class_ in ast.parse("\n".join(lines)).body:
        for field in class_.body if isinstance(class_, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign):
                name, default = ast.unparse(field.target), " = None" if field.value else ""
                lines[field.lineno - 1] = f"    {name}: {ast.unparse(_Qualifier().visit(field.annotation))}{default}"
    first = next(number for number, line in enumerate(lines) if line.startswith("from "))
    lines.insert(first, "import builtins as _b\nimport typing as _t")
    return "\n".join(lines)


class _Qualifier(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        # The generator gives some types an alias, but not all of those that a field hides.
        name = node.id.removesuffix("_aliased")
        if name in HIDEABLE:
            node.id = f"{'_t' if name in _TYPING else '_b'}.{name}"
        return node


def _lay_out(text: str) -> str:
    """Lay out the generator's text: imports sorted, long lists of literals in lines, no runs of blank lines.

    The generator's string literals contain no newlines.
    """
    imports: dict[str, set[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if found := _IMPORT.fullmatch(line):
            if not imports:
                lines.append(_IMPORTS)
            imports.setdefault(found[1], set()).update(found[2].split(", "))
        elif len(line) > _WIDTH and (literal := _LITERAL.fullmatch(line)):
            lines += [literal[1], *(f"        {value}," for value in _STRING.findall(literal[2])), f"    {literal[3]}"]
        elif line or lines[-2:] != ["", ""]:
            lines.append(line)
            if line.endswith('"""') and lines[-2].startswith("class "):
                lines += ["", *indent(_PYDANTIC, "    ").split("\n"), ""]
    sorted_ = "\n".join(
        f"from {module} import {', '.join(sorted(imports[module], key=lambda name: (not name.isupper(), name)))}"
        for module in sorted(imports)
    )
    return "\n".join(lines).rstrip("\n").replace(_IMPORTS, sorted_) + "\n"


_WIDTH = 120
_TYPING = frozenset({"Any", "Literal"})
HIDEABLE = _TYPING | {"bool", "dict", "float", "int", "list", "str"}
"""The names that annotations refer to, and that a field can have."""
_IMPORT = re.compile(r"from (\w+) import ([\w, ]+)")
_IMPORTS = "<imports>"
# pydantic, and FastAPI with it, takes the descriptions of the fields from their docstrings. An annotation would appear
# beside those of the fields, and without one the public interface is not fully typed.
_PYDANTIC = "if not TYPE_CHECKING:\n    __pydantic_config__ = {'use_attribute_docstrings': True}"
# A field whose values are listed.
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LITERAL = re.compile(r"(    \w+: (?:[\w.]+\[)*(?:_t\.)?Literal\[)(.*)(\](?:\]| \| None)*(?: = None)?)")


def _unexpected(text: str, shape: Shape) -> str | None:
    """Return the first deviation from the request, such as a renamed or reordered field or a stray statement."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return f"wrote text that is not Python: {error}"
    classes: dict[str, tuple[str, ...]] = {}
    for statement in module.body:
        match statement:
            case ast.ClassDef(name=name, bases=[], body=body):
                classes[name] = tuple(
                    member.target.id
                    for member in body
                    if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
                )
                if not all(
                    isinstance(member, ast.AnnAssign) or _is_docstring(member) or ast.unparse(member) == _PYDANTIC
                    for member in body
                ):
                    return f"wrote more than fields into {name}"
            case ast.ImportFrom(module="typing" | "dataclasses"):
                pass
            case ast.Import(names=[ast.alias(name="builtins" | "typing", asname="_b" | "_t")]):
                pass
            case (
                ast.Assign(targets=[ast.Name(id="__all__")])
                | ast.AnnAssign(target=ast.Name(), annotation=ast.Name(id="Final"))
            ):
                pass
            case _ if not _is_docstring(statement):
                return f"wrote an unexpected statement: {ast.unparse(statement)[:80]}"
    if classes != shape.classes:
        return f"wrote the classes {classes}, expected {shape.classes}"
    return None


def _is_docstring(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
