"""schemas/corrections.toml: where upstream's schema contradicts what Choria sends."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codegen import tomltext
from codegen.jsontext import same
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "corrections.toml"

_ABSENT: Any = object()

# Anything that JSON has too; TOML's dates are no part of a schema.
_JSON = {
    "type": ["array", "boolean", "integer", "number", "object", "string"],
    "items": {"$ref": "#/definitions/json"},
    "additionalProperties": {"$ref": "#/definitions/json"},
}
_CORRECTION = tomltext.table(
    ("file", "pointer", "reason"),
    file=tomltext.STRING,
    pointer=tomltext.STRING,
    expected={"$ref": "#/definitions/json"},
    value={"$ref": "#/definitions/json"},
    reason=tomltext.STRING,
)
_FORM = tomltext.table(corrections=tomltext.list_of(_CORRECTION)) | {"definitions": {"json": _JSON}}


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to a schema.

    Attributes:
        file: The schema, by upstream's path.
        pointer: The place in it, as a JSON pointer.
        expected: What upstream says there; absent when the key is to be added.
        value: What it should say; absent when the key is to be removed.
        reason: Why, in a sentence; users see it.
    """

    file: str
    pointer: str
    expected: Any
    value: Any
    reason: str


def read(schemas: Path) -> tuple[Correction, ...]:
    """Read the corrections of a schemas folder, in the order of the file.

    Raises:
        ContractError: Not TOML, an unknown key, or a correction lacks something or changes nothing.
    """
    if not (schemas / NAME).exists():
        return ()
    document = tomltext.read(schemas / NAME, NAME, _FORM)
    problems: list[Problem] = []
    corrections: list[Correction] = []
    for number, table in enumerate(document.get("corrections", [])):
        expected, value = table.get("expected", _ABSENT), table.get("value", _ABSENT)
        if not all(table[key].strip() for key in ("file", "pointer", "reason")):
            text = "file, pointer and reason must not be empty"
        elif not table["pointer"].startswith("/"):
            text = "pointer must begin with a slash"
        elif same_or_both_absent(expected, value):
            text = "changes nothing: expected and value are the same, or both are missing"
        else:
            corrections.append(Correction(table["file"], table["pointer"], expected, value, table["reason"]))
            continue
        problems.append(Problem(NAME, f"/corrections/{number}", text))
    if problems:
        raise ContractError(problems)
    return tuple(corrections)


def apply(
    schemas: Mapping[str, dict[str, Any]], corrections: tuple[Correction, ...]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Correct copies of the schemas.

    Returns:
        The corrected schemas, and what stands in the way: a correction that no longer applies is a problem, because
        upstream has changed just where it was wrong.
    """
    corrected = copy.deepcopy(dict(schemas))
    problems: list[Problem] = []
    for correction in corrections:
        schema = corrected.get(correction.file)
        text = "is corrected, but there is no such schema" if schema is None else _apply_one(schema, correction)
        if text:
            problems.append(Problem(correction.file, correction.pointer, f"{text} (see {NAME})"))
    return corrected, problems


def same_or_both_absent(one: object, other: object) -> bool:
    """Whether a correction from the one to the other would do nothing."""
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same(one, other)


def _apply_one(schema: dict[str, Any], correction: Correction) -> str | None:
    *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in correction.pointer[1:].split("/"))
    holder: Any = schema
    for step in parents:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return "is corrected, but the schema has nothing there"
    found = holder.get(last, _ABSENT)
    if not same_or_both_absent(found, correction.expected):
        return f"is corrected, but has {_say(found)} where the correction expects {_say(correction.expected)}"
    if correction.value is _ABSENT:
        del holder[last]
    else:
        holder[last] = copy.deepcopy(correction.value)
    return None


def _say(value: object) -> str:
    return "nothing" if value is _ABSENT else repr(value)
