"""The supported subset of JSON Schema draft-04: a closed list of keywords and names; everything else is rejected.

The subset is small on purpose: a keyword is supported once the dataclass, the compiled validator and the oracle in the
tests agree on it. `pattern` is not, because Python's `$` also matches before a final newline, which only fastjsonschema
corrects.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from codegen.corrections import ABSENT, suggest
from codegen.problems import Problem, escape_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT_KEYWORDS = frozenset({"$schema", "id", "title", "definitions"})
KEYWORDS = frozenset({
    "$ref", "type", "enum", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "items",
    "additionalItems", "additionalProperties", "required", "properties",
})  # fmt: skip
TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

MOST_SCHEMAS = 10_000
"""Far above the number of subschemas of any schema, counting each definition as often as it is referred to."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_REF = re.compile(r"#/definitions/([^/]+)")


def check(schema: dict[str, Any], file: str) -> list[Problem]:
    """Return everything in a canonical, corrected schema that cannot be translated exactly."""
    title = "io." + file.removesuffix(".json").replace("/", ".")
    protocols = schema.get("properties", {}).get("protocol", {}).get("enum", [])
    found = list(_SubsetChecker(file, schema.get("definitions", {})).schema(schema, "", root=True))
    if not found and _size(schema, schema.get("definitions", {}), {}) > MOST_SCHEMAS:
        found.append(Problem(file, "", expansion_message()))
    if schema.get("type") != "object":
        found.append(Problem(file, "/type", "must be 'object'"))
    if schema.get("title") != title:
        found.append(
            Problem(
                file,
                "/title",
                f"is {schema.get('title')!r}, but the path of the file requires {title!r}; set it by a correction: "
                f"{suggest(file, '/title', schema.get('title', ABSENT), title)}",
            )
        )
    if not isinstance(schema.get("id"), str):
        # Since draft-06, `id` is called `$id`.
        value = schema.get("$id", f"urn:{title}")
        remedy = f"set it by a correction: {suggest(file, '/id', schema.get('id', ABSENT), value)}"
        found.append(Problem(file, "/id", f"is missing; {remedy}"))
    if title not in protocols or "protocol" not in schema.get("required", []):
        found.append(
            Problem(file, "/properties/protocol", f"must be required, and an enum that contains the title {title!r}")
        )
    return found


def expansion_message() -> str:
    """Return the message about a schema of more than `MOST_SCHEMAS` subschemas."""
    return f"expands to more than {MOST_SCHEMAS} schemas: it has too many references to references"


def name_problem(name: str) -> str | None:
    """Return the reason why a name cannot be used in the generated Python, or None."""
    if not _IDENTIFIER.fullmatch(name):
        return "is not a plain identifier (a letter, then letters, digits and _)"
    if keyword.iskeyword(name):
        return "is a Python keyword"
    return None


