"""schemas/corrections.toml: differences between upstream's schemas and what Choria sends."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codegen import strict_toml
from codegen.problems import ContractError, Problem, escape_pointer
from codegen.strict_json import json_equal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "corrections.toml"

ABSENT: Any = object()
"""Stands for a key that is missing, before or after a correction."""
_MOST_CHARACTERS = 400

# Every TOML type that JSON has too; dates have no JSON equivalent.
_JSON_VALUE = {
    "type": ["array", "boolean", "integer", "number", "object", "string"],
    "items": {"$ref": "#/definitions/json"},
    "additionalProperties": {"$ref": "#/definitions/json"},
}
_CORRECTION = strict_toml.table(
    {
        "file": strict_toml.STRING,
        "pointer": strict_toml.STRING,
        "expected": {"$ref": "#/definitions/json"},
        "value": {"$ref": "#/definitions/json"},
        "reason": strict_toml.STRING,
    },
    required=("file", "pointer", "reason"),
)
_SCHEMA = strict_toml.table({"corrections": strict_toml.list_of(_CORRECTION)}) | {"definitions": {"json": _JSON_VALUE}}


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to a schema.

    Attributes:
        file: the schema, by upstream's path.
        pointer: the location in the schema, as a JSON pointer.
        expected: upstream's value; absent if the correction adds the key.
        value: the corrected value; absent if the correction removes the key.
        reason: the reason in one sentence, which is shown to users.
    """

    file: str
    pointer: str
    expected: Any
    value: Any
    reason: str


def read(schemas: Path) -> tuple[Correction, ...]:
    """Read the corrections of a schemas folder, in the order of the file.

    Raises:
        ContractError: the file is not TOML or has an unknown key, or a correction is incomplete or has no effect.
    """
    if not (schemas / NAME).exists():
        return ()
    document = strict_toml.read(schemas / NAME, NAME, _SCHEMA)
    problems: list[Problem] = []
    corrections: list[Correction] = []
    for number, table in enumerate(document.get("corrections", [])):
        expected, value = table.get("expected", ABSENT), table.get("value", ABSENT)
        if not all(table[key].strip() for key in ("file", "pointer", "reason")):
            message = "file, pointer and reason must not be empty"
        elif not table["pointer"].startswith("/"):
            message = "pointer must begin with a slash"
        elif _equal(expected, value):
            message = "has no effect: expected and value are equal, or both are missing"
        else:
            corrections.append(Correction(table["file"], table["pointer"], expected, value, table["reason"]))
            continue
        problems.append(Problem(NAME, f"/corrections/{number}", message))
    if problems:
        raise ContractError(problems)
    return tuple(corrections)


def apply(
    schemas: Mapping[str, dict[str, Any]], corrections: tuple[Correction, ...]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Apply corrections to copies of the schemas.

    Returns:
        The corrected schemas, and a problem for each correction that no longer applies: upstream has changed exactly
        what was wrong, so the correction needs a review.
    """
    corrected = copy.deepcopy(dict(schemas))
    problems: list[Problem] = []
    for correction in corrections:
        schema = corrected.get(correction.file)
        message = "is corrected, but there is no such schema" if schema is None else _apply_one(schema, correction)
        if message:
            problems.append(Problem(correction.file, correction.pointer, f"{message} (see {NAME})"))
    return corrected, problems


def suggest(file: str, pointer: str, expected: Any, value: Any = ABSENT) -> str:
    """Return a correction in the form that corrections.toml takes, in one line, for the message of a refusal."""
    keys = {"file": file, "pointer": pointer, "expected": expected, "value": value}
    try:
        text = ", ".join(f"{key} = {strict_toml.inline(part)}" for key, part in keys.items() if part is not ABSENT)
    except ValueError:
        return f"TOML has no null, so ignore the file in upstream.lock and hold a corrected copy in local/{file}"
    return f"{{ {text} }}" if len(text) <= _MOST_CHARACTERS else f"pointer {pointer}"


def _equal(left: object, right: object) -> bool:
    if left is ABSENT or right is ABSENT:
        return left is right
    return json_equal(left, right)


def _apply_one(schema: dict[str, Any], correction: Correction) -> str | None:
    *parents, key = (step.replace("~1", "/").replace("~0", "~") for step in correction.pointer[1:].split("/"))
    parent: Any = schema
    for position, step in enumerate(parents):
        parent = parent.get(step) if isinstance(parent, dict) else None
        if isinstance(parent, dict) and "$ref" in parent:
            rest = "".join(f"/{escape_pointer(part)}" for part in (*parents[position + 1 :], key))
            return (
                f"is corrected, but refers to {parent['$ref']}: correct {str(parent['$ref']).removeprefix('#')}{rest}"
            )
    if not isinstance(parent, dict):
        return "is corrected, but the schema has nothing there"
    found = parent.get(key, ABSENT)
    if not _equal(found, correction.expected):
        adopted = _equal(found, correction.value) or _same_set(found, correction.value)
        return (
            f"is corrected, but has {_format(found)} where the correction expects {_format(correction.expected)}"
            f"{'; upstream now has the corrected value: delete this correction' * adopted}"
        )
    if correction.value is ABSENT:
        del parent[key]
    else:
        parent[key] = copy.deepcopy(correction.value)
    return None


def _same_set(left: object, right: object) -> bool:
    # `type`, `enum` and `required` are the only keywords whose value is a list; their order means nothing.
    return (
        isinstance(left, list) and isinstance(right, list) and _equal(sorted(left, key=repr), sorted(right, key=repr))
    )


def _format(value: object) -> str:
    return "nothing" if value is ABSENT else repr(value)
