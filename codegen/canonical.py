"""The canonical form of a contract: everything that validates, nothing that only describes.

`title` and `id` stay verbatim, `format` stays as an annotation. `description`, `examples` and `default` are dropped:
upstream copies them from event to event and many are wrong (descriptions.toml replaces them). Every file declares
draft-04.
"""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft4Validator, Draft7Validator
from jsonschema.exceptions import best_match

from codegen.problems import ContractError, Problem, escape_pointer

DRAFT_04 = "http://json-schema.org/draft-04/schema#"

_METASCHEMAS = {
    "http://json-schema.org/draft-04/schema": Draft4Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}
_ANNOTATIONS = frozenset({"description", "examples", "default", "$comment"})
_KEYWORD_ORDER = (
    "$schema", "id", "title", "$ref", "type", "enum", "format", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "items", "additionalItems", "additionalProperties", "required", "properties", "definitions",
)  # fmt: skip
# Keywords by the kind of value that holds subschemas.
_SCHEMA = frozenset({"items", "additionalItems", "additionalProperties", "not"})
_SCHEMA_LIST = frozenset({"items", "allOf", "anyOf", "oneOf"})
_SCHEMA_MAP = frozenset({"properties", "patternProperties", "definitions", "dependencies"})


def check(schema: dict[str, Any], file: str) -> None:
    """Check a schema against the metaschema that it names.

    Raises:
        ContractError: the metaschema is unknown, or the schema is not valid against it.
    """
    declared = schema.get("$schema")
    metaschema = _METASCHEMAS.get(declared.rstrip("#")) if isinstance(declared, str) else None
    if metaschema is None:
        raise ContractError(
            [
                Problem(
                    file,
                    "/$schema",
                    f"is {declared!r}; teach it to codegen/canonical.py, which knows {', '.join(sorted(_METASCHEMAS))}",
                )
            ]
        )
    error = best_match(metaschema(metaschema.META_SCHEMA).iter_errors(schema))
    if error is not None:
        pointer = "".join(f"/{escape_pointer(str(step))}" for step in error.absolute_path)
        raise ContractError([Problem(file, pointer, f"is not valid against its metaschema: {error.message}")])


def canonicalise(schema: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the canonical form of a schema, checking the input against its metaschema and the result against draft-04.

    Keywords that cannot be translated stay: they are rejected later, unless a correction has removed them.

    Raises:
        ContractError: the schema is not valid against its metaschema.
    """
    check(schema, file)
    form = _ordered(_strip_annotations(schema) | {"$schema": DRAFT_04})
    check(form, file)
    return form


def render(form: dict[str, Any]) -> bytes:
    """Return the bytes of a canonical form as they are stored."""
    return (json.dumps(form, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _strip_annotations(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    form: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        if keyword in _SCHEMA_MAP and isinstance(value, dict):
            form[keyword] = {name: _strip_annotations(member) for name, member in value.items()}
        elif keyword in _SCHEMA_LIST and isinstance(value, list):
            form[keyword] = [_strip_annotations(member) for member in value]
        elif keyword in _SCHEMA:
            form[keyword] = _strip_annotations(value)
        else:
            form[keyword] = value
    return _ordered(form)


def _ordered(form: dict[str, Any]) -> dict[str, Any]:
    known = [keyword for keyword in _KEYWORD_ORDER if keyword in form]
    ordered = {keyword: form[keyword] for keyword in (*known, *sorted(form.keys() - set(known)))}
    properties, required = form.get("properties"), form.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        # `required` is a set: in the order of the properties, a reordering upstream makes no difference here.
        positions = {name: position for position, name in enumerate(properties)}
        ordered["required"] = sorted(required, key=lambda name: (positions.get(name, len(positions)), name))
    return ordered