class _SubsetChecker:
    """A single pass over one schema."""

    def __init__(self, file: str, definitions: dict[str, Any]) -> None:
        self.file = file
        self.definitions = definitions
        self.followed: set[str] = set()

    def schema(self, schema: Any, pointer: str, *, root: bool = False) -> Iterator[Problem]:
        if not isinstance(schema, dict):
            yield self.removable(pointer, schema, "must be a schema object")
            return
        allowed = KEYWORDS | ROOT_KEYWORDS if root else KEYWORDS
        for unknown in sorted(schema.keys() - allowed):
            message = f"keyword {unknown!r} is not supported"
            message += (
                " here" if unknown in ROOT_KEYWORDS else "; teach it to codegen/subset.py and codegen/shape.py, or"
            )
            yield self.removable(f"{pointer}/{escape_pointer(unknown)}", schema[unknown], message)
        if "$ref" in schema:
            yield from self.reference(schema, pointer)
            return
        yield from self.type_and_enum(schema, pointer)
        yield from self.members(schema, pointer)
        if root:
            for name in self.definitions:
                if reason := name_problem(name):
                    remedy = "give it another name by corrections of this definition and of each $ref to it"
                    location = f"{pointer}/definitions/{escape_pointer(name)}"
                    yield self.problem(location, f"the name {name!r} {reason}; {remedy}")
            yield from self.named_schemas(schema.get("definitions", {}), f"{pointer}/definitions")
            # fastjsonschema lower-cases definition names to name its functions.
            lower = [name.lower() for name in self.definitions]
            yield from (
                self.problem(
                    f"{pointer}/definitions/{escape_pointer(name)}", "differs from another definition only in case"
                )
                for name in self.definitions
                if lower.count(name.lower()) > 1
            )

    def reference(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        reason, place = self.reference_problem(schema, ())
        if len(schema) > 1:
            remedy, value = "remove them", {"$ref": schema["$ref"]}
        else:
            remedy, value = "accept any value, or write out the schema as the value,", {}
        if reason:
            correction = suggest(self.file, pointer, schema, value)
            yield self.problem(f"{pointer}{place}", f"{reason}; {remedy} by a correction: {correction}")

    def reference_problem(self, schema: dict[str, Any], seen: tuple[str, ...]) -> tuple[str, str]:
        """Return what is wrong with a reference or those behind it, and where; empty if nothing is."""
        target = _REF.fullmatch(str(schema["$ref"]))
        if len(schema) > 1:
            return "has keywords beside $ref, which draft-04 ignores", ""
        if not target or target[1] not in self.definitions:
            return f"refers to {schema['$ref']!r}, which is not a definition in this file", "/$ref"
        if target[1] in seen:
            return "is a circular reference", "/$ref"
        if target[1] not in self.followed:
            for inner in _references(self.definitions[target[1]]):
                found = self.reference_problem(inner, (*seen, target[1]))
                if found[0]:
                    return found
            self.followed.add(target[1])
        return "", ""

    def type_and_enum(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        types = schema.get("type")
        if isinstance(types, list):
            if len(types) != 2 or "null" not in types:
                message = f"is {types!r}; the only supported union is one type and 'null'"
                yield self.removable(f"{pointer}/type", types, message)
        elif types is not None and types not in TYPES:
            yield self.problem(f"{pointer}/type", f"is {types!r}, which is not a JSON Schema type")
        if "enum" in schema:
            location = f"{pointer}/enum"
            if not all(isinstance(value, str) for value in schema["enum"]):
                yield self.removable(location, schema["enum"], "has values that are not strings")
            if types not in (None, "string"):
                message = f"is combined with the type {types!r}; only 'string' is supported"
                yield self.removable(location, schema["enum"], message)
        for applicator, type_ in (("properties", "object"), ("additionalProperties", "object"), ("items", "array")):
            if applicator in schema and type_ not in (types if isinstance(types, list) else [types]):
                message = f"requires the type {type_!r}"
                yield self.removable(f"{pointer}/{applicator}", schema[applicator], message)
        # In draft-04 it has a meaning only beside a list of items, which is rejected.
        if not isinstance(schema.get("additionalItems", False), bool):
            message = "is a schema, which has no effect here"
            yield self.removable(f"{pointer}/additionalItems", schema["additionalItems"], message)

    def members(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        properties = schema.get("properties", {})
        for name, member in properties.items():
            if reason := name_problem(name):
                location = f"{pointer}/properties/{escape_pointer(name)}"
                correction = suggest(self.file, location, member)
                if name in schema.get("required", []):
                    correction += f" and {self.without_required(schema, pointer, name)}"
                message = f"the name {name!r} {reason}; leave the field out by a correction: {correction}"
                yield self.problem(location, message)
        yield from self.named_schemas(properties, f"{pointer}/properties")
        for name in schema.get("required", []):
            if name not in properties:
                remedy = f"remove it by a correction: {self.without_required(schema, pointer, name)}"
                message = f"names {name!r}, which is not among the properties; {remedy}"
                yield self.problem(f"{pointer}/required", message)
        if "items" in schema:
            yield from self.schema(schema["items"], f"{pointer}/items")
        if not isinstance(schema.get("additionalProperties", True), bool):
            yield from self.schema(schema["additionalProperties"], f"{pointer}/additionalProperties")

    def without_required(self, schema: dict[str, Any], pointer: str, name: str) -> str:
        others = [other for other in schema["required"] if other != name]
        return suggest(self.file, f"{pointer}/required", schema["required"], others or ABSENT)

    def named_schemas(self, schemas: dict[str, Any], pointer: str) -> Iterator[Problem]:
        for name, schema in schemas.items():
            yield from self.schema(schema, f"{pointer}/{escape_pointer(name)}")

    def removable(self, pointer: str, value: Any, message: str) -> Problem:
        """Return a problem that a correction solves by removing the value at the pointer."""
        joint = "" if message.endswith(" or") else ";"
        return self.problem(
            pointer, f"{message}{joint} remove it by a correction: {suggest(self.file, pointer, value)}"
        )

    def problem(self, pointer: str, message: str) -> Problem:
        return Problem(self.file, pointer, message)


def _references(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _size(schema: dict[str, Any], definitions: dict[str, Any], known: dict[str, int]) -> int:
    """Return the number of references in a schema, each definition counted as often as it is referred to."""
    size = 1
    for reference in _references({key: value for key, value in schema.items() if key != "definitions"}):
        name = reference["$ref"].rpartition("/")[2]
        if name not in known:
            known[name] = _size(definitions[name], definitions, known)
        size += known[name]
    return size
