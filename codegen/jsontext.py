"""Bytes to JSON, more strictly than json.loads: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from codegen.problems import ContractError, Problem

MAX_BYTES = 1_000_000
"""No schema comes near this size; a file that does is something else."""
MAX_DEPTH = 60
"""Nor this depth. With it, nothing behind this module can run into Python's recursion limit."""


def parse(data: bytes, file: str) -> dict[str, Any]:
    """Read one JSON object.

    Args:
        data: The bytes of the file.
        file: Its name, for messages.

    Raises:
        ContractError: Too large or too deep, not UTF-8, with a byte order mark, not JSON, not an object, a key twice, a
            number that is not finite, or a lone surrogate, which could not be written out again.
    """

    def refuse(text: str) -> NoReturn:
        raise ContractError([Problem(file, "", text)])

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            refuse(f"has the key {next(name for name in names if names.count(name) > 1)!r} twice in one object")
        return members

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            refuse(f"has the number {text}, which is not finite")
        return number

    if len(data) > MAX_BYTES:
        refuse(f"has {len(data)} bytes, more than a schema could need ({MAX_BYTES})")
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            refuse("begins with a byte order mark")
        document = json.loads(text, object_pairs_hook=unique, parse_float=finite, parse_constant=finite)
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        refuse("has a lone surrogate in a text")
    except UnicodeDecodeError as error:
        refuse(f"is not UTF-8: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        refuse(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        refuse("is nested too deeply")
    except ValueError as error:  # an integer with more digits than int() takes
        refuse(f"is not usable JSON: {error}")
    if not isinstance(document, dict):
        refuse("is not a JSON object")
    if depth(document) > MAX_DEPTH:
        refuse(f"is nested more than {MAX_DEPTH} deep")
    return document


def depth(document: object) -> int:
    """How deep dicts and lists are nested in each other; what is neither counts as one."""
    levels, level = 0, [document]
    while level:
        levels += 1
        level = [
            member
            for value in level
            if isinstance(value, (dict, list))
            for member in (value.values() if isinstance(value, dict) else value)
        ]
    return levels


def same(one: object, other: object) -> bool:
    """Whether two JSON values are the same; True is not 1, and 1 is not 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
