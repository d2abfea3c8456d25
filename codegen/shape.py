"""The input of the dataclass generator, and the schemas that its types enforce completely.

datamodel-code-generator understands far more of JSON Schema than the contract uses. Its input is a reduced schema: only
the keywords that determine a type, the fields in wire order, our sentences, and an explicit class name for each object
with fields, so that it never has to guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codegen import lock, names, subset
from codegen.problems import ContractError, Problem, escape_pointer

if TYPE_CHECKING:
    from codegen.contract import EffectiveContract
    from codegen.descriptions import Description

_MODULE_NAMES = frozenset({"Any", "Final", "Literal", "PROTOCOL", "PROTOCOLS", "SCHEMA_ID"})
# The class of a definition has the name of the definition.
_ANOTHER_NAME = "name the class by corrections that move its schema to a definition of another name"
# The class of an event has the name of the file.
_IGNORE = f"ignore the file in {lock.NAME}"


@dataclass(frozen=True, slots=True)
class Shape:
    """The generator's input and the classes that it must produce.

    Attributes:
        document: the reduced JSON Schema.
        classes: the field names of each class in order; the event's own class comes first.
    """

    document: dict[str, Any]
    classes: dict[str, tuple[str, ...]]


@dataclass(slots=True)
class _Builder:
    contract: EffectiveContract
    definitions: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def object_schema(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        """Reduce an object with fields: required fields first, then optional ones, both in wire order."""
        described: Description = self.contract.descriptions[pointer]
        required = set(schema.get("required", ()))
        order = sorted(described.fields, key=lambda field_name: field_name not in required)
        reason = "is already a name in the module" if name in _MODULE_NAMES else subset.name_problem(name)
        if reason:
            remedy = _ANOTHER_NAME if pointer else _IGNORE
            message = f"would be the class {name}, which {reason}; {remedy}"
            raise ContractError([Problem(self.contract.path, pointer, message)])
        if name in self.classes:
            message = f"would be a second {name} in one module; {_ANOTHER_NAME}"
            raise ContractError([Problem(self.contract.path, pointer, message)])
        self.classes[name] = tuple(order)
        return {
            "type": "object",
            "title": name,
            "description": described.sentence,
            "required": [field_name for field_name in order if field_name in required],
            "properties": {
                field_name: self.value_schema(
                    schema["properties"][field_name], f"{pointer}/properties/{escape_pointer(field_name)}", field_name
                )
                | {"description": described.fields[field_name]}
                for field_name in order
            },
        }

    def value_schema(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        """Reduce the schema of a value; `name`, its nearest field or definition, names the class of an object."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.value_schema(
                self.contract.schema["definitions"][name], f"/definitions/{escape_pointer(name)}", name
            )
        if "properties" in schema:
            return self.nested_schema(schema, pointer, names.pascal_case(name))
        shape: dict[str, Any] = {keyword: schema[keyword] for keyword in ("type", "enum") if keyword in schema}
        if "items" in schema:
            shape["items"] = self.value_schema(schema["items"], f"{pointer}/items", name)
        if isinstance(schema.get("additionalProperties"), dict):
            inner = self.value_schema(schema["additionalProperties"], f"{pointer}/additionalProperties", name)
            shape["additionalProperties"] = inner
        return shape

    def nested_schema(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        # Several references to one definition share one class.
        if self.definitions.get(name, {}).get("pointer") != pointer:
            self.definitions[name] = {"pointer": pointer}
            self.definitions[name]["shape"] = self.object_schema(schema, pointer, name)
        reference = {"$ref": f"#/definitions/{name}"}
        return {"oneOf": [reference, {"type": "null"}]} if isinstance(schema["type"], list) else reference


def build(contract: EffectiveContract) -> Shape:
    """Return the shape of a contract.

    Raises:
        ContractError: the class name of an object in it is already taken.
    """
    builder = _Builder(contract)
    document = builder.object_schema(contract.schema, "", names.class_name(contract.path))
    fields = {name for names_ in builder.classes.values() for name in names_}
    # In a class body, a field would shadow the class of the same name that an annotation refers to.
    own = names.class_name(contract.path)
    shadowed = [
        Problem(contract.path, "", f"has a field and a class {name}; {_IGNORE if name == own else _ANOTHER_NAME}")
        for name in sorted(fields & builder.classes.keys())
    ]
    if shadowed:
        raise ContractError(shadowed)
    document["$schema"] = contract.schema["$schema"]
    document["definitions"] = {name: entry["shape"] for name, entry in builder.definitions.items()}
    return Shape(document, builder.classes)


# The keywords that types enforce, or that restrict nothing. Any other one needs the validator: a keyword that is taught
# to subset.py alone must not make parsing accept what validation refuses.
_ENFORCED = frozenset({
    "$schema", "id", "title", "definitions", "format", "additionalItems", "$ref", "type", "enum", "items",
    "additionalProperties", "required", "properties",
})  # fmt: skip


def enforced_by_types(schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Return True if decoding JSON with msgspec enforces the whole schema; if not, the validator must run too.

    Types cannot express bounds and lengths, closed objects, the types of unnamed fields, or an optional field that may
    be absent but not null.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        return enforced_by_types(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if not schema.keys() <= _ENFORCED:
        return False
    extra = schema.get("additionalProperties", True)
    if "properties" in schema:
        fields = schema["properties"]
        nullable = all(
            name in schema.get("required", ()) or accepts_null(member, root) for name, member in fields.items()
        )
        return nullable and extra is True and all(enforced_by_types(member, root) for member in fields.values())
    if extra is False or schema.get("required"):
        return False
    if isinstance(extra, dict) and not enforced_by_types(extra, root):
        return False
    return enforced_by_types(schema["items"], root) if "items" in schema else True


_BOUNDS = {
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "string": ("minLength", "maxLength"),
}


def bounds(schema: dict[str, Any]) -> tuple[tuple[str, str, int | float], ...] | None:
    """Return the bounds that make up the whole schema together with the types, as (field, keyword, bound).

    Returns:
        Empty if the types alone enforce the schema; None if only the validator does.
    """
    found: list[tuple[str, str, int | float]] = []
    unbounded = {}
    for name, member in schema["properties"].items():
        type_ = member.get("type")
        simple = name in schema.get("required", ()) and isinstance(type_, str)
        keywords = [keyword for keyword in _BOUNDS.get(type_, ()) if keyword in member] if simple else []
        found += [(name, keyword, member[keyword]) for keyword in keywords]
        unbounded[name] = {keyword: value for keyword, value in member.items() if keyword not in keywords}
    return tuple(found) if enforced_by_types({**schema, "properties": unbounded}) else None


def accepts_null(schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Return True if null is valid."""
    if "$ref" in schema:
        return accepts_null(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return False
    types = schema.get("type", "null")
    return "null" in types if isinstance(types, list) else types == "null"
