"""What the generator of dataclasses is given, and whether the types it makes enforce the whole schema.

datamodel-code-generator understands far more of JSON Schema than the contract uses. It gets a document made for it:
only the keywords that decide a type, the fields in the order of the wire, our sentences, and each object with fields
under a class name of its own, so that nothing is left for it to guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codegen import names, subset
from codegen.problems import ContractError, Problem, escape_pointer

if TYPE_CHECKING:
    from codegen.contract import Contract
    from codegen.descriptions import Description

_MODULE_NAMES = frozenset({"Final", "PROTOCOL", "PROTOCOLS", "SCHEMA_ID"})


@dataclass(frozen=True, slots=True)
class Shape:
    """The generator's input and what must come out of it.

    Attributes:
        document: A JSON Schema.
        classes: Each class with the names of its fields, in order; the event's own class first.
    """

    document: dict[str, Any]
    classes: dict[str, tuple[str, ...]]


@dataclass(slots=True)
class _Builder:
    contract: Contract
    definitions: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def object(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        """The shape of an object with fields: required ones first, each part in the order of the wire."""
        described: Description = self.contract.described[pointer]
        required = set(schema.get("required", ()))
        order = sorted(described.fields, key=lambda field_name: field_name not in required)
        reason = "is a name of the module's own" if name in _MODULE_NAMES else subset.name_problem(name)
        if reason:
            raise ContractError([Problem(self.contract.path, pointer, f"would be the class {name}, which {reason}")])
        if name in self.classes:
            raise ContractError([Problem(self.contract.path, pointer, f"would be a second {name} in one module")])
        self.classes[name] = tuple(order)
        return {
            "type": "object",
            "title": name,
            "description": described.sentence,
            "required": [field_name for field_name in order if field_name in required],
            "properties": {
                field_name: self.value(
                    schema["properties"][field_name], f"{pointer}/properties/{escape_pointer(field_name)}", field_name
                )
                | {"description": described.fields[field_name]}
                for field_name in order
            },
        }

    def value(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        """The shape of one value; `name` is the nearest name, from which an object's class is called."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.value(self.contract.schema["definitions"][name], f"/definitions/{escape_pointer(name)}", name)
        if "properties" in schema:
            return self.nested(schema, pointer, names.pascal(name))
        shape: dict[str, Any] = {keyword: schema[keyword] for keyword in ("type", "enum") if keyword in schema}
        if "items" in schema:
            shape["items"] = self.value(schema["items"], f"{pointer}/items", name)
        if isinstance(schema.get("additionalProperties"), dict):
            inner = self.value(schema["additionalProperties"], f"{pointer}/additionalProperties", name)
            shape["additionalProperties"] = inner
        return shape

    def nested(self, schema: dict[str, Any], pointer: str, name: str) -> dict[str, Any]:
        # A definition is reached once for each reference to it, and is still one class.
        if self.definitions.get(name, {}).get("pointer") != pointer:
            self.definitions[name] = {"pointer": pointer}
            self.definitions[name]["shape"] = self.object(schema, pointer, name)
        reference = {"$ref": f"#/definitions/{name}"}
        return {"oneOf": [reference, {"type": "null"}]} if isinstance(schema["type"], list) else reference


def build(contract: Contract) -> Shape:
    """The shape of a contract.

    Raises:
        ContractError: An object in it would be a class of a name that is taken.
    """
    builder = _Builder(contract)
    document = builder.object(contract.schema, "", names.class_name(contract.path))
    fields = {name for names_ in builder.classes.values() for name in names_}
    # In a class body a field would be found before the class that an annotation means.
    hidden = [Problem(contract.path, "", f"has a field and a class {name}") for name in fields & builder.classes.keys()]
    if hidden:
        raise ContractError(hidden)
    document["$schema"] = contract.schema["$schema"]
    document["definitions"] = {name: entry["shape"] for name, entry in builder.definitions.items()}
    return Shape(document, builder.classes)


def exact(schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Whether types alone enforce a schema, as msgspec decodes JSON into them; if not, the validator must run too.

    What a type cannot say: bounds and lengths, a closed object, types for fields without a name, and that an optional
    field may be absent but not null.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        return exact(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if schema.keys() & {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}:
        return False
    extra = schema.get("additionalProperties", True)
    if "properties" in schema:
        fields = schema["properties"]
        nullable = all(
            name in schema.get("required", ()) or accepts_null(member, root) for name, member in fields.items()
        )
        return nullable and extra is True and all(exact(member, root) for member in fields.values())
    if extra is False or schema.get("required"):
        return False
    if isinstance(extra, dict) and not exact(extra, root):
        return False
    return exact(schema["items"], root) if "items" in schema else True


_BOUNDS = {
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "string": ("minLength", "maxLength"),
}


def bounds(schema: dict[str, Any]) -> tuple[tuple[str, str, float], ...] | None:
    """The bounds on fields that, together with the types, are the whole schema: (field, keyword, bound).

    Returns:
        Nothing in it if the schema is `exact`; None if it takes the validator.
    """
    found: list[tuple[str, str, float]] = []
    open_fields = {}
    for name, member in schema["properties"].items():
        kind = member.get("type")
        simple = name in schema.get("required", ()) and isinstance(kind, str)
        keywords = [keyword for keyword in _BOUNDS.get(kind, ()) if keyword in member] if simple else []
        found += [(name, keyword, member[keyword]) for keyword in keywords]
        open_fields[name] = {keyword: value for keyword, value in member.items() if keyword not in keywords}
    return tuple(found) if exact({**schema, "properties": open_fields}) else None


def accepts_null(schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether null is valid."""
    if "$ref" in schema:
        return accepts_null(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return False
    kinds = schema.get("type", "null")
    return "null" in kinds if isinstance(kinds, list) else kinds == "null"
