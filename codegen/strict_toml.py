"""Strict TOML, for the files that people write: an unknown key is an error, never ignored."""

from __future__ import annotations

import json
import math
import tomllib
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator

from codegen.problems import ContractError, Problem, escape_pointer, shorten
from codegen.strict_json import MAX_DEPTH, nesting_depth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jsonschema import ValidationError

STRING: dict[str, Any] = {"type": "string"}


def table(keys: Mapping[str, dict[str, Any]], required: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of a table with exactly these keys, given with their schemas."""
    return {
        "type": "object",
        "properties": dict(keys),
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def table_of(member: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a table with arbitrary keys."""
    return {"type": "object", "additionalProperties": member}


def list_of(member: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an array."""
    return {"type": "array", "items": member}


def read(file: Path, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Read one file.

    Args:
        file: the path of the file.
        name: its name, for messages.
        schema: the JSON Schema that its content must satisfy.

    Raises:
        ContractError: the file is missing, is not TOML, or violates the schema; every violation is listed.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=_finite)
    except FileNotFoundError:
        raise ContractError([Problem(name, "", "is missing")]) from None
    except RecursionError:
        raise ContractError([Problem(name, "", "cannot be read: nested too deeply")]) from None
    except (OSError, ValueError) as error:  # not UTF-8, not TOML, or an integer with more digits than int() accepts
        raise ContractError([Problem(name, "", f"cannot be read: {error}")]) from None
    if nesting_depth(document) > MAX_DEPTH:
        raise ContractError([Problem(name, "", f"is nested more than {MAX_DEPTH} levels deep")])
    problems = [
        Problem(name, pointer, message)
        for error in Draft4Validator(schema).iter_errors(document)
        for pointer, message in _explain(error)
    ]
    if problems:
        raise ContractError(problems)
    return document


def inline(value: Any) -> str:
    """Return a JSON value as inline TOML.

    Raises:
        ValueError: the value has a null, which TOML does not have.
    """
    if value is None:
        raise ValueError("TOML has no null")
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{inline(key)} = {inline(member)}' for key, member in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    # A TOML basic string is a JSON string, except that TOML requires U+007F to be escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _explain(error: ValidationError) -> Iterator[tuple[str, str]]:
    pointer = "".join(f"/{escape_pointer(str(step))}" for step in error.absolute_path)
    if error.validator != "additionalProperties":
        yield pointer, shorten(error.message, 200)
        return
    known = error.schema["properties"]
    for key in error.instance.keys() - known.keys():
        yield f"{pointer}/{escape_pointer(key)}", f"is an unknown key; known keys are {', '.join(known)}"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number
