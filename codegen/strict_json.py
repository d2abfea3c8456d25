"""Strict JSON: rejects what two parsers could read differently."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from codegen.problems import ContractError, Problem

MAX_BYTES = 1_000_000
"""Far above the size of any schema."""
MAX_DEPTH = 60
"""Far above the depth of any schema, and below Python's recursion limit for all code that walks one."""


def parse(data: bytes, file: str) -> dict[str, Any]:
    """Parse one JSON object.

    Args:
        data: the bytes of the file.
        file: its name, for messages.

    Raises:
        ContractError: the data is too large or nested too deeply, is not UTF-8 or not JSON, is not an object, or has a
            byte order mark, a duplicate key, a number that is not finite, or a lone surrogate, which cannot be encoded.
    """

    def fail(message: str) -> NoReturn:
        raise ContractError([Problem(file, "", message)])

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            fail(f"has the key {next(name for name in names if names.count(name) > 1)!r} twice in one object")
        return members

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            fail(f"has the number {text}, which is not finite")
        return number

    if len(data) > MAX_BYTES:
        fail(f"has {len(data)} bytes; the limit for a schema is {MAX_BYTES}")
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            fail("begins with a byte order mark")
        document = json.loads(text, object_pairs_hook=unique, parse_float=finite, parse_constant=finite)
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        fail("has a lone surrogate in a string")
    except UnicodeDecodeError as error:
        fail(f"is not UTF-8: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        fail(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        fail("is nested too deeply")
    except ValueError as error:  # an integer with more digits than int() accepts
        fail(f"is not usable JSON: {error}")
    if not isinstance(document, dict):
        fail("is not a JSON object")
    if nesting_depth(document) > MAX_DEPTH:
        fail(f"is nested more than {MAX_DEPTH} levels deep")
    return document


def nesting_depth(document: object) -> int:
    """Return how deeply dicts and lists are nested; a scalar has depth 1."""
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


def json_equal(left: object, right: object) -> bool:
    """Compare two JSON values; unlike `==`, True differs from 1, and 1 from 1.0."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
