"""The TOML files that people write, read strictly: what is not understood is refused, never passed over."""

from __future__ import annotations

import math
import tomllib
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator

from codegen.jsontext import MAX_DEPTH, depth
from codegen.problems import ContractError, Problem, escape_pointer, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jsonschema import ValidationError

STRING = {"type": "string"}


def table(required: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    """The schema of a table with these keys and no others."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": keys, "additionalProperties": False} | needed


def table_of(member: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table whose keys are names."""
    return {"type": "object", "additionalProperties": member}


def list_of(member: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": member}


def read(file: Path, name: str, form: dict[str, Any]) -> dict[str, Any]:
    """Read one file.

    Args:
        file: Where it is.
        name: Its name, for messages.
        form: A JSON Schema of what it may say.

    Raises:
        ContractError: Missing, not TOML, or not of this form; everything that is out of form is named.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=_finite)
    except FileNotFoundError:
        raise ContractError([Problem(name, "", "is missing")]) from None
    except RecursionError:
        raise ContractError([Problem(name, "", "cannot be read: nested too deeply")]) from None
    except (OSError, ValueError) as error:  # not UTF-8, not TOML, or an integer with more digits than int() takes
        raise ContractError([Problem(name, "", f"cannot be read: {error}")]) from None
    if depth(document) > MAX_DEPTH:
        raise ContractError([Problem(name, "", f"is nested more than {MAX_DEPTH} deep")])
    problems = [
        Problem(name, pointer, text)
        for error in Draft4Validator(form).iter_errors(document)
        for pointer, text in _said(error)
    ]
    if problems:
        raise ContractError(problems)
    return document


def _said(error: ValidationError) -> Iterator[tuple[str, str]]:
    pointer = "".join(f"/{escape_pointer(str(step))}" for step in error.absolute_path)
    if error.validator != "additionalProperties":
        yield pointer, shorten(error.message, 200)
        return
    known = error.schema["properties"]
    for key in error.instance.keys() - known.keys():
        yield f"{pointer}/{escape_pointer(key)}", f"is an unknown key; known are {', '.join(known)}"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number
