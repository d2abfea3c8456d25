"""The supported subset of JSON Schema draft-04: a closed list of keywords and names; everything else is rejected.

The subset is small on purpose: a keyword is supported once the dataclass, the compiled validator and the oracle in the
tests agree on it. `pattern` is not, because Python's `$` also matches before a final newline, which only fastjsonschema
corrects.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

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
            Problem(file, "/title", f"is {schema.get('title')!r}, but the path of the file requires {title!r}")
        )
    if not isinstance(schema.get("id"), str):
        found.append(Problem(file, "/id", "is missing"))
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
            yield self.problem(pointer, "must be a schema object")
            return
        allowed = KEYWORDS | ROOT_KEYWORDS if root else KEYWORDS
        for unknown in sorted(schema.keys() - allowed):
            yield self.problem(
                f"{pointer}/{escape_pointer(unknown)}",
                f"keyword {unknown!r} is not supported"
                + (" here" if unknown in ROOT_KEYWORDS else "")
                + "; add it to codegen/subset.py, or correct the schema in corrections.toml",
            )
        if "$ref" in schema:
            yield from self.reference(schema, pointer, ())
            return
        yield from self.type_and_enum(schema, pointer)
        yield from self.members(schema, pointer)
        if root:
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

    def reference(self, schema: dict[str, Any], pointer: str, seen: tuple[str, ...]) -> Iterator[Problem]:
        target = _REF.fullmatch(str(schema["$ref"]))
        if len(schema) > 1:
            yield self.problem(pointer, "has keywords beside $ref, which draft-04 ignores")
        elif not target or target[1] not in self.definitions:
            yield self.problem(
                f"{pointer}/$ref", f"refers to {schema['$ref']!r}, which is not a definition in this file"
            )
        elif target[1] in seen:
            yield self.problem(f"{pointer}/$ref", "is a circular reference")
        elif target[1] not in self.followed:
            for inner in _references(self.definitions[target[1]]):
                yield from self.reference(inner, pointer, (*seen, target[1]))
            self.followed.add(target[1])

    def type_and_enum(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        types = schema.get("type")
        if isinstance(types, list):
            if len(types) != 2 or "null" not in types:
                yield self.problem(f"{pointer}/type", f"is {types!r}; the only supported union is one type and 'null'")
        elif types is not None and types not in TYPES:
            yield self.problem(f"{pointer}/type", f"is {types!r}, which is not a JSON Schema type")
        if "enum" in schema:
            if not all(isinstance(value, str) for value in schema["enum"]):
                yield self.problem(f"{pointer}/enum", "has values that are not strings")
            if types not in (None, "string"):
                yield self.problem(
                    f"{pointer}/enum", f"is combined with the type {types!r}; only 'string' is supported"
                )
        for applicator, type_ in (("properties", "object"), ("additionalProperties", "object"), ("items", "array")):
            if applicator in schema and type_ not in (types if isinstance(types, list) else [types]):
                yield self.problem(f"{pointer}/{applicator}", f"requires the type {type_!r}")
        # In draft-04 it has a meaning only beside a list of items, which is rejected.
        if not isinstance(schema.get("additionalItems", False), bool):
            yield self.problem(f"{pointer}/additionalItems", "is a schema, which has no effect here")

    def members(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        properties = schema.get("properties", {})
        yield from self.named_schemas(properties, f"{pointer}/properties")
        for name in schema.get("required", []):
            if name not in properties:
                yield self.problem(f"{pointer}/required", f"names {name!r}, which is not among the properties")
        if "items" in schema:
            yield from self.schema(schema["items"], f"{pointer}/items")
        if not isinstance(schema.get("additionalProperties", True), bool):
            yield from self.schema(schema["additionalProperties"], f"{pointer}/additionalProperties")

    def named_schemas(self, schemas: dict[str, Any], pointer: str) -> Iterator[Problem]:
        for name, schema in schemas.items():
            location = f"{pointer}/{escape_pointer(name)}"
            reason = name_problem(name)
            if reason:
                yield self.problem(location, f"the name {name!r} {reason}")
            yield from self.schema(schema, location)

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
